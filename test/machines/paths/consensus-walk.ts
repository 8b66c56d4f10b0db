/** Paths over the consensus machine: what a world says may come, what the shell owes, and one step of either. */
import { Defect } from "../../../src/base/errors.ts";
import type { TimerId } from "../../../src/machines/consensus/types.ts";
import { Book } from "../../scenarios/consensus/book.ts";
import { live } from "../../scenarios/consensus/language.ts";
import { EMPTY_DISK, type Life, boot, finalOf, fits } from "../../scenarios/consensus/life.ts";
import { type Input, reader } from "../../scenarios/consensus/sentences.ts";
import { type Place, keyOf, noticesOf, voteIn } from "./consensus-place.ts";
import { brokenRule } from "./consensus-rules.ts";
import type { Coverage } from "./coverage.ts";
import type { Walk } from "./explore.ts";

type Answer = "signature" | "judgement" | "block" | "proposal" | "execution";

/** A bounded world: what may reach one member, in the words of the scenario scripts. */
export interface World {
  readonly name: string;
  readonly self: number;
  readonly size?: number;
  readonly blocks: readonly string[];
  /** Inputs that may come at any time, any number of times. */
  readonly hears: readonly string[];
  /** Inputs that come once each, in this order. */
  readonly inOrder?: readonly string[];
  /** Votes that others may cast, as "notarize A": each comes from the first of these voters that has not cast it. */
  readonly votes?: Readonly<Record<string, readonly number[]>>;
  /** Blocks whose body or bundles do not hold. */
  readonly invalid?: readonly string[];
  readonly liars?: readonly number[];
  /** Final blocks that a page of a peer's log may hold beyond what was asked for. */
  readonly pages?: readonly string[];
  /** The shell may fail to build a block. */
  readonly failsToBuild?: boolean;
  readonly losesJournal?: boolean;
  /** Timers that may fire; all others are slower than everything else in this world. */
  readonly timers?: readonly TimerId[];
  /** What the shell answers late; everything else it answers before anything else comes. */
  readonly slow?: readonly Answer[];
  /** When a later view is entered, the shell answers what it owes and the path ends. */
  readonly views: number;
  readonly restarts?: number;
  readonly limit: number;
}

/** The walk of a world. What its steps take is noted in `coverage`; `shell` performs them, and a test can give a broken one. */
export function walkOf(world: World, coverage: Coverage, shell: Shell = live): Walk<Place> {
  const { self, size = 4 } = world;
  const book = new Book();
  for (const line of world.blocks) if (!book.declare(line)) throw new Error(`${line} declares no block`);
  const read = memoised(reader(book, size));
  const disk = world.losesJournal === true ? { ...EMPTY_DISK, votesAbove: "unknown" as const } : EMPTY_DISK;
  const keyed = (place: Omit<Place, "key">): Place => ({
    ...place,
    key: place.fault === undefined ? keyOf(book, place) : `fault ${place.fault}`,
  });
  const first = boot({ self, size, disk });
  coverage.begin(first.snapshot);
  return {
    header: [`member ${self} of ${size}`, ...world.blocks],
    start: keyed({
      life: first,
      started: false,
      restarts: 0,
      came: 0,
      heard: [],
      said: [],
      sent: [],
      fault: undefined,
    }),
    inputs: (place) => inputsAt(world, book, place),
    step: (before, line) => {
      const [input] = read(line);
      if (input === undefined) throw new Error(`${line} is no input`);
      return keyed(stepped(before, line, input, { world, book, coverage, shell }));
    },
    keyOf: ({ key }) => key,
    faultOf: ({ fault }) => fault,
    limit: world.limit,
  };
}

type Shell = (life: Life, input: Input, book: Book) => Life;

interface Around {
  readonly shell: Shell;
  readonly world: World;
  readonly book: Book;
  readonly coverage: Coverage;
}

function stepped(
  before: Place,
  line: string,
  input: Input,
  { world, book, coverage, shell }: Around,
): Omit<Place, "key"> {
  let life: Life;
  try {
    life = shell(before.life, input, book);
  } catch (error) {
    if (!(error instanceof Defect)) throw error;
    return { ...before, fault: `defect: ${error.message}` };
  }
  if (input.kind === "restart") coverage.begin(life.snapshot);
  else coverage.note(before.life.snapshot, input.event, life.snapshot);
  const context = life.snapshot.context;
  const left = noticesOf(life.effects).flatMap((notice) => voteIn(notice, context) ?? []);
  const sent = [...new Set([...before.sent, ...left])];
  const fault = brokenRule({ before, input, life, sent, liars: world.liars ?? [] });
  return {
    life,
    started: input.kind === "event",
    came: before.came + (world.inOrder?.[before.came] === line ? 1 : 0),
    restarts: before.restarts + (input.kind === "restart" ? 1 : 0),
    said: line.startsWith("vote ") ? [...before.said, line] : before.said,
    heard: line.startsWith("vote ") ? [...before.heard, line] : input.kind === "restart" ? [] : before.heard,
    sent,
    fault,
  };
}

