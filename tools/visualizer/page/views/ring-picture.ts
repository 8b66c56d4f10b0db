/**
 * Members on a ring at one moment: where each stands, how it is, and from whom it has heard lately. Pure.
 *
 * What is known of members comes from their own entries, and from what others received of them. Suspicions and rebuttals will be
 * further kinds of `RingArc`, from accuser to accused, once the membership overlay exists (docs/LIMITATIONS.md).
 */
import type { Entry, SourceDescription } from "../../../../src/host/inspector/contract.ts";
import type { Moment } from "../model/moment.ts";

export type Standing = "leader" | "connected" | "silent" | "ended" | "unknown";

export interface RingMember {
  readonly name: string;
  readonly index: number;
  readonly role: string;
  readonly standing: Standing;
  /** In a sentence: since when, why. */
  readonly why: string;
  readonly epoch: number | null;
  readonly view: number | null;
  readonly height: number | null;
  /** When anybody last received something from it. Units: ms; null when nobody has. */
  readonly heardAt: number | null;
  /** Of the ring's unit circle, clockwise from the top. */
  readonly x: number;
  readonly y: number;
}

/** `from` was heard by `to`. */
export interface RingArc {
  readonly kind: "heard";
  readonly from: string;
  readonly to: string;
  readonly at: number;
  /** Not since more than SILENT_ROUNDS rounds of leaders. */
  readonly stale: boolean;
}

export interface RingPicture {
  readonly members: readonly RingMember[];
  readonly arcs: readonly RingArc[];
  readonly epoch: number | null;
  readonly view: number | null;
  readonly leader: string | null;
}

interface Heard {
  readonly at: number;
  /** The listener's view when it heard it; null where it says none. */
  readonly view: number | null;
}

/** A member of whom nothing came in as many views as two rounds of leaders counts as silent (consensus.md, rule 1). */
const SILENT_ROUNDS = 2;
/** How far back a moment's hearing is looked for: some seconds of a busy cluster. Units: entries. */
const LOOKED_BACK_MAX = 6_000;

const arcKey = (from: string, to: string): string => `${from}\n${to}`;

/** Who was last heard by whom, up to a position; a listener's earlier lives do not count. */
export function hearing(
  entryAt: (position: number) => Entry | undefined,
  position: number,
  names: readonly string[],
): ReadonlyMap<string, Heard & { readonly from: string; readonly to: string }> {
  const heard = new Map<string, Heard & { readonly from: string; readonly to: string }>();
  const begun = new Set<string>();
  const pairs = names.length * (names.length - 1);
  for (let at = position; at >= 0 && at > position - LOOKED_BACK_MAX && heard.size < pairs; at--) {
    const entry = entryAt(at);
    if (entry === undefined) break;
    if (entry.kind === "booted") begun.add(entry.node);
    if (entry.kind !== "delivered" || begun.has(entry.node)) continue;
    const key = arcKey(entry.peer, entry.node);
    const view = entry.message["view"];
    if (!heard.has(key))
      heard.set(key, { from: entry.peer, to: entry.node, at: entry.at, view: typeof view === "number" ? view : null });
  }
  return heard;
}

