/** What the machine's `record` effects of one drain write: one batch, one synced transaction (consensus.md, "Durable before sending"). */
import { type Digest, type Height, view as viewOf } from "../../base/brands.ts";
import { present } from "../../base/errors.ts";
import type { LogEvent } from "../../events/facts/block.ts";
import type { Candidate, JournalRecord, LogBatch, Mark, StoredBundle } from "../../events/store/log-batch.ts";
import type { ConsensusEffect } from "../../machines/consensus/types.ts";
import type { Blocks, OpenedBlock } from "./blocks.ts";
import { certificateRow, evidenceMark, journalRow } from "./journal.ts";
import type { Committee, Delivery } from "./ports.ts";
import type { Signatures } from "./signatures.ts";
import { divergedMark, votesAboveMark } from "./start.ts";

export interface RecordingStores {
  readonly committee: Committee;
  readonly signatures: Signatures;
  readonly blocks: Blocks;
  /** Bytes of a bundle that a judged body names. */
  readonly bundleBytes: (digest: Digest) => Uint8Array;
}

export interface Recorded {
  readonly batch: LogBatch;
  /** Blocks that become final with it, oldest first. */
  readonly final: readonly Delivery[];
  readonly last: OpenedBlock | undefined;
}

type Of<T extends ConsensusEffect["type"]> = Extract<ConsensusEffect, { type: T }>;

/** The batch of one drain; undefined when it records nothing. */
export function recordingOf(effects: readonly ConsensusEffect[], stores: RecordingStores): Recorded | undefined {
  const recording = new Recording(stores);
  for (const effect of effects) recording.add(effect);
  return recording.end();
}

class Recording {
  readonly #stores: RecordingStores;
  readonly #bundles: StoredBundle[] = [];
  readonly #candidates: Candidate[] = [];
  readonly #journal: JournalRecord[] = [];
  readonly #events: LogEvent[] = [];
  readonly #heights: { readonly digest: Digest; readonly height: Height }[] = [];
  readonly #marks: Mark[] = [];
  readonly #final: Delivery[] = [];
  #last: OpenedBlock | undefined;

  constructor(stores: RecordingStores) {
    this.#stores = stores;
  }

  add(effect: ConsensusEffect): void {
    const { committee, signatures, blocks } = this.#stores;
    switch (effect.type) {
      case "recordVote":
      case "recordProposal":
      case "recordVerdict":
        this.#journal.push(journalRow(committee, effect));
        return;
      case "recordCertificate":
        this.#certificate(effect);
        return;
      case "recordVotesAbove":
        this.#marks.push(votesAboveMark(effect.view));
        return;
      case "recordCandidate":
        this.#candidate(present(blocks.get(effect.hash), "a candidate has its bytes"));
        return;
      case "recordFinal":
        this.#finalised(effect);
        return;
      case "halt":
        this.#marks.push(divergedMark(effect));
        return;
      case "recordEvidence":
        this.#marks.push(evidenceMark(committee, effect.evidence, signatures));
        return;
      default:
        return; // performed, not recorded
    }
  }

  #certificate({ kind, view, hash, signers }: Of<"recordCertificate">): void {
    const { signatures } = this.#stores;
    const certificate =
      signers === null
        ? present(signatures.certificate(kind, view), "a received certificate is kept")
        : signatures.assemble(kind, view, hash, signers);
    this.#journal.push(certificateRow(certificate));
  }

  /** The block and every bundle it names: after a power cut no vote may stand for a body that no disk holds. */
  #candidate({ hash, header, block, bundles }: OpenedBlock): void {
    this.#candidates.push({ hash, epoch: header.epoch, view: header.view, block });
    for (const digest of bundles) this.#bundles.push({ digest, bytes: this.#stores.bundleBytes(digest) });
  }

  #finalised({ hashes, view }: Of<"recordFinal">): void {
    for (const hash of hashes) {
      const opened = present(this.#stores.blocks.get(hash), "a final block has its bytes");
      const { header, block } = opened;
      const bundles = opened.bundles.map((digest) => ({ digest, bytes: this.#stores.bundleBytes(digest) }));
      for (const bundle of bundles) {
        this.#bundles.push(bundle);
        this.#heights.push({ digest: bundle.digest, height: header.height });
      }
      this.#events.push({ height: header.height, hash, block, proof: { kind: "none" } });
      const bytes = bundles.map((bundle) => bundle.bytes);
      this.#final.push({ height: header.height, hash, header: block.header, block, bundles: bytes });
      this.#last = opened;
    }
    const final = this.#events.pop();
    if (final === undefined) return;
    const certificate = present(this.#stores.signatures.certificate("finalization", view), "a finalization is kept");
    this.#events.push({ ...final, proof: { kind: "finalization", certificate, headers: [] } });
  }

  end(): Recorded | undefined {
    const [first] = this.#events;
    const last = this.#last;
    const batch: LogBatch = {
      ...(this.#bundles.length > 0 && { bundles: this.#bundles }),
      ...(this.#candidates.length > 0 && { candidates: this.#candidates }),
      ...(this.#journal.length > 0 && { journal: this.#journal }),
      ...(this.#marks.length > 0 && { marks: this.#marks }),
      ...(first !== undefined &&
        last !== undefined && {
          append: { expected: first.height, events: this.#events },
          bundleHeights: this.#heights,
          pruneBelow: { epoch: this.#stores.committee.epoch, view: viewOf(last.header.view + 1) },
        }),
    };
    return Object.keys(batch).length === 0 ? undefined : { batch, final: this.#final, last };
  }
}
