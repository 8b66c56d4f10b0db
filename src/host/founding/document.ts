/** The founding document: assembled from cards, signed by every founder and operator, opened by everybody (DESIGN §6). */
import type { Aid, Digest } from "../../base/brands.ts";
import { toHex } from "../../base/bytes.ts";
import { type DecodeRefusal, decode, encode } from "../../base/codec.ts";
import { present } from "../../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { isAcceptablePublicKey, verify } from "../../crypto/ed25519.ts";
import { sha256Digest, signingBytes } from "../../crypto/hash.ts";
import {
  FOUNDING_BYTES_MAX,
  type FoundingDocument,
  type FoundingSignature,
  type IdentifierCard,
  foundingDocumentShape,
  signedFoundingShape,
} from "../../events/facts/founding.ts";
import { type KeyState, keyStateOfInception } from "../../keri/key-state.ts";

/** A founding document that holds: every identifier is what it says, and everybody has signed. */
export interface Founding {
  readonly document: FoundingDocument;
  /** SHA-256 of the document's bytes. */
  readonly cluster: Digest;
  /** The document's exact bytes, without signatures: the body of genesis. */
  readonly bytes: Uint8Array;
  readonly signatures: readonly FoundingSignature[];
  /** Key states of founders, operators, admins and clients. */
  readonly identifiers: ReadonlyMap<Aid, KeyState>;
}

export type FoundingRefusal = DecodeRefusal | Refusal<"FOUNDING_INVALID" | "FOUNDING_UNSIGNED">;

const invalid = (message: string) => refuse("FOUNDING_INVALID", message);

/** The bytes whose SHA-256 will be the cluster id. Refuses: FOUNDING_INVALID, before anybody signs. */
export function assembleFounding(
  document: FoundingDocument,
): Result<{ readonly bytes: Uint8Array; readonly cluster: Digest }, FoundingRefusal> {
  const bytes = encode(foundingDocumentShape, document);
  const judged = judgeDocument(bytes);
  return judged.ok ? ok({ bytes, cluster: judged.value.cluster }) : judged;
}

/** One founder's or operator's signature. `sign` is that of its identifier's inception key. */
export function signFounding(
  bytes: Uint8Array,
  aid: Aid,
  sign: (message: Uint8Array) => Uint8Array,
): FoundingSignature {
  return { aid, sig: sign(signingBytes("founding", sha256Digest(bytes), bytes)) };
}

/** The file that nodes start with. Signatures stand in the order of the document, whatever order they came in. */
export function sealFounding(
  bytes: Uint8Array,
  signatures: readonly FoundingSignature[],
): Result<Uint8Array, FoundingRefusal> {
  const judged = judgeDocument(bytes);
  if (!judged.ok) return judged;
  const order = signersOf(judged.value.document).map((card) => card.aid);
  const sorted = [...signatures].sort((a, b) => order.indexOf(a.aid) - order.indexOf(b.aid));
  const file = encode(signedFoundingShape, { document: bytes, signatures: sorted });
  const opened = openFounding(file);
  return opened.ok ? ok(file) : opened;
}

/** Judges a founding document and every signature on it. Bounds: 1 MiB. Refuses: see FoundingRefusal. */
export function openFounding(file: Uint8Array): Result<Founding, FoundingRefusal> {
  const signed = decode(signedFoundingShape, file, FOUNDING_BYTES_MAX + 64 * 1024);
  if (!signed.ok) return signed;
  const judged = judgeDocument(signed.value.document);
  if (!judged.ok) return judged;
  const { document, identifiers, cluster } = judged.value;
  const message = signingBytes("founding", cluster, signed.value.document);
  const given = new Map(signed.value.signatures.map((signature) => [signature.aid, signature]));
  if (given.size !== signed.value.signatures.length)
    return invalid("The founding document carries two signatures of one identifier.");
  for (const { aid, name } of signersOf(document)) {
    const signature = given.get(aid);
    if (signature === undefined)
      return refuse(
        "FOUNDING_UNSIGNED",
        `${name} (${aid}) has not signed the founding document; ask for its signature.`,
      );
    if (!verify(inceptionKey(identifiers, aid), message, signature.sig)) {
      return refuse(
        "FOUNDING_UNSIGNED",
        `The signature of ${name} (${aid}) is not over this founding document; ask for it again.`,
      );
    }
    given.delete(aid);
  }
  const [extra] = given.keys();
  if (extra !== undefined)
    return invalid(`${extra} signed the founding document but is neither founder nor operator of it.`);
  return ok({ document, identifiers, cluster, bytes: signed.value.document, signatures: signed.value.signatures });
}

