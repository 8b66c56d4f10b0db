/** Where every node stands at one position of the history: a fold of the entries up to it. Pure. */
import type { BlockRow, Entry, MachineName, SourceDescription } from "../../../../src/host/inspector/contract.ts";
import { type Stepped, numberIn, textIn } from "./entries.ts";

export interface PendingTimer {
  readonly machine: MachineName;
  readonly timer: string;
  /** When it fires, by the clock of the entries. Units: ms; null when the source does not say. */
  readonly due: number | null;
  readonly setAt: number;
}

export interface NodeMoment {
  readonly name: string;
  /** null while nothing is known of it. */
  readonly life: number | null;
  readonly standing: "unknown" | "alive" | "ended";
  /** When it came to stand so. Units: ms. */
  readonly since: number | null;
  /** Why it ended. */
  readonly reason: string | null;
  readonly states: Readonly<Partial<Record<MachineName, readonly string[]>>>;
  /** The last step of each machine in this life. */
  readonly steps: Readonly<Partial<Record<MachineName, Stepped>>>;
  readonly timers: readonly PendingTimer[];
  readonly epoch: number | null;
  readonly view: number | null;
  readonly finalHeight: number | null;
  readonly executed: { readonly height: number; readonly root: string } | null;
  /** The last block that was seen to become final here, and when. */
  readonly block: BlockRow | null;
  readonly blockAt: number | null;
  /** The last entry of this node. */
  readonly last: Entry | null;
}

export type Nodes = ReadonlyMap<string, NodeMoment>;

export interface Moment {
  /** The newest entry that counts; -1 before the first. */
  readonly position: number;
  readonly entry: Entry | null;
  readonly at: number | null;
  readonly nodes: Nodes;
  readonly epoch: number | null;
  /** The highest view that an honest living node has entered. */
  readonly view: number | null;
  /** Name of the member that leads it. */
  readonly leader: string | null;
  /** The highest final height that an honest node knows. */
  readonly height: number | null;
}

const unknownNode = (name: string): NodeMoment => ({
  name,
  life: null,
  standing: "unknown",
  since: null,
  reason: null,
  states: {},
  steps: {},
  timers: [],
  epoch: null,
  view: null,
  finalHeight: null,
  executed: null,
  block: null,
  blockAt: null,
  last: null,
});

/** Before anything happened. */
export const nothingYet = (source: SourceDescription | null): Nodes =>
  new Map((source?.nodes ?? []).map(({ name }) => [name, unknownNode(name)]));

function timersAfter(timers: readonly PendingTimer[], step: Stepped): readonly PendingTimer[] {
  let next = timers;
  const drop = (timer: string | null): void => {
    next = next.filter((one) => one.machine !== step.machine || one.timer !== timer);
  };
  if (step.event.type === "timerFired") drop(textIn(step.event, "timer"));
  for (const effect of step.effects) {
    if (effect.type !== "setTimer" && effect.type !== "clearTimer") continue;
    const timer = textIn(effect, "timer");
    drop(timer);
    if (effect.type === "clearTimer" || timer === null) continue;
    const ms = numberIn(effect, "ms");
    const due = ms === null ? numberIn(effect, "at", "due") : step.at + ms;
    next = [...next, { machine: step.machine, timer, due, setAt: step.at }];
  }
  return next;
}

/** A new life forgets what the last one was doing, but not how far the log had come: that is on its disk. */
function bornAgain(before: NodeMoment, entry: Entry): NodeMoment {
  const { name, finalHeight, executed, block, blockAt } = before;
  const fresh = unknownNode(name);
  return { ...fresh, finalHeight, executed, block, blockAt, life: entry.life, standing: "alive", since: entry.at };
}

/** Kinds that a process must be running for; `dropped`, `fault` and `evidence` may tell of a dead one. */
const SIGNS_OF_LIFE: ReadonlySet<Entry["kind"]> = new Set([
  "booted",
  "stepped",
  "sent",
  "delivered",
  "finalised",
  "executed",
]);

