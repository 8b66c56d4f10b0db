/** Lays the statecharts out with elkjs. The same definitions give the same bytes. */
import ElkModule, {
  type ELK,
  type ElkExtendedEdge,
  type ElkNode,
  type ElkShape,
  type LayoutOptions,
} from "elkjs/lib/elk.bundled.js";
import type { AnyStateMachine } from "xstate";
import { present } from "../../../src/base/errors.ts";
import type { MachineName } from "../../../src/host/inspector/contract.ts";
import { ceremonyMachine } from "../../../src/machines/ceremony/ceremony.machine.ts";
import { consensusMachine } from "../../../src/machines/consensus/consensus.machine.ts";
import {
  CAUSE_LINE,
  type Chart,
  type ChartBox,
  type ChartEdge,
  type Charts,
  LETTER,
  textOfCause,
} from "../page/model/chart.ts";
import { type Definition, type DrawnEdge, type DrawnState, definitionOf } from "./definition.ts";
import { DESCRIPTIONS } from "./words.ts";

/** A machine whose states settle reads as a list in the order of its guards; one with a course reads from top to bottom. */
const MACHINES: Readonly<Record<MachineName, { readonly machine: AnyStateMachine; readonly options: LayoutOptions }>> =
  {
    consensus: { machine: consensusMachine, options: { "elk.direction": "RIGHT", "elk.spacing.nodeNode": "11" } },
    ceremony: {
      machine: ceremonyMachine,
      options: {
        "elk.direction": "DOWN",
        "elk.spacing.nodeNode": "14",
        "elk.spacing.edgeNode": "10",
        "elk.spacing.edgeEdge": "9",
        "elk.layered.spacing.nodeNodeBetweenLayers": "20",
        "elk.layered.spacing.edgeNodeBetweenLayers": "12",
      },
    },
  };

/** Height of an outer state's title. Units: px. */
const TITLE = 30;
const STATE_HEIGHT = 38;
const NARROWEST = 110;
const SETTLE = 34;

const OPTIONS: LayoutOptions = {
  "elk.algorithm": "layered",
  "elk.hierarchyHandling": "INCLUDE_CHILDREN",
  "elk.randomSeed": "1",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.layered.spacing.nodeNodeBetweenLayers": "36",
  "elk.layered.spacing.edgeNodeBetweenLayers": "18",
  "elk.spacing.nodeNode": "22",
  "elk.spacing.edgeNode": "16",
  "elk.spacing.edgeEdge": "12",
  "elk.spacing.edgeLabel": "4",
  "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
  "elk.json.edgeCoords": "ROOT",
  "elk.json.shapeCoords": "ROOT",
};

/** One decimal is more than a screen shows, and the same on every machine. */
const rounded = (value: number | undefined): number => Math.round((value ?? 0) * 10) / 10;

/** Its lines leave it in the order of the guards, so that the states it leads to stand in that order too. */
function settleNode({ id }: DrawnState, { edges }: Definition): ElkNode {
  const ports = edges.flatMap(({ source }, index) =>
    source === id
      ? [{ id: portOf(index), layoutOptions: { "elk.port.side": "EAST", "elk.port.index": String(index) } }]
      : [],
  );
  return { id, width: SETTLE, height: SETTLE, ports, layoutOptions: { "elk.portConstraints": "FIXED_ORDER" } };
}

const portOf = (edge: number): string => `edge${edge}.source`;

function nodeOf(state: DrawnState, definition: Definition): ElkNode {
  if (state.kind === "settle") return settleNode(state, definition);
  const inside = definition.states.filter(({ parent }) => parent === state.id);
  if (inside.length === 0) {
    const width = Math.max(NARROWEST, Math.ceil(state.name.length * LETTER.name) + 48);
    return { id: state.id, width, height: STATE_HEIGHT };
  }
  const children = inside.map((child) => nodeOf(child, definition));
  return { id: state.id, children, layoutOptions: { "elk.padding": `[top=${TITLE + 14},left=20,bottom=20,right=20]` } };
}

const widthOf = (texts: readonly string[]): number =>
  Math.ceil(Math.max(...texts.map((text) => text.length)) * LETTER.cause) + 8;

/** A state that settles is entered by the guard of its own name: a label would say it twice. */
const isSelfEvident = ({ target, causes }: DrawnEdge): boolean =>
  causes.every(({ event, guard }) => event === null && guard !== null && target.endsWith(`.${guard}`));

function edgesOf({ states, edges }: Definition): ElkExtendedEdge[] {
  const settles = new Set(states.filter(({ kind }) => kind === "settle").map(({ id }) => id));
  return edges.map((edge, index) => {
    const { source, target, causes } = edge;
    const texts = causes.map(textOfCause);
    const label = { text: texts.join("\n"), width: widthOf(texts), height: texts.length * CAUSE_LINE + 2 };
    return {
      id: `edge${index}`,
      sources: [settles.has(source) ? portOf(index) : source],
      targets: [target],
      labels: isSelfEvident(edge) ? [] : [label],
    };
  });
}

const flattened = (node: ElkNode): readonly ElkNode[] => [node, ...(node.children ?? []).flatMap(flattened)];

function drawnEdge(edge: ElkExtendedEdge, { edges }: Definition): ChartEdge {
  const { source, target, causes } = present(edges[Number(edge.id.slice("edge".length))], "an edge of the definition");
  const points = (edge.sections ?? []).flatMap(({ startPoint, bendPoints, endPoint }) =>
    [startPoint, ...(bendPoints ?? []), endPoint].map(({ x, y }) => [rounded(x), rounded(y)] as const),
  );
  const [label] = edge.labels ?? [];
  return { source, target, causes, points, label: label === undefined ? null : boxOf(label) };
}

const boxOf = ({ x, y, width, height }: ElkShape): ChartBox => ({
  x: rounded(x),
  y: rounded(y),
  width: rounded(width),
  height: rounded(height),
});

/** One chart of any machine; `descriptions` by the ids of its states. */
export async function chartOf(
  elk: ELK,
  machine: AnyStateMachine,
  descriptions: Readonly<Record<string, string>>,
  options: LayoutOptions = {},
): Promise<Omit<Chart, "machine">> {
  const definition = definitionOf(machine);
  const root = present(definition.states[0], "the machine itself");
  const graph: ElkNode = { id: "chart", children: [nodeOf(root, definition)], edges: edgesOf(definition) };
  const laid: ElkNode = await elk.layout(graph, { layoutOptions: { ...OPTIONS, ...options } });
  const boxes = new Map(flattened(laid).map((node) => [node.id, node]));
  const states = definition.states.map((state) => {
    const box = present(boxes.get(state.id), state.id);
    return {
      ...state,
      description: descriptions[state.id] ?? "",
      ...boxOf(box),
    };
  });
  const edges = (laid.edges ?? []).map((edge) => drawnEdge(edge, definition));
  return { width: Math.ceil(laid.width ?? 0), height: Math.ceil(laid.height ?? 0), states, edges };
}

/** A layout engine that runs in this thread. */
// The package is CommonJS: its default export is one level deeper for Node's module resolution.
export const layoutEngine = (): ELK => new ElkModule.default();

/** The charts of every machine, as JSON. */
export async function chartsAsJson(): Promise<string> {
  const elk = layoutEngine();
  const charts: Chart[] = [];
  for (const name of Object.keys(MACHINES) as MachineName[]) {
    const { machine, options } = MACHINES[name];
    charts.push({ machine: name, ...(await chartOf(elk, machine, DESCRIPTIONS, options)) });
  }
  const all: Charts = { charts };
  return `${JSON.stringify(all, null, 1)}\n`;
}
