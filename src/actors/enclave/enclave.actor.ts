/**
 * The enclave: performs what the ceremony machine decides, and holds the keys. Operators' questions are taken one at a time;
 * records are on disk before the answer goes out. Sources: docs/protocol/ceremony.md, DESIGN §2 and §3.
 */
import type { Aid } from "../../base/brands.ts";
import { toHex } from "../../base/bytes.ts";
import { Defect, assert, present, unreachable } from "../../base/errors.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { verify } from "../../crypto/ed25519.ts";
import type { Sealed } from "../../crypto/hpke.ts";
import { Secret } from "../../crypto/secret.ts";
import type { KeyStateRef } from "../../events/facts/command.ts";
import { ceremonyMachine } from "../../machines/ceremony/ceremony.machine.ts";
import type {
  AskedEvent,
  CeremonyEffect,
  CeremonyEvent,
  CeremonyReply,
  CeremonyRequest,
} from "../../machines/ceremony/ceremony.types.ts";
import { type Stepper, createStepper } from "../../machines/step.ts";
import {
  type Place,
  type RootKeys,
  acknowledgementSigningBytes,
  ceremonyId,
  commitmentsHash,
  sessionKeySigningBytes,
} from "./ceremony-bytes.ts";
import { Custody, type SigningKey, sealed } from "./custody.ts";
import type { Keystore, KeystoreRefusal } from "./keystore.ts";
import { openKeys, openWithPassphrase, openWithRoot, rewrapUnderRoot, withKeys } from "./keystore.ts";
import type { NodeKeys } from "./node-keys.ts";
import type {
  Dealt,
  EnclaveAnswer,
  EnclaveFounding,
  EnclavePorts,
  EnclaveRefusal,
  EnclaveStatus,
  FetchedShare,
  NodeKeyStatus,
  OfferedShare,
  SealQuestion,
  SessionAnswer,
} from "./ports.ts";
import { type DealtRoot, dealRoot, judgeShare, restoreRoot } from "./root.ts";
import { type Rekeying, prepareRotation, settleRotation } from "./rotation.ts";
import { Session } from "./session.ts";
import { assertDealt, dealtTo, loadKeystore, restore } from "./restore.ts";
import { statusOf } from "./status.ts";

type Asked = Pick<AskedEvent, "at" | "call" | "caller">;

export class Enclave {
  readonly #founding: EnclaveFounding;
  readonly #ports: EnclavePorts;
  readonly #place: Place;
  readonly #machine: Stepper<typeof ceremonyMachine>;
  readonly #waiting = new Map<number, (reply: CeremonyReply) => void>();
  readonly #timers = new Map<string, () => void>();
  #keystore: Keystore;
  #dealt: Dealt | null;
  /** Keys opened by passphrase and waiting for `initialise`. */
  #opened: Custody | null = null;
  #dealing: DealtRoot | null = null;
  #custody: Custody | null = null;
  #session: Session | null = null;
  #offered: (Sealed & { readonly key: Uint8Array }) | null = null;
  #exit = false;
  #calls = 0;
  #queue: Promise<unknown> = Promise.resolve();
  readonly #rekeying: Rekeying;

  /** Throws: Fault BOOT_FILE_DAMAGED, KEYSTORE_DAMAGED: files that do not belong together must not blame operators. */
  constructor(founding: EnclaveFounding, ports: EnclavePorts) {
    this.#founding = founding;
    this.#ports = ports;
    this.#place = { cluster: founding.cluster, node: founding.node.aid };
    this.#rekeying = { node: founding.node, now: ports.now, random: ports.random, keep: this.#keep };
    this.#keystore = loadKeystore(ports.keystore.read(), founding);
    this.#dealt = ports.bootFile.read();
    const { wrap } = this.#keystore;
    if (wrap.kind === "root") assertDealt(this.#dealt, wrap.commitments, founding);
    const restored = restore(ports.journal.read());
    this.#machine = createStepper(ceremonyMachine, {
      input: {
        node: { aid: founding.node.aid, name: founding.node.name },
        operators: founding.operators.map(({ aid, name }) => ({ aid, name })),
        threshold: founding.threshold,
        custody: wrap.kind,
        attempts: restored.attempts,
        acknowledged: wrap.kind === "root" ? restored.acknowledged : [],
      },
    });
    ports.began?.(this.#machine.snapshot());
  }

