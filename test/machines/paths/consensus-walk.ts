/** Paths over the consensus machine: what a world says may come, what the shell owes, and one step of either. */
import { Defect } from "../../../src/base/errors.ts";
import { Book } from "../../scenarios/consensus/book.ts";
import { live } from "../../scenarios/consensus/language.ts";
import { EMPTY_DISK, type Life, boot, finalOf, fits } from "../../scenarios/consensus/life.ts";
import { type Input, reader } from "../../scenarios/consensus/sentences.ts";
import { type Place, keyOf, noticesOf, voteIn } from "./consensus-place.ts";
import { brokenRule } from "./consensus-rules.ts";
import type { Coverage } from "./coverage.ts";
import type { Walk } from "./explore.ts";

/** A bounded world: what may reach one member, in the words of the scenario scripts. */
export interface World {
  readonly name: string;
  readonly self: number;
  readonly size?: number;
  readonly blocks: readonly string[];
  /** Inputs that may come at any time, any number of times. */
  readonly hears: readonly string[];
  /** Votes that others may cast, as "notarize A": each comes from the first of these voters that has not cast it. */
  readonly votes?: Readonly<Record<string, readonly number[]>>;
  /** Blocks whose body or bundles do not hold. */
  readonly invalid?: readonly string[];
  readonly liars?: readonly number[];
  /** The shell may fail to build a block. */
  readonly failsToBuild?: boolean;
  readonly losesJournal?: boolean;
  /** Paths end where a later view is entered. */
  readonly views: number;
  readonly restarts?: number;
  readonly limit: number;
}

/** The walk of a world. What its steps take is noted in `coverage`. */
export function walkOf(world: World, coverage: Coverage): Walk<Place> {
  const { self, size = 4 } = world;
  const book = new Book();
  for (const line of world.blocks) if (!book.declare(line)) throw new Error(`${line} declares no block`);
  const read = memoised(reader(book, size));
  const disk = world.losesJournal === true ? { ...EMPTY_DISK, votesAbove: "unknown" as const } : EMPTY_DISK;
  const keyed = (place: Omit<Place, "key">): Place => ({
    ...place,
    key: place.fault === undefined ? keyOf(book, place) : `fault ${place.fault}`,
  });
  return {
    start: keyed({
      life: boot({ self, size, disk }),
      started: false,
      restarts: 0,
      heard: [],
      sent: [],
      fault: undefined,
    }),
    inputs: (place) => inputsAt(world, book, place),
    step: (before, line) => {
      const [input] = read(line);
      if (input === undefined) throw new Error(`${line} is no input`);
      return keyed(stepped(before, line, input, { world, book, coverage }));
    },
    keyOf: ({ key }) => key,
    faultOf: ({ fault }) => fault,
    limit: world.limit,
  };
}

interface Around {
  readonly world: World;
  readonly book: Book;
  readonly coverage: Coverage;
}

function stepped(before: Place, line: string, input: Input, { world, book, coverage }: Around): Omit<Place, "key"> {
  let life: Life;
  try {
    life = live(before.life, input, book);
  } catch (error) {
    if (!(error instanceof Defect)) throw error;
    return { ...before, fault: `defect: ${error.message}` };
  }
  if (input.kind === "event") coverage.note(before.life.snapshot, input.event, life.snapshot);
  const fault = brokenRule({ before, input, life, liars: world.liars ?? [] });
  const context = life.snapshot.context;
  const left = noticesOf(life.effects).flatMap((notice) => voteIn(notice, context) ?? []);
  return {
    life,
    started: input.kind === "event",
    restarts: before.restarts + (input.kind === "restart" ? 1 : 0),
    heard: line.startsWith("vote ") ? [...before.heard, line] : input.kind === "restart" ? [] : before.heard,
    sent: [...new Set([...before.sent, ...left])],
    fault,
  };
}

function inputsAt(world: World, book: Book, place: Place): readonly string[] {
  if (!place.started) return ["start"];
  const { context } = place.life.snapshot;
  if (context.view > world.views) return [];
  const restarts = place.restarts < (world.restarts ?? 0) ? ["restart"] : [];
  return [...answersAt(world, book, place.life), ...votesAt(world, place.heard), ...world.hears, ...restarts];
}

/** What the shell owes: of several signatures or judgements the oldest comes first. */
function answersAt(world: World, book: Book, { duties, disk }: Life): readonly string[] {
  const name = book.name.bind(book);
  const answers = duties.timers.map((timer) => `timer ${timer}`);
  const [vote] = duties.signatures;
  if (vote !== undefined) answers.push(`signed ${vote.kind} ${vote.hash === null ? vote.view : name(vote.hash)}`);
  for (const hash of duties.judgements)
    answers.push(`judge ${name(hash)} ${world.invalid?.includes(name(hash)) === true ? "invalid" : "valid"}`);
  for (const hash of duties.blocks) answers.push(`fetch ${name(hash)}`);
  const asked = duties.proposal;
  if (asked !== null) {
    for (const block of book.blocks) if (fits(block, asked)) answers.push(`built ${name(block.hash)}`);
    if (world.failsToBuild === true) answers.push(`not built ${asked.view}`);
  }
  const next = disk.log[disk.executed + 1];
  if (next !== undefined) answers.push(`executed ${name(next.hash)}`);
  const missing = duties.synchronisation;
  if (missing !== null && isBuiltOn(book, missing.hash, finalOf(disk).hash))
    answers.push(`synchronised ${name(missing.hash)} by ${missing.view}`);
  return answers;
}

function isBuiltOn(book: Book, hash: Parameters<Book["blockOf"]>[0], ancestor: typeof hash): boolean {
  for (let at = book.blockOf(hash); at !== undefined; at = book.blockOf(at.parent))
    if (at.parent === ancestor) return true;
  return false;
}

function votesAt({ votes = {} }: World, heard: readonly string[]): readonly string[] {
  return Object.entries(votes).flatMap(([vote, voters]) => {
    const next = voters.map((voter) => `vote ${vote} from ${voter}`).find((line) => !heard.includes(line));
    return next === undefined ? [] : [next];
  });
}

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

