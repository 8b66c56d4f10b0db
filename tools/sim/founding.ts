/** A cluster's founding: real identifiers, a real document that everybody signed with Ed25519, as `sky init` makes it. */
import type { Aid, Digest, MemberIndex } from "../../src/base/brands.ts";
import { concatBytes, utf8 } from "../../src/base/bytes.ts";
import { present } from "../../src/base/errors.ts";
import type { Result } from "../../src/base/result.ts";
import { sha256 } from "../../src/crypto/hash.ts";
import { publicKeyOf } from "../../src/crypto/ed25519.ts";
import type { LogEvent } from "../../src/events/facts/block.ts";
import type { KeyStateRef } from "../../src/events/facts/command.ts";
import { genesisEvent } from "../../src/events/facts/hashing.ts";
import {
  type Founding,
  assembleFounding,
  openFounding,
  sealFounding,
  signFounding,
} from "../../src/host/founding/document.ts";
import { inceptSingle } from "../../src/keri/compose.ts";
import type { SegmentMember } from "../../src/projections/checkpoint/segment.ts";
import { Keys } from "./scheme.ts";

export interface Identity {
  readonly aid: Aid;
  readonly icp: Uint8Array;
  readonly key: Uint8Array;
  readonly keyState: KeyStateRef;
}

/** Secret of whoever has this name; "…, next" is what its inception commits to. */
export const seedNamed = (name: string): Uint8Array => sha256(concatBytes(utf8("simulated "), utf8(name)));

export interface SimulatedFounding {
  readonly cluster: Digest;
  readonly document: Uint8Array;
  readonly genesis: LogEvent;
  readonly keys: Keys;
  /** Keys that sign consensus messages, by member. */
  readonly epochKeys: readonly Uint8Array[];
  readonly client: Identity;
  /** Who is which member: their identifiers have the role witness. */
  readonly founders: readonly Identity[];
  /** As a checkpoint's state names them. */
  readonly members: readonly SegmentMember[];
}

const demand = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(result.refusal.message);
  return result.value;
};

const founded = new Map<number, SimulatedFounding>();

/** The cluster of `size` members; the same one each time. */
export function foundingOf(size: number): SimulatedFounding {
  const known = founded.get(size);
  if (known !== undefined) return known;
  const made = found(size);
  founded.set(size, made);
  return made;
}

export const keyOfMember = (founding: SimulatedFounding, member: MemberIndex): Uint8Array =>
  present(founding.epochKeys[member], "a member has a key");

function found(size: number): SimulatedFounding {
  const keys = new Keys();
  const identity = (name: string): Identity => {
    const key = keys.add(seedNamed(name));
    const { aid, event } = inceptSingle({ publicKey: key, nextPublicKey: publicKeyOf(seedNamed(`${name}, next`)) });
    return { aid, icp: event, key, keyState: { sn: 0, said: aid as string as KeyStateRef["said"] } };
  };
  const members = Array.from({ length: size }, (_, i) => ({
    ...identity(`member ${i}`),
    name: `n${i}`,
    epochKey: keys.add(seedNamed(`epoch key ${i}`)),
    bootKey: keys.add(seedNamed(`boot key ${i}`)),
  }));
  const operator = identity("operator");
  const admin = identity("admin");
  const client = identity("client");
  const { bytes } = demand(
    assembleFounding({
      name: "simulated",
      dev: true,
      founders: members.map(({ aid, icp, name, epochKey, bootKey }, i) => ({
        aid,
        icp,
        name,
        epochKey,
        bootKey,
        issuer: utf8(`issuer ${i}`),
        endpoints: { api: `${name}:1`, approach: `${name}:2`, cluster: `${name}:3`, service: `${name}:4` },
      })),
      operators: [{ aid: operator.aid, icp: operator.icp, name: "ann", hpkeKey: seedNamed("hpke") }],
      threshold: 1,
      admins: [{ aid: admin.aid, icp: admin.icp }],
      gateways: [],
      clients: [{ aid: client.aid, icp: client.icp }],
    }),
  );
  const signatures = [...members, operator].map(({ aid, key }) => signFounding(bytes, aid, keys.signerOf(key)));
  const founding: Founding = demand(openFounding(demand(sealFounding(bytes, signatures))));
  return {
    cluster: founding.cluster,
    document: founding.bytes,
    genesis: genesisEvent({ document: founding.bytes, signatures: founding.signatures }),
    keys,
    epochKeys: members.map(({ epochKey }) => epochKey),
    client,
    founders: members,
    members: members.map(({ aid, epochKey }) => ({ aid, key: epochKey })),
  };
}
