/** `sky audit prove | head | prefix`: proof files, from a node or from a data directory, checked before they are written. */
import { existsSync } from "node:fs";
import { type Aid, type CommandId, type Height, height as heightOf } from "../../src/base/brands.ts";
import { PROOF_BYTES_MAX } from "../../src/events/facts/proof.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure, reportRefusal } from "../../src/host/cli/io.ts";
import { readPublic, writeAtomic } from "../../src/host/founding/files.ts";
import { reportThrown } from "../replay/running.ts";
import { type Question, type WhereOptions, askFor, foundingPath } from "./asking.ts";
import { judgeProof, readFounding } from "./judging.ts";
import { tell } from "./verify-command.ts";

export interface ProveOptions extends WhereOptions {
  readonly height?: number;
  readonly index?: number;
  readonly n?: number;
  readonly command?: string;
  readonly author?: string;
  readonly aid?: string;
  /** Commander's name of --no-effects. */
  readonly effects?: boolean;
  readonly out?: string;
}

/** Others may read proofs: that is what they are for. */
const PUBLIC_FILE = 0o644;
/** Nobody answered, or not in time: asking again may help. */
const UNANSWERED = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED", "PROOF_PENDING", "OVERLOADED"]);

export function prove(options: ProveOptions, io: CliIo): Promise<ExitCode> {
  const question = questionOf(options);
  if (typeof question !== "string") return answer(question, options, io);
  reportFailure(io, "USAGE", question, options.json === true);
  return Promise.resolve(EXIT.usage);
}

/** What is wrong with the options, or what they ask for. */
function questionOf(options: ProveOptions): Question | string {
  const { index, n, command, author, aid, effects = true } = options;
  const height = options.height === undefined ? undefined : heightOf(options.height);
  const withoutEffects = !effects;
  if (command !== undefined && aid !== undefined)
    return "Prove a command or a key state, not both: --command or --aid.";
  if (command === undefined && author !== undefined)
    return "An author belongs to a command: --command ID --author AID.";
  if (aid !== undefined) {
    if (index !== undefined) return "A key state has no index: --aid AID, perhaps with --height.";
    return { kind: "keys", aid: aid as Aid, height };
  }
  if (command !== undefined) {
    const by = author === undefined ? null : (author as Aid);
    return { kind: "command", author: by, id: command as CommandId, height, withoutEffects };
  }
  if (height === undefined) return "Say what to prove: --height H, --command ID, or --aid AID.";
  if (index === undefined && n !== undefined) return "A fact has an index, too: --height H --index I --n N.";
  return index === undefined ? { kind: "block", height, withoutEffects } : { kind: "fact", height, index, n: n ?? 0 };
}

export const head = (options: ProveOptions, io: CliIo): Promise<ExitCode> => answer({ kind: "head" }, options, io);

export interface PrefixOptions extends ProveOptions {
  readonly args: readonly [head: string];
}

export async function prefix(options: PrefixOptions, io: CliIo): Promise<ExitCode> {
  const json = options.json === true;
  const founding = readFounding(foundingPath(options));
  if (!founding.ok) return reportRefusal(io, founding.refusal, json);
  const file = readPublic(options.args[0], PROOF_BYTES_MAX);
  if (!file.ok) return reportRefusal(io, file.refusal, json);
  const kept = judgeProof(file.value, founding.value);
  if (!kept.ok) return reportRefusal(io, kept.refusal, json);
  if (kept.value.kind !== "head") {
    reportFailure(io, "USAGE", `${options.args[0]} is no head: sky audit head writes one.`, json);
    return EXIT.usage;
  }
  const { height, hash } = kept.value.head;
  return answer({ kind: "prefix", height, hash }, options, io);
}

/** Asks, checks, writes, tells. */
async function answer(question: Question, options: ProveOptions, io: CliIo): Promise<ExitCode> {
  const json = options.json === true;
  const founding = readFounding(foundingPath(options));
  if (!founding.ok) return reportRefusal(io, founding.refusal, json);
  const file = await askFor(question, options, founding.value, io).catch((error: unknown) =>
    reportThrown(error, io, json),
  );
  if (typeof file === "number") return file;
  if (!file.ok) {
    reportFailure(io, file.refusal.code, file.refusal.message, json);
    return UNANSWERED.has(file.refusal.code) ? EXIT.unavailable : EXIT.refused;
  }
  const judged = judgeProof(file.value, founding.value);
  if (!judged.ok) return reportRefusal(io, judged.refusal, json);
  const at = judged.value.kind === "keyState" ? judged.value.events.through : undefined;
  const out = options.out ?? fileName(question, at);
  if (options.out === undefined && existsSync(out)) {
    reportFailure(io, "FILE_EXISTS", `${out} is there already; name another file with --out.`, json);
    return EXIT.refused;
  }
  writeAtomic(out, file.value, PUBLIC_FILE);
  tell(judged.value, founding.value, io, json, { file: out });
  if (!json) io.err(`written to ${out} (${file.value.length} bytes)`);
  return EXIT.ok;
}

function fileName(question: Question, through: Height | undefined): string {
  switch (question.kind) {
    case "head":
      return "head.proof";
    case "block":
      return `block-${question.height}.proof`;
    case "fact":
      return `fact-${question.height}-${question.index}-${question.n}.proof`;
    case "command":
      return `command-${question.id}.proof`;
    case "keys":
      return `keys-${question.aid}-${through ?? "now"}.proof`;
    case "prefix":
      return `prefix-${question.height}.proof`;
  }
}