function inputsAt(world: World, book: Book, place: Place): readonly string[] {
  if (!place.started) return ["start"];
  const { context } = place.life.snapshot;
  const isOver = context.view > world.views;
  const restarts = place.restarts < (world.restarts ?? 0) ? ["restart"] : [];
  const answers = answersAt(world, book, place.life);
  const prompt = answers.find(([answer]) => world.slow?.includes(answer) !== true);
  if (prompt !== undefined) return [prompt[1], ...restarts];
  const owed = answers.map(([, line]) => line);
  if (isOver) return owed;
  const next = world.inOrder?.[place.came];
  return [
    ...owed,
    ...place.life.duties.timers.filter((timer) => world.timers?.includes(timer)).map((timer) => `timer ${timer}`),
    ...votesAt(world, place),
    ...world.hears,
    ...(next === undefined ? [] : [next]),
    ...restarts,
  ];
}

/** What the shell owes: of several signatures the oldest comes first. */
function answersAt(world: World, book: Book, { duties, disk, snapshot }: Life): readonly (readonly [Answer, string])[] {
  const name = book.name.bind(book);
  const answers: (readonly [Answer, string])[] = [];
  const [vote] = duties.signatures;
  if (vote !== undefined)
    answers.push(["signature", `signed ${vote.kind} ${vote.hash === null ? vote.view : name(vote.hash)}`]);
  for (const hash of duties.judgements)
    answers.push([
      "judgement",
      `judge ${name(hash)} ${world.invalid?.includes(name(hash)) === true ? "invalid" : "valid"}`,
    ]);
  for (const hash of duties.blocks) answers.push(["block", `fetch ${name(hash)}`]);
  const asked = duties.proposal;
  if (asked !== null) {
    for (const block of book.blocks) if (fits(block, asked)) answers.push(["proposal", `built ${name(block.hash)}`]);
    if (world.failsToBuild === true) answers.push(["proposal", `not built ${asked.view}`]);
  }
  const next = disk.log[disk.executed + 1];
  if (next !== undefined) answers.push(["execution", `executed ${name(next.hash)}`]);
  if (snapshot.context.halted !== null) return answers; // a halted shell appends nothing
  for (const final of pagesAt(world, book, { duties, disk }))
    answers.push(["block", `synchronised ${final} by ${book.block(final).view}`]);
  return answers;
}

/** How far a peer's page may lead: to the block asked for, or beyond; all of it may have come in another way meanwhile. */
function pagesAt(
  { pages = [] }: World,
  book: Book,
  { duties, disk }: Pick<Life, "duties" | "disk">,
): readonly string[] {
  const asked = duties.synchronisation?.hash;
  if (asked === undefined) return [];
  const known = book.blockOf(asked) === undefined ? [] : [book.name(asked)];
  return [...new Set([...known, ...pages])].filter((name) => {
    const { hash } = book.block(name);
    return disk.log.some((block) => block.hash === hash) || isBuiltOn(book, hash, finalOf(disk).hash);
  });
}

function isBuiltOn(book: Book, hash: Parameters<Book["blockOf"]>[0], ancestor: typeof hash): boolean {
  for (let at = book.blockOf(hash); at !== undefined; at = book.blockOf(at.parent))
    if (at.parent === ancestor) return true;
  return false;
}

function votesAt({ votes = {}, liars = [] }: World, { heard, said }: Place): readonly string[] {
  return Object.entries(votes).flatMap(([vote, voters]) => {
    const mayCast = (voter: number): boolean =>
      !heard.includes(`vote ${vote} from ${voter}`) && (liars.includes(voter) || isHonest(vote, voter, said));
    const next = voters.find(mayCast);
    return next === undefined ? [] : [`vote ${vote} from ${next}`];
  });
}

/** Honest members never both nullify and finalize; worlds with votes have them of one view. */
const isHonest = (vote: string, voter: number, said: readonly string[]): boolean => {
  const [kind] = vote.split(" ");
  const opposite = kind === "nullify" ? "finalize" : kind === "finalize" ? "nullify" : undefined;
  const ending = ` from ${voter}`;
  return opposite === undefined || !said.some((line) => line.startsWith(`vote ${opposite} `) && line.endsWith(ending));
};

function memoised(read: (line: string) => readonly Input[]): (line: string) => readonly Input[] {
  const known = new Map<string, readonly Input[]>();
  return (line) => {
    let inputs = known.get(line);
    if (inputs === undefined) {
      inputs = read(line);
      known.set(line, inputs);
    }
    return inputs;
  };
}
