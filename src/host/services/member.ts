/** sky.member.v1: which keys a node has, and rotating them. */
import type { Aid } from "../../base/brands.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import type { NodeKeyStatus } from "../../actors/enclave/ports.ts";
import type { KeyStateRef } from "../../events/facts/command.ts";
import { encodeMatter } from "../../keri/cesr/matter.ts";
import {
  type KeyState,
  type MemberKeys,
  type MemberServiceServer,
  MemberServiceService,
} from "../../wire/generated/sky/member/v1/member.ts";
import { strictService } from "../../wire/strict-service.ts";
import type { CertificateStatus } from "../node/certificates.ts";
import { type OperatorCalls, operatorCall } from "./ceremony-context.ts";

/** Requests decoded strictly. */
export const memberService = strictService(MemberServiceService);

export interface MemberContext extends OperatorCalls {
  readonly aid: Aid;
  /** Of a node that serves; undefined while it is sealed or starts. */
  readonly keys: () => NodeKeyStatus | undefined;
  readonly certificates: () => readonly CertificateStatus[];
  /** Resolves when the new key is in force. */
  readonly rotate: (caller: Aid) => Promise<Result<KeyStateRef>>;
}

/** Shorter than the 30 s that operators' commands wait for an answer. Units: ms. */
const ROTATE_MS = 25_000;

const notServing = () =>
  refuse("SEALED", "The node is sealed or not serving yet; unseal it (sky unseal), then ask again.", "none");
const keyStateOf = ({ sn, said }: KeyStateRef): KeyState => ({ sn: BigInt(sn), said });

/** Handlers, to be added with memberService. */
export function member(context: MemberContext): MemberServiceServer {
  const answer = (): Result<{ readonly keys: MemberKeys }> => {
    const keys = context.keys();
    if (keys === undefined) return notServing();
    return ok({
      keys: {
        node: context.aid,
        keyState: keyStateOf(keys.keyState),
        sinceMs: BigInt(keys.since),
        pending: keys.pending === null ? undefined : keyStateOf(keys.pending),
        witness: encodeMatter("B", keys.witness),
        certificates: context.certificates().map(({ listener, notAfter, failure }) => ({
          listener,
          notAfterMs: BigInt(notAfter),
          failure: failure ?? "",
        })),
      },
    });
  };
  return {
    keys: operatorCall(context, async () => answer()),
    rotateKeys: operatorCall(context, async (_request, caller) => {
      if (context.keys() === undefined) return notServing();
      const rotated = await within(context.rotate(caller), ROTATE_MS);
      if (rotated?.ok === false) return rotated;
      const answered = answer();
      return answered.ok ? ok({ ...answered.value, inForce: rotated !== undefined }) : answered;
    }),
  };
}

/** Undefined when it takes longer. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
