/** Sphinx, the operators' service under upstream's name: every refusal of the enclave is a Status with its sentence. */
import type { Digeste } from "../../wire/generated/crypto/crypto.ts";
import { type SphinxServer, SphinxService } from "../../wire/generated/com/hellblazer/nut/internal/v1/sphinx.ts";
import type { EncryptedShare, Status } from "../../wire/generated/com/hellblazer/sanctorum/internal/v1/sanctorum.ts";
import { PublicKey_algo } from "../../wire/generated/gorgoneion/gorgoneion.ts";
import type { Aid } from "../../base/brands.ts";
import { toHex } from "../../base/bytes.ts";
import { present } from "../../base/errors.ts";
import { ok, refuse } from "../../base/result.ts";
import { decodeMatter } from "../../keri/cesr/matter.ts";
import type { CeremonyReply } from "../../machines/ceremony/ceremony.types.ts";
import { strictService } from "../../wire/strict-service.ts";
import { type CeremonyContext, operatorCall, operatorKeyOf } from "./ceremony-context.ts";

/** Requests decoded strictly. */
export const sphinxService = strictService(SphinxService);

const statusOf = ({ ok: success, shares, message }: CeremonyReply): Status => ({ success, shares, message });

/** Upstream's number for Blake3-256. */
const BLAKE3_256 = 4;

/** A self-addressing identifier as upstream writes digests: four big-endian words. */
export function digesteOf(aid: Aid): Digeste {
  const matter = decodeMatter(aid);
  const raw = present(matter.ok ? matter.value.raw : undefined, "a node's identifier is CESR text");
  const words = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  return { type: BLAKE3_256, hash: [0, 8, 16, 24].map((at) => words.getBigUint64(at)) };
}

/** Handlers, to be added with sphinxService. Strangers are refused by status code, operators by a Status. */
export function sphinx(context: CeremonyContext): SphinxServer {
  const { enclave } = context;
  const told = (answer: CeremonyReply) =>
    answer.code === "NOT_OPERATOR" ? refuse(answer.code, answer.message) : ok(statusOf(answer));
  return {
    apply: operatorCall(context, async ({ encapsulation, iv, share }: EncryptedShare, caller) => {
      const key = operatorKeyOf(context, caller);
      if (!key.ok) return key;
      const offered = { ceremony: toHex(iv), enc: new Uint8Array(encapsulation), ciphertext: new Uint8Array(share) };
      return told(await enclave.apply(caller, offered, key.value));
    }),
    unwrap: operatorCall(context, async (_request, caller) => {
      const answer = await enclave.unwrap(caller, null);
      if (answer.code === "NOT_OPERATOR") return refuse(answer.code, answer.message);
      return ok({ ...statusOf(answer), identifier: answer.ok ? digesteOf(answer.status.node) : undefined });
    }),
    seal: operatorCall(context, async (_request, caller) =>
      told(await enclave.seal(caller, { ...context.membership(), exit: false })),
    ),
    unseal: operatorCall(context, async (_request, caller) => told(await enclave.beginUnseal(caller))),
    sessionKey: operatorCall(context, async (_request, caller) => {
      const answer = await enclave.sessionKey(caller);
      if (answer.sessionKey === null)
        return refuse(answer.code === "OK" ? "ALREADY_UNSEALED" : answer.code, answer.message);
      return ok({ algorithm: PublicKey_algo.X25519, publicKey: Buffer.from(answer.sessionKey.publicKey) });
    }),
    identifier: operatorCall(context, async () => ok(digesteOf((await enclave.status()).node))),
  };
}