  status(): EnclaveStatus {
    return statusOf(this.#founding, this.#machine.state(), this.#machine.context());
  }

  /** Before `initialise`, the founder's passphrase opens the keystore; the node stays sealed. The passphrase is erased. */
  openWithPassphrase(passphrase: Uint8Array): Promise<Result<EnclaveStatus, EnclaveRefusal>> {
    return this.#exclusive(() => {
      const dataKey = openWithPassphrase(this.#keystore, passphrase);
      passphrase.fill(0);
      if (this.#keystore.wrap.kind === "root")
        return refuse("ALREADY_INITIALISED", `Node ${this.#founding.node.name} has its root; operators unseal it.`);
      const custody = dataKey.ok ? this.#openCustody(dataKey.value) : dataKey;
      if (!dataKey.ok || !custody.ok) {
        return refuse(
          "PASSPHRASE_WRONG",
          `Node ${this.#founding.node.name} stays closed: ${custody.ok ? "" : custody.refusal.message}.`,
        );
      }
      this.#opened?.erase();
      this.#opened = custody.value;
      this.#step({ type: "passphraseAccepted", at: this.#ports.now() });
      return ok(this.status());
    });
  }

  initialise(caller: Aid): Promise<EnclaveAnswer> {
    return this.#ask(caller, (asked) => ({ type: "initialiseAsked", ...asked }));
  }

  beginUnseal(caller: Aid): Promise<SessionAnswer> {
    return this.#exclusive(() => this.#begin(caller));
  }

  /** The open ceremony's key; opens one if none is open. */
  sessionKey(caller: Aid): Promise<SessionAnswer> {
    return this.#exclusive(async () => {
      const open = this.#session;
      if (open === null || !this.#isOperator(caller)) return this.#begin(caller);
      return {
        ok: true,
        code: "OK",
        message: "A ceremony is open.",
        shares: this.status().accepted.length,
        missing: this.status().missing,
        ceremony: open.key.ceremony,
        status: this.status(),
        sessionKey: open.key,
      };
    });
  }

