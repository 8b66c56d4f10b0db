/** What this member says: the machine's notices as frames, with the signatures and bytes that they need. */
import { type Digest, type Height, type MemberIndex, memberIndex } from "../../base/brands.ts";
import { encode } from "../../base/codec.ts";
import { type PeerMessage, peerMessageShape } from "../../events/facts/peer-message.ts";
import { rootBytes } from "../../events/facts/hashing.ts";
import type { PeerNotice } from "../../machines/consensus/types.ts";
import type { Blocks } from "./blocks.ts";
import { BLOCK_BUNDLE_BYTES_MAX, type Bundles } from "./bundles.ts";
import type { Committee, ConsensusPorts } from "./ports.ts";
import type { Signatures } from "./signatures.ts";

export interface OutgoingStores {
  readonly committee: Committee;
  readonly signatures: Signatures;
  readonly blocks: Blocks;
  readonly bundles: Bundles;
  readonly surveyNonce: Uint8Array;
}

export interface OutgoingPorts extends Pick<ConsensusPorts, "peers" | "sign"> {
  readonly observer: Pick<ConsensusPorts["observer"], "sent">;
}

export class Outgoing {
  readonly #ports: OutgoingPorts;
  readonly #stores: OutgoingStores;
  /** The other members. */
  readonly others: readonly MemberIndex[];

  constructor(ports: OutgoingPorts, stores: OutgoingStores) {
    this.#ports = ports;
    this.#stores = stores;
    const { keys, self } = stores.committee;
    this.others = keys.map((_, i) => memberIndex(i)).filter((member) => member !== self);
  }

  send(to: MemberIndex, message: PeerMessage): void {
    this.#ports.peers.send(to, encode(peerMessageShape, message));
    this.#ports.observer.sent?.(to, message);
  }

  /** Encoded once for all. */
  broadcast(message: PeerMessage): void {
    const frame = encode(peerMessageShape, message);
    for (const member of this.others) {
      this.#ports.peers.send(member, frame);
      this.#ports.observer.sent?.(member, message);
    }
  }

  notify(to: MemberIndex, notice: PeerNotice): void {
    for (const message of this.#messages(notice)) this.send(to, message);
  }

  notifyAll(notice: PeerNotice): void {
    if (notice.kind === "root") this.#attest(notice.height, notice.root);
    else for (const message of this.#messages(notice)) this.broadcast(message);
  }

  /** None when its bytes are gone meanwhile, or its signature is still to come. */
  #messages(notice: PeerNotice): readonly PeerMessage[] {
    const { committee, signatures, blocks, surveyNonce } = this.#stores;
    const { epoch, self } = committee;
    switch (notice.kind) {
      case "vote": {
        const { vote, view, hash } = notice;
        const signature = signatures.get(vote, view, hash, self);
        return signature === undefined ? [] : [{ kind: "vote", vote, epoch, view, hash, member: self, signature }];
      }
      case "proposal": {
        const opened = blocks.get(notice.hash);
        const signature = opened && signatures.get("notarize", opened.header.view, notice.hash, self);
        if (opened === undefined || signature === undefined) return [];
        return [{ kind: "proposal", block: opened.block, signature }];
      }
      case "certificate": {
        const certificate = signatures.certificate(notice.certificate, notice.view);
        return certificate === undefined ? [] : [{ kind: "certificate", certificate }];
      }
      case "bundles":
        return this.#bundles(notice.digests);
      case "ancestryRequest":
        return [{ kind: "ancestryRequest", epoch, view: notice.view }];
      case "surveyRequest":
        return [{ kind: "surveyRequest", nonce: surveyNonce }];
      case "root":
        return []; // signed first: see #attest
    }
  }

  /** As much as one block may name: whoever needs more will ask for it. */
  #bundles(digests: readonly Digest[]): readonly PeerMessage[] {
    const messages: PeerMessage[] = [];
    let size = 0;
    for (const digest of digests) {
      const bundle = this.#stores.bundles.get(digest);
      if (bundle === undefined) continue;
      size += bundle.length;
      if (size > BLOCK_BUNDLE_BYTES_MAX) break;
      messages.push({ kind: "bundle", bundle });
    }
    return messages;
  }

  #attest(height: Height, root: Digest): void {
    const { cluster, self: member } = this.#stores.committee;
    this.#ports.sign(rootBytes(cluster, member, height, root), (signature) => {
      this.broadcast({ kind: "root", height, root, member, signature });
    });
  }
}
