/** What an operator does to a node, step by step: fetch and check its share, give it, unwrap, seal. */
import { Metadata, type ServiceError } from "@grpc/grpc-js";
import type { Aid } from "../../base/brands.ts";
import { equalBytes, toHex } from "../../base/bytes.ts";
import { present } from "../../base/errors.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { signer, verify } from "../../crypto/ed25519.ts";
import { verifyShare } from "../../crypto/feldman.ts";
import { openHpke, sealHpke } from "../../crypto/hpke.ts";
import {
  type Place,
  acknowledgementSigningBytes,
  ceremonyId,
  commitmentsHash,
  dealingSigningBytes,
  dealtShareInfo,
  encodeShare,
  sessionKeySigningBytes,
  shareInfo,
  shareSigningBytes,
} from "../../actors/enclave/ceremony-bytes.ts";
import {
  type CeremonyStatus,
  type FetchShareResponse,
  NodeState,
  Purpose,
  type SealResponse,
  type SessionKey,
  type SessionKeyResponse,
  type UnwrapResponse,
} from "../../wire/generated/sky/ceremony/v1/ceremony.ts";
import type { Founding } from "./document.ts";
import type { Random } from "./identity.ts";
import { type OperatorConnection, refusalOf } from "./operator-connection.ts";
import { type HeldShare, type OperatorFile, operatorSeed } from "./operator-file.ts";

export interface OperatorAction {
  readonly founding: Founding;
  readonly file: OperatorFile;
  readonly connection: OperatorConnection;
  readonly random: Random;
  /** Units: ms since 1970. */
  readonly now: () => number;
  /** One line about what has just been done. */
  readonly progress: (line: string) => void;
}

/** Every call of a ceremony is short, but for a machine that starts everything at once; who does not answer in this time is told of. Units: ms. */
const CALL_MS = 30_000;

/** A call with its deadline; what the node refuses is a refusal with the node's own code. */
export function ask<Reply>(
  { now }: OperatorAction,
  start: (options: { deadline: number }, callback: (error: ServiceError | null, reply: Reply) => void) => unknown,
  ms = CALL_MS,
): Promise<Result<Reply>> {
  return new Promise((resolve) => {
    start({ deadline: now() + ms }, (error, reply) => resolve(error === null ? ok(reply) : refusalOf(error)));
  });
}

export interface UnsealOutcome {
  readonly unsealed: boolean;
  /** How many more operators must give a share. */
  readonly missing: number;
  /** A sentence. */
  readonly message: string;
}

/** Gives this operator's share; initialises a new node first, and fetches the share when the file has none. */
export async function unsealNode(action: OperatorAction): Promise<Result<UnsealOutcome>> {
  const before = await nodeStatus(action);
  if (!before.ok) return before;
  let status = before.value;
  if (status.state === NodeState.NODE_STATE_UNINITIALISED) {
    const initialised = await initialise(action);
    if (!initialised.ok) return initialised;
    status = initialised.value;
  }
  const share = await ensureShare(action, status);
  if (!share.ok) return share;
  if (status.state === NodeState.NODE_STATE_UNSEALED) return ok({ unsealed: true, missing: 0, message: "is unsealed" });
  return giveShare(action, share.value);
}

export async function nodeStatus(action: OperatorAction): Promise<Result<CeremonyStatus>> {
  const { ceremony } = action.connection;
  const reply = await ask<{ readonly status: CeremonyStatus | undefined }>(action, (options, callback) =>
    ceremony.status({}, new Metadata(), options, callback),
  );
  return reply.ok ? statusIn(reply.value) : reply;
}

const statusIn = (reply: { readonly status: CeremonyStatus | undefined }): Result<CeremonyStatus> =>
  reply.status === undefined
    ? refuse("MALFORMED", "The node answered without a status; check that its version is this one's.", "peer")
    : ok(reply.status);

