/** `sky audit who | why | changes | acts`: an auditor's questions, answered from a log that is verified from genesis meanwhile. */
import type { Aid, Height } from "../../../src/base/brands.ts";
import type { GraphNode } from "../../../src/events/facts/graph.ts";
import type { Result } from "../../../src/base/result.ts";
import type { Replayed } from "../execution.ts";
import { actsIn } from "./acts.ts";
import { type Target, changesIn } from "./changes.ts";
import { Who, compared } from "./who.ts";
import { Why } from "./why.ts";
import { type LogOptions, withLog } from "./log.ts";
import {
  type Moment,
  actJson,
  actLines,
  changeJson,
  changeLine,
  whoJson,
  whoLines,
  whyJson,
  whyLines,
} from "./text.ts";
import { parseAssertionOf, parseNode } from "../../../src/host/cli/graph-text.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure } from "../../../src/host/cli/io.ts";
import { type Summary, runReplay, timeText, untilAborted } from "../running.ts";

/** When: the state that the blocks up to a height left, or those up to an instant of log time. */
interface MomentOptions extends LogOptions {
  readonly height?: number;
  /** Units: ms since 1970. */
  readonly on?: number;
}

/** Heights from and to, both included. */
interface SpanOptions extends LogOptions {
  readonly from?: number;
  readonly to?: number;
}

/** A height, or an instant of log time (ms since 1970): the last block that is not after it counts. */
export type Since = { readonly height: number } | { readonly time: number };

export interface WhoOptions extends MomentOptions {
  readonly args: readonly [object: string];
  /** Says what became different since then, too. */
  readonly since?: Since;
}

/** Ends with 0 when it was answered, also by nobody. */
export async function who(options: WhoOptions, io: CliIo): Promise<ExitCode> {
  const { json = false } = options;
  const object = parseNode(options.args[0]);
  if (!object.ok) return usage(io, object, json);
  const { since } = options;
  if (since !== undefined && isTooLate(since, options)) {
    reportFailure(io, "USAGE", "--since lies after the moment that is asked for.", json);
    return EXIT.usage;
  }
  const asked = new Who();
  let earlier: readonly GraphNode[] | undefined;
  const take = (block: Replayed): void => {
    if (since !== undefined && isAfter(block, since)) earlier ??= asked.answer(object.value).subjects;
    asked.take(block);
  };
  return atMoment(options, io, { take }, (moment) => {
    const answer = asked.answer(object.value);
    const review = since && compared(earlier ?? answer.subjects, answer.subjects);
    const linesOf = json ? whoJson : whoLines;
    for (const line of linesOf(answer, object.value, moment, review)) io.out(line);
    return EXIT.ok;
  });
}

const isAfter = (block: Replayed, since: Since): boolean =>
  "height" in since ? block.height > since.height : block.time > since.time;

/** As far as the command line tells: a date may lie after the last block, and then nothing changed since. */
const isTooLate = (since: Since, { height, on }: MomentOptions): boolean =>
  "height" in since ? height !== undefined && since.height > height : on !== undefined && since.time > on;

export interface WhyOptions extends MomentOptions {
  readonly args: readonly [subject: string, object: string];
}

/** Ends as `sky oracle check` does: with 0 for yes, with 1 for no. */
export async function why(options: WhyOptions, io: CliIo): Promise<ExitCode> {
  const { json = false } = options;
  const question = parseAssertionOf(...options.args);
  if (!question.ok) return usage(io, question, json);
  const asked = new Why(question.value);
  return atMoment(options, io, asked, (moment) => {
    const answer = asked.answer();
    if (json) io.out(whyJson(answer, moment));
    else for (const line of whyLines(answer, moment)) io.out(line);
    return answer.explanation.result ? EXIT.ok : EXIT.refused;
  });
}

export interface ChangesOptions extends SpanOptions {
  readonly args: readonly [target: string];
}

export async function changes(options: ChangesOptions, io: CliIo): Promise<ExitCode> {
  const { json = false } = options;
  const target = targetOf(options.args[0]);
  if (!target.ok) return usage(io, target, json);
  return overSpan(options, io, "changes", function* (block) {
    for (const change of changesIn(block, target.value)) yield json ? changeJson(change) : changeLine(change);
  });
}

export interface ActsOptions extends SpanOptions {
  readonly args: readonly [aid: string];
}

export async function acts(options: ActsOptions, io: CliIo): Promise<ExitCode> {
  const { json = false } = options;
  const [text] = options.args;
  if (!isAid(text)) {
    reportFailure(io, "MALFORMED", `"${text}" is not an identifier: a KERI prefix of 44 characters or more.`, json);
    return EXIT.usage;
  }
  const known = new Knowing(text);
  return overSpan(
    options,
    io,
    "acts",
    function* (block) {
      for (const act of actsIn(block, text)) yield* json ? [actJson(act)] : actLines(act);
    },
    known,
  );
}

