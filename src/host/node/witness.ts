/**
 * A node as an ordinary KERI witness: an event that the log holds in escrow for want of receipts, and that names this node's witness
 * identifier, gets its receipt, ordered as everybody's. It never signs two events for one place: the first in the log's order is the
 * one (or one that lawfully supersedes it), and the journal remembers what was signed.
 *
 * Deviates: keripy's witnesses receipt what their controllers bring them; these look at the log, so nobody brings them anything.
 * Source: ToIP KERI specification, "Witnesses", "First-seen"; docs/adr/0020.
 */
import type { Aid, Said } from "../../base/brands.ts";
import { concatBytes } from "../../base/bytes.ts";
import { present } from "../../base/errors.ts";
import type { Result } from "../../base/result.ts";
import { NO_ATTACHMENTS } from "../../keri/attachment-groups.ts";
import { encodeAttachments } from "../../keri/cesr/encode-attachments.ts";
import { encodeMatter } from "../../keri/cesr/matter.ts";
import { receipt } from "../../keri/compose.ts";
import { provisionalState } from "../../keri/judge-event.ts";
import type { KerlEscrow, KerlReader } from "../../keri/kerl.ts";
import { storedEvent } from "../../keri/stored-body.ts";
import type { CommandOutcome } from "../../wire/outcome.ts";
import type { SignerClient } from "../enclave/signer-client.ts";
import type { Logger } from "../logging/logger.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { receiptors } from "../services/kerl-messages.ts";
import type { KerlQueries } from "../services/kerl-queries.ts";
import type { WitnessJournal } from "./witness-journal.ts";

export interface WitnessOptions {
  /** Ed25519 public key of the witness identifier. */
  readonly publicKey: Uint8Array;
  readonly queries: Pick<KerlQueries, "partiallyWitnessed" | "watch">;
  readonly view: () => KerlReader;
  readonly sign: SignerClient["sign"];
  /** Orders a stream, signed by the node, and waits for its outcome. */
  readonly append: (stream: Uint8Array, deadlineMs: number) => Promise<Result<CommandOutcome>>;
  readonly journal: Pick<WitnessJournal, "signed" | "record" | "forget">;
  /** Units: ms since 1970. */
  readonly now: () => number;
  readonly onFatal: (error: unknown) => void;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Receipts in one command, one command at a time: the log's own pace bounds what a node signs. */
const RECEIPTS_MAX = 32;
/** How long an append may take, and the pause after one whose refusal passes. Units: ms. */
const APPEND_MS = 30_000;
const AGAIN_MS = 1_000;
/** Refusals of a command that may pass by themselves. */
const PASSING: ReadonlySet<string> = new Set([
  "EXPIRED",
  "KERI_ESCROW_FULL",
  "OUTCOME_UNKNOWN",
  "OVERLOADED",
  "STALE_KEY_STATE",
]);

export class Witness {
  /** Non-transferable identifier: what events name. */
  readonly aid: Aid;
  readonly #options: WitnessOptions;
  /** Events whose receipt was ordered, refused for good, or is a rival of one that was signed. */
  readonly #settled = new Set<Said>();
  /** Sent alone, since a command that held it was refused. */
  readonly #alone = new Set<Said>();
  #stopWatching = (): void => {};
  #isRunning = false;
  #isAgain = false;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WitnessOptions) {
    this.#options = options;
    this.aid = encodeMatter("B", options.publicKey) as Aid;
  }

