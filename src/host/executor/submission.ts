/** Clients' commands on their way into the log: judged at ingress, handed to consensus, answered when they are settled. */
import type { Aid, CommandId, Digest, LogTime } from "../../base/brands.ts";
import { encode } from "../../base/codec.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { signingBytes } from "../../crypto/hash.ts";
import {
  COMMANDS_PER_SIGNED_MAX,
  type Command,
  type CommandKind,
  type KeyStateRef,
  type SignedBody,
  SIGNED_BYTES_MAX,
  signedBodyShape,
  signedShape,
} from "../../events/facts/command.ts";
import { type GraphWrite, graphWriteShape } from "../../events/facts/graph.ts";
import { commandDigest, signedDigest } from "../../events/facts/hashing.ts";
import type { ExecutedBlock, Ledger } from "../../projections/ledger/ledger.ts";
import { decideCertificate } from "../../projections/certificates/decide.ts";
import { judgeAppender, messagesOf } from "../../projections/kerl/append.ts";
import { hasRole, mayWrite } from "../../projections/ledger/policy.ts";
import type { SettledCommand } from "../../projections/ledger/duplicates.ts";
import type { CommandOutcome } from "../../wire/outcome.ts";
import type { SignedPool } from "./signed-pool.ts";
import { COMMANDS_WAITING_MAX, Waiters } from "./waiting.ts";

export interface SubmissionOptions {
  readonly cluster: Digest;
  readonly ledger: Ledger;
  readonly pool: SignedPool;
  readonly submit: (signed: Uint8Array) => void;
  /** This node's identifier, which signs as a gateway and for itself; its key state is read at every signature. */
  readonly gateway: { readonly aid: Aid; readonly keyState: () => KeyStateRef };
  readonly sign: (messages: readonly Uint8Array[]) => Promise<Result<readonly Uint8Array[]>>;
  /** Units: ms since 1970. */
  readonly now: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** A gateway's commands may be settled this long after they were made; legacy clients do not retry. Units: ms. */
const GATEWAY_NOT_AFTER_MS = 60_000;
/** A write answers this much before its deadline, so that the answer still arrives. Units: ms. */
const ANSWER_MARGIN_MS = 50;
/** Bytes of legacy commands signed together; well below what one batch may have. */
const GROUP_BYTES_MAX = SIGNED_BYTES_MAX / 2;

const OVERLOADED = refuse(
  "OVERLOADED",
  "The node holds as many unordered commands as it may; come back in a moment.",
  "none",
);
const unknown = (): Refusal => ({
  code: "OUTCOME_UNKNOWN",
  message:
    "The command was not settled before the deadline; its outcome is unknown. Sending it again with the same id is safe.",
  blame: "none",
});

interface LegacyCommand {
  readonly command: Command;
  readonly done: (result: Result<CommandOutcome>) => void;
  readonly deadlineMs: number;
}

/** Commands that this node signs: for a legacy client, or for itself (null). */
interface Own {
  readonly principal: Aid | null;
  readonly commands: readonly Command[];
  /** That its signature names. */
  readonly keyState: KeyStateRef;
}

interface InFlight {
  readonly signed: Uint8Array;
  /** Keys of its commands that are not settled. */
  readonly open: Set<string>;
  readonly own: Own | null;
}

const keyOf = (author: Aid, id: CommandId, digest: Digest): string => `${author}${id}${digest}`;

const outcomeOf = ({ id, height, index, blockHash, outcome }: SettledCommand): CommandOutcome => ({
  id,
  receipt: { height, index, blockHash },
  result:
    outcome.kind === "commandExecuted"
      ? { kind: "executed", changed: outcome.changed }
      : { kind: "refused", code: outcome.code, message: outcome.message },
});

export class Submission {
  readonly #options: SubmissionOptions;
  readonly #waiters = new Waiters<Result<CommandOutcome>>();
  /** Batches handed to consensus and not settled, by digest of their bytes. */
  readonly #inFlight = new Map<Digest, InFlight>();
  /** Which of them a command is in: of one that its client signed anew, or sent again among others, there are several. */
  readonly #batchesOf = new Map<string, Set<Digest>>();
  readonly #legacy = new Map<Aid, LegacyCommand[]>();
  /** The log refused them for their keys, which rotated while they were under way: signed anew, under the same ids, when the new ones are here. */
  #stale: Own[] = [];
  #stopped = false;