function stepped(node: NodeMoment, step: Stepped): NodeMoment {
  return {
    ...node,
    states: { ...node.states, [step.machine]: step.states },
    steps: { ...node.steps, [step.machine]: step },
    timers: timersAfter(node.timers, step),
    epoch: step.epoch ?? node.epoch,
    view: step.view ?? node.view,
    finalHeight: step.finalHeight ?? node.finalHeight,
  };
}

/** One machine of a running process began, perhaps after others of it did. */
function booted(node: NodeMoment, entry: Extract<Entry, { readonly kind: "booted" }>): NodeMoment {
  const machines = Object.keys(entry.states);
  const steps = Object.fromEntries(Object.entries(node.steps).filter(([machine]) => !machines.includes(machine)));
  const timers = node.timers.filter(({ machine }) => !machines.includes(machine));
  return { ...node, states: { ...node.states, ...entry.states }, steps, timers };
}

function nodeAfter(before: NodeMoment, entry: Entry): NodeMoment {
  const isNewLife = before.life !== null && entry.life > before.life;
  const isBoot = entry.kind === "booted" && before.standing !== "alive";
  let node = isBoot || isNewLife ? bornAgain(before, entry) : before;
  if (node.standing !== "alive" && SIGNS_OF_LIFE.has(entry.kind))
    node = { ...node, standing: "alive", life: entry.life, since: entry.at, reason: null };
  node = { ...node, last: entry };
  switch (entry.kind) {
    case "booted":
      return booted(node, entry);
    case "stepped":
      return stepped(node, entry);
    case "finalised": {
      const { height } = entry.block;
      if (height < (node.block?.height ?? -1)) return node;
      return { ...node, block: entry.block, blockAt: entry.at, finalHeight: Math.max(height, node.finalHeight ?? 0) };
    }
    case "executed":
      return { ...node, executed: { height: entry.height, root: entry.root } };
    case "ended":
      return { ...node, standing: "ended", since: entry.at, reason: entry.reason, timers: [] };
    default:
      return node;
  }
}

/** The nodes after one more entry; every other node stays the same object. */
export function nodesAfter(nodes: Nodes, entry: Entry): Nodes {
  const next = new Map(nodes);
  next.set(entry.node, nodeAfter(nodes.get(entry.node) ?? unknownNode(entry.node), entry));
  return next;
}

/** Name of the member that leads a view: v mod size = index. */
export function leaderOf(view: number | null, source: SourceDescription | null): string | null {
  if (view === null || source === null || source.nodes.length === 0) return null;
  const size = Math.max(...source.nodes.map(({ index }) => index)) + 1;
  return source.nodes.find(({ index }) => index === view % size)?.name ?? null;
}

const highest = (values: readonly (number | null)[]): number | null =>
  values.reduce((high, value) => (value !== null && (high === null || value > high) ? value : high), null);

/** The whole picture. What a Byzantine member says of itself is not believed while an honest one speaks. */
export function momentOf(
  position: number,
  entry: Entry | null,
  at: number | null,
  nodes: Nodes,
  source: SourceDescription | null,
): Moment {
  const honest = new Set(source?.nodes.filter(({ role }) => role === "honest").map(({ name }) => name));
  const alive = [...nodes.values()].filter(({ standing }) => standing === "alive");
  const trusted = alive.filter(({ name }) => honest.has(name));
  const speaking = trusted.length > 0 ? trusted : alive;
  const known = [...nodes.values()].filter(({ name }) => honest.size === 0 || honest.has(name));
  const epoch = highest(speaking.map((node) => node.epoch));
  const view = highest(speaking.map((node) => node.view));
  const height = highest(known.map(({ finalHeight }) => finalHeight));
  return { position, entry, at, nodes, epoch, view, leader: leaderOf(view, source), height };
}
