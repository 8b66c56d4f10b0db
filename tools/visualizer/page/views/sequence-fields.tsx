/** The message under the cursor: all its fields, and what became of it at each receiver. */
import type { Entry, Summary } from "../../../../src/host/inspector/contract.ts";
import { nameOfKey } from "../model/entries.ts";
import type { Store } from "../model/store.ts";
import type { Diagram } from "./sequence-diagram.ts";
import type { Message } from "./sequence-messages.ts";
import { type Row, labelOf } from "./sequence-rows.ts";

/** `n1 to n2, notarize v12 e0, delivered`: a message in words. */
export function arrivals(message: Message | undefined): string {
  if (message === undefined) return "";
  const { from, to, summary, delivered, dropped } = message;
  const fate = dropped !== null ? `dropped: ${dropped.reason}` : delivered === null ? "arrival not seen" : "delivered";
  return `${from} to ${to}, ${labelOf(summary)}, ${fate}`;
}

function fieldsOf(summary: Summary): readonly (readonly [string, string])[] {
  return Object.entries(summary).flatMap(([name, value]) =>
    value === undefined || value === null
      ? []
      : [[name, Array.isArray(value) ? value.join(", ") : String(value)] as const],
  );
}

function Fields({ summary }: { readonly summary: Summary }) {
  return (
    <dl class="fields">
      {fieldsOf(summary).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** One receiver: a button to the moment of arrival, and how long it took by the entries' clocks. */
function Fate({ store, message }: { readonly store: Store; readonly message: Message }) {
  const { history } = store;
  const sent = message.sent === null ? undefined : history.at(message.sent);
  const arrived = message.delivered === null ? undefined : history.at(message.delivered);
  if (message.dropped !== null)
    return (
      <li>
        <span class="bad">✕</span> {message.to}: dropped, {message.dropped.reason}
      </li>
    );
  if (arrived === undefined)
    return (
      <li>
        {message.to}: <span class="quiet">its arrival is not among the entries</span>
      </li>
    );
  const took = sent === undefined ? "" : `, ${Math.round((arrived.at - sent.at) * 10) / 10} ms later`;
  return (
    <li>
      <button type="button" class="link" onClick={() => store.goToEntry(arrived)}>
        {message.to}
      </button>
      : delivered{took}
    </li>
  );
}

function Noted({ entry }: { readonly entry: Entry | undefined }) {
  if (entry === undefined) return null;
  switch (entry.kind) {
    case "finalised":
      return (
        <p>
          {`Block ${entry.block.height} of view ${entry.block.view} is final at ${entry.node}: ${entry.block.commands} commands, ${entry.block.refused} refused.`}
        </p>
      );
    case "evidence":
      return (
        <p class="bad">{`${entry.node} holds evidence against ${entry.member}: ${entry.evidence} in view ${entry.view}.`}</p>
      );
    case "fault":
      return <Fields summary={entry.fault} />;
    case "stepped":
      return <Fields summary={entry.event} />;
    case "ended":
      return <p class="bad">{`${entry.node} ended: ${entry.reason}`}</p>;
    default:
      return null;
  }
}

export function MessageFields({
  store,
  diagram,
  row,
}: {
  readonly store: Store;
  readonly diagram: Diagram;
  readonly row: Row | undefined;
}) {
  if (row === undefined)
    return (
      <aside class="seq-fields" aria-label="Message under the cursor">
        <p class="quiet">Nothing has happened yet.</p>
      </aside>
    );
  const entry = store.history.at(row.first);
  const messages = row.kind === "note" ? [] : row.messages.flatMap((id) => diagram.messages.all[id] ?? []);
  const [first] = messages;
  return (
    <aside class="seq-fields" aria-label="Message under the cursor" aria-live="polite">
      <h3>{row.kind === "note" ? `${row.node}: ${row.label}` : row.label}</h3>
      {first !== undefined && (
        <p>
          {row.kind === "delivered"
            ? `${row.node} received it from ${first.from}.`
            : `${first.from} ${row.kind === "dropped" && first.sent === null ? "did not send it" : "sent it"} to:`}
        </p>
      )}
      {first !== undefined && row.kind !== "delivered" && (
        <ul>
          {messages.map((message) => (
            <Fate key={message.id} store={store} message={message} />
          ))}
        </ul>
      )}
      {first !== undefined && row.kind === "delivered" && first.sent === null && (
        <p class="quiet">Its sending is not among the entries.</p>
      )}
      {first === undefined ? <Noted entry={entry} /> : <Fields summary={first.summary} />}
      {entry !== undefined && <p class="quiet">{`Entry ${nameOfKey(entry)}`}</p>}
    </aside>
  );
}
