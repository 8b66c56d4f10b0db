/** Identifiers that live: keys by name, events signed as controllers, witnesses and delegators sign them. */
import type { Aid, Said } from "../../../src/base/brands.ts";
import { concatBytes, utf8 } from "../../../src/base/bytes.ts";
import { publicKeyOf, signer } from "../../../src/crypto/ed25519.ts";
import { sha256 } from "../../../src/crypto/hash.ts";
import type { Threshold } from "../../../src/crypto/threshold.ts";
import { encodeAttachments } from "../../../src/keri/cesr/encode-attachments.ts";
import { encodeMatter } from "../../../src/keri/cesr/matter.ts";
import { incept, interact, receipt, reply, rotate } from "../../../src/keri/compose.ts";
import type { EventFields } from "../../../src/keri/event-json.ts";
import { keyText } from "../../../src/keri/key-text.ts";
import type { Attachments, IndexedSignature } from "../../../src/keri/messages.ts";
import { nextKeyDigest } from "../../../src/keri/said.ts";

const NOTHING: Attachments = {
  controllerSignatures: [],
  witnessSignatures: [],
  receiptCouples: [],
  transferableSignatures: [],
  sealSources: [],
  firstSeen: [],
};

export const attached = (attachments: Partial<Attachments>): Uint8Array =>
  encodeAttachments({ ...NOTHING, ...attachments }, 1);

/** Made once: names come again in every test. */
const pairs = new Map<string, Pick<Key, "publicKey" | "sign">>();
function pairOf(name: string): Pick<Key, "publicKey" | "sign"> {
  const seed = sha256(utf8(name));
  return { publicKey: publicKeyOf(seed), sign: signer(seed) };
}

/** A key pair that only its name decides. */
export class Key {
  readonly publicKey: Uint8Array;
  readonly sign: (message: Uint8Array) => Uint8Array;

  constructor(name: string) {
    const pair = pairs.get(name) ?? pairOf(name);
    pairs.set(name, pair);
    this.publicKey = pair.publicKey;
    this.sign = pair.sign;
  }

  get text(): string {
    return keyText(this.publicKey);
  }

  /** As a witness: a non-transferable identifier, which is its own key. */
  get witness(): string {
    return encodeMatter("B", this.publicKey);
  }
}

export interface Made {
  readonly said: Said;
  readonly event: Uint8Array;
  /** Event and signatures. */
  readonly message: Uint8Array;
}

/** An identifier with some keys for each establishment event, all of which sign. */
export class Life {
  readonly aid: Aid;
  readonly inception: Made;
  /** Establishment events so far. */
  #generation = 0;
  #sn = 0;
  #last: Said;
  /** Its events by sequence number, as it sees them. */
  readonly saids: Said[] = [];
  establishment: { readonly sn: number; readonly said: Said };
  readonly #name: string;
  readonly #count: number;
  readonly #threshold: Threshold;
  readonly #witnessThreshold: number;

  constructor(
    name: string,
    options: {
      readonly keys?: number;
      readonly threshold?: Threshold;
      readonly witnesses?: readonly string[];
      readonly traits?: readonly ("EO" | "DND")[];
    } = {},
  ) {
    const { keys = 1, threshold = keys, witnesses = [], traits = [] } = options;
    this.#name = name;
    this.#count = keys;
    this.#threshold = threshold;
    this.#witnessThreshold = witnesses.length;
    const made = incept({
      keys: this.#keys(0).map(({ text }) => text),
      threshold,
      nextDigests: this.#keys(1).map(({ text }) => nextKeyDigest(text)),
      nextThreshold: threshold,
      witnesses,
      witnessThreshold: witnesses.length,
      traits,
    });
    this.aid = made.aid;
    this.#last = made.said;
    this.saids.push(made.said);
    this.establishment = { sn: 0, said: made.said };
    this.inception = this.#signed(made, 0);
  }

  #keys(generation: number): readonly Key[] {
    return Array.from({ length: this.#count }, (_, i) => new Key(`${this.#name} ${generation}.${i}`));
  }

  get keys(): readonly Key[] {
    return this.#keys(this.#generation);
  }

  get sn(): number {
    return this.#sn;
  }

  get last(): Said {
    return this.#last;
  }

  signatures(message: Uint8Array, generation = this.#generation): readonly IndexedSignature[] {
    return this.#keys(generation).map((key, index) => ({
      index,
      ondex: index,
      algorithm: "ed25519",
      sig: key.sign(message),
    }));
  }

  #signed(made: { readonly said: Said; readonly event: Uint8Array }, generation: number): Made {
    const controllerSignatures = this.signatures(made.event, generation);
    return { ...made, message: concatBytes(made.event, attached({ controllerSignatures })) };
  }

  /** The next rotation, made and not counted: `took` says that it is in force. */
  rotation(
    options: {
      readonly sn?: number;
      readonly prior?: Said;
      readonly abandon?: boolean;
      readonly seals?: readonly EventFields[];
    } = {},
  ): Made {
    const made = rotate({
      aid: this.aid,
      sn: options.sn ?? this.#sn + 1,
      prior: options.prior ?? this.#last,
      keys: this.#keys(this.#generation + 1).map(({ text }) => text),
      threshold: this.#threshold,
      nextDigests:
        options.abandon === true ? [] : this.#keys(this.#generation + 2).map(({ text }) => nextKeyDigest(text)),
      nextThreshold: options.abandon === true ? 0 : this.#threshold,
      witnessThreshold: this.#witnessThreshold,
      seals: options.seals ?? [],
    });
    return this.#signed(made, this.#generation + 1);
  }

  interaction(seals: readonly EventFields[] = []): Made {
    return this.#signed(interact({ aid: this.aid, sn: this.#sn + 1, prior: this.#last, seals }), this.#generation);
  }

  /** From now on it goes on after this event. */
  took({ said }: Made, kind: "rotation" | "interaction", sn = this.#sn + 1): this {
    this.#sn = sn;
    this.#last = said;
    this.saids.splice(sn, Number.POSITIVE_INFINITY, said);
    if (kind === "rotation") {
      this.#generation += 1;
      this.establishment = { sn, said };
    }
    return this;
  }

  rotated(options: Parameters<Life["rotation"]>[0] = {}): Made {
    const made = this.rotation(options);
    this.took(made, "rotation", options.sn ?? this.#sn + 1);
    return made;
  }

  interacted(seals: readonly EventFields[] = []): Made {
    const made = this.interaction(seals);
    this.took(made, "interaction");
    return made;
  }

  /** Its receipt of another's event. */
  receiptOf(event: {
    readonly aid: Aid;
    readonly sn: number;
    readonly said: Said;
    readonly event: Uint8Array;
  }): Uint8Array {
    const signatures = this.signatures(event.event);
    const group = attached({
      transferableSignatures: [{ aid: this.aid, establishment: this.establishment, signatures }],
    });
    return concatBytes(receipt(event).event, group);
  }

  replied(input: Parameters<typeof reply>[0]): Uint8Array {
    const made = reply(input);
    const signatures = this.signatures(made.event);
    const group = attached({
      transferableSignatures: [{ aid: this.aid, establishment: this.establishment, signatures }],
    });
    return concatBytes(made.event, group);
  }
}

/** A witness' receipt of an event: a couple of its key and signature. */
export const witnessReceipt = (
  witness: Key,
  event: { readonly aid: Aid; readonly sn: number; readonly said: Said; readonly event: Uint8Array },
): Uint8Array =>
  concatBytes(
    receipt(event).event,
    attached({ receiptCouples: [{ receiptor: witness.witness, code: "0B", sig: witness.sign(event.event) }] }),
  );
