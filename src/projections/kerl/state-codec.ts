/** Key states as short bytes: what a million identifiers cost in memory. CESR texts of 44 characters take 33 bytes. */
import type { Aid, Said } from "../../base/brands.ts";
import { type Shape, bytes, decode, encode, integer, list, nullable, oneOf, record, text } from "../../base/codec.ts";
import { Fault } from "../../base/errors.ts";
import type { Threshold } from "../../crypto/threshold.ts";
import type { VerificationKey } from "../../crypto/verification-key.ts";
import type { KeyState } from "../../keri/key-state.ts";
import { parseKeyText } from "../../keri/key-text.ts";
import type { Trait } from "../../keri/messages.ts";
import { parseThreshold, writeThreshold } from "../../keri/threshold.ts";

/** Types of key events by their place, which never changes. */
export const EVENT_TYPES = ["icp", "rot", "ixn", "dip", "drt"] as const;

const packed = bytes(33);
const plain = text(256);
const PACKABLE = /^[A-Za-z0-9_-]{44}$/;

/** CESR text; 44 characters of Base64 are 33 bytes, whatever they are. */
const cesr = <T extends string>(): Shape<T> => ({
  read: (wire) =>
    (typeof wire === "string" ? plain.read(wire) : Buffer.from(packed.read(wire)).toString("base64url")) as T,
  write: (value) => (PACKABLE.test(value) ? packed.write(Buffer.from(value, "base64url")) : plain.write(value)),
  values: 1,
});

/** Nobody lists more: an event of 64 KiB has less than 1,500. */
const LIST_MAX = 4096;
const THRESHOLD_BYTES_MAX = 128 * 1024;
const weights = text(THRESHOLD_BYTES_MAX);
const number = integer();
const threshold: Shape<Threshold> = {
  read: (wire) => {
    if (typeof wire === "number") return number.read(wire);
    const parsed = parseThreshold(JSON.parse(weights.read(wire)));
    if (!parsed.ok)
      throw new Fault("PROJECTION_DAMAGED", `A key state's threshold cannot be read: ${parsed.refusal.message}`);
    return parsed.value;
  },
  write: (value) =>
    typeof value === "number" ? number.write(value) : weights.write(JSON.stringify(writeThreshold(value))),
  values: 1,
};

interface Stored {
  /** Establishment event. */
  readonly sn: number;
  /** Null: the identifier itself, as with all that never rotated. */
  readonly said: Said | null;
  readonly keyTexts: readonly string[];
  readonly threshold: Threshold;
  readonly nextDigests: readonly string[];
  readonly nextThreshold: Threshold;
  readonly witnesses: readonly string[];
  readonly witnessThreshold: number;
  readonly traits: readonly Trait[];
  readonly delegator: Aid | null;
  /** Null `said`: the establishment event. */
  readonly latest: { readonly sn: number; readonly said: Said | null; readonly type: KeyState["latest"]["type"] };
}
const storedShape: Shape<Stored> = record<Stored>("key state", {
  sn: integer(),
  said: nullable(cesr<Said>()),
  keyTexts: list(cesr<string>(), LIST_MAX),
  threshold,
  nextDigests: list(cesr<string>(), LIST_MAX),
  nextThreshold: threshold,
  witnesses: list(cesr<string>(), LIST_MAX),
  witnessThreshold: integer(),
  traits: list<Trait>(oneOf("EO", "DND", "RB", "NB", "NRB", "DID"), 64),
  delegator: nullable(cesr<Aid>()),
  latest: record<Stored["latest"]>("latest", {
    sn: integer(),
    said: nullable(cesr<Said>()),
    type: oneOf(...EVENT_TYPES),
  }),
});

export function encodeState(state: KeyState): Uint8Array {
  const { aid, said, latest } = state;
  return encode(storedShape, {
    ...state,
    said: (said as string) === (aid as string) ? null : said,
    latest: { ...latest, said: latest.said === said ? null : latest.said },
  });
}

/** Throws: Fault PROJECTION_DAMAGED for bytes that no state was encoded to. */
export function decodeState(aid: Aid, state: Uint8Array): KeyState {
  const stored = decode(storedShape, state, Number.MAX_SAFE_INTEGER);
  if (!stored.ok) throw new Fault("PROJECTION_DAMAGED", `A key state cannot be read: ${stored.refusal.message}`);
  const { latest, ...rest } = stored.value;
  const said = rest.said ?? (aid as string as Said);
  const keys = rest.keyTexts.map((text): VerificationKey => {
    const key = parseKeyText(text);
    if (!key.ok) throw new Fault("PROJECTION_DAMAGED", `A key of ${aid} cannot be read: ${key.refusal.message}`);
    return { algorithm: key.value.algorithm, bytes: key.value.bytes };
  });
  return { aid, ...rest, said, keys, latest: { ...latest, said: latest.said ?? said } };
}
