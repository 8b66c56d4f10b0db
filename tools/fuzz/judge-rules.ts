/**
 * What must hold of the rules for every input: damaged streams of honest controllers, whose keys the one who damages does not have.
 * In force is only what a controller signed, byte for byte, by signatures that controllers and witnesses made, and enough of them.
 */
import type { Aid, Said } from "../../src/base/brands.ts";
import { applyKerlFact } from "../../src/keri/kerl-fold.ts";
import { MemoryKerl } from "../../src/keri/kerl-overlay.ts";
import { ESCROW_BOUNDS } from "../../src/keri/kerl.ts";
import type { KeriMessage } from "../../src/keri/messages.ts";
import { bodyOf } from "../../src/keri/stored-body.ts";
import { judgeMessage } from "../../src/keri/rules.ts";
import { parseStream } from "../../src/keri/stream.ts";
import type { Random } from "../sim/random.ts";
import { mutate } from "./mutate.ts";

/** Refusals of the rules; TOO_LARGE and KERI_MALFORMED are the parser's too. */
const CODES = new Set(
  "KERI_MALFORMED KERI_UNSUPPORTED KERI_SAID_MISMATCH KERI_RULE KERI_BAD_SIGNATURE KERI_ESCROW_FULL TOO_LARGE".split(
    " ",
  ),
);
/** One input in so many is judged twice. */
const TWICE_EVERY = 16;
/** Messages of an input, mostly and at times: one damages what comes after it. */
const SHORT = 6;
const LONG = 40;
/** Judging a message verifies a few signatures at some 0.1 ms each. Of the thread's own time, which is counted in ticks of 4 ms. Units: ms. */
const INPUT_MS_MAX = 500;

/** What controllers and witnesses signed: bodies by SAID, and who signed each. */
export interface Corpus {
  readonly streams: readonly (readonly Uint8Array[])[];
  readonly bodies: ReadonlyMap<Said, string>;
  readonly signers: ReadonlyMap<Said, ReadonlySet<string>>;
}

export interface RulesTally {
  inputs: number;
  messages: number;
  /** Events in force in the end, of all inputs. */
  inForce: number;
  readonly verdicts: Map<string, number>;
  slowestMs: number;
}

export const emptyRulesTally = (): RulesTally => ({
  inputs: 0,
  messages: 0,
  inForce: 0,
  verdicts: new Map(),
  slowestMs: 0,
});

