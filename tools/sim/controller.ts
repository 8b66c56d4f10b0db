/** Controllers of identifiers in the simulation: seeded keys, events that they sign, batches that they author. */
import type { Aid, Digest, Said } from "../../src/base/brands.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import { encode } from "../../src/base/codec.ts";
import { present } from "../../src/base/errors.ts";
import { signingBytes } from "../../src/crypto/hash.ts";
import { type Command, type KeyStateRef, signedBodyShape, signedShape } from "../../src/events/facts/command.ts";
import { encodeAttachments } from "../../src/keri/cesr/encode-attachments.ts";
import { encodeMatter } from "../../src/keri/cesr/matter.ts";
import { NO_ATTACHMENTS } from "../../src/keri/attachment-groups.ts";
import { delegatedIncept, delegatedRotate, incept, interact, receipt, rotate } from "../../src/keri/compose.ts";
import { keyText } from "../../src/keri/key-text.ts";
import type { Attachments, EventSeal } from "../../src/keri/messages.ts";
import { nextKeyDigest } from "../../src/keri/said.ts";
import { type SimulatedFounding, seedNamed } from "./founding.ts";
import type { Keys, Scheme } from "./scheme.ts";

/** An event that was made: it is its controller's next one once that is told so. */
export interface Made {
  readonly aid: Aid;
  readonly sn: number;
  readonly said: Said;
  readonly type: "icp" | "dip" | "rot" | "drt" | "ixn";
  readonly event: Uint8Array;
  /** Part of the names of the keys that it commits to. */
  readonly salt?: string;
}

/** Who may author batches. */
export interface Author {
  readonly aid: Aid;
  /** Another object whenever it is another key state. */
  readonly keyState: KeyStateRef;
  readonly signBatch: (message: Uint8Array) => readonly { readonly index: number; readonly sig: Uint8Array }[];
}

export interface ControllerOptions {
  /** Of its secrets: key by key from this name. */
  readonly name: string;
  /** Keys of each establishment event. */
  readonly count: number;
  /** How many of them sign. */
  readonly threshold: number;
  /** CESR texts. */
  readonly witnesses: readonly string[];
  readonly witnessThreshold: number;
  readonly delegator: Aid | null;
}

const attached = (attachments: Partial<Attachments>): Uint8Array =>
  encodeAttachments({ ...NO_ATTACHMENTS, ...attachments }, 1);

const sealOf = ({ aid, sn, said }: EventSeal) => ({ i: aid, s: sn.toString(16), d: said });

/** A batch of this one command, signed by the keys that its author believes to be in force. */
export function signedBy(author: Author, cluster: Digest, command: Command): Uint8Array {
  const { aid, keyState } = author;
  const body = encode(signedBodyShape, { cluster, author: aid, principal: null, keyState, commands: [command] });
  return encode(signedShape, { body, signatures: author.signBatch(signingBytes("signed", cluster, body)) });
}

/** A founder that never rotates. */
export const founderAuthor = (
  { aid, keyState, key }: SimulatedFounding["founders"][number],
  scheme: Scheme,
): Author => ({
  aid,
  keyState,
  signBatch: (message) => [{ index: 0, sig: scheme.sign(key, message) }],
});

/** What is known of its own log: it changes with `took` alone. */
export class Controller implements Author {
  readonly aid: Aid;
  readonly inception: Made;
  readonly options: ControllerOptions;
  readonly #keys: Keys;
  readonly #scheme: Scheme;
  readonly #made = new Map<string, Uint8Array>();
  #generation = 0;
  /** Parts of the names of keys, by generation. */
  readonly #salts = new Map<number, string>();
  /** SAIDs of its events by sequence number. */
  #saids: Said[];
  #keyState: KeyStateRef;

  constructor(keys: Keys, scheme: Scheme, options: ControllerOptions) {
    this.#keys = keys;
    this.#scheme = scheme;
    this.options = options;
    const { threshold, witnesses, witnessThreshold, delegator } = options;
    const input = {
      keys: this.#texts(0),
      threshold,
      nextDigests: this.#texts(1).map(nextKeyDigest),
      nextThreshold: threshold,
      witnesses,
      witnessThreshold,
    };
    const { aid, said, event } = delegator === null ? incept(input) : delegatedIncept({ ...input, delegator });
    this.aid = aid;
    this.inception = { aid, sn: 0, said, type: delegator === null ? "icp" : "dip", event };
    this.#saids = [said];
    this.#keyState = { sn: 0, said };
  }

  get keyState(): KeyStateRef {
    return this.#keyState;
  }

  /** Of its latest event. */
  get sn(): number {
    return this.#saids.length - 1;
  }