const signersOf = (document: FoundingDocument): readonly (IdentifierCard & { readonly name: string })[] => [
  ...document.founders,
  ...document.operators,
];

const inceptionKey = (identifiers: ReadonlyMap<Aid, KeyState>, aid: Aid): Uint8Array =>
  present(identifiers.get(aid)?.keys[0]?.bytes, "every identifier was judged");

type Judged = Pick<Founding, "document" | "identifiers" | "cluster">;

/** Everything that holds without signatures. */
function judgeDocument(bytes: Uint8Array): Result<Judged, FoundingRefusal> {
  const decoded = decode(foundingDocumentShape, bytes, FOUNDING_BYTES_MAX);
  if (!decoded.ok) return decoded;
  const document = decoded.value;
  const fault = faultOf(document);
  if (fault !== undefined) return invalid(fault);
  const identifiers = new Map<Aid, KeyState>();
  for (const card of [...signersOf(document), ...document.admins, ...document.clients]) {
    const inception = keyStateOfInception(card.icp);
    if (!inception.ok) return invalid(`The inception event of ${card.aid} does not hold: ${inception.refusal.message}`);
    if (inception.value.aid !== card.aid)
      return invalid(`The inception event given for ${card.aid} is that of ${inception.value.aid}.`);
    identifiers.set(card.aid, inception.value);
  }
  for (const { aid, name } of signersOf(document)) {
    const inception = present(identifiers.get(aid), "just judged");
    // One signature of one key stands for a founder or operator here and in certificates; more keys need the KERL.
    if (inception.keys.length !== 1 || inception.keys[0]?.algorithm !== "ed25519")
      return invalid(`${name} (${aid}) must have exactly one key at its inception, of Ed25519.`);
  }
  return ok({ document, identifiers, cluster: sha256Digest(bytes) });
}

function faultOf(document: FoundingDocument): string | undefined {
  const { founders, operators, admins, clients, gateways, threshold } = document;
  if (threshold > operators.length)
    return `The threshold is ${threshold}, but there are only ${operators.length} operators.`;
  const lists: readonly (readonly [string, readonly string[]])[] = [
    ["identifier", [...founders, ...operators].map((card) => card.aid)],
    ["admin", admins.map((card) => card.aid)],
    ["client", clients.map((card) => card.aid)],
    ["gateway", gateways],
    ["founder name", founders.map((card) => card.name)],
    ["operator name", operators.map((card) => card.name)],
    [
      "key",
      [
        ...founders.flatMap((card) => [toHex(card.epochKey), toHex(card.bootKey)]),
        ...operators.map((card) => toHex(card.hpkeKey)),
      ],
    ],
    ["issuer certificate", founders.map((card) => toHex(card.issuer))],
    [
      "endpoint",
      founders.flatMap(({ endpoints }) => [endpoints.api, endpoints.approach, endpoints.cluster, endpoints.service]),
    ],
  ];
  for (const [what, values] of lists) {
    const twice = values.find((value, i) => values.indexOf(value) !== i);
    if (twice !== undefined) return `The ${what} ${twice} stands twice in the founding document.`;
  }
  const stranger = gateways.find((gateway) => !founders.some((founder) => founder.aid === gateway));
  if (stranger !== undefined) return `The gateway ${stranger} is none of the founders.`;
  for (const founder of founders) {
    if (!isAcceptablePublicKey(founder.epochKey) || !isAcceptablePublicKey(founder.bootKey))
      return `A key of founder ${founder.name} is no acceptable Ed25519 point.`;
    const endpoint = Object.values(founder.endpoints).find((text) => !isEndpoint(text));
    if (endpoint !== undefined)
      return `The endpoint ${JSON.stringify(endpoint)} of founder ${founder.name} is not host:port.`;
  }
  const unprintable = [document.name, ...signersOf(document).map((card) => card.name)].find((name) => !isName(name));
  return unprintable === undefined
    ? undefined
    : `The name ${JSON.stringify(unprintable)} is empty or holds control characters.`;
}

/** Names are shown on consoles: control and formatting characters could forge lines there. */
export const isName = (text: string): boolean =>
  text.length > 0 && text.trim() === text && !/[\p{C}\p{Zl}\p{Zp}]/u.test(text);

/** host:port with a port of 1 to 65535; an IPv6 host stands in brackets. */
export function isEndpoint(text: string): boolean {
  const [, port] = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})$/.exec(text) ?? [];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}
