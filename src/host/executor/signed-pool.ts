/** Client batches decoded once, and their signatures checked once per node, from when they arrive until they are executed. */
import type { Aid, Digest, Said } from "../../base/brands.ts";
import { decode } from "../../base/codec.ts";
import { type Result, ok } from "../../base/result.ts";
import { signingBytes } from "../../crypto/hash.ts";
import { type KeySignature, isSignedBy } from "../../crypto/key-set.ts";
import { BUNDLE_BYTES_MAX, bundleBodyShape, bundleShape } from "../../events/facts/bundle.ts";
import { SIGNED_BYTES_MAX, signedBodyShape, signedShape } from "../../events/facts/command.ts";
import { signedDigest } from "../../events/facts/hashing.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { OpenedSigned } from "../../projections/ledger/ledger.ts";

/** Bytes of batches remembered; the oldest are forgotten and would be decoded and checked again. */
const POOL_BYTES_MAX = 64 * 1024 * 1024;
/** What the smallest batch takes decoded, beside its bytes: 2.4 KB in all were measured. Units: bytes. */
const ENTRY_BYTES = 2_048;

interface Entry {
  readonly opened: Result<OpenedSigned>;
  readonly message: Uint8Array;
  readonly signatures: readonly KeySignature[];
  readonly bytes: number;
  /** Verdict on the signature, and the key state it was judged by. */
  verdict: { readonly said: Said; readonly holds: boolean } | undefined;
}

/** One signature check that has not been made. */
export interface PendingCheck {
  readonly keyState: KeyState;
  readonly message: Uint8Array;
  readonly signatures: readonly KeySignature[];
  readonly settle: (holds: boolean) => void;
}

export class SignedPool {
  readonly #cluster: Digest;
  readonly #entries = new Map<Digest, Entry>();
  /** Batches of the block in work. */
  #executing: Digest[] = [];
  #bytes = 0;

  constructor(cluster: Digest) {
    this.#cluster = cluster;
  }

  get bytes(): number {
    return this.#bytes;
  }

  open(signed: Uint8Array): Result<OpenedSigned> {
    return this.#entry(signed).opened;
  }

  /** As `open`, of a final block: forgotten when that is executed. */
  openFinal(signed: Uint8Array): Result<OpenedSigned> {
    const opened = this.open(signed);
    if (opened.ok) this.#executing.push(opened.value.digest);
    return opened;
  }

  /** A block was executed: other copies of its batches would only be duplicates. */
  executed(): void {
    for (const digest of this.#executing) this.#forget(digest);
    this.#executing = [];
  }

  /** Whether the key state's keys signed the batch; checked now unless it was before. */
  isSigned(opened: OpenedSigned, signed: Uint8Array, keyState: KeyState): boolean {
    const entry = this.#entries.get(opened.digest) ?? this.#entry(signed);
    if (entry.verdict?.said !== keyState.said) {
      entry.verdict = { said: keyState.said, holds: isSignedBy(keyState, entry.message, entry.signatures) };
    }
    return entry.verdict.holds;
  }

  /** Checks that the batches of a bundle will need, by what is known of their authors now. */
  checksOf(bundle: Uint8Array, keyStateOf: (aid: Aid) => KeyState | undefined): readonly PendingCheck[] {
    const outer = decode(bundleShape, bundle, BUNDLE_BYTES_MAX + 128);
    const body = outer.ok ? decode(bundleBodyShape, outer.value.body, BUNDLE_BYTES_MAX) : outer;
    if (!body.ok) return [];
    const checks: PendingCheck[] = [];
    for (const signed of body.value.signed) {
      const entry = this.#entry(signed);
      if (!entry.opened.ok) continue;
      const keyState = keyStateOf(entry.opened.value.body.author);
      if (keyState === undefined || entry.verdict?.said === keyState.said) continue;
      const settle = (holds: boolean): void => {
        entry.verdict = { said: keyState.said, holds };
      };
      checks.push({ keyState, message: entry.message, signatures: entry.signatures, settle });
    }
    return checks;
  }

  #entry(signed: Uint8Array): Entry {
    const digest = signedDigest(signed);
    const known = this.#entries.get(digest);
    if (known !== undefined) return known;
    const outer = decode(signedShape, signed, SIGNED_BYTES_MAX);
    const body = outer.ok ? decode(signedBodyShape, outer.value.body, SIGNED_BYTES_MAX) : outer;
    const entry: Entry = {
      opened: body.ok ? ok({ digest, body: body.value }) : body,
      message: outer.ok ? signingBytes("signed", this.#cluster, outer.value.body) : new Uint8Array(0),
      signatures: outer.ok ? outer.value.signatures : [],
      bytes: 2 * signed.length + ENTRY_BYTES,
      verdict: undefined,
    };
    // Strangers' garbage is not remembered: a few bytes of it would cost hundreds.
    if (!body.ok) return entry;
    this.#entries.set(digest, entry);
    this.#bytes += entry.bytes;
    this.#trim();
    return entry;
  }

  /** The batch was executed: a copy of it would only be a duplicate. */
  #forget(digest: Digest): void {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return;
    this.#entries.delete(digest);
    this.#bytes -= entry.bytes;
  }

  #trim(): void {
    for (const [digest, { bytes }] of this.#entries) {
      if (this.#bytes <= POOL_BYTES_MAX) return;
      this.#entries.delete(digest);
      this.#bytes -= bytes;
    }
  }
}
