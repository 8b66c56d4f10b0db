/**
 * A line of a simulator's recording (tools/sim/record.ts says what they hold) as entries of the inspector's contract.
 *
 * Transitions and guards are read off the definition of the machine that runs: a consensus event is absorbed where the member stands,
 * and the eventless transitions then lead to the standing that holds, whose guard has its name.
 */
import type { Digest } from "../../base/brands.ts";
import { fromHex } from "../../base/bytes.ts";
import { decodeSequence } from "../../base/codec.ts";
import type { LogEvent } from "../../events/facts/block.ts";
import { factShape } from "../../events/facts/fact.ts";
import type { PeerMessage } from "../../events/facts/peer-message.ts";
import { consensusMachine } from "../../machines/consensus/consensus.machine.ts";
import type { ConsensusEffect, ConsensusEvent, Context } from "../../machines/consensus/types.ts";
import type { BlockRow, Entry, Summary, TakenTransition } from "./contract.ts";
import { countsOf, finalRow } from "./final-rows.ts";
import { effectSummary, eventSummary, messageSummary, noteOf } from "./redaction.ts";

/** A line, parsed. Its fields are whatever the file says: `entriesOf` throws when they are not what a recording has. */
export type RecordedLine = { readonly kind: string; readonly at: number } & Readonly<Record<string, unknown>>;

/** Where a node stood before a line. */
export interface NodeStanding {
  readonly life: number;
  /** Entries of this life so far. */
  readonly n: number;
  readonly state: string;
  readonly epoch: number;
  readonly view: number;
  readonly finalHeight: number;
}

export const NOT_STARTED: NodeStanding = { life: 0, n: 0, state: "quiet", epoch: 0, view: 0, finalHeight: 0 };

export interface RecordedMember {
  readonly name: string;
  /** "honest", or its Byzantine kind. */
  readonly role: string;
  readonly seat: number;
  readonly aid: string;
}

/** What conversion knows of the run besides the line. */
export interface RunFacts {
  readonly members: readonly RecordedMember[];
  /** Names of seats, by index: of twins the first. */
  readonly seats: readonly string[];
  /** What a block did, by hash, once it was executed anywhere. */
  readonly counts: (hash: string) => { readonly commands: number; readonly refused: number } | undefined;
}

type WithoutKey<T extends Entry> = T extends Entry ? Omit<T, "node" | "life" | "n" | "at"> : never;
/** An entry without its key and time. */
export type EntryBody = WithoutKey<Entry>;

/** Entries of one line for one node, and where the node stands after it. */
export interface Converted {
  readonly bodies: readonly EntryBody[];
  readonly after: Pick<NodeStanding, "state" | "epoch" | "view" | "finalHeight">;
}