  constructor(options: SubmissionOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiters.count;
  }

  /** Answers what a block settled. */
  settled({ settled, refusedBatches }: Pick<ExecutedBlock, "settled" | "refusedBatches">): void {
    for (const command of settled) {
      const { author, id, outcome } = command;
      this.#close(keyOf(author, id, outcome.digest), ok(outcomeOf(command)));
    }
    for (const { digest, code, message } of refusedBatches) {
      const own = code === "STALE_KEY_STATE" ? this.#inFlight.get(digest)?.own : undefined;
      if (own) this.#takeBack(digest, own);
      else this.#closeBatch(digest, refuse(code, message));
    }
    this.rekeyed();
  }

  /** The node signs by another key from now on: what was refused for the one before is signed by it. */
  rekeyed(): void {
    if (this.#stale.length === 0 || this.#stopped) return;
    const { said } = this.#options.gateway.keyState();
    const ready = this.#stale.filter(({ keyState }) => keyState.said !== said);
    this.#stale = this.#stale.filter(({ keyState }) => keyState.said === said);
    for (const { principal, commands } of ready) void this.#signOwn(principal, commands);
  }

  /** Nothing of the batch was done; whoever still waits for a command of it goes on waiting. */
  #takeBack(digest: Digest, own: Own): void {
    const open = this.#inFlight.get(digest)?.open ?? new Set();
    this.#inFlight.delete(digest);
    for (const key of open) this.#leave(key, digest);
    const commands = own.commands.filter((command) => {
      const key = this.#ownKey(command);
      return open.has(key) && this.#waiters.has(key);
    });
    if (commands.length > 0) this.#stale.push({ ...own, commands });
  }

  #ownKey(command: Command): string {
    return keyOf(this.#options.gateway.aid, command.id, commandDigest(command));
  }

  /** Consensus did not take a batch: its clients are told so at once. */
  refused(signed: Uint8Array): void {
    this.#closeBatch(signedDigest(signed), OVERLOADED);
  }

  /** Hands everything that is not settled to consensus again, after its worker was restarted. */
  resubmit(): void {
    for (const { signed } of this.#inFlight.values()) this.#options.submit(signed);
  }

  #hand(digest: Digest, bytes: Uint8Array, keys: readonly string[], own: Own | null = null): void {
    // What a request held is mostly a view into Node's pool; handed to another thread all of the pool would be copied, 64 KB for each write.
    const signed = bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
    this.#inFlight.set(digest, { signed, open: new Set(keys), own });
    for (const key of keys) {
      const digests = this.#batchesOf.get(key) ?? new Set();
      this.#batchesOf.set(key, digests.add(digest));
    }
    this.#options.submit(signed);
  }

  /** What became of a command: whichever batch did it, none of them is waited for on its account any more. */
  #close(key: string, outcome: Result<CommandOutcome>): void {
    this.#waiters.settle(key, outcome);
    for (const digest of this.#batchesOf.get(key) ?? []) {
      const batch = this.#inFlight.get(digest);
      batch?.open.delete(key);
      if (batch?.open.size === 0) this.#inFlight.delete(digest);
    }
    this.#batchesOf.delete(key);
  }

  /** Nothing comes of a batch; a command that is in another one, too, may still be done. */
  #closeBatch(digest: Digest, outcome: Result<CommandOutcome>): void {
    const open = this.#inFlight.get(digest)?.open ?? [];
    this.#inFlight.delete(digest);
    for (const key of open) if (!this.#leave(key, digest)) this.#waiters.settle(key, outcome);
  }

