/**
 * What a node tells everybody of itself and its witness identifier, in the log: signatures of both inceptions (the founding document
 * proves the node's to members alone), that the witness answers for itself, that the node names it (role witness), and where it is.
 * Said once; again when something changed.
 * Source: ToIP KERI specification, "OOBI", "Authorized endpoint discovery".
 */
import type { Aid, Height } from "../../base/brands.ts";
import { concatBytes } from "../../base/bytes.ts";
import { present } from "../../base/errors.ts";
import { type Result, ok } from "../../base/result.ts";
import type { KeyStateRef } from "../../events/facts/command.ts";
import { NO_ATTACHMENTS } from "../../keri/attachment-groups.ts";
import { encodeAttachments } from "../../keri/cesr/encode-attachments.ts";
import { inceptNonTransferable, reply } from "../../keri/compose.ts";
import { controllerName } from "../../keri/kerl.ts";
import type { Attachments } from "../../keri/messages.ts";
import type { CommandOutcome } from "../../wire/outcome.ts";
import type { SignerClient } from "../enclave/signer-client.ts";
import { endpointsOf, locationsOf } from "../services/kerl-endpoints.ts";
import type { KerlQueries } from "../services/kerl-queries.ts";
import { WITNESS_ROLE } from "./kerl-port.ts";

export interface AnnouncementOptions {
  readonly node: Aid;
  /** Establishment event that the node's signatures name. */
  readonly keyState: () => KeyStateRef;
  readonly witness: Aid;
  /** Where the identity port is reached, http://… or https://…; null: nobody is told. */
  readonly url: string | null;
  readonly queries: KerlQueries;
  readonly sign: SignerClient["sign"];
  readonly append: (stream: Uint8Array, deadlineMs: number) => Promise<Result<CommandOutcome>>;
  /** Units: ms since 1970. */
  readonly now: () => number;
}

const APPEND_MS = 30_000;
/** As keripy names the role in which an identifier serves itself. */
const CONTROLLER_ROLE = "controller";

/** Brings the log up to date; undefined when it was. Refuses: what the log refused, SEALED. */
export async function announce(options: AnnouncementOptions): Promise<Result<CommandOutcome | undefined>> {
  const missing = await missingMessages(options);
  if (!missing.ok) return missing;
  if (missing.value.length === 0) return ok(undefined);
  const messages: Uint8Array[] = [];
  for (const { body, by } of missing.value) {
    const signed = await signedMessage(options, body, by);
    if (!signed.ok) return signed;
    messages.push(signed.value);
  }
  return options.append(concatBytes(...messages), options.now() + APPEND_MS);
}

interface Unsigned {
  readonly body: Uint8Array;
  readonly by: "witness's keys" | "couple" | "node's keys" | "node's group";
}

async function missingMessages(options: AnnouncementOptions): Promise<Result<readonly Unsigned[]>> {
  const { node, witness, url, queries, now } = options;
  const scheme = url?.startsWith("https:") === true ? "https" : "http";
  const height = queries.height();
  const where = await locationsOf(queries, witness, height);
  if (!where.ok) return where;
  const date = new Date(now()).toISOString().replace("Z", "000+00:00");
  const missing: Unsigned[] = [];
  if (queries.keyState(witness) === undefined)
    missing.push({ body: inceptNonTransferable(witness).event, by: "witness's keys" });
  const unsigned = await unsignedInception(options, height);
  if (!unsigned.ok) return unsigned;
  if (unsigned.value !== undefined) missing.push({ body: unsigned.value, by: "node's keys" });
  if (url !== null && !where.value.locations.some((bound) => bound.scheme === scheme && bound.url === url))
    missing.push({
      body: reply({ route: "/loc/scheme", date, attributes: { eid: witness, scheme, url } }).event,
      by: "couple",
    });
  for (const [cid, role, by] of [
    [witness, CONTROLLER_ROLE, "couple"],
    [node, WITNESS_ROLE, "node's group"],
  ] as const) {
    const endpoints = await endpointsOf(queries, cid, height, role);
    if (!endpoints.ok) return endpoints;
    if (endpoints.value.some(({ endpoint }) => endpoint === witness)) continue;
    missing.push({ body: reply({ route: "/end/role/add", date, attributes: { cid, role, eid: witness } }).event, by });
  }
  return ok(missing);
}

/** Undefined once it is signed, and when the key that could is gone. */
async function unsignedInception(
  { node, keyState, queries }: AnnouncementOptions,
  height: Height,
): Promise<Result<Uint8Array | undefined>> {
  const inception = await queries.event(node, height, 0);
  if (!inception.ok) return inception;
  const { event, signers = [], receipts = [] } = inception.value ?? {};
  const all = [signers, ...receipts.map((receipt) => receipt.signers)].flat();
  return ok(all.includes(controllerName(0)) || keyState().sn > 0 ? undefined : event);
}

async function signedMessage(
  { node, witness, keyState, sign }: AnnouncementOptions,
  body: Uint8Array,
  by: Unsigned["by"],
): Promise<Result<Uint8Array>> {
  const establishment = keyState();
  const signatures = await sign(by.startsWith("node") ? "identifier" : "witness", [body]);
  if (!signatures.ok) return signatures;
  const sig = present(signatures.value[0], "one signature for each");
  const indexed = { index: 0, ondex: 0, algorithm: "ed25519", sig } as const;
  const attachments: Attachments = {
    ...NO_ATTACHMENTS,
    ...(by.endsWith("keys") && { controllerSignatures: [indexed] }),
    ...(by === "couple" && { receiptCouples: [{ receiptor: witness, code: "0B", sig }] }),
    ...(by === "node's group" && { transferableSignatures: [{ aid: node, establishment, signatures: [indexed] }] }),
  };
  return ok(concatBytes(body, encodeAttachments(attachments, 1)));
}