  /** Looks at what waits now, and after every block with key events. */
  start(): void {
    const { queries, journal, view } = this.#options;
    journal.forget((said) => view().event(said) !== undefined);
    this.#stopWatching = queries.watch(null, () => this.#look());
    this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopWatching();
    clearTimeout(this.#timer);
  }

  #look(): void {
    this.#isAgain = true;
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    this.#run()
      .catch((error: unknown) => this.#options.onFatal(error))
      .finally(() => {
        this.#isRunning = false;
        if (this.#isAgain) this.#look();
      });
  }

  async #run(): Promise<void> {
    while (this.#isAgain && !this.#isStopped) {
      this.#isAgain = false;
      const waiting = this.#options.queries.partiallyWitnessed();
      this.#forgetGone(waiting);
      const chosen = this.#choose(waiting);
      if (chosen.length === 0) continue;
      this.#isAgain = true;
      if (!(await this.#receipt(chosen))) return this.#later();
    }
  }

  /** In the order of the log, so that all nodes choose the same of two rivals. */
  #choose(waiting: readonly KerlEscrow[]): readonly KerlEscrow[] {
    const chosen: KerlEscrow[] = [];
    const places = new Set<string>();
    for (const escrow of waiting) {
      const { aid, sn, said } = escrow;
      if (this.#settled.has(said) || !this.#isNamed(escrow)) continue;
      if (places.has(`${aid} ${sn}`)) continue; // its turn comes when the first of the two was recorded
      if (!this.#maySign(escrow)) {
        this.#settled.add(said);
        this.#options.metrics.count("witness_rivals");
        this.#options.logger.warn("An event was not receipted: another one was signed for its place", {
          aid,
          digest: said,
        });
        continue;
      }
      if (this.#alone.has(said)) return chosen.length === 0 ? [escrow] : chosen;
      places.add(`${aid} ${sn}`);
      chosen.push(escrow);
      if (chosen.length === RECEIPTS_MAX) break;
    }
    return chosen;
  }

  /** Whether the event wants a receipt of this witness, and has none yet. */
  #isNamed(escrow: KerlEscrow): boolean {
    const state = provisionalState(this.#options.view(), storedEvent(escrow.event));
    return (
      state !== undefined &&
      state.witnesses.includes(this.aid) &&
      !receiptors(escrow, state.witnesses).includes(this.aid)
    );
  }

  /** What was accepted and may be superseded: the rules have judged that this one may. */
  #maySign({ aid, sn, said }: KerlEscrow): boolean {
    const signed = this.#options.journal.signed(aid, sn);
    return signed === undefined || signed === said || this.#options.view().event(signed) !== undefined;
  }

  /** False when it should be tried again later. */
  async #receipt(escrows: readonly KerlEscrow[]): Promise<boolean> {
    const { journal, sign, append, now, metrics, logger } = this.#options;
    journal.record(escrows);
    const signatures = await sign(
      "witness",
      escrows.map(({ event }) => event),
    );
    if (!signatures.ok) return false; // sealed meanwhile
    const stream = concatBytes(
      ...escrows.map((escrow, i) => this.#message(escrow, present(signatures.value[i], "one signature for each"))),
    );
    const outcome = await append(stream, now() + APPEND_MS);
    const refusal = refusalOf(outcome);
    if (refusal === undefined) {
      for (const { said } of escrows) this.#settled.add(said);
      metrics.count("witness_receipts", escrows.length);
      return true;
    }
    logger.debug("Receipts were refused", { code: refusal.code, count: escrows.length });
    if (PASSING.has(refusal.code) || !outcome.ok) return false;
    const [only] = escrows;
    // One of them is at fault: each is sent by itself, and who is refused alone is not sent again.
    if (escrows.length > 1) for (const { said } of escrows) this.#alone.add(said);
    else if (only !== undefined) this.#settled.add(only.said);
    return true;
  }

  #message(escrow: KerlEscrow, sig: Uint8Array): Uint8Array {
    const couple = { receiptor: this.aid, code: "0B", sig };
    return concatBytes(receipt(escrow).event, encodeAttachments({ ...NO_ATTACHMENTS, receiptCouples: [couple] }, 1));
  }

  #forgetGone(waiting: readonly KerlEscrow[]): void {
    const there = new Set(waiting.map(({ said }) => said));
    for (const kept of [this.#settled, this.#alone]) for (const said of kept) if (!there.has(said)) kept.delete(said);
  }

  #later(): void {
    this.#isAgain = false;
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), AGAIN_MS);
    this.#timer.unref();
  }
}

function refusalOf(outcome: Result<CommandOutcome>): { readonly code: string } | undefined {
  if (!outcome.ok) return outcome.refusal;
  return outcome.value.result.kind === "refused" ? outcome.value.result : undefined;
}
