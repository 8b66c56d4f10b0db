/** An enclave in this thread: real cryptography over files, clock and timers in memory. */
import { randomBytes } from "node:crypto";
import type { Aid, Digest } from "../../../src/base/brands.ts";
import { present } from "../../../src/base/errors.ts";
import { publicKeyOf, signer } from "../../../src/crypto/ed25519.ts";
import { openHpke, sealHpke } from "../../../src/crypto/hpke.ts";
import {
  commitmentsHash,
  dealtShareInfo,
  encodeShare,
  shareInfo,
  shareSigningBytes,
} from "../../../src/actors/enclave/ceremony-bytes.ts";
import { Enclave } from "../../../src/actors/enclave/enclave.actor.ts";
import { createKeystore } from "../../../src/actors/enclave/keystore.ts";
import { type NodeKeys, newNodeKeys } from "../../../src/actors/enclave/node-keys.ts";
import type {
  Dealt,
  EnclaveAnswer,
  EnclaveFounding,
  EnclavePorts,
  SignedSessionKey,
} from "../../../src/actors/enclave/ports.ts";
import { x25519PublicKey } from "../../../src/host/enclave/x25519.ts";
import { newIdentity } from "../../../src/host/founding/identity.ts";
import {
  type OperatorSecrets,
  newOperator,
  operatorCardOf,
  operatorSeed,
} from "../../../src/host/founding/operator-file.ts";
import type { CeremonyRecord } from "../../../src/machines/ceremony/ceremony.types.ts";

export const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
export const PASSPHRASE = Buffer.from("founder's passphrase");

export interface Disk {
  keystore: Uint8Array;
  boot: Dealt | null;
  records: CeremonyRecord[];
}

/** One node with its operators: their secrets and what the founding document says. */
export class World {
  readonly operators: readonly OperatorSecrets[];
  readonly founding: EnclaveFounding;
  readonly keys: NodeKeys;
  /** The node's inception event. */
  readonly icp: Uint8Array;
  readonly bootSeed = random(32);
  /** As `sky init founder` leaves it. */
  readonly fresh: Uint8Array;

  constructor(threshold: number, names: readonly string[]) {
    const identity = newIdentity(random);
    this.operators = names.map((name) => newOperator(name, random));
    this.icp = identity.icp;
    this.keys = newNodeKeys(identity.aid, {
      current: identity.current,
      next: identity.next,
      since: 0,
      witness: random(32),
      epoch: random(32),
      issuerKey: random(64),
      issuerCertificate: random(64),
      mark: random(32),
    });
    this.founding = {
      cluster: Buffer.from(random(32)).toString("hex") as Digest,
      node: {
        aid: identity.aid,
        name: "n0",
        key: publicKeyOf(identity.current),
        epochKey: publicKeyOf(this.keys.epoch),
      },
      operators: this.operators.map((operator) => ({
        aid: operator.aid,
        name: operator.name,
        hpkeKey: operatorCardOf(operator).hpkeKey,
      })),
      threshold,
    };
    this.fresh = createKeystore(identity.aid, this.keys, PASSPHRASE, random);
  }

  operator(i: number): OperatorSecrets {
    return present(this.operators[i], `operator ${i}`);
  }

  disk(): Disk {
    return { keystore: this.fresh, boot: null, records: [] };
  }
}

export class Desk {
  readonly world: World;
  readonly disk: Disk;
  readonly enclave: Enclave;
  /** What happened, in order: "journal", "keystore", "boot", "draining", "sealed". */
  readonly log: string[] = [];
  readonly fatal: unknown[] = [];
  /** What `onSealed` was told. */
  readonly exits: boolean[] = [];
  readonly timers = new Map<number, () => void>();
  now = 1_700_000_000_000;
  failJournal = false;
  failKeystore = false;

  constructor(world: World, disk: Disk = world.disk(), watching: Pick<EnclavePorts, "began" | "stepped"> = {}) {
    this.world = world;
    this.disk = disk;
    const ports: EnclavePorts = {
      now: () => this.now,
      random,
      x25519PublicKey,
      bootSign: signer(world.bootSeed),
      journal: {
        read: () => [...disk.records],
        append: (records) => {
          if (this.failJournal) throw new Error("disk full");
          this.log.push(...records.map(({ kind }) => `journal ${kind}`));
          disk.records.push(...(JSON.parse(JSON.stringify(records)) as CeremonyRecord[]));
        },
      },
      keystore: {
        read: () => disk.keystore,
        write: (file) => {
          if (this.failKeystore) throw new Error("disk full");
          this.log.push("keystore");
          disk.keystore = file;
        },
      },
      bootFile: {
        read: () => disk.boot,
        write: (dealt) => {
          this.log.push("boot");
          disk.boot = dealt;
        },
      },
      timer: (at, fire) => {
        this.timers.set(at, fire);
        return () => this.timers.delete(at);
      },
      onDraining: () => void this.log.push("draining"),
      onSealed: (exit) => {
        this.exits.push(exit);
        this.log.push("sealed");
      },
      onFatal: (error) => void this.fatal.push(error),
      ...watching,
    };
    this.enclave = new Enclave(world.founding, ports);
  }

  /** Passphrase, initialise; the shares that operators open from what the node dealt. */
  async initialise(): Promise<readonly Uint8Array[]> {
    const opened = await this.enclave.openWithPassphrase(Uint8Array.from(PASSPHRASE));
    if (!opened.ok) throw new Error(opened.refusal.message);
    const answer = await this.enclave.initialise(this.world.operator(0).aid);
    if (!answer.ok) throw new Error(answer.message);
    return this.fetchAll();
  }

  fetchAll(): Promise<readonly Uint8Array[]> {
    const { founding, operators } = this.world;
    return Promise.all(
      operators.map(async (operator) => {
        const fetched = this.enclave.fetchShare(operator.aid);
        if (!fetched.ok) throw new Error(fetched.refusal.message);
        const info = dealtShareInfo(
          { cluster: founding.cluster, node: founding.node.aid },
          commitmentsHash(fetched.value.commitments),
          fetched.value.index,
        );
        return present(await openHpke(operator.hpke, fetched.value.sealed, { info }), "sealed to this operator");
      }),
    );
  }

  restart(): Desk {
    const next = new Desk(this.world, this.disk);
    next.now = this.now;
    return next;
  }

  async session(by = 0): Promise<SignedSessionKey> {
    return present((await this.enclave.sessionKey(this.world.operator(by).aid)).sessionKey, "a ceremony is open");
  }

  /** Gives a share as `operator` would; each part can be another's or wrong. */
  async give(
    operator: number,
    value: Uint8Array,
    wrong: { index?: number; signer?: number; ceremony?: string; sealedFor?: string; caller?: Aid } = {},
  ): Promise<EnclaveAnswer> {
    const session = await this.session();
    const { cluster, node } = this.world.founding;
    const info = shareInfo({ cluster, node: node.aid }, wrong.sealedFor ?? session.ceremony, "unseal");
    const index = wrong.index ?? operator + 1;
    const signature = signer(operatorSeed(this.world.operator(wrong.signer ?? operator)))(
      shareSigningBytes(info, index, value),
    );
    const sealed = await sealHpke(session.publicKey, random(32), encodeShare(index, value, signature), { info });
    const offered = { ceremony: wrong.ceremony ?? session.ceremony, ...sealed };
    const caller = this.world.operator(operator);
    return this.enclave.apply(wrong.caller ?? caller.aid, offered, publicKeyOf(operatorSeed(caller)));
  }
}