  /** The command counts as in this batch no more. Returns whether it is in another one. */
  #leave(key: string, digest: Digest): boolean {
    const digests = this.#batchesOf.get(key);
    digests?.delete(digest);
    if (digests?.size === 0) this.#batchesOf.delete(key);
    return digests !== undefined && digests.size > 0;
  }

  stop(): void {
    this.#stopped = true;
    for (const key of this.#waiters.keys()) this.#waiters.settle(key, { ok: false, refusal: unknown() });
  }

  /**
   * Takes an encoded batch and waits until all its commands are settled.
   * Refuses: MALFORMED, TOO_LARGE, FOREIGN_CLUSTER, UNKNOWN_IDENTIFIER, STALE_KEY_STATE, BAD_SIGNATURE, OVERLOADED, OUTCOME_UNKNOWN.
   */
  async submitSigned(signed: Uint8Array, deadlineMs: number): Promise<Result<readonly CommandOutcome[]>> {
    const opened = this.#options.pool.open(signed);
    if (!opened.ok) return opened;
    const { body, digest } = opened.value;
    const refusal = this.#judge(signed);
    if (refusal !== undefined) return { ok: false, refusal };
    if (this.#waiters.count + body.commands.length > COMMANDS_WAITING_MAX) return OVERLOADED;
    const keys: string[] = [];
    const outcomes = body.commands.map((command) => {
      const same = commandDigest(command);
      const key = keyOf(body.author, command.id, same);
      const known = this.#options.ledger.settled(body.author, command.id);
      if (known?.outcome.digest === same) return Promise.resolve(ok(outcomeOf(known)));
      keys.push(key);
      return this.#wait(key, deadlineMs);
    });
    if (keys.length > 0 && !this.#inFlight.has(digest)) this.#hand(digest, signed, keys);
    const settled: CommandOutcome[] = [];
    for (const outcome of await Promise.all(outcomes)) {
      if (!outcome.ok) return outcome;
      settled.push(outcome.value);
    }
    return ok(settled);
  }

  /** Fast refusals at ingress; the log judges all of it again. */
  #judge(signed: Uint8Array): Refusal | undefined {
    const { pool, ledger, cluster } = this.#options;
    const opened = pool.open(signed);
    if (!opened.ok) return opened.refusal;
    const { body } = opened.value;
    const no = (code: string, message: string): Refusal => ({ code, message, blame: "client" });
    if (body.cluster !== cluster)
      return no("FOREIGN_CLUSTER", "The batch was signed for another cluster; connect to that one.");
    const keyState = ledger.keyState(body.author);
    if (keyState === undefined)
      return no("UNKNOWN_IDENTIFIER", `${body.author} is no identifier of this cluster; introduce it first.`);
    if (keyState.sn !== body.keyState.sn || keyState.said !== body.keyState.said) {
      return no("STALE_KEY_STATE", `${body.author} signed under a key state that is not its newest; sign again.`);
    }
    if (!pool.isSigned(opened.value, signed, keyState)) {
      return no(
        "BAD_SIGNATURE",
        `The batch is not signed by the current keys of ${body.author}; sign "sky/signed/v1" over cluster and body.`,
      );
    }
    const actor = body.principal ?? body.author;
    if (mayWrite(ledger.graph, actor)) return undefined;
    // Not ordered: who may not write must not fill the log with denials.
    const refused = body.commands
      .map((command) => this.#judgeUnwriting(body, command))
      .find((refusal) => refusal !== undefined);
    return refused === undefined ? undefined : no(refused.code, refused.message);
  }

  /** Of who may not write: key events of its own and certificates of its own pass, and nothing else. */
  #judgeUnwriting(
    { author, principal }: SignedBody,
    { kind, payload }: Command,
  ): Pick<Refusal, "code" | "message"> | undefined {
    const { ledger, now } = this.#options;
    if (kind === "certificate.issue" || kind === "certificate.revoke") {
      const decision = decideCertificate(kind, ledger.certificates, payload, {
        author,
        isFor: principal,
        isNode: hasRole(ledger.graph, author, "witness"),
        isAdmin: false, // who administers may write
        time: now(),
      });
      return decision.ok ? undefined : decision.refusal;
    }
    if (kind !== "kerl.append" || principal !== null) {
      const actor = principal ?? author;
      return {
        code: "PERMISSION_DENIED",
        message: `${actor} may not write; an administrator grants sky:cluster#write.`,
      };
    }
    const messages = messagesOf(payload);
    if (!messages.ok) return messages.refusal;
    const mayAppendAll = hasRole(ledger.graph, author, "witness");
    for (const message of messages.value) {
      const refusal = judgeAppender(ledger.kerl, message, { author, mayAppendAll });
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  #wait(key: string, deadlineMs: number): Promise<Result<CommandOutcome>> {
    const ms = deadlineMs - this.#options.now() - ANSWER_MARGIN_MS;
    if (this.#stopped || ms <= 0) return Promise.resolve({ ok: false, refusal: unknown() });
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        giveUp();
        resolve({ ok: false, refusal: unknown() });
      }, ms);
      const giveUp = this.#waiters.add(key, (outcome) => {
        clearTimeout(timer);
        resolve(outcome);
      });
    });
  }

  /** Signs as a gateway for a legacy client; commands of one turn are signed together. Refuses: PERMISSION_DENIED, SEALED, … */
  submitFor(principal: Aid, write: GraphWrite, deadlineMs: number): Promise<Result<CommandOutcome>> {
    const { ledger, gateway } = this.#options;
    if (!hasRole(ledger.graph, gateway.aid, "gateway")) {
      return Promise.resolve(
        refuse("PERMISSION_DENIED", "This node is no gateway: clients sign their own commands through sky.oracle.v1."),
      );
    }
    if (!hasRole(ledger.graph, principal, "legacy")) {
      return Promise.resolve(
        refuse(
          "PERMISSION_DENIED",
          `${principal} may not use the compatible service; an administrator grants sky:cluster#legacy.`,
        ),
      );
    }
    if (this.#waiters.count >= COMMANDS_WAITING_MAX) return Promise.resolve(OVERLOADED);
    const command = this.#command("graph.write", encode(graphWriteShape, write));
    return new Promise((done) => {
      const queue = this.#legacy.get(principal);
      if (queue !== undefined) {
        queue.push({ command, done, deadlineMs });
        return;
      }
      this.#legacy.set(principal, [{ command, done, deadlineMs }]);
      setImmediate(() => void this.#signGroups(principal));
    });
  }

  /** Signs what has gathered; what comes while the enclave signs is the next group. */
  async #signGroups(principal: Aid): Promise<void> {
    const queue = this.#legacy.get(principal) ?? [];
    while (queue.length > 0) {
      const group: LegacyCommand[] = [];
      for (let bytes = 0; queue.length > 0 && group.length < COMMANDS_PER_SIGNED_MAX && bytes < GROUP_BYTES_MAX; ) {
        const next = queue.shift();
        if (next === undefined) break;
        group.push(next);
        bytes += next.command.payload.length;
      }
      await this.#signGroup(principal, group);
    }
    this.#legacy.delete(principal);
  }

  async #signGroup(principal: Aid, group: readonly LegacyCommand[]): Promise<void> {
    for (const { command, done, deadlineMs } of group) void this.#wait(this.#ownKey(command), deadlineMs).then(done);
    await this.#signOwn(
      principal,
      group.map(({ command }) => command),
    );
  }

  /** Signs a command of the node itself and waits until it is settled. Refuses: SEALED, OVERLOADED, OUTCOME_UNKNOWN. */
  async submitOwn(kind: CommandKind, payload: Uint8Array, deadlineMs: number): Promise<Result<CommandOutcome>> {
    const command = this.#command(kind, payload);
    const outcome = this.#wait(this.#ownKey(command), deadlineMs);
    await this.#signOwn(null, [command]);
    return outcome;
  }

  #command(kind: CommandKind, payload: Uint8Array): Command {
    const { now, randomBytes } = this.#options;
    const id = Buffer.from(randomBytes(16)).toString("hex") as CommandId;
    return { id, kind, payload, notAfter: (now() + GATEWAY_NOT_AFTER_MS) as LogTime };
  }

  /** Signs as this node and hands to consensus; who waits for the commands is told when there is no signature. */
  async #signOwn(principal: Aid | null, commands: readonly Command[]): Promise<void> {
    const { cluster, gateway, sign } = this.#options;
    const keyState = gateway.keyState();
    const body = encode(signedBodyShape, { cluster, author: gateway.aid, principal, keyState, commands });
    const signatures = await sign([signingBytes("signed", cluster, body)]);
    const sig = signatures.ok ? signatures.value[0] : undefined;
    const keys = commands.map((command) => this.#ownKey(command));
    if (!signatures.ok || sig === undefined) {
      for (const key of keys) this.#close(key, signatures.ok ? OVERLOADED : signatures);
      return;
    }
    const signed = encode(signedShape, { body, signatures: [{ index: 0, sig }] });
    this.#hand(signedDigest(signed), signed, keys, { principal, commands, keyState });
  }
}