/** What was tried, in three lines. */
export function rulesReport({ inputs, messages, inForce, verdicts, slowestMs }: RulesTally, ms: number): string {
  const sorted = [...verdicts].sort(([, a], [, b]) => b - a).map(([verdict, count]) => `${verdict} ${count}`);
  const rate = `${(ms / 1000).toFixed(1)} s, ${Math.round((inputs / ms) * 1000)} inputs/s`;
  return [
    `${inputs} inputs, ${messages} messages (${rate}); ${inForce} events in force, all of them signed`,
    sorted.join(", "),
    `slowest input ${slowestMs.toFixed(1)} ms; resident ${Math.round(process.memoryUsage().rss / 1e6)} MB\n`,
  ].join("\n");
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

interface Outcome {
  readonly kerl: MemoryKerl;
  readonly verdicts: readonly string[];
}

function judgeAll(messages: readonly KeriMessage[]): Outcome {
  const kerl = new MemoryKerl();
  const verdicts: string[] = [];
  for (const [height, message] of messages.entries()) {
    const judged = judgeMessage(kerl, message, { height });
    if (judged.ok) for (const fact of judged.value.facts) applyKerlFact(kerl, fact, height);
    else if (!CODES.has(judged.refusal.code)) throw new Error(`an unknown code ${judged.refusal.code}`);
    verdicts.push(judged.ok ? judged.value.verdict : `rejected:${judged.refusal.code}`);
  }
  return { kerl, verdicts };
}

/**
 * Bodies and signers of whole streams, which honest controllers made: all that can ever be in force. What is in force in none of them
 * (a fork of a published stream) may be so where its rival is missing; its signers are not known then.
 */
export function corpusOf(streams: readonly (readonly Uint8Array[])[]): Corpus {
  const bodies = new Map<Said, string>();
  const signers = new Map<Said, Set<string>>();
  for (const stream of streams) {
    const { messages } = parseStream(Buffer.concat(stream));
    const { kerl } = judgeAll(messages);
    for (const message of messages) {
      const body = bodyOf(message);
      if (!body.ok || body.value.type === "rct" || body.value.type === "rpy") continue;
      const { said, bytes } = body.value;
      bodies.set(said, latin1(bytes));
      if (kerl.event(said) === undefined) continue;
      signers.set(said, new Set([...(signers.get(said) ?? []), ...kerl.signers(said)]));
    }
  }
  return { streams, bodies, signers };
}

/** Exact, by common denominators; clauses without nesting, as controllers of the corpus use them. */
function isEnough(threshold: unknown, indices: ReadonlySet<number>): boolean {
  if (typeof threshold === "number") return indices.size >= threshold;
  if (typeof threshold === "string") return indices.size >= Number.parseInt(threshold, 16);
  const lists = threshold as readonly unknown[]; // weights, or clauses of them
  const clauses = (Array.isArray(lists[0]) ? lists : [lists]) as readonly (readonly string[])[];
  let position = 0;
  return clauses.every((clause) => {
    const parts = clause.map((weight) => weight.split("/").map(BigInt));
    const common = parts.reduce((product, [, bottom = 1n]) => product * bottom, 1n);
    const met = parts.reduce((sum, [top = 0n, bottom = 1n]) => {
      const counts = indices.has(position++);
      return counts ? sum + (top * common) / bottom : sum;
    }, 0n);
    return met >= common;
  });
}

/** Throws: when something is in force that should not be. */
function checkLog(kerl: MemoryKerl, aid: Aid, { bodies, signers }: Corpus): number {
  const log = kerl.log(aid);
  let threshold: unknown;
  for (const [sn, { said, bytes, state, sn: stated }] of log.entries()) {
    const text = latin1(bytes);
    if (bodies.get(said) !== text) throw new Error(`${said} is in force, and nobody signed it`);
    if (sn !== stated) throw new Error(`the log of ${aid} has a gap at ${sn}`);
    const names = kerl.signers(said);
    for (const name of names)
      if (signers.get(said)?.has(name) === false) throw new Error(`${name} never signed ${said}`);
    const ked = JSON.parse(text.startsWith("{") ? text : "{}") as Record<string, unknown>;
    threshold = ked["kt"] ?? threshold;
    const keys = new Set([...names].filter((name) => name.startsWith("key:")).map((name) => Number(name.slice(4))));
    const isNested = JSON.stringify(threshold ?? "").includes("{");
    if (threshold !== undefined && !isNested && !isEnough(threshold, keys))
      throw new Error(`${said} is in force with too few signatures`);
    const witnessed = state.witnesses.filter((witness) => names.has(`non:${witness}`)).length;
    if (witnessed < state.witnessThreshold) throw new Error(`${said} is in force with too few receipts`);
  }
  return log.length;
}

function checkBounds(kerl: MemoryKerl): void {
  if (kerl.escrowCount() > ESCROW_BOUNDS.all) throw new Error("more waits than may");
  for (const aid of new Set(kerl.escrows().map((escrow) => escrow.aid)))
    if (kerl.escrowsOf(aid).length > 2 * ESCROW_BOUNDS.perAid) throw new Error(`more waits for ${aid} than may`);
}

/** Some messages of a stream from its beginning, rarely all; dropped, repeated, moved; then bytes changed, mostly. */
function damaged({ streams }: Corpus, random: Random): Uint8Array {
  const stream = random.pick(streams);
  const messages = stream.slice(0, 1 + random.below(Math.min(stream.length, random.chance(0.03) ? LONG : SHORT)));
  for (let left = random.chance(0.5) ? 0 : 1 + random.below(3); left > 0; left--) {
    const at = random.below(messages.length);
    const [message] = messages.splice(at, random.chance(0.5) ? 1 : 0);
    if (message !== undefined && random.chance(0.8)) messages.splice(random.below(messages.length + 1), 0, message);
    else if (messages.length > 0) messages.splice(at, 0, random.pick(messages));
  }
  if (messages.length === 0) messages.push(random.pick(stream));
  if (random.chance(0.2)) return Buffer.concat(messages);
  const at = random.below(messages.length);
  const changed = mutate(messages[at] ?? new Uint8Array(0), random, random.pick(random.pick(streams)));
  return Buffer.concat([...messages.slice(0, at), changed, ...messages.slice(at + 1)]);
}

/** Makes one input and judges it. Returns: what broke a rule, if something did. */
export function tryRules(
  corpus: Corpus,
  random: Random,
  tally: RulesTally,
): { readonly bytes: Uint8Array; readonly error: Error } | undefined {
  const bytes = damaged(corpus, random);
  try {
    const { messages } = parseStream(bytes);
    const start = process.threadCpuUsage();
    const { kerl, verdicts } = judgeAll(messages);
    const { user, system } = process.threadCpuUsage(start);
    const ms = (user + system) / 1000;
    if (ms > INPUT_MS_MAX) throw new Error(`judging ${messages.length} messages takes ${ms.toFixed(1)} ms`);
    const inForce = kerl.aids().reduce((sum, aid) => sum + checkLog(kerl, aid, corpus), 0);
    checkBounds(kerl);
    if (tally.inputs % TWICE_EVERY === 0) {
      const again = judgeAll(parseStream(Uint8Array.from(bytes)).messages);
      if (again.verdicts.join() !== verdicts.join()) throw new Error("judged again, the verdicts are others");
    }
    tally.inputs += 1;
    tally.messages += messages.length;
    tally.inForce += inForce;
    tally.slowestMs = Math.max(tally.slowestMs, ms);
    for (const verdict of verdicts) tally.verdicts.set(verdict, (tally.verdicts.get(verdict) ?? 0) + 1);
    return undefined;
  } catch (error) {
    return { bytes, error: error instanceof Error ? error : new Error(String(error)) };
  }
}