  /** `key`: Ed25519 key in force of the caller's identifier, as the host knows it. */
  apply(caller: Aid, { ceremony, enc, ciphertext }: OfferedShare, key: Uint8Array): Promise<EnclaveAnswer> {
    return this.#exclusive(async () => {
      this.#offered = { enc, ciphertext, key };
      const reply = await this.#question(caller, (asked) => ({ type: "shareOffered", ...asked, ceremony }));
      this.#offered = null;
      return this.#answer(reply);
    });
  }

  unwrap(caller: Aid, ceremony: string | null): Promise<EnclaveAnswer> {
    return this.#ask(caller, (asked) => ({ type: "unwrapAsked", ...asked, ceremony }));
  }

  cancel(caller: Aid, ceremony: string | null): Promise<EnclaveAnswer> {
    return this.#ask(caller, (asked) => ({ type: "cancelAsked", ...asked, ceremony }));
  }

  seal(caller: Aid, { unsealedMembers, quorum, exit }: SealQuestion): Promise<EnclaveAnswer> {
    return this.#exclusive(async () => {
      // Whoever's vote seals the node says whether the process ends; a stranger, or a later call, changes nothing.
      if (this.#machine.state() === "unsealed" && this.#isOperator(caller)) this.#exit = exit;
      return this.#answer(
        await this.#question(caller, (asked) => ({ type: "sealAsked", ...asked, unsealedMembers, quorum })),
      );
    });
  }

  /** The host has stopped voting and serving. */
  drained(): Promise<void> {
    return this.#exclusive(() => this.#step({ type: "drained", at: this.#ports.now() }));
  }

  /** The caller's own share, sealed to its HPKE key. Refuses: NOT_OPERATOR, NOT_INITIALISED, SHARES_FORGOTTEN. */
  fetchShare(caller: Aid): Result<FetchedShare, EnclaveRefusal> {
    const dealt = this.#dealtTo(caller);
    if (!dealt.ok) return dealt;
    const { index, root } = dealt.value;
    const share = root.sealed[index - 1];
    if (share === undefined) {
      return refuse(
        "SHARES_FORGOTTEN",
        `All operators hold their shares of node ${this.#founding.node.name}, so it keeps none; use the operator file that has it, or its backup.`,
      );
    }
    return ok({
      index,
      sealed: share,
      commitments: root.commitments,
      threshold: this.#founding.threshold,
      total: this.#founding.operators.length,
      nodeSignature: root.signature,
      operators: root.operators,
    });
  }

  /** Refuses: NOT_OPERATOR, NOT_INITIALISED, BAD_SIGNATURE. */
  acknowledgeShare(
    caller: Aid,
    index: number,
    signature: Uint8Array,
    key: Uint8Array,
  ): Promise<Result<EnclaveAnswer, EnclaveRefusal>> {
    return this.#exclusive(async () => {
      const dealt = this.#dealtTo(caller);
      if (!dealt.ok) return dealt;
      const operator = present(this.#founding.operators[dealt.value.index - 1], "an operator has an index");
      const message = acknowledgementSigningBytes(
        this.#place,
        dealt.value.index,
        commitmentsHash(dealt.value.root.commitments),
      );
      if (index !== dealt.value.index || !verify(key, message, signature)) {
        return refuse(
          "BAD_SIGNATURE",
          `The acknowledgement of ${operator.name} (${caller}) is not signed over its share ${dealt.value.index} of this node.`,
        );
      }
      return ok(this.#answer(await this.#question(caller, (asked) => ({ type: "shareAcknowledged", ...asked }))));
    });
  }

  /** Signs in batches (hot path, no queue). Refuses: SEALED, SIGNING_REFUSED. */
  sign(key: SigningKey, messages: readonly Uint8Array[]): Result<readonly Uint8Array[], EnclaveRefusal> {
    return this.custody()?.sign(key, messages) ?? sealed();
  }

  /** Refuses: SEALED. */
  macMark(bytes: Uint8Array): Result<Uint8Array, EnclaveRefusal> {
    const custody = this.custody();
    return custody === null ? sealed() : ok(custody.mark(bytes));
  }

  /** Which keys the node has. Refuses: SEALED. */
  keys(): Result<NodeKeyStatus, EnclaveRefusal> {
    const custody = this.custody();
    return custody === null ? sealed() : ok(custody.status());
  }

  /** A rotation of the node's identifier, on disk with the key after it when this returns. Refuses: SEALED. Source: rotation.ts. */
  prepareRotation(last: KeyStateRef): Promise<Result<NodeKeyStatus, EnclaveRefusal>> {
    return this.#exclusive(() => {
      const custody = this.custody();
      return custody === null ? sealed() : ok(prepareRotation(custody, last, this.#rekeying));
    });
  }

  /** What the log says of the node's keys becomes true of the keystore. Refuses: SEALED, KEYS_ELSEWHERE. Source: rotation.ts. */
  settleRotation(inForce: KeyStateRef): Promise<Result<NodeKeyStatus, EnclaveRefusal>> {
    return this.#exclusive(() => {
      const custody = this.custody();
      return custody === null ? sealed() : settleRotation(custody, inForce, this.#rekeying);
    });
  }

  /** A keystore that cannot be written ends the enclave: which of its files stands is known when it is read again. */
  readonly #keep = (dataKey: Uint8Array, keys: NodeKeys): void => {
    try {
      const file = withKeys(this.#keystore, dataKey, keys, this.#ports.random);
      this.#ports.keystore.write(file);
      this.#keystore = loadKeystore(file, this.#founding);
    } catch (error) {
      this.#ports.onFatal(error);
      throw error;
    }
  };

  #isOperator(caller: Aid): boolean {
    return this.#founding.operators.some(({ aid }) => aid === caller);
  }

  /** Keys, also for what the enclave itself issues; null while sealed. Draining still signs: the order of stopping is the host's. */
  custody(): Custody | null {
    const state = this.#machine.state();
    return state === "unsealed" || state === "draining" ? this.#custody : null;
  }

  async #begin(caller: Aid): Promise<SessionAnswer> {
    const privateKey = new Secret(this.#ports.random(32));
    const publicKey = this.#ports.x25519PublicKey(privateKey.reveal());
    const id = ceremonyId(this.#place, publicKey);
    const reply = await this.#question(caller, (asked) => ({
      type: "unsealAsked",
      ...asked,
      id,
      sessionKey: toHex(publicKey),
    }));
    const open = this.#machine.context().ceremony;
    if (open?.id === id) {
      const claim = { ceremony: id, publicKey, expiry: open.deadline };
      this.#session = new Session(
        {
          ...claim,
          purpose: open.purpose,
          bootSignature: this.#ports.bootSign(sessionKeySigningBytes(this.#place, claim)),
        },
        privateKey,
      );
    } else privateKey.erase();
    return { ...this.#answer(reply), sessionKey: reply.code === "NOT_OPERATOR" ? null : (this.#session?.key ?? null) };
  }

  #ask(caller: Aid, make: (asked: Asked) => AskedEvent): Promise<EnclaveAnswer> {
    return this.#exclusive(async () => this.#answer(await this.#question(caller, make)));
  }

  #answer(reply: CeremonyReply): EnclaveAnswer {
    return { ...reply, status: this.status() };
  }

  #question(caller: Aid, make: (asked: Asked) => AskedEvent): Promise<CeremonyReply> {
    this.#calls += 1;
    const call = this.#calls;
    return new Promise((resolve, reject) => {
      this.#waiting.set(call, resolve);
      try {
        this.#step(make({ at: this.#ports.now(), call, caller }));
      } catch (error) {
        reject(error instanceof Error ? error : new Defect(String(error)));
        this.#ports.onFatal(error);
      }
    });
  }

  /** Runs after what was asked before it; a failure fails its own caller only. */
  #exclusive<T>(action: () => T | Promise<T>): Promise<T> {
    const result = this.#queue.then(action);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  /** One drain: records to disk, then replies and timers, then requests; these run after it, so it is never re-entered. */
  #step(event: CeremonyEvent): void {
    const before = this.#machine.snapshot();
    const { effects, refused } = this.#machine.step(event);
    assert(refused === undefined, refused?.message ?? "");
    this.#ports.stepped?.(event, effects, before, this.#machine.snapshot());
    const records = effects.flatMap((effect) => (effect.kind === "record" ? [effect.record] : []));
    if (records.some(({ kind }) => kind === "dealt"))
      this.#ports.bootFile.write(present(this.#dealing, "a root is dealt").dealt);
    if (records.length > 0) this.#ports.journal.append(records);
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: CeremonyEffect): void {
    switch (effect.kind) {
      case "record":
        return;
      case "reply":
        this.#waiting.get(effect.call)?.(effect.reply);
        this.#waiting.delete(effect.call);
        return;
      case "setTimer":
        this.#timers.set(
          effect.timer,
          this.#ports.timer(effect.at, () => this.#fired(effect.timer)),
        );
        return;
      case "clearTimer":
        this.#timers.get(effect.timer)?.();
        this.#timers.delete(effect.timer);
        return;
      case "eraseCeremony":
        this.#session?.erase();
        this.#session = null;
        return;
      case "forgetShares":
        this.#dealt = { ...present(this.#dealt, "shares were dealt"), sealed: [] };
        this.#ports.bootFile.write(this.#dealt);
        return;
      case "closeKeystore":
        this.#custody?.erase();
        this.#custody = null;
        this.#ports.onSealed(this.#exit);
        return;
      case "request":
        Promise.resolve()
          .then(() => this.#request(effect.request))
          .catch((error: unknown) => this.#ports.onFatal(error));
        return;
      default:
        unreachable(effect);
    }
  }

  #fired(timer: string): void {
    try {
      this.#timers.delete(timer);
      this.#step({ type: "timerFired", at: this.#ports.now(), timer });
    } catch (error) {
      this.#ports.onFatal(error);
    }
  }

  async #request(request: CeremonyRequest): Promise<void> {
    switch (request.kind) {
      case "deal": {
        const custody = present(this.#opened, "the passphrase was accepted");
        this.#dealing = await dealRoot(this.#founding, this.#place, this.#ports.random, (message) =>
          custody.signOwn(message),
        );
        return this.#step({
          type: "dealt",
          at: this.#ports.now(),
          dealing: commitmentsHash(this.#dealing.dealt.commitments),
        });
      }
      case "rewrap":
        this.#rewrap();
        return this.#step({ type: "rewrapped", at: this.#ports.now() });
      case "verifyShare":
        return this.#verifyShare(request);
      case "openKeystore":
        return this.#openKeystore(request.operators);
      case "drain":
        return this.#ports.onDraining(this.#exit);
      default:
        return unreachable(request);
    }
  }

  #rewrap(): void {
    const dealing = present(this.#dealing, "a root is dealt");
    const opened = present(this.#opened, "the passphrase was accepted");
    const commitments = commitmentsHash(dealing.dealt.commitments);
    const file = rewrapUnderRoot(
      this.#keystore,
      opened.dataKey.reveal(),
      dealing.keys,
      this.#founding.cluster,
      commitments,
      this.#ports.random,
    );
    this.#ports.keystore.write(file);
    this.#keystore = loadKeystore(file, this.#founding);
    this.#dealt = dealing.dealt;
    dealing.keys.key.fill(0);
    this.#custody = opened;
    this.#dealing = null;
    this.#opened = null;
  }

  async #verifyShare({ ceremony, operator, index }: Extract<CeremonyRequest, { kind: "verifyShare" }>): Promise<void> {
    const session = present(this.#session, "a ceremony is open");
    const offered = present(this.#offered, "a share was offered");
    const judged = await judgeShare({
      place: this.#place,
      ceremony,
      privateKey: session.privateKey.reveal(),
      offered,
      index,
      operatorKey: offered.key,
      commitments: present(this.#dealt, "the node is initialised").commitments,
    });
    if (this.#session !== session) return; // expired meanwhile: the machine has answered the call
    const answer = { at: this.#ports.now(), ceremony, operator };
    if (typeof judged === "string") return this.#step({ type: "shareRefuted", ...answer, code: judged });
    session.keep(operator, judged);
    this.#step({ type: "shareVerified", ...answer });
  }

  #openKeystore(operators: readonly Aid[]): void {
    const dealt = present(this.#dealt, "the node is initialised");
    const shares = present(this.#session, "a ceremony is open").shares(operators).slice(0, this.#founding.threshold);
    const root = restoreRoot(this.#place, dealt.commitments, shares);
    const custody = root.ok ? this.#openUnderRoot(root.value) : root;
    const at = this.#ports.now();
    if (!custody.ok)
      return this.#step({ type: "openingFailed", at, reason: custody.refusal.message.replace(/\.$/, ""), blamed: [] });
    this.#custody = custody.value;
    this.#step({ type: "keystoreOpened", at });
  }

  #openUnderRoot(root: RootKeys): Result<Custody, KeystoreRefusal | EnclaveRefusal> {
    const dataKey = openWithRoot(this.#keystore, root);
    root.key.fill(0);
    return dataKey.ok ? this.#openCustody(dataKey.value) : dataKey;
  }

  /** Takes the data key. */
  #openCustody(dataKey: Uint8Array): Result<Custody, KeystoreRefusal | EnclaveRefusal> {
    const keys = openKeys(this.#keystore, dataKey);
    if (!keys.ok) dataKey.fill(0);
    return keys.ok ? Custody.open(keys.value, dataKey, this.#founding) : keys;
  }

  #dealtTo(caller: Aid): Result<{ readonly index: number; readonly root: Dealt }, EnclaveRefusal> {
    return dealtTo(caller, this.#founding, this.#keystore.wrap.kind === "root" ? this.#dealt : null);
  }
}