async function initialise(action: OperatorAction): Promise<Result<CeremonyStatus>> {
  const { ceremony } = action.connection;
  const reply = await ask<{ readonly status: CeremonyStatus | undefined }>(action, (options, callback) =>
    ceremony.initialise({}, new Metadata(), options, callback),
  );
  if (reply.ok) {
    action.progress("has drawn its root and dealt it to the operators");
    return statusIn(reply.value);
  }
  // Another operator was faster: that is as good.
  return reply.refusal.code === "ALREADY_INITIALISED" ? nodeStatus(action) : reply;
}

/** The share of this node in the file; fetched, checked, kept and acknowledged if it is not there. */
async function ensureShare(action: OperatorAction, status: CeremonyStatus): Promise<Result<HeldShare>> {
  const { founding, file, connection } = action;
  const { aid } = file.secrets;
  const held = file.shareOf(founding.cluster, connection.node.aid);
  if (held !== undefined && !status.unacknowledgedOperators.includes(aid)) return ok(held);
  const fetched = await fetchShare(action);
  if (!fetched.ok) return held === undefined ? fetched : ok(held);
  if (held === undefined || !equalBytes(held.value, fetched.value.value)) {
    file.addShare(fetched.value);
    action.progress("gave this operator its share, which fits the node's commitments and is in the operator file now");
  }
  const acknowledged = await acknowledge(action, fetched.value);
  return acknowledged.ok ? fetched : acknowledged;
}

async function fetchShare(action: OperatorAction): Promise<Result<HeldShare>> {
  const { founding, file, connection } = action;
  const reply = await ask<FetchShareResponse>(action, (options, callback) =>
    connection.ceremony.fetchShare({}, new Metadata(), options, callback),
  );
  if (!reply.ok) return reply;
  const { index, encapsulation, ciphertext, nodeSignature } = reply.value;
  const commitments = reply.value.commitments.map((point) => new Uint8Array(point));
  const place: Place = { cluster: founding.cluster, node: connection.node.aid };
  const operators: readonly Aid[] = founding.document.operators.map((card) => card.aid);
  const hash = commitmentsHash(commitments);
  const wrong = (what: string): Result<HeldShare> =>
    refuse(
      "WRONG_SHARE",
      `Node ${connection.node.name} sent a share that ${what}; do not use it, and find out who changed the node.`,
      "peer",
    );
  if (index !== operators.indexOf(file.secrets.aid) + 1) return wrong("is not this operator's");
  if (commitments.length !== founding.document.threshold)
    return wrong("was dealt with another threshold than the founding document's");
  if (!verify(nodeKey(action), dealingSigningBytes(place, hash, operators), new Uint8Array(nodeSignature)))
    return wrong("the node has not signed for");
  const sealed = { enc: new Uint8Array(encapsulation), ciphertext: new Uint8Array(ciphertext) };
  const value = await openHpke(file.secrets.hpke, sealed, { info: dealtShareInfo(place, hash, index) });
  if (value === undefined) return wrong("does not open with this operator's key");
  if (!verifyShare(commitments, { index, value })) return wrong("does not fit its commitments");
  return ok({ cluster: founding.cluster, node: place.node, index, value, commitments: hash });
}

async function acknowledge(action: OperatorAction, { index, commitments }: HeldShare): Promise<Result<CeremonyStatus>> {
  const { founding, file, connection } = action;
  const message = acknowledgementSigningBytes(
    { cluster: founding.cluster, node: connection.node.aid },
    index,
    commitments,
  );
  const request = { index, signature: Buffer.from(signer(operatorSeed(file.secrets))(message)) };
  const reply = await ask<{ readonly status: CeremonyStatus | undefined }>(action, (options, callback) =>
    connection.ceremony.acknowledgeShare(request, new Metadata(), options, callback),
  );
  return reply.ok ? statusIn(reply.value) : reply;
}

