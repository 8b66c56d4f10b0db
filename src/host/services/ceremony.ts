/** sky.ceremony.v1: what operators do to a node, with state, deadline, boot signature and blame. */
import type { Digest } from "../../base/brands.ts";
import { digestBytes, toHex } from "../../base/bytes.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import type {
  EnclaveAnswer,
  EnclaveStatus,
  NodeState as State,
  SessionAnswer,
  SignedSessionKey,
} from "../../actors/enclave/ports.ts";
import type { Purpose as CeremonyPurpose } from "../../machines/ceremony/ceremony.types.ts";
import {
  type CeremonyServiceServer,
  CeremonyServiceService,
  type CeremonyStatus,
  NodeState,
  Purpose,
  type SessionKey,
  SessionKeyAlgorithm,
} from "../../wire/generated/sky/ceremony/v1/ceremony.ts";
import { strictService } from "../../wire/strict-service.ts";
import { type CeremonyContext, operatorCall, replied, operatorKeyOf } from "./ceremony-context.ts";

/** Requests decoded strictly. */
export const ceremonyService = strictService(CeremonyServiceService);

const STATES: Readonly<Record<State, NodeState>> = {
  uninitialised: NodeState.NODE_STATE_UNINITIALISED,
  sealed: NodeState.NODE_STATE_SEALED,
  collecting: NodeState.NODE_STATE_COLLECTING,
  verifying: NodeState.NODE_STATE_VERIFYING,
  unwrapping: NodeState.NODE_STATE_UNWRAPPING,
  unsealed: NodeState.NODE_STATE_UNSEALED,
  draining: NodeState.NODE_STATE_DRAINING,
  failed: NodeState.NODE_STATE_FAILED,
  expired: NodeState.NODE_STATE_EXPIRED,
  cancelled: NodeState.NODE_STATE_CANCELLED,
};

const PURPOSES: Readonly<Record<CeremonyPurpose, Purpose>> = {
  initialise: Purpose.PURPOSE_INITIALISE,
  unseal: Purpose.PURPOSE_UNSEAL,
};

const idBytes = (ceremony: string | null): Buffer => Buffer.from(ceremony ?? "", "hex");
const clusterBytes = (cluster: Digest): Buffer => Buffer.from(digestBytes(cluster));

export function ceremonyStatus(status: EnclaveStatus): CeremonyStatus {
  const sealing = status.sealVotes.length > 0;
  return {
    node: status.node,
    cluster: clusterBytes(status.cluster),
    state: STATES[status.state],
    purpose: status.purpose === null ? Purpose.PURPOSE_UNSPECIFIED : PURPOSES[status.purpose],
    ceremonyId: idBytes(status.ceremony),
    threshold: status.threshold,
    total: status.total,
    accepted: sealing ? status.sealVotes.length : status.accepted.length,
    rejected: status.blamed.length,
    missing: status.missing,
    deadlineMs: BigInt(status.deadline ?? 0),
    blamed: status.blamed,
    initiator: status.initiator ?? "",
    acceptedOperators: sealing ? status.sealVotes : status.accepted,
    unacknowledgedOperators: status.unacknowledged,
    logNotes: [],
  };
}

const sessionKeyOf = (key: SignedSessionKey): SessionKey => ({
  algorithm: SessionKeyAlgorithm.SESSION_KEY_ALGORITHM_X25519,
  publicKey: Buffer.from(key.publicKey),
  ceremonyId: idBytes(key.ceremony),
  expiryMs: BigInt(key.expiry),
  bootSignature: Buffer.from(key.bootSignature),
  purpose: PURPOSES[key.purpose],
});

/** The status after an answer; `missing` is what that answer counted. */
const statusAfter = (answer: EnclaveAnswer): CeremonyStatus => ({
  ...ceremonyStatus(answer.status),
  missing: answer.missing,
});

const withStatus = (answer: EnclaveAnswer): Result<{ readonly status: CeremonyStatus }> => {
  const result = replied(answer);
  return result.ok ? ok({ status: statusAfter(answer) }) : result;
};
const withSession = (
  answer: SessionAnswer,
): Result<{ readonly status: CeremonyStatus; readonly sessionKey: SessionKey | undefined }> => {
  const result = replied(answer);
  return result.ok
    ? ok({
        status: statusAfter(answer),
        sessionKey: answer.sessionKey === null ? undefined : sessionKeyOf(answer.sessionKey),
      })
    : result;
};
/** An id that was not given means the open ceremony. */
const ceremonyOf = (id: Buffer): string | null => (id.length === 0 ? null : toHex(id));

/** Handlers, to be added with ceremonyService. */
export function ceremony(context: CeremonyContext): CeremonyServiceServer {
  const { enclave } = context;
  return {
    status: operatorCall(context, async () =>
      ok({ status: { ...ceremonyStatus(await enclave.status()), logNotes: [...context.logNotes()] } }),
    ),
    sessionKey: operatorCall(context, async (_request, caller) => withSession(await enclave.sessionKey(caller))),
    initialise: operatorCall(context, async (_request, caller) => withStatus(await enclave.initialise(caller))),
    fetchShare: operatorCall(context, async (_request, caller) => {
      const share = await enclave.fetchShare(caller);
      if (!share.ok) return share;
      const { index, sealed, commitments, threshold, total, nodeSignature, operators } = share.value;
      return ok({
        index,
        encapsulation: Buffer.from(sealed.enc),
        ciphertext: Buffer.from(sealed.ciphertext),
        commitments: commitments.map((point) => Buffer.from(point)),
        threshold,
        total,
        nodeSignature: Buffer.from(nodeSignature),
        operators,
      });
    }),
    acknowledgeShare: operatorCall(context, async ({ index, signature }, caller) => {
      const key = operatorKeyOf(context, caller);
      if (!key.ok) return key;
      const answer = await enclave.acknowledgeShare(caller, index, new Uint8Array(signature), key.value);
      return answer.ok ? withStatus(answer.value) : answer;
    }),
    unseal: operatorCall(context, async (_request, caller) => withSession(await enclave.beginUnseal(caller))),
    apply: operatorCall(context, async ({ ceremonyId, encapsulation, ciphertext }, caller) => {
      const key = operatorKeyOf(context, caller);
      if (!key.ok) return key;
      const share = {
        ceremony: toHex(ceremonyId),
        enc: new Uint8Array(encapsulation),
        ciphertext: new Uint8Array(ciphertext),
      };
      return withStatus(await enclave.apply(caller, share, key.value));
    }),
    unwrap: operatorCall(context, async ({ ceremonyId }, caller) => {
      const answer = await enclave.unwrap(caller, ceremonyOf(ceremonyId));
      if (answer.code !== "TOO_FEW_SHARES" && !answer.ok) return refuse(answer.code, answer.message);
      return ok({ status: statusAfter(answer), unsealed: answer.ok });
    }),
    seal: operatorCall(context, async ({ exit }, caller) => {
      const answer = await enclave.seal(caller, { ...context.membership(), exit });
      if (answer.code !== "MORE_SEALS_NEEDED" && !answer.ok) return refuse(answer.code, answer.message);
      return ok({ status: statusAfter(answer), sealing: answer.ok });
    }),
    cancel: operatorCall(context, async ({ ceremonyId }, caller) =>
      withStatus(await enclave.cancel(caller, ceremonyOf(ceremonyId))),
    ),
  };
}
