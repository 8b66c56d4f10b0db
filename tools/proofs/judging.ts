/** A proof file judged with a founding document: what `sky verify PROOF` and `sky audit prove` both do with it. */
import { keyStateOfProof } from "../../src/client/key-state-proof.ts";
import { type Result, ok, refuse } from "../../src/base/result.ts";
import { electorateOf } from "../../src/events/facts/finality.ts";
import { FOUNDING_BYTES_MAX } from "../../src/events/facts/founding.ts";
import { verifyProof } from "../../src/events/facts/verify-proof.ts";
import { type Founding, openFounding } from "../../src/host/founding/document.ts";
import { readPublic } from "../../src/host/founding/files.ts";
import type { Judged } from "./proof-text.ts";

/** Refuses: what is wrong with the file, see FileRefusal and FoundingRefusal. */
export function readFounding(path: string): Result<Founding> {
  const file = readPublic(path, FOUNDING_BYTES_MAX + 64 * 1024);
  if (!file.ok) return file;
  const founding = openFounding(file.value);
  if (founding.ok) return founding;
  const { code, message } = founding.refusal;
  return refuse(code, `${path} is no founding document that can be judged by: ${message}`);
}

/** Refuses: see ProofRefusal; PROOF_KEY_EVENTS. */
export function judgeProof(file: Uint8Array, founding: Founding): Result<Judged> {
  const proven = verifyProof(file, electorateOf(founding));
  if (!proven.ok) return proven;
  if (proven.value.kind !== "keyState") return ok(proven.value);
  const keys = keyStateOfProof(proven.value);
  return keys.ok ? ok({ kind: "keyState", events: proven.value, keys: keys.value }) : keys;
}
