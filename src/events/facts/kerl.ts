/** Shapes of what happens to key event receipt logs (src/keri/kerl-facts.ts), and bounds of the command that asks for it. */
import type { Aid, Said } from "../../base/brands.ts";
import { type Shape, bytes, integer, list, nullable, oneOf, record, text, variant } from "../../base/codec.ts";
import type { KerlFact } from "../../keri/kerl-facts.ts";
import type { EventRef } from "../../keri/kerl.ts";
import type { EscrowReason } from "../../keri/messages.ts";
import { PAYLOAD_BYTES_MAX } from "./command.ts";

/** The payload of kerl.append is a CESR stream as it is: bytes that others signed are never wrapped or encoded again. */
export const STREAM_BYTES_MAX = PAYLOAD_BYTES_MAX;
/** Messages of one stream: one indivisible intent. */
export const STREAM_MESSAGES_MAX = 64;

type FieldsOf<K extends KerlFact["kind"]> = Omit<Extract<KerlFact, { readonly kind: K }>, "kind">;

/** The longest identifiers and digests are those of 64 bytes: 88 characters. */
const keriAid: Shape<Aid> = text<Aid>(88);
const keriSaid: Shape<Said> = text<Said>(88);
const eventBytes = bytes(1, STREAM_BYTES_MAX);
/** What came in one stream, and what an escrow had gathered before. */
const attachedBytes = bytes(0, 2 * STREAM_BYTES_MAX);
/** Each event is superseded once at most, so a long list was paid for by whoever made its events. Units: bytes. */
const SUPERSEDED_BYTES_MAX = 64 * 1024 * 1024;
const joined = text(SUPERSEDED_BYTES_MAX);
/** SAIDs in one text, since a list of so many values could not be bounded before it is read. */
const saidsShape: Shape<readonly Said[]> = {
  read: (wire) => {
    const saids = joined.read(wire);
    return saids === "" ? [] : (saids.split(" ") as Said[]);
  },
  write: (saids) => joined.write(saids.join(" ")),
  values: 1,
};

const place = { aid: keriAid, sn: integer(), said: keriSaid };
const message = { event: eventBytes, attached: attachedBytes };

/** As many as the rules keep of one event (src/keri/kerl.ts). */
const SIGNERS_MAX = 256;
/** Names of src/keri/kerl.ts: a prefix, an identifier, two numbers. */
const signers = list(text(128), SIGNERS_MAX);
const eventRef: Shape<EventRef> = record<EventRef>("event reference", { sn: integer(), said: keriSaid });

/** Words of EscrowReason by their place, which never changes. */
const escrowReason: Shape<EscrowReason> = oneOf(
  "out-of-order",
  "partially-signed",
  "partially-witnessed",
  "awaiting-anchor",
  "unverified-receipt",
);

/** In the order of their tags in factDataShape. */
export const kerlVariants = [
  variant(
    "keyEventAccepted",
    record<FieldsOf<"keyEventAccepted">>("accepted event", {
      ...place,
      ...message,
      superseded: saidsShape,
      anchor: nullable(eventRef),
      signers,
    }),
  ),
  variant(
    "keyEventEscrowed",
    record<FieldsOf<"keyEventEscrowed">>("escrowed event", {
      ...place,
      reason: escrowReason,
      waitsFor: keriAid,
      ...message,
    }),
  ),
  variant(
    "keyEventDropped",
    record<FieldsOf<"keyEventDropped">>("dropped event", {
      ...place,
      reason: escrowReason,
      waitsFor: keriAid,
      code: text(64),
    }),
  ),
  variant(
    "keriReceiptAdded",
    record<FieldsOf<"keriReceiptAdded">>("receipt", { ...place, attached: bytes(1, STREAM_BYTES_MAX), signers }),
  ),
  variant("keyEventForked", record<FieldsOf<"keyEventForked">>("forked event", { ...place, ...message })),
  variant(
    "keriReplyAccepted",
    record<FieldsOf<"keriReplyAccepted">>("reply", {
      aid: keriAid,
      said: keriSaid,
      signedAt: integer(),
      reply: eventBytes,
      attached: attachedBytes,
    }),
  ),
] as const;
