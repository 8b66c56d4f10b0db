/**
 * How a key event receipt log changes: the only vocabulary by which any state of identifiers is made.
 * Facts are derived by the rules (src/keri/rules.ts) and folded by `applyKerlFact`; sizes are bounded by the stream's.
 */
import type { Aid, Said } from "../base/brands.ts";
import type { EscrowReason } from "./messages.ts";

export type KerlFact =
  /** An event is in force at (aid, sn), the first or one that lawfully supersedes. Ends an escrow of the same SAID. */
  | {
      readonly kind: "keyEventAccepted";
      readonly aid: Aid;
      readonly sn: number;
      readonly said: Said;
      /** Exact bytes of the body, and of the attachments that it was accepted with. */
      readonly event: Uint8Array;
      readonly attached: Uint8Array;
      /** SAIDs of the events that it supersedes, in the order of their sequence numbers; mostly none. */
      readonly superseded: readonly Said[];
      /** Of a delegated event: the event of the delegator that anchors it. */
      readonly anchor: { readonly sn: number; readonly said: Said } | null;
      /** Whose signatures it was accepted with: signer names (kerl.ts), sorted. */
      readonly signers: readonly string[];
    }
  /**
   * Waits for what is missing; `attached` holds everything that came for it so far. Replaces an earlier one of the same
   * name (`escrowName` in kerl.ts) in its place of the order.
   */
  | {
      readonly kind: "keyEventEscrowed";
      readonly aid: Aid;
      readonly sn: number;
      readonly said: Said;
      readonly reason: EscrowReason;
      /** Whose next accepted event may end the wait: the identifier itself, its delegator, or who signed a receipt or reply. */
      readonly waitsFor: Aid;
      /** An event, a receipt or a reply: exact bytes of its body. */
      readonly event: Uint8Array;
      readonly attached: Uint8Array;
    }
  /** Came in vain: it expired, or what it waited for made it impossible; or (KERI_SETTLED) was used. Acceptance ends an escrow by itself. */
  | {
      readonly kind: "keyEventDropped";
      readonly aid: Aid;
      readonly sn: number;
      readonly said: Said;
      readonly reason: EscrowReason;
      readonly waitsFor: Aid;
      readonly code: string;
    }
  /** Signatures of witnesses, watchers, others, or more of the controller's, for an event in force. */
  | {
      readonly kind: "keriReceiptAdded";
      readonly aid: Aid;
      readonly sn: number;
      readonly said: Said;
      /** CESR groups with only what was new and verified. */
      readonly attached: Uint8Array;
      /** Whose: signer names (kerl.ts), sorted. */
      readonly signers: readonly string[];
    }
  /** A competitor with valid signatures: evidence that the identifier's keys signed two histories. */
  | {
      readonly kind: "keyEventForked";
      readonly aid: Aid;
      readonly sn: number;
      readonly said: Said;
      readonly event: Uint8Array;
      readonly attached: Uint8Array;
    }
  /** An endpoint was bound, changed or cut: the newest reply of its kind for its subject (BADA). */
  | {
      readonly kind: "keriReplyAccepted";
      /** Who signed: the controller of the role, or the endpoint itself. */
      readonly aid: Aid;
      readonly said: Said;
      /** Sequence number of the establishment event whose keys signed; 0 for a non-transferable identifier. */
      readonly signedAt: number;
      readonly reply: Uint8Array;
      readonly attached: Uint8Array;
    };
