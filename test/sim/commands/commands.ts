/**
 * Commands against a simulated cluster, as lines that people read, fast-check shrinks and `replay` performs again:
 *
 *     delays 0 3 12                    of the first frames, in ms beyond the first; all later frames are prompt
 *     n0 grants 1 | n0 revokes 1       a write; whoever gets no answer asks again at the end
 *     n1 is asked for 1 [afresh]       a check; afresh: at the newest height that was acknowledged
 *     n2 crashes | n2 starts | n2 crashes in write 3: torn
 *     n1 loses its disk | n1 has a bit flipped
 *     n1 is full | n1 has room
 *     n0 n3 are cut off | heal
 *     2 frames are lost                so with doubled and damaged
 *     wait 300                         ms pass
 */
import fc from "fast-check";
import type { PlannedFate } from "../../../tools/sim/disk.ts";
import { Violation } from "../../../tools/sim/violation.ts";
import { Cluster, type ClusterOptions, NODES } from "./cluster.ts";
import { CORRUPTION, DUPLICATION, LOSS } from "./schedule.ts";

type Perform = (cluster: Cluster) => void;
type Sentence = readonly [pattern: RegExp, meaning: (found: readonly string[]) => Perform];

const STRIKES: Readonly<Record<string, number>> = { lost: LOSS, doubled: DUPLICATION, damaged: CORRUPTION };
const FATES = ["crashBefore", "torn", "crashAfter", "syncFailed"] as const satisfies PlannedFate[];

const SENTENCES: readonly Sentence[] = [
  [
    /^n(\d) grants (\d)$/,
    ([at, edge]) =>
      (cluster) =>
        cluster.write(Number(at), "grant", Number(edge)),
  ],
  [
    /^n(\d) revokes (\d)$/,
    ([at, edge]) =>
      (cluster) =>
        cluster.write(Number(at), "revoke", Number(edge)),
  ],
  [
    /^n(\d) is asked for (\d)( afresh)?$/,
    ([at, edge, afresh]) =>
      (cluster) =>
        cluster.check(Number(at), Number(edge), afresh !== undefined),
  ],
  [
    /^n(\d) crashes$/,
    ([at]) =>
      (cluster) =>
        cluster.crash(Number(at)),
  ],
  [
    /^n(\d) starts$/,
    ([at]) =>
      (cluster) =>
        cluster.start(Number(at)),
  ],
  [
    /^n(\d) crashes in write (\d): (\w+)$/,
    ([at, ahead, fate]) =>
      (cluster) =>
        cluster.crashInWrite(Number(at), Number(ahead), fate as PlannedFate), // one of FATES
  ],
  [
    /^n(\d) has a bit flipped$/,
    ([at]) =>
      (cluster) =>
        cluster.flipBit(Number(at)),
  ],
  [
    /^n(\d) is full$/,
    ([at]) =>
      (cluster) =>
        cluster.fill(Number(at), true),
  ],
  [
    /^n(\d) has room$/,
    ([at]) =>
      (cluster) =>
        cluster.fill(Number(at), false),
  ],
  [
    /^n(\d) loses its disk$/,
    ([at]) =>
      (cluster) =>
        cluster.loseDisk(Number(at)),
  ],
  [
    /^((?:n\d )+)(?:is|are) cut off$/,
    ([nodes = ""]) =>
      (cluster) =>
        cluster.part(nodes.match(/\d/g)?.map(Number) ?? []),
  ],
  [/^heal$/, () => (cluster) => cluster.heal()],
  [
    /^(\d+) frames are (lost|doubled|damaged)$/,
    ([frames, how = ""]) =>
      (cluster) =>
        cluster.strike(STRIKES[how] ?? 0, Number(frames)),
  ],
  [
    /^wait (\d+)$/,
    ([ms]) =>
      (cluster) =>
        cluster.wait(Number(ms)),
  ],
];

function meaningOf(line: string): Perform {
  for (const [pattern, meaning] of SENTENCES) {
    const found = pattern.exec(line);
    if (found !== null) return meaning(found.slice(1));
  }
  throw new Error(`"${line}" is no command; they are listed where commands are defined`);
}

/** What commands must know of those before them: a cluster of four stands one disk that loses what it holds. */
interface Model {
  wounded: boolean;
}

const wounds = (line: string): boolean => line.endsWith("loses its disk") || line.endsWith("has a bit flipped");

class Line implements fc.Command<Model, Recorded> {
  readonly #line: string;
  readonly #perform: Perform;

  constructor(line: string) {
    this.#line = line;
    this.#perform = meaningOf(line);
  }