  get last(): Said {
    return present(this.#saids.at(-1), "a log has an inception");
  }

  /** Keys come into being when they are first asked for: generation 1 of "client" is "client, next", as the founding has it. */
  #key(generation: number, index: number, salt = this.#salts.get(generation) ?? ""): Uint8Array {
    const { name, count } = this.options;
    const place = count === 1 ? "" : `, key ${index}`;
    const time = generation === 0 ? "" : generation === 1 ? ", next" : `, next ${generation}`;
    const full = `${name}${place}${time}${salt}`;
    let key = this.#made.get(full);
    if (key === undefined) {
      key = this.#keys.add(seedNamed(full));
      this.#made.set(full, key);
    }
    return key;
  }

  #generationKeys(generation: number, salt?: string): readonly Uint8Array[] {
    return Array.from({ length: this.options.count }, (_, i) => this.#key(generation, i, salt));
  }

  #texts(generation: number, salt?: string): readonly string[] {
    return this.#generationKeys(generation, salt).map(keyText);
  }

  signBatch(message: Uint8Array): readonly { readonly index: number; readonly sig: Uint8Array }[] {
    const signing = this.#generationKeys(this.#generation).slice(0, this.options.threshold);
    return signing.map((key, index) => ({ index, sig: this.#scheme.sign(key, message) }));
  }

  /** The event with signatures of these of the keys that it is to be signed by (Default: as many as needed). */
  message({ type, event }: Made, signers?: readonly number[]): Uint8Array {
    const generation = this.#generation + (type === "rot" || type === "drt" ? 1 : 0);
    const indices = signers ?? Array.from({ length: this.options.threshold }, (_, i) => i);
    const controllerSignatures = indices.map((index) => ({
      index,
      ondex: index,
      algorithm: "ed25519" as const,
      sig: this.#keys.signerOf(this.#key(generation, index))(event),
    }));
    return concatBytes(event, attached({ controllerSignatures }));
  }

  /** The next rotation; or one in the place `sn`, which supersedes what came there. `salt`: of other keys to follow. */
  rotation({ sn = this.sn + 1, seals = [] as readonly EventSeal[], salt = "" } = {}): Made {
    const { threshold, witnessThreshold, delegator } = this.options;
    const { said, event } = (delegator === null ? rotate : delegatedRotate)({
      aid: this.aid,
      sn,
      prior: present(this.#saids[sn - 1], "it has such an event"),
      keys: this.#texts(this.#generation + 1),
      threshold,
      nextDigests: this.#texts(this.#generation + 2, salt).map(nextKeyDigest),
      nextThreshold: threshold,
      witnessThreshold,
      seals: seals.map(sealOf),
    });
    return { aid: this.aid, sn, said, type: delegator === null ? "rot" : "drt", event, salt };
  }

  /** The next interaction, or the one after `before`, which is not ordered yet. */
  interaction(seals: readonly EventSeal[] = [], before?: Made): Made {
    const sn = (before?.sn ?? this.sn) + 1;
    const prior = before?.said ?? this.last;
    return { aid: this.aid, sn, type: "ixn", ...interact({ aid: this.aid, sn, prior, seals: seals.map(sealOf) }) };
  }

  /** It is in force: from now on the log goes on after it. */
  took({ sn, said, type, salt = "" }: Made): void {
    this.#saids = [...this.#saids.slice(0, sn), said];
    if (type === "ixn") return;
    if (sn > 0) this.#generation += 1;
    this.#salts.set(this.#generation + 1, salt);
    this.#keyState = { sn, said };
  }

  /** Its receipt of another's event. */
  receiptOf(event: Made): Uint8Array {
    const signatures = this.#generationKeys(this.#generation).map((key, index) => ({
      index,
      ondex: index,
      algorithm: "ed25519" as const,
      sig: this.#keys.signerOf(key)(event.event),
    }));
    const group = { aid: this.aid, establishment: this.#keyState, signatures };
    return concatBytes(receipt(event).event, attached({ transferableSignatures: [group] }));
  }
}

/** Who all clients of the founding write as. */
export const clientController = (keys: Keys, scheme: Scheme): Controller =>
  new Controller(keys, scheme, {
    name: "client",
    count: 1,
    threshold: 1,
    witnesses: [],
    witnessThreshold: 0,
    delegator: null,
  });

/** A member's key as a witness, and its receipts. */
export class Witness {
  readonly #key: Uint8Array;
  readonly #keys: Keys;

  constructor(keys: Keys, name: string) {
    this.#keys = keys;
    this.#key = keys.add(seedNamed(name));
  }

  get text(): string {
    return encodeMatter("B", this.#key);
  }

  receiptOf(event: Made): Uint8Array {
    const sig = this.#keys.signerOf(this.#key)(event.event);
    return concatBytes(receipt(event).event, attached({ receiptCouples: [{ receiptor: this.text, code: "0B", sig }] }));
  }
}