/** Whether the log knows an identifier: that somebody who is mistyped did nothing is no answer. */
class Knowing {
  readonly #aid: Aid;
  #isKnown = false;

  constructor(aid: Aid) {
    this.#aid = aid;
  }

  take({ facts }: Replayed): void {
    this.#isKnown ||= facts.some(
      ({ data }) => (data.kind === "identifierIncepted" || data.kind === "keyEventAccepted") && data.aid === this.#aid,
    );
  }

  get json(): object {
    return { known: this.#isKnown };
  }

  get text(): string | undefined {
    return this.#isKnown ? undefined : `This log knows no identifier ${this.#aid}.`;
  }
}

function usage(io: CliIo, refused: Result<never> | Result<unknown>, json: boolean): ExitCode {
  if (!refused.ok) reportFailure(io, refused.refusal.code, refused.refusal.message, json);
  return EXIT.usage;
}

async function atMoment(
  options: MomentOptions,
  io: CliIo,
  asked: { readonly take: (block: Replayed) => void },
  answer: (moment: Moment) => ExitCode,
): Promise<ExitCode> {
  const { height, on, json = false } = options;
  if (height !== undefined && on !== undefined) {
    reportFailure(io, "USAGE", "Give a height or a date, not both.", json);
    return EXIT.usage;
  }
  return withLog(options, io, async (source, bounds) => {
    const end = await untilAborted(io.interruption(), source.lastHeight());
    const until = {
      ...(height !== undefined && { to: height as Height }),
      ...(on !== undefined && { until: on }),
    };
    const { last } = await runReplay(source, { ...bounds, ...until }, io, (block) => asked.take(block));
    if (last === undefined || (height !== undefined && last.height < height))
      return beyond(io, last, height ?? 0, json);
    return answer({ height: last.height, time: last.time, isEnd: last.height >= (end ?? 0) });
  });
}

function beyond(io: CliIo, last: Summary["last"], height: number, json: boolean): ExitCode {
  const message = `The log ends at height ${last?.height ?? "none"}; nothing is known of height ${height}.`;
  reportFailure(io, "HEIGHT_UNKNOWN", message, json);
  return EXIT.refused;
}

async function overSpan(
  options: SpanOptions,
  io: CliIo,
  what: string,
  linesOf: (block: Replayed) => Iterable<string>,
  known?: Knowing,
): Promise<ExitCode> {
  const { from = 0, to, json = false } = options;
  if (to !== undefined && to < from) {
    reportFailure(io, "USAGE", `--from ${from} lies after --to ${to}.`, json);
    return EXIT.usage;
  }
  return withLog(options, io, async (source, bounds) => {
    let found = 0;
    const until = to === undefined ? {} : { to: to as Height };
    const { last } = await runReplay(source, { ...bounds, ...until }, io, (block) => {
      known?.take(block);
      if (block.height < from) return;
      for (const line of linesOf(block)) {
        io.out(line);
        if (!line.startsWith(" ")) found += 1;
      }
    });
    if (last === undefined || (to !== undefined && last.height < to)) return beyond(io, last, to ?? 0, json);
    const summary = { from, to: last.height, time: last.time };
    if (json) io.out(JSON.stringify({ ok: true, ...summary, [what]: found, ...known?.json }));
    else {
      if (found === 0 && known?.text !== undefined) io.err(known.text);
      io.err(
        `${what}: ${found}, from height ${from} to ${last.height} (${timeText(last.time)}); the log holds so far.`,
      );
    }
    return EXIT.ok;
  });
}

/** A KERI prefix, by its characters and length. */
const isAid = (text: string): text is Aid => /^[A-Za-z0-9_-]{44,88}$/.test(text);

/** `NAMESPACE:` is a namespace; a node with namespace or relation is that; a bare word is whatever has this name. */
function targetOf(text: string): Result<Target> {
  const namespace = /^([^:#]+):$/.exec(text)?.[1];
  if (namespace !== undefined) {
    const named = parseNode(namespace);
    return named.ok ? { ok: true, value: { namespace: named.value.name } } : named;
  }
  const node = parseNode(text);
  if (!node.ok) return node;
  if (/[:#]/.test(text)) return { ok: true, value: { node: node.value } };
  return {
    ok: true,
    value: { node: node.value, namespace: node.value.name, ...(isAid(text) && { aid: text }) },
  };
}
