/** Cards: what founders, operators and clients hand over to be named by the founding document. Nothing in them is secret. */
import { type Shape, bytes, decode, encode, record, text } from "../../base/codec.ts";
import { type Result, refuse } from "../../base/result.ts";
import { aidShape } from "../../events/facts/command.ts";
import {
  type Endpoints,
  type FounderCard,
  type FoundingSignature,
  type IdentifierCard,
  type OperatorCard,
  foundingSignatureListShape,
} from "../../events/facts/founding.ts";
import { type ArmorLabel, armor, dearmor } from "./armor.ts";
import { type FileRefusal, readPublic } from "./files.ts";

const icp = bytes(1, 65_536);
const label = text(128);
const endpoint = text(300);

const founderCardShape: Shape<FounderCard> = record("founder card", {
  aid: aidShape,
  icp,
  name: label,
  epochKey: bytes(32),
  bootKey: bytes(32),
  issuer: bytes(1, 4096),
  endpoints: record<Endpoints>("endpoints", {
    api: endpoint,
    approach: endpoint,
    cluster: endpoint,
    service: endpoint,
  }),
});
const operatorCardShape: Shape<OperatorCard> = record("operator card", {
  aid: aidShape,
  icp,
  name: label,
  hpkeKey: bytes(32),
});
const clientCardShape: Shape<IdentifierCard> = record("client card", { aid: aidShape, icp });

const CARD_BYTES_MAX = 128 * 1024;

export const founderCardText = (card: FounderCard): string => armor("SKY FOUNDER CARD", encode(founderCardShape, card));
export const operatorCardText = (card: OperatorCard): string =>
  armor("SKY OPERATOR CARD", encode(operatorCardShape, card));
export const clientCardText = (card: IdentifierCard): string => armor("SKY CLIENT CARD", encode(clientCardShape, card));
export const foundingSignatureText = (signature: FoundingSignature): string =>
  armor("SKY FOUNDING SIGNATURE", encode(foundingSignatureListShape, [signature]));

export const readFounderCard = (path: string): Result<FounderCard, FileRefusal> =>
  readCard(path, "SKY FOUNDER CARD", founderCardShape);
export const readOperatorCard = (path: string): Result<OperatorCard, FileRefusal> =>
  readCard(path, "SKY OPERATOR CARD", operatorCardShape);
export const readClientCard = (path: string): Result<IdentifierCard, FileRefusal> =>
  readCard(path, "SKY CLIENT CARD", clientCardShape);
export const readFoundingSignatures = (path: string): Result<readonly FoundingSignature[], FileRefusal> =>
  readCard(path, "SKY FOUNDING SIGNATURE", foundingSignatureListShape);

function readCard<T>(path: string, kind: ArmorLabel, shape: Shape<T>): Result<T, FileRefusal> {
  const file = readPublic(path, 2 * CARD_BYTES_MAX);
  if (!file.ok) return file;
  const body = dearmor(kind, file.value, path);
  if (!body.ok) return body;
  const card = decode(shape, body.value, CARD_BYTES_MAX);
  return card.ok
    ? card
    : refuse("FILE_MALFORMED", `The ${kind.toLowerCase()} in ${path} cannot be read: ${card.refusal.message}`);
}
