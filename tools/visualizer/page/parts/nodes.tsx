/** Every node at the moment: alive or not, leading or not, where it stands. */
import type { Moment, NodeMoment } from "../model/moment.ts";
import type { Store } from "../model/store.ts";
import { nameOfState, spanOf, spoken } from "../model/words.ts";

/** What a node is doing, in words. */
function doing(node: NodeMoment): string {
  if (node.standing === "unknown") return "nothing heard yet";
  if (node.standing === "ended") return node.reason ?? "ended";
  const ceremony = node.states.ceremony?.map(nameOfState)[0];
  if (ceremony !== undefined && ceremony !== "unsealed") return spoken(ceremony);
  return node.states.consensus?.map((state) => spoken(nameOfState(state))).join(", ") ?? "running";
}

/** Class of a member's colour. */
export const memberClass = (store: Store, name: string): string => {
  const index = store.source?.nodes.find((node) => node.name === name)?.index;
  return index === undefined ? "member" : `member member-${index % 8}`;
};

/** Of a copied log nobody can say whether its node runs. */
const isLog = (store: Store): boolean => store.source?.kind === "directory";

function Name(props: { readonly store: Store; readonly node: NodeMoment; readonly isLeader: boolean }) {
  const { store, node, isLeader } = props;
  const role = store.source?.nodes.find(({ name }) => name === node.name)?.role ?? "honest";
  const isDead = node.standing === "ended";
  const words = isLog(store) ? { alive: "log", ended: "ends" } : { alive: "running", ended: "down" };
  return (
    <span class="node-name">
      <span class="disc" aria-hidden="true" />
      {node.name}
      {isLeader && <span class={`badge ${isDead ? "" : "leads"}`}>{isDead ? "its turn" : "leads"}</span>}
      {role !== "honest" && <span class="badge byzantine">{role}</span>}
      <span class={`standing ${node.standing}`}>{{ unknown: "unknown", ...words }[node.standing]}</span>
    </span>
  );
}

function Where({ node, height }: { readonly node: NodeMoment; readonly height: number | null }) {
  const lag = height !== null && node.finalHeight !== null ? height - node.finalHeight : 0;
  return (
    <span class="node-where number">
      view {node.view ?? "–"} · block {node.finalHeight ?? "–"}
      {lag > 0 && <span class="warn"> · {lag} behind</span>}
    </span>
  );
}

function NodeCard(props: { readonly store: Store; readonly node: NodeMoment; readonly moment: Moment }) {
  const { store, node, moment } = props;
  const isLeader = moment.leader === node.name;
  const isDead = node.standing === "ended";
  const { now } = store;
  return (
    <li>
      <button
        type="button"
        class={`node-card ${memberClass(store, node.name)} ${node.standing} ${isLeader ? "leader" : ""}`}
        data-node={node.name}
        title={node.last === null ? "" : "Show its machines"}
        onClick={() => {
          const machine = store.focusOf("states")?.split("/")[1] ?? "consensus";
          store.setFocus("states", `${node.name}/${machine}`);
          store.show("states");
        }}
      >
        <Name store={store} node={node} isLeader={isLeader} />
        <span class="node-doing">
          {isLog(store) && node.standing === "alive" ? `its log up to block ${node.finalHeight ?? "–"}` : doing(node)}
          {isDead && node.since !== null && now !== null && `, ${spanOf(now - node.since)} ago`}
        </span>
        {!isLog(store) && <Where node={node} height={moment.height} />}
      </button>
    </li>
  );
}

export function Nodes({ store, moment }: { readonly store: Store; readonly moment: Moment }) {
  return (
    <section class="nodes" aria-label="Nodes">
      <ul>
        {[...moment.nodes.values()].map((node) => (
          <NodeCard key={node.name} store={store} node={node} moment={moment} />
        ))}
      </ul>
    </section>
  );
}