  check({ wounded }: Readonly<Model>): boolean {
    return !(wounded && wounds(this.#line));
  }

  run(model: Model, { cluster, script }: Recorded): void {
    if (wounds(this.#line)) model.wounded = true;
    script.push(this.#line);
    this.#perform(cluster);
  }

  toString(): string {
    return this.#line;
  }
}

interface Recorded {
  readonly cluster: Cluster;
  readonly script: string[];
}

const node = fc.nat(NODES - 1);
const edge = fc.nat(2);
const lines = (...parts: readonly [weight: number, line: fc.Arbitrary<string>][]): fc.Arbitrary<Line>[] =>
  parts.flatMap(([weight, line]) => Array.from({ length: weight }, () => line.map((text) => new Line(text))));

/** Lists of commands; those that appear more than once come more often. */
export const commands = fc.commands<Model, Recorded>(
  lines(
    [4, fc.tuple(node, fc.constantFrom("grants", "revokes"), edge).map(([at, what, on]) => `n${at} ${what} ${on}`)],
    [
      2,
      fc.tuple(node, edge, fc.boolean()).map(([at, on, fresh]) => `n${at} is asked for ${on}${fresh ? " afresh" : ""}`),
    ],
    [5, fc.constantFrom(5, 20, 60, 150, 400, 1500).map((ms) => `wait ${ms}`)],
    [2, node.map((at) => `n${at} crashes`)],
    [2, node.map((at) => `n${at} starts`)],
    [
      2,
      fc
        .tuple(node, fc.integer({ min: 1, max: 5 }), fc.constantFrom(...FATES))
        .map(([at, ahead, fate]) => `n${at} crashes in write ${ahead}: ${fate}`),
    ],
    [1, node.map((at) => `n${at} loses its disk`)],
    [1, node.map((at) => `n${at} has a bit flipped`)],
    [1, fc.tuple(node, fc.constantFrom("is full", "has room")).map(([at, how]) => `n${at} ${how}`)],
    [
      1,
      fc
        .subarray([0, 1, 2, 3], { minLength: 1, maxLength: 2 })
        .map((cut) => `${cut.map((at) => `n${at} `).join("")}${cut.length === 1 ? "is" : "are"} cut off`),
    ],
    [1, fc.constant("heal")],
    [
      1,
      fc
        .tuple(fc.constantFrom(1, 3, 10), fc.constantFrom(...Object.keys(STRIKES)))
        .map(([frames, how]) => `${frames} frames are ${how}`),
    ],
  ),
  { maxCommands: 40, size: "+1" },
);

/** Delays of the first frames: most none, some a little, few so long that timers fire first. */
export const delays = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant(0) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 30 }) },
    { weight: 1, arbitrary: fc.integer({ min: 100, max: 500 }) },
  ),
  { maxLength: 60, size: "max" },
);

/** Performs commands, then finishes. Throws: Error whose message is the broken rule and the script that breaks it. */
export function performCommands(
  given: readonly number[],
  run: (setup: () => { model: Model; real: Recorded }) => void,
  options: ClusterOptions = {},
): void {
  const script: string[] = given.length === 0 ? [] : [`delays ${given.join(" ")}`];
  try {
    const cluster = new Cluster({ ...options, delays: given });
    run(() => ({ model: { wounded: false }, real: { cluster, script } }));
    cluster.finish();
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    throw new Error([`${error.invariant}: ${error.message}`, ...script].join("\n"), { cause: error });
  }
}

/** Performs a script that an earlier run printed. Throws: as `performCommands`. */
export function replay(script: string, options: ClusterOptions = {}): void {
  const given = script.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const first = /^delays ([\d ]+)$/.exec(given[0] ?? "")?.[1];
  const performed = (first === undefined ? given : given.slice(1)).map((line) => new Line(line));
  const listed = first?.split(" ").map(Number) ?? [];
  performCommands(
    listed,
    (setup) => {
      const { model, real } = setup();
      for (const line of performed) if (line.check(model)) line.run(model, real);
    },
    options,
  );
}

/** What a script breaks: the message of `replay`, undefined when it breaks nothing. */
export function breaks(script: readonly string[], options: ClusterOptions = {}): string | undefined {
  try {
    replay(script.join("\n"), options);
    return undefined;
  } catch (error) {
    if (!(error instanceof Error && error.cause instanceof Violation)) throw error;
    return error.message;
  }
}

/** Leaves out lines as long as the rest still breaks something: what is left breaks nothing without any one of its lines. */
export function minimised(script: readonly string[], options: ClusterOptions = {}): readonly string[] {
  const shorter = script.map((_, at) => script.toSpliced(at, 1)).find((rest) => breaks(rest, options) !== undefined);
  return shorter === undefined ? script : minimised(shorter, options);
}
