/** Members on a ring at the moment of the cursor: who leads, who is heard by whom, who is silent or has ended. */
import { useMemo } from "preact/hooks";
import type { MemberRow, SourceDescription } from "../../../../src/host/inspector/contract.ts";
import type { Moment } from "../model/moment.ts";
import type { Store } from "../model/store.ts";
import { shortened } from "../model/words.ts";
import type { View, ViewProps } from "../view.ts";
import { useAnswer } from "./hooks.ts";
import { type RingMember, type RingPicture, type Standing, arcPath, leadSentence, ringAt } from "./ring-picture.ts";

const NAME = "ring";
/** Half of the drawing's side, the ring's radius, and that of a member's disc. Units: px of the drawing. */
const HALF = 190;
const RADIUS = 128;
const DISC = 27;
/** That fit into a disc; and that do when they are small. */
const NAME_LETTERS = 4;
const LONG_NAME_LETTERS = 8;

const STANDINGS: Readonly<Record<Standing, string>> = {
  leader: "leads",
  connected: "heard",
  silent: "silent",
  ended: "ended",
  unknown: "unknown",
};

function Disc({
  member,
  isFocused,
  onChoose,
}: {
  readonly member: RingMember;
  readonly isFocused: boolean;
  readonly onChoose: () => void;
}) {
  const x = member.x * RADIUS;
  const y = member.y * RADIUS;
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    onChoose();
  };
  return (
    <g
      class={`disc member member-${member.index % 8} ${member.standing} ${member.role === "honest" ? "" : "byzantine"} ${isFocused ? "focused" : ""}`}
      role="button"
      tabIndex={0}
      aria-pressed={isFocused}
      aria-label={`${member.why}${member.role === "honest" ? "" : ` It is Byzantine: ${member.role}.`}`}
      onClick={onChoose}
      onKeyDown={onKeyDown}
    >
      <title>{member.why}</title>
      {member.standing === "leader" && <circle class="crown" cx={x} cy={y} r={DISC + 5} />}
      <circle cx={x} cy={y} r={DISC} />
      <text class={`disc-name ${member.name.length > NAME_LETTERS ? "long" : ""}`} x={x} y={y - 2} text-anchor="middle">
        {shortened(member.name, LONG_NAME_LETTERS)}
      </text>
      <text class="disc-note" x={x} y={y + 12} text-anchor="middle">
        {STANDINGS[member.standing]}
      </text>
      {member.standing === "ended" && (
        <path class="cross" d={`M${x + 15} ${y - 25}l10 10M${x + 15} ${y - 15}l10 -10`} />
      )}
    </g>
  );
}

function Ring({
  picture,
  focus,
  onFocus,
}: {
  readonly picture: RingPicture;
  readonly focus: string | null;
  readonly onFocus: (name: string) => void;
}) {
  const byName = new Map(picture.members.map((member) => [member.name, member]));
  const arcs = picture.arcs.filter(({ from, to }) => focus === null || from === focus || to === focus);
  return (
    <svg
      class="ring-svg"
      viewBox={`${-HALF} ${-HALF} ${2 * HALF} ${2 * HALF}`}
      role="group"
      aria-label={`Ring of ${picture.members.length} members`}
    >
      <circle class="ring-line" r={RADIUS} />
      {arcs.map((arc) => {
        const from = byName.get(arc.from);
        const to = byName.get(arc.to);
        if (from === undefined || to === undefined) return null;
        const gone = from.standing === "ended" || to.standing === "ended";
        return (
          <path
            key={`${arc.from} ${arc.to}`}
            class={`arc ${arc.kind} ${arc.stale || gone ? "stale" : ""}`}
            d={arcPath(from, to, RADIUS, DISC + 4)}
            marker-end="url(#ring-tip)"
          >
            <title>{`${arc.to} heard ${arc.from}`}</title>
          </path>
        );
      })}
      <defs>
        <marker id="ring-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
          <path class="ring-tip" d="M0 0.8 8 4 0 7.2z" />
        </marker>
      </defs>
      <rect class="ring-hub" x="-56" y="-30" width="112" height="52" rx="12" />
      <text class="ring-view" y="-6" text-anchor="middle">
        {picture.view === null ? "–" : `view ${picture.view}`}
      </text>
      <text class="ring-epoch" y="14" text-anchor="middle">
        {picture.epoch === null ? "" : `epoch ${picture.epoch}`}
      </text>
      {picture.members.map((member) => (
        <Disc
          key={member.name}
          member={member}
          isFocused={focus === member.name}
          onChoose={() => onFocus(member.name)}
        />
      ))}
    </svg>
  );
}