/** Names of the nodes that a line is about, in the order of members. */
export function nodesOf(line: RecordedLine, { members }: RunFacts): readonly string[] {
  const named = line["node"];
  if (typeof named === "string" && line.kind !== "client") return [named];
  if (line.kind === "violation" || line.kind === "healed") return members.map(({ name }) => name);
  if (line.kind !== "fault") return [];
  const what = line["what"];
  const words = new Set(typeof what === "string" ? what.match(/n\d+'?/g) : []);
  const struck = members.filter(({ name }) => words.has(name)).map(({ name }) => name);
  return struck.length > 0 ? struck : members.slice(0, 1).map(({ name }) => name);
}

/** Whether a process of the node did it, and not something that struck the node. */
export const isOfProcess = ({ kind }: RecordedLine): boolean => !["fault", "healed", "violation"].includes(kind);

/** Throws: TypeError and the like when the line is not one of a recording. */
export function entriesOf(line: RecordedLine, node: string, standing: NodeStanding, run: RunFacts): Converted {
  const converted = convertedOf(line, node, standing, run);
  demandShowable(converted);
  return converted;
}

const isScalar = (one: unknown): one is string | number | boolean | null =>
  one === null || typeof one === "string" || typeof one === "number" || typeof one === "boolean";
const isNatural = (one: unknown): boolean => Number.isSafeInteger(one) && Number(one) >= 0;
const isSummary = (summary: Summary): boolean =>
  Object.values(summary).every(
    (one) => one === undefined || isScalar(one) || (Array.isArray(one) && one.every(isScalar)),
  );

/** What the file says where the contract has a text or a number may be anything, which a page would fail to draw. Throws: TypeError. */
function demandShowable({ bodies, after }: Converted): void {
  if (![after.epoch, after.view, after.finalHeight].every(isNatural))
    throw new TypeError("where it stands is no number");
  for (const body of bodies) {
    const summaries = [
      ...("event" in body ? [body.event, ...body.effects] : []),
      ...("message" in body ? [body.message] : []),
      ...("fault" in body ? [body.fault] : []),
    ];
    if (!summaries.every(isSummary)) throw new TypeError("a field of it is neither a text nor a number");
    if (body.kind === "executed" && !isNatural(body.height)) throw new TypeError("its height is no number");
    if (body.kind === "evidence" && !isNatural(body.view)) throw new TypeError("its view is no number");
    if (body.kind === "finalised" && !/^[0-9a-f]{64}$/.test(body.block.hash)) throw new TypeError("its hash is none");
  }
}

function convertedOf(line: RecordedLine, node: string, standing: NodeStanding, run: RunFacts): Converted {
  const { state, epoch, view, finalHeight } = standing;
  const after = { state, epoch, view, finalHeight };
  const role = run.members.find(({ name }) => name === node)?.role;
  switch (line.kind) {
    case "booted": {
      const context = line["context"] as Context;
      const now = { ...positionOf(context, after), state: known(line["state"]) };
      return { bodies: [{ kind: "booted", states: { consensus: [stateId(now.state)] } }], after: now };
    }
    case "stepped":
      return stepped(line, after);
    case "sent":
      return { bodies: role === "honest" ? [message("sent", line, line["to"])] : [], after };
    case "carried":
      return { bodies: [message("sent", line, line["to"])], after };
    case "delivered":
      return { bodies: [message("delivered", line, line["from"])], after };
    case "dropped":
      return { bodies: [message("dropped", line, line["to"], String(line["reason"]))], after };
    case "written":
      return { bodies: finalised(line["what"], run), after };
    case "executed":
      return { bodies: [{ kind: "executed", height: Number(line["height"]), root: String(line["root"]) }], after };
    case "evidence": {
      const { evidence, member, view: inView } = line;
      const shown = { evidence: String(evidence), member: String(member), view: Number(inView) };
      return { bodies: [{ kind: "evidence", ...shown }], after };
    }
    case "ended":
      return { bodies: [{ kind: "ended", reason: String(line["why"]) }], after };
    default:
      return { bodies: faults(line), after };
  }
}

function faults(line: RecordedLine): readonly EntryBody[] {
  switch (line.kind) {
    case "fault":
      return [{ kind: "fault", fault: { type: String(line["fault"]), what: String(line["what"]) } }];
    case "violation":
      return [
        { kind: "fault", fault: { type: "violation", rule: String(line["invariant"]), what: String(line["message"]) } },
      ];
    case "healed":
      return [{ kind: "fault", fault: { type: "healed", what: "from here on no more faults" } }];
    case "healing":
      return [{ kind: "fault", fault: { ...scalarsOf(line["report"]), type: "healing" } }];
    default:
      return [];
  }
}

function stepped(line: RecordedLine, before: Converted["after"]): Converted {
  const event = line["event"] as ConsensusEvent;
  const effects = line["effects"] as readonly ConsensusEffect[];
  if (consensusMachine.states.quiet?.transitions.has(event.type) !== true)
    throw new TypeError("its event is none of the machine");
  const state = known(line["state"]);
  const after = { ...positionOf(line["changed"] as Partial<Context>, before), state };
  const transitions = transitionsTaken(before.state, event.type, state);
  const body: EntryBody = {
    kind: "stepped",
    machine: "consensus",
    event: eventSummary(event),
    transitions,
    effects: effects.map(effectSummary),
    states: [stateId(state)],
    epoch: after.epoch,
    view: after.view,
    finalHeight: after.finalHeight,
    ...(transitions.length === 0 && { refused: `${event.type} has no meaning while ${before.state}` }),
  };
  return { bodies: [body], after };
}

const stateId = (state: string): string => `${consensusMachine.id}.${state}`;

/** A state that the machine has. */
function known(state: unknown): string {
  if (typeof state === "string" && Object.hasOwn(consensusMachine.states, state)) return state;
  throw new TypeError("its state is none that the machine has");
}

/** What the definition says happens when this event meets this state and the machine then rests in that one. */
export function transitionsTaken(before: string, event: string, after: string): readonly TakenTransition[] {
  const nodes = consensusMachine.states as Readonly<Record<string, (typeof consensusMachine.states)["quiet"]>>;
  const node = nodes[before];
  if (node === undefined || node.transitions.get(event) === undefined) return [];
  const absorbed: TakenTransition = { source: stateId(before), targets: [], guard: null };
  if (after === before) return [absorbed];
  const left = node.always?.find(({ target }) => target?.some(({ id }) => id === stateId(after)) === true);
  if (left === undefined) throw new TypeError(`no transition leads from ${before} to ${after}`);
  const guard = typeof left.guard === "string" ? left.guard : null;
  return [absorbed, { source: stateId(before), targets: [stateId(after)], guard }];
}

/** Where consensus stands by the fields that changed. */
const positionOf = (changed: Partial<Context>, before: Converted["after"]): Converted["after"] => ({
  ...before,
  epoch: changed.epoch ?? before.epoch,
  view: changed.view ?? before.view,
  finalHeight: changed.final?.height ?? before.finalHeight,
});

function message(
  kind: "sent" | "delivered" | "dropped",
  line: RecordedLine,
  peer: unknown,
  reason?: string,
): EntryBody {
  const decoded = line["message"] as PeerMessage | undefined;
  const isDamaged = line["isPristine"] === false;
  const summary: Summary = decoded === undefined ? { type: "unreadable" } : messageSummary(noteOf(bytesAgain(decoded)));
  const shown = isDamaged ? { ...summary, damaged: true } : summary;
  return { kind, peer: String(peer), message: shown, ...(reason !== undefined && { reason }) };
}

const bytes = (hex: unknown): Uint8Array => {
  const read = typeof hex === "string" ? fromHex(hex) : undefined;
  if (read === undefined) throw new TypeError("bytes are not hex");
  return read;
};

/** A message whose bytes are hex, with those that its summary reads as bytes. */
function bytesAgain(recorded: PeerMessage): PeerMessage {
  switch (recorded.kind) {
    case "proposal":
    case "block":
      return { ...recorded, block: { header: bytes(recorded.block.header), body: bytes(recorded.block.body) } };
    case "bundle":
      return { ...recorded, bundle: bytes(recorded.bundle) };
    case "segment":
      return { ...recorded, segment: bytes(recorded.segment) };
    default:
      return recorded;
  }
}

interface RecordedWrite {
  readonly kind?: string;
  readonly stream?: string;
  readonly events?: readonly LogEvent[];
  readonly event?: LogEvent;
  readonly batch?: { readonly append?: { readonly events: readonly LogEvent[] } };
}

/** Blocks that a durable write made final here. */
export function writtenEvents(what: unknown): readonly LogEvent[] {
  const write = what as RecordedWrite;
  switch (write.kind) {
    case "commit":
      return write.batch?.append?.events ?? [];
    case "append":
      return write.stream === "log" ? (write.events ?? []) : [];
    case "begin":
      return write.event === undefined ? [] : [write.event];
    default:
      return [];
  }
}

/** The row of a block as a recording has it: bytes are hex. */
export function recordedRow({ hash, block, proof }: LogEvent, { seats, counts }: RunFacts): BlockRow {
  const row = finalRow({
    hash,
    block: { header: bytes(block.header), body: bytes(block.body) },
    proof:
      proof.kind === "finalization"
        ? { ...proof, certificate: { ...proof.certificate, signers: bytes(proof.certificate.signers) } }
        : proof,
    names: seats,
  });
  if (row === undefined) throw new TypeError("a block is none");
  return { ...row, ...counts(hash) };
}

const finalised = (what: unknown, run: RunFacts): readonly EntryBody[] =>
  writtenEvents(what).map((event) => ({ kind: "finalised", block: recordedRow(event, run) }));

/** What an executed line says that a block did; undefined where a line before has it. */
export function recordedCounts(
  line: RecordedLine,
): { readonly hash: Digest; readonly commands: number; readonly refused: number } | undefined {
  if (line["facts"] === undefined) return undefined;
  const facts = decodeSequence(factShape, bytes(line["facts"]));
  if (!facts.ok) throw new TypeError("its facts cannot be read");
  if (fromHex(String(line["hash"]))?.length !== 32) throw new TypeError("its hash is none");
  return { hash: line["hash"] as Digest, ...countsOf(facts.value) };
}

export const recordedBytes = bytes;

function scalarsOf(value: unknown): Readonly<Record<string, string | number | boolean | null>> {
  return Object.fromEntries(
    Object.entries((value ?? {}) as object).flatMap(([name, one]: [string, unknown]) =>
      isScalar(one) ? [[name, one]] : [],
    ),
  );
}
