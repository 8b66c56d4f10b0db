/** What the cluster's log says of an identifier: `sky kel show` and `sky kel export` with nodes to ask. */
import type { Height } from "../../base/brands.ts";
import { present } from "../../base/errors.ts";
import { issueTls } from "../../client/certificate.ts";
import { type IdentityStore, signerOf } from "../../client/identity.ts";
import { KerlClient } from "../../client/kerl-client.ts";
import { isShowable } from "../../keri/controller.ts";
import type { KeyState } from "../../wire/generated/sky/kerl/v1/kerl.ts";
import type { StateReport } from "./kel-identity.ts";
import { random } from "./operator-command.ts";

export interface Asked {
  /** The own identifier unless given. */
  readonly aid?: string;
  readonly sn?: number;
  readonly height?: number;
  /** Units: ms. */
  readonly timeout?: number;
}

export interface Where {
  readonly store: IdentityStore;
  readonly endpoints: readonly string[];
  readonly ca: Uint8Array;
}

/** Longer than any command. Units: ms. */
const CERTIFICATE_MS = 3_600_000;

/** Asks as the identity in the store. Throws: SkyError. */
export async function asking<T>({ store, endpoints, ca }: Where, work: (client: KerlClient) => Promise<T>): Promise<T> {
  const kept = store.read();
  const cluster = present(kept.cluster, "who has nodes to ask belongs to a cluster");
  const tls = await issueTls({
    controller: kept,
    cluster,
    role: store.role,
    pendingToo: isShowable(kept),
    random,
    now: Date.now(),
    lifetimeMs: CERTIFICATE_MS,
  });
  const [cert, key] = [Buffer.from(tls.cert), Buffer.from(tls.key)];
  const client = KerlClient.connect({ endpoints, ca, cert, key, cluster, signer: signerOf(kept) });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

const timing = ({ timeout }: Asked): { readonly timeoutMs?: number } =>
  timeout === undefined ? {} : { timeoutMs: timeout };

/** Now, after the event at a sequence number, or as it was at a height. */
export const clusterState = (
  where: Where,
  asked: Asked,
): Promise<{ readonly state: StateReport; readonly height: number }> =>
  asking(where, async (client) => {
    const { aid = where.store.read().aid, sn, height } = asked;
    const at = sn === undefined ? (height === undefined ? undefined : { height: height as Height }) : { sn };
    const answer = await client.keyState(aid, at, timing(asked));
    return {
      state: reportOfMessage(present(answer.keyState, "an answer has a key state")),
      height: Number(answer.height),
    };
  });

/** The events as the log has them, those of delegators before them. */
export const clusterExport = (where: Where, asked: Asked): Promise<Uint8Array> =>
  asking(where, async (client) => {
    const events: Uint8Array[] = [];
    const { aid = where.store.read().aid } = asked;
    for await (const { stream } of client.exportKerl(aid, { ...timing(asked), withDelegators: true }))
      events.push(stream);
    return Buffer.concat(events);
  });

/** Thresholds travel as events have them, without the quotes of plain numbers (hexadecimal text). */
const thresholdOf = (text: string): unknown => (text.startsWith("[") ? (JSON.parse(text) as unknown) : text);

function reportOfMessage(state: KeyState): StateReport {
  const ref = (event: KeyState["latest"]) => ({ sn: Number(event?.sn ?? 0), said: event?.said ?? "" });
  return {
    aid: state.aid,
    ...ref(state.latest),
    type: state.latestType,
    establishment: ref(state.establishment),
    keys: state.keys,
    threshold: thresholdOf(state.threshold),
    nextDigests: state.nextDigests,
    nextThreshold: thresholdOf(state.nextThreshold),
    witnesses: state.witnesses,
    witnessThreshold: state.witnessThreshold,
    traits: state.traits,
    delegator: state.delegator === "" ? null : state.delegator,
  };
}
