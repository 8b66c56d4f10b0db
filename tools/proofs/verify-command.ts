/** `sky verify PROOF --founding FILE`: what a proof file proves, offline, with nothing but the founding document. */
import { PROOF_BYTES_MAX } from "../../src/events/facts/proof.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure, reportRefusal } from "../../src/host/cli/io.ts";
import type { Founding } from "../../src/host/founding/document.ts";
import { readPublic } from "../../src/host/founding/files.ts";
import { judgeProof, readFounding } from "./judging.ts";
import { type Judged, jsonOf, linesOf } from "./proof-text.ts";

export interface VerifyProofOptions {
  readonly args: readonly [proof: string];
  readonly founding?: string;
  /** A head that was kept: of a consistency proof, the older one must be this one. */
  readonly head?: string;
  readonly json?: boolean;
}

export async function run(options: VerifyProofOptions, io: CliIo): Promise<ExitCode> {
  const { args, founding: path, head, json = false } = options;
  if (path === undefined) {
    reportFailure(io, "USAGE", "Name the founding document that the proof is to be judged by: --founding FILE.", json);
    return EXIT.usage;
  }
  const founding = readFounding(path);
  if (!founding.ok) return reportRefusal(io, founding.refusal, json);
  const judged = judge(args[0], founding.value, io, json);
  if (typeof judged === "number") return judged;
  if (head !== undefined) {
    const kept = judge(head, founding.value, io, json);
    if (typeof kept === "number") return kept;
    const defect = keptDefect(judged, kept);
    if (defect !== undefined) return reportRefusal(io, { code: "PROOF_SUBJECT", message: defect, blame: "peer" }, json);
  }
  tell(judged, founding.value, io, json);
  return EXIT.ok;
}

function judge(path: string, founding: Founding, io: CliIo, json: boolean): Judged | ExitCode {
  const file = readPublic(path, PROOF_BYTES_MAX);
  if (!file.ok) return reportRefusal(io, file.refusal, json);
  const judged = judgeProof(file.value, founding);
  if (judged.ok) return judged.value;
  const { code, message, blame } = judged.refusal;
  return reportRefusal(io, { code, message: `${path} proves nothing. ${message}`, blame }, json);
}

/** Why the proof is not about the head that was kept. */
function keptDefect(judged: Judged, kept: Judged): string | undefined {
  if (kept.kind !== "head") return "What was given by --head is no head: sky audit head writes one.";
  if (judged.kind !== "consistency")
    return "A kept head is compared with a consistency proof: sky audit prefix writes one.";
  if (judged.older.hash === kept.head.hash) return undefined;
  return `The proof is about block ${judged.older.height}, ${judged.older.hash}; the head that was kept is block ${kept.head.height}, ${kept.head.hash}.`;
}

/** What is proven, with what else is to be said of it in JSON. */
export function tell(judged: Judged, founding: Founding, io: CliIo, json: boolean, more: object = {}): void {
  if (json) io.out(JSON.stringify({ ok: true, cluster: founding.cluster, ...jsonOf(judged), ...more }));
  else for (const line of linesOf(judged, founding.document)) io.out(line);
}