/** The ring at a moment. */
export function ringAt(
  moment: Moment,
  source: SourceDescription,
  entryAt: (position: number) => Entry | undefined,
): RingPicture {
  const nodes = source.nodes.toSorted((a, b) => a.index - b.index);
  const heard = hearing(
    entryAt,
    moment.position,
    nodes.map(({ name }) => name),
  );
  const staleBefore = (moment.view ?? 0) - SILENT_ROUNDS * nodes.length;
  const isStale = ({ view }: Heard): boolean => view !== null && view < staleBefore;
  const members = nodes.map((node, place): RingMember => {
    const of = moment.nodes.get(node.name);
    const sayings = [...heard.values()].filter(({ from }) => from === node.name);
    const heardAt = sayings.length === 0 ? null : Math.max(...sayings.map(({ at }) => at));
    const angle = (2 * Math.PI * place) / nodes.length - Math.PI / 2;
    const seen = of ?? { standing: "unknown" as const, reason: null, epoch: null, view: null, finalHeight: null };
    const [standing, why] = standingOf({
      name: node.name,
      standing: seen.standing,
      reason: seen.reason,
      leads: moment.leader === node.name,
      isHeard: sayings.some((one) => !isStale(one)),
      wasHeard: sayings.length > 0,
      others: heard.size > 0,
      rounds: SILENT_ROUNDS,
    });
    return {
      name: node.name,
      index: node.index,
      role: node.role,
      standing,
      why,
      epoch: seen.epoch,
      view: seen.view,
      height: seen.finalHeight,
      heardAt,
      x: Math.cos(angle),
      y: Math.sin(angle),
    };
  });
  const arcs = [...heard.values()].map(
    (one): RingArc => ({ kind: "heard", from: one.from, to: one.to, at: one.at, stale: isStale(one) }),
  );
  return { members, arcs, epoch: moment.epoch, view: moment.view, leader: moment.leader };
}

function standingOf(seen: {
  readonly name: string;
  readonly standing: "unknown" | "alive" | "ended";
  readonly reason: string | null;
  readonly leads: boolean;
  readonly isHeard: boolean;
  readonly wasHeard: boolean;
  readonly others: boolean;
  readonly rounds: number;
}): readonly [Standing, string] {
  const { name, reason, rounds } = seen;
  const leads = seen.leads ? ", and it is its turn to lead" : "";
  if (seen.standing === "ended") return ["ended", `${name} ended: ${reason ?? "the reason is not known"}${leads}.`];
  if (seen.wasHeard && !seen.isHeard)
    return ["silent", `Nobody has heard ${name} for more than ${rounds} rounds of leaders${leads}.`];
  if (seen.standing === "unknown" && !seen.wasHeard) return ["unknown", `Nothing is known of ${name} yet${leads}.`];
  if (!seen.wasHeard && seen.others) return ["silent", `Nobody has heard ${name} in what is held${leads}.`];
  if (seen.leads) return ["leader", `${name} leads this view.`];
  return seen.wasHeard
    ? ["connected", `Others hear ${name}.`]
    : ["connected", `${name} runs; no message has been seen yet.`];
}

/** Who leads which view, or why nobody does. */
export function leadSentence({ leader, view, epoch, members }: RingPicture): string {
  const where = `view ${view ?? "–"} of epoch ${epoch ?? 0}`;
  if (leader === null && members.every(({ standing }) => standing === "ended"))
    return "Every member has ended, so nobody leads.";
  if (leader === null && members.some((member) => member.view !== null))
    return "No member that runs has entered a view yet, so nobody leads.";
  if (leader === null) return "No view has been entered yet, so nobody leads.";
  return members.some(({ name, standing }) => name === leader && standing === "ended")
    ? `It is the turn of ${leader}, which has ended, to lead ${where}.`
    : `${leader} leads ${where}.`;
}

/** From one member to another, bowed so that both directions of a pair are seen. Units: of `radius` and `rim`, px. */
export function arcPath(from: RingMember, to: RingMember, radius: number, rim: number): string {
  const [x1, y1, x2, y2] = [from.x * radius, from.y * radius, to.x * radius, to.y * radius];
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  const [dx, dy] = [(x2 - x1) / length, (y2 - y1) / length];
  const bow = Math.min(18, length / 8);
  // Perpendicular to the chord, always to the right of the way: there and back lie on both sides.
  const [cx, cy] = [(x1 + x2) / 2 - dy * bow, (y1 + y2) / 2 + dx * bow];
  const shown = (value: number): string => value.toFixed(1);
  return `M${shown(x1 + dx * rim)} ${shown(y1 + dy * rim)}Q${shown(cx)} ${shown(cy)} ${shown(x2 - dx * rim)} ${shown(y2 - dy * rim)}`;
}