async function giveShare(action: OperatorAction, share: HeldShare): Promise<Result<UnsealOutcome>> {
  const { founding, file, connection } = action;
  const { ceremony, node } = connection;
  const session = await ask<SessionKeyResponse>(action, (options, callback) =>
    ceremony.sessionKey({}, new Metadata(), options, callback),
  );
  if (!session.ok) return session;
  if (session.value.sessionKey === undefined) return ok({ unsealed: true, missing: 0, message: "is unsealed" });
  const key = judgeSessionKey(action, session.value.sessionKey);
  if (!key.ok) return key;
  const info = shareInfo({ cluster: founding.cluster, node: node.aid }, key.value.ceremony, "unseal");
  const signature = signer(operatorSeed(file.secrets))(shareSigningBytes(info, share.index, share.value));
  const plaintext = encodeShare(share.index, share.value, signature);
  const { enc, ciphertext } = await sealHpke(key.value.publicKey, action.random(32), plaintext, { info });
  plaintext.fill(0);
  const request = {
    ceremonyId: session.value.sessionKey.ceremonyId,
    encapsulation: Buffer.from(enc),
    ciphertext: Buffer.from(ciphertext),
  };
  const applied = await ask<{ readonly status: CeremonyStatus | undefined }>(action, (options, callback) =>
    ceremony.apply(request, new Metadata(), options, callback),
  );
  if (!applied.ok)
    return applied.refusal.code === "ALREADY_UNSEALED"
      ? ok({ unsealed: true, missing: 0, message: "is unsealed" })
      : applied;
  const status = statusIn(applied.value);
  if (!status.ok) return status;
  const { accepted, threshold, missing } = status.value;
  action.progress(`took the share: ${accepted} of ${threshold}`);
  if (missing > 0)
    return ok({ unsealed: false, missing, message: `waits for ${missing} more operator${missing === 1 ? "" : "s"}` });
  const unwrapped = await ask<UnwrapResponse>(action, (options, callback) =>
    ceremony.unwrap({ ceremonyId: request.ceremonyId }, new Metadata(), options, callback),
  );
  if (!unwrapped.ok) return unwrapped;
  return ok({
    unsealed: unwrapped.value.unsealed,
    missing: 0,
    message: unwrapped.value.unsealed ? "is unsealed" : "is still sealed",
  });
}

/** Shares are sealed only to a key that the node's boot key has signed for this ceremony. */
function judgeSessionKey(
  { founding, connection, now }: OperatorAction,
  key: SessionKey,
): Result<{ readonly publicKey: Uint8Array; readonly ceremony: string }> {
  const { node } = connection;
  const place: Place = { cluster: founding.cluster, node: node.aid };
  const publicKey = new Uint8Array(key.publicKey);
  const claim = { ceremony: toHex(key.ceremonyId), publicKey, expiry: Number(key.expiryMs) };
  const wrong = (what: string): Result<never> =>
    refuse("WRONG_SESSION_KEY", `The session key of node ${node.name} ${what}; no share was sent.`, "peer");
  if (publicKey.length !== 32 || claim.ceremony !== ceremonyId(place, publicKey))
    return wrong("is not that of its ceremony");
  if (
    !Number.isSafeInteger(claim.expiry) ||
    !verify(node.bootKey, sessionKeySigningBytes(place, claim), new Uint8Array(key.bootSignature))
  ) {
    return wrong("is not signed by its boot key");
  }
  if (claim.expiry <= now()) return wrong("has expired; check both clocks");
  if (key.purpose !== Purpose.PURPOSE_UNSEAL) return wrong("is for another purpose than unsealing");
  return ok({ publicKey, ceremony: claim.ceremony });
}

export interface SealOutcome {
  readonly sealing: boolean;
  readonly missing: number;
}

export async function sealNode(action: OperatorAction, exit: boolean): Promise<Result<SealOutcome>> {
  const { ceremony } = action.connection;
  const reply = await ask<SealResponse>(action, (options, callback) =>
    ceremony.seal({ exit }, new Metadata(), options, callback),
  );
  return reply.ok ? ok({ sealing: reply.value.sealing, missing: reply.value.status?.missing ?? 0 }) : reply;
}

const nodeKey = ({ founding, connection }: OperatorAction): Uint8Array =>
  present(founding.identifiers.get(connection.node.aid)?.keys[0]?.bytes, "openFounding has judged every founder");
