/** The same streams judged by keripy and by the rules of src/keri. */
import { concatBytes } from "../../../src/base/bytes.ts";
import { parseStream } from "../../../src/keri/stream.ts";
import { mutate } from "../../../tools/fuzz/mutate.ts";
import { Random as ByteRandom } from "../../../tools/sim/random.ts";
import { garble } from "../../unit/keri/differential/forgeries.ts";
import { World } from "../../unit/keri/differential/lives.ts";
import { Random } from "../../unit/keri/differential/random.ts";
import { couplesApart, inOrderOfAcceptance, isForKeripy, judge } from "./judging.ts";
import type { Keripy, Lives, Logs } from "./keripy.ts";

export interface Report {
  readonly ok: boolean;
  readonly lines: readonly string[];
}

const canonical = (logs: Logs): string => JSON.stringify(Object.entries(logs).sort(([a], [b]) => (a < b ? -1 : 1)));

/** One word for what both mean, where one of them has several. */
function coarse(verdict: string): string {
  if (["receipt", "known", "replied"].includes(verdict)) return "accepted";
  return verdict.replace(/^rejected:.*/, "rejected");
}

/**
 * Differences of words: keripy lets a receipt wait while its event does; it looks for witnesses before it looks for an anchor, and
 * calls an event out of order whose inception waits.
 */
const SAME: ReadonlySet<string> = new Set([
  "accepted|escrowed:unverified-receipt",
  "escrowed:awaiting-anchor|escrowed:partially-witnessed",
]);

const pairOf = (ours: string, theirs: string): string =>
  coarse(ours) === coarse(theirs) || SAME.has(`${coarse(ours)}|${coarse(theirs)}`)
    ? "same"
    : `${ours} here and ${theirs} in keripy`;

function counted(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

interface Stream {
  readonly seed: number;
  readonly messages: readonly Uint8Array[];
}

/** Streams that keripy can be asked about, and how many were made for them. */
function streamsOf(first: number, count: number, make: (world: World, seed: number) => readonly Uint8Array[]) {
  const streams: Stream[] = [];
  let seed = first;
  for (; streams.length < count; seed++) {
    const messages = couplesApart(make(new World(new Random(seed)), seed));
    if (isForKeripy(messages)) streams.push({ seed, messages });
  }
  return { streams, made: seed - first };
}

export async function compareHonest(keripy: Keripy, seed: number, count: number): Promise<Report> {
  const { streams, made } = streamsOf(seed, count, ({ messages }) => messages);
  const theirs = await keripy.judge(streams.map(({ messages }) => messages));
  const wrong: string[] = [];
  const verdicts: string[] = [];
  for (const [i, stream] of streams.entries()) {
    const ours = judge(stream.messages);
    const their = theirs[i] ?? { verdicts: [], inForce: {} };
    if (canonical(their.inForce) !== canonical(ours.inForce)) wrong.push(`seed ${stream.seed}: other logs in keripy`);
    verdicts.push(...ours.verdicts.map((verdict, n) => pairOf(verdict, their.verdicts[n] ?? "nothing")));
  }
  const same = `${count - wrong.length} of ${count} with the same logs (of ${made} made)`;
  return { ok: wrong.length === 0, lines: [`honest lives: ${same}; verdicts: ${counted(verdicts)}`, ...wrong] };
}

/** What the log keeps of honest lives, read by keripy alone: event by event in the order in which they came into force. */
export async function compareExports(keripy: Keripy, seed: number, count: number): Promise<Report> {
  const { streams } = streamsOf(seed, count, ({ messages }) => messages);
  const ours = streams.map(({ messages }) => judge(messages));
  const theirs = await keripy.judge(ours.map(({ exported }) => exported));
  const wrong = ours.flatMap((our, i) =>
    canonical(our.inForce) === canonical(theirs[i]?.inForce ?? {})
      ? []
      : [`seed ${streams[i]?.seed}: ${counted(theirs[i]?.verdicts ?? [])}`],
  );
  const verdicts = counted(theirs.flatMap((their) => their.verdicts));
  const whole = `${count - wrong.length} of ${count} with the same logs in keripy; its verdicts: ${verdicts}`;
  return { ok: wrong.length === 0, lines: [`exports of honest lives: ${whole}`, ...wrong] };
}

export function judgeTheirs(made: readonly Lives[]): Report {
  const wrong: string[] = [];
  let events = 0;
  for (const [i, { messages, inForce, kind }] of made.entries()) {
    const parsed = parseStream(concatBytes(...messages));
    const ours = judge(parsed.messages.map(({ source }) => source));
    events += parsed.messages.length;
    const rejected = ours.verdicts.filter((verdict) => verdict.startsWith("rejected:") || verdict === "duplicitous");
    if (parsed.refusal !== null || rejected.length > 0 || canonical(ours.inForce) !== canonical(inForce))
      wrong.push(`life ${i} (${kind}): ${parsed.refusal?.message ?? counted(ours.verdicts)}`);
  }
  const kinds = counted(made.map(({ kind }) => kind));
  const whole = `${made.length - wrong.length} of ${made.length} accepted whole (${kinds}; ${events} messages)`;
  return { ok: wrong.length === 0, lines: [`keripy's lives: ${whole}`, ...wrong] };
}

/** Garbled as a network would or forged as an attacker would; or, every other one, a few messages with changed bytes. */
function mangled(world: World, seed: number): readonly Uint8Array[] {
  if (seed % 2 === 0) return garble(world, world.messages);
  const random = new ByteRandom(`keripy/${seed}`);
  const messages = [...world.messages];
  for (let left = 1 + random.below(3); left > 0; left--) {
    const at = random.below(messages.length);
    messages[at] = mutate(messages[at] ?? new Uint8Array(0), random, random.pick(messages));
  }
  return messages;
}

/** Every event that is in force here must be so in keripy, which gets them in the order in which they came into force here. */
export async function compareGarbled(keripy: Keripy, seed: number, count: number): Promise<Report> {
  const { streams, made } = streamsOf(seed, count, mangled);
  const ours = streams.map(({ messages }) => judge(messages));
  const asCame = await keripy.judge(streams.map(({ messages }) => messages));
  const ordered = await keripy.judge(
    streams.map(({ messages }, i) => inOrderOfAcceptance(messages, ours[i]?.accepted ?? [])),
  );
  const wrong: string[] = [];
  const verdicts: string[] = [];
  const others: number[] = [];
  let [same, events] = [0, 0];
  for (const [i, our] of ours.entries()) {
    if (canonical(our.inForce) === canonical(asCame[i]?.inForce ?? {})) same += 1;
    else others.push(streams[i]?.seed ?? 0);
    verdicts.push(...our.verdicts.map((verdict, n) => pairOf(verdict, asCame[i]?.verdicts[n] ?? "nothing")));
    for (const [aid, log] of Object.entries(our.inForce)) {
      events += log.length;
      const there = ordered[i]?.inForce[aid] ?? [];
      const differs = log.findIndex((said, sn) => there[sn] !== said);
      if (differs >= 0)
        wrong.push(
          `seed ${streams[i]?.seed}: event ${differs} of ${aid} is in force here, ${there[differs] ?? "none"} in keripy`,
        );
    }
  }
  const lines = [
    `garbled lives: of ${events} events in force here keripy refuses ${wrong.length === 0 ? "none" : "some"} (${count} streams of ${made} made)`,
    `garbled lives as they came: ${same} of ${count} with the same logs${others.length > 0 ? ` (not ${others.join(", ")})` : ""}; verdicts: ${counted(verdicts)}`,
  ];
  return { ok: wrong.length === 0, lines: [...lines, ...wrong] };
}