/** How long ago, in words that do not flicker. Units: ms. */
export function ago(ms: number): string {
  if (ms < 1_000) return "just now";
  if (ms < 120_000) return `${Math.floor(ms / 1_000)} s before`;
  return `${Math.floor(ms / 60_000)} min before`;
}

interface TableProps {
  readonly picture: RingPicture;
  /** Units: ms. */
  readonly now: number | null;
  readonly rows: readonly MemberRow[];
  readonly asked: string;
}

function Members({ picture, now, rows, asked }: TableProps) {
  const said = new Map(rows.map((row) => [row.name, row]));
  return (
    <div class="scroll-x">
      <table class="rows">
        <caption>{`Members of epoch ${picture.epoch ?? "–"}, in the order in which they lead`}</caption>
        <thead>
          <tr>
            <th scope="col">member</th>
            <th scope="col">standing</th>
            <th scope="col">view</th>
            <th scope="col">height</th>
            <th scope="col">heard</th>
            {rows.length > 0 && <th scope="col">{`key, by ${asked}`}</th>}
          </tr>
        </thead>
        <tbody>
          {picture.members.map((member) => {
            const row = said.get(member.name);
            return (
              <tr key={member.name}>
                <th scope="row">{member.name}</th>
                <td>
                  <span class={`standing ${member.standing}`}>{STANDINGS[member.standing]}</span>
                  {member.role !== "honest" && <span class="standing byzantine">{member.role}</span>}
                </td>
                <td>{member.view ?? "–"}</td>
                <td>{member.height ?? "–"}</td>
                <td>{member.heardAt === null || now === null ? "–" : ago(now - member.heardAt)}</td>
                {rows.length > 0 && <td>{row === undefined ? "–" : `no. ${row.keySn}`}</td>}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** Whom to ask for the members as the process itself sees them: one that lives, then and now. */
const livingNode = (store: Store, moment: Moment, source: SourceDescription, focus: string | null): string | null => {
  const lives = (name: string): boolean => moment.nodes.get(name)?.standing === "alive" && store.answers(name);
  if (focus !== null && lives(focus)) return focus;
  return source.nodes.find(({ name }) => lives(name))?.name ?? null;
};

function RingOf({
  store,
  moment,
  source,
}: {
  readonly store: Store;
  readonly moment: Moment;
  readonly source: SourceDescription;
}) {
  const picture = useMemo(() => ringAt(moment, source, (at) => store.history.at(at)), [moment, source]);
  const chosen = store.focusOf(NAME);
  const focus = source.nodes.some(({ name }) => name === chosen) ? chosen : null;
  const asked = livingNode(store, moment, source, focus);
  const { answer, of } = useAnswer<readonly MemberRow[]>(store, asked === null ? null : "members", { node: asked });
  const rows = answer?.ok === true ? answer.value : [];
  const why = picture.members.filter(
    ({ name, standing }) => focus === name || standing === "ended" || standing === "silent",
  );
  return (
    <div class="looks">
      <div class="ring">
        <Ring picture={picture} focus={focus} onFocus={(name) => store.setFocus(NAME, name === focus ? null : name)} />
        <div class="ring-side">
          <p class="lead">{leadSentence(picture)}</p>
          {why.map(({ name, why: sentence }) => (
            <p key={name} class={name === focus ? "" : "bad"}>
              {sentence}
            </p>
          ))}
          <Members picture={picture} now={store.now} rows={rows} asked={String(of["node"] ?? "")} />
          <p class="quiet">
            An arrow means: heard lately. Suspicions, rebuttals and changes of the membership come with the overlay,
            which Sky does not have yet; silence is counted in views here.
          </p>
        </div>
      </div>
    </div>
  );
}

function RingView({ store, moment }: ViewProps) {
  return store.source === null ? (
    <p>Waiting for the source.</p>
  ) : (
    <RingOf store={store} moment={moment} source={store.source} />
  );
}

export const view: View = { name: NAME, title: "Members", key: "4", Component: RingView };
