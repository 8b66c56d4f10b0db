/** What an operator asks of a node's own keys. */
import { Metadata } from "@grpc/grpc-js";
import { type Result, ok, refuse } from "../../base/result.ts";
import type { KeysResponse, MemberKeys, RotateKeysResponse } from "../../wire/generated/sky/member/v1/member.ts";
import { type OperatorAction, ask } from "./operator-actions.ts";

/** A rotation waits for a block, and the node answers after 25 s at the latest. Units: ms. */
const ROTATE_MS = 30_000;

const without = () =>
  refuse("MALFORMED", "The node answered without its keys; check that its version is this one's.", "peer");

export async function memberKeys(action: OperatorAction): Promise<Result<MemberKeys>> {
  const { member } = action.connection;
  const reply = await ask<KeysResponse>(action, (options, callback) =>
    member.keys({}, new Metadata(), options, callback),
  );
  if (!reply.ok) return reply;
  return reply.value.keys === undefined ? without() : ok(reply.value.keys);
}

export async function rotateMemberKeys(
  action: OperatorAction,
): Promise<Result<{ readonly keys: MemberKeys; readonly inForce: boolean }>> {
  const { member } = action.connection;
  const reply = await ask<RotateKeysResponse>(
    action,
    (options, callback) => member.rotateKeys({}, new Metadata(), options, callback),
    ROTATE_MS,
  );
  if (!reply.ok) return reply;
  const { keys, inForce } = reply.value;
  return keys === undefined ? without() : ok({ keys, inForce });
}
