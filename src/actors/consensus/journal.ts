/** How the machine's `record` effects become rows of the journal, and rows become the flags a member restarts with. */
import { type Digest, type MemberIndex, type View, view as viewOf } from "../../base/brands.ts";
import { bytes, decode, encode, hex, integer, list, nullable, record, text } from "../../base/codec.ts";
import { assert } from "../../base/errors.ts";
import { CERTIFICATE_BYTES_MAX, type Certificate, certificateShape } from "../../events/facts/block.ts";
import type { VoteKind } from "../../events/facts/hashing.ts";
import type { JournalRecord, StoredRecord } from "../../events/store/log-batch.ts";
import type { ConsensusEffect, Evidence, Verdict } from "../../machines/consensus/types.ts";
import type { Restored } from "../../machines/consensus/restore.ts";
import type { Committee } from "./ports.ts";
import type { Signatures } from "./signatures.ts";

const NOTHING = new Uint8Array(0);

type Recorded = Extract<ConsensusEffect, { type: "recordVote" | "recordProposal" | "recordVerdict" }>;

export function journalRow(committee: Committee, effect: Recorded): JournalRecord {
  const { epoch } = committee;
  switch (effect.type) {
    case "recordVote":
      return { epoch, view: effect.view, kind: "vote", key: `${effect.kind}/${effect.hash ?? ""}`, bytes: NOTHING };
    case "recordProposal":
      return { epoch, view: effect.view, kind: "proposal", key: effect.hash, bytes: NOTHING };
    case "recordVerdict":
      return { epoch, view: effect.view, kind: "verdict", key: `${effect.verdict}/${effect.hash}`, bytes: NOTHING };
  }
}

export const certificateRow = (certificate: Certificate): JournalRecord => ({
  epoch: certificate.epoch,
  view: certificate.view,
  kind: "certificate",
  key: certificate.kind,
  bytes: encode(certificateShape, certificate),
});

/** What the journal's rows say, and the certificates themselves. */
export function readJournal(rows: readonly StoredRecord[]): Pick<Restored, "votes" | "proposals" | "verdicts"> & {
  readonly certificates: readonly Certificate[];
} {
  const votes: { kind: VoteKind; view: View; hash: Digest | null }[] = [];
  const proposals: { view: View; hash: Digest }[] = [];
  const verdicts: { view: View; verdict: Verdict }[] = [];
  const certificates: Certificate[] = [];
  for (const { kind, view, key, bytes } of rows) {
    const [word = "", hash = ""] = key.split("/");
    switch (kind) {
      case "vote":
        votes.push({ kind: word as VoteKind, view: viewOf(view), hash: hash === "" ? null : (hash as Digest) });
        break;
      case "proposal":
        proposals.push({ view: viewOf(view), hash: key as Digest });
        break;
      case "verdict":
        verdicts.push({ view: viewOf(view), verdict: word as Verdict });
        break;
      case "certificate": {
        const certificate = decode(certificateShape, bytes, CERTIFICATE_BYTES_MAX);
        assert(certificate.ok, "the journal holds what was encoded");
        certificates.push(certificate.value);
        break;
      }
      default:
        assert(false, `journal record of kind ${kind}`);
    }
  }
  return { votes, proposals, verdicts, certificates };
}

const evidenceShape = record<{
  kind: string;
  member: number;
  view: number;
  votes: readonly { kind: string; hash: Digest | null; signature: Uint8Array }[];
}>("evidence", {
  kind: text(32),
  member: integer(0, 255),
  view: integer(),
  votes: list(
    record<{ kind: string; hash: Digest | null; signature: Uint8Array }>("vote", {
      kind: text(16),
      hash: nullable(hex<Digest>(32)),
      signature: bytes(64),
    }),
    8,
  ),
});

/** Evidence with the signed votes that prove it, to be kept beyond the view. */
export function evidenceMark(
  committee: Committee,
  evidence: Evidence,
  signatures: Signatures,
): { readonly name: string; readonly value: Uint8Array } {
  const { kind, member, view } = evidence;
  const votes = signatures.ofMember(view, member as MemberIndex).slice(0, 8);
  return {
    name: `evidence/${committee.epoch}/${view}/${member}/${kind}`,
    value: encode(evidenceShape, { kind, member, view, votes }),
  };
}
