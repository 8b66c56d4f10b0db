/** Questions about key event receipt logs over the live logs, the ledger and the projector (DESIGN §5). */
import type { Aid, Height } from "../../base/brands.ts";
import { height as heightOf } from "../../base/brands.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { present } from "../../base/errors.ts";
import type { KerlAnswer, KerlQuestion } from "../../actors/projector/projector.ts";
import type { ExecutedBlock, Ledger } from "../../projections/ledger/ledger.ts";
import { HeightWaiters } from "../executor/waiting.ts";
import type { ProjectorHost } from "../projector/projector-host.ts";
import type { KerlQueries } from "../services/kerl-queries.ts";

export interface KerlParts {
  readonly ledger: Ledger;
  /** The one that runs: its worker may be restarted. */
  readonly projector: () => Pick<ProjectorHost, "askKerl" | "hurry">;
  /** Last height that it holds. */
  readonly projected: () => number;
}

/** The projector is mostly a few blocks behind; when it is busy somebody waits as long as this. Units: ms. */
const CATCH_UP_MS = 2000;
/** Watchers at once. */
const WATCHERS_MAX = 10_000;

type AnswerOf<K extends KerlAnswer["kind"]> = Extract<KerlAnswer, { readonly kind: K }>;

export class NodeKerl implements KerlQueries {
  readonly #parts: KerlParts;
  readonly #projected = new HeightWaiters();
  readonly #watchers = new Map<Aid | null, Set<(height: Height) => void>>();
  #watching = 0;

  constructor(parts: KerlParts) {
    this.#parts = parts;
  }

  /** A block was executed. */
  executed({ height, identifiers }: Pick<ExecutedBlock, "height" | "identifiers">): void {
    if (identifiers.size === 0 || this.#watching === 0) return;
    for (const aid of [null, ...identifiers]) for (const changed of this.#watchers.get(aid) ?? []) changed(height);
  }

  /** The projector holds everything up to this height. */
  projected(height: Height): void {
    this.#projected.reached(height);
  }

  stop(): void {
    this.#projected.stop();
    this.#watchers.clear();
  }

  height(): Height {
    return heightOf(Math.max(0, this.#parts.ledger.height));
  }

  keyState(aid: Aid) {
    return this.#parts.ledger.kerl.keyState(aid);
  }

  count(): number {
    return this.#parts.ledger.kerl.size;
  }

  escrows(aid: Aid) {
    return this.#parts.ledger.kerl.view.escrowsOf(aid);
  }

  partiallyWitnessed() {
    return [...this.#parts.ledger.kerl.view.escrows()]
      .filter(({ reason }) => reason === "partially-witnessed")
      .sort((a, b) => a.order - b.order);
  }

  /** Bounds: WATCHERS_MAX; one more is never called. */
  watch(aid: Aid | null, changed: (height: Height) => void): () => void {
    if (this.#watching >= WATCHERS_MAX) return () => {};
    const watchers = this.#watchers.get(aid) ?? new Set();
    this.#watchers.set(aid, watchers.add(changed));
    this.#watching += 1;
    return () => {
      if (!watchers.delete(changed)) return;
      this.#watching -= 1;
      if (watchers.size === 0 && this.#watchers.get(aid) === watchers) this.#watchers.delete(aid);
    };
  }

  async keyStateAt(aid: Aid, height: Height, sn?: number) {
    const answer = await this.#ask("keyState", { kind: "keyState", aid, height, sn: sn ?? null });
    return answer.ok ? ok(answer.value.state ?? undefined) : answer;
  }

  log(aid: Aid, height: Height, after = 0) {
    return this.#ask("log", { kind: "log", aid, height, after });
  }

  export(aid: Aid, height: Height, after = 0) {
    return this.#ask("export", { kind: "export", aid, height, after });
  }

  async receipts(aid: Aid, height: Height, sn: number) {
    const answer = await this.#ask("receipts", { kind: "receipts", aid, height, sn });
    return answer.ok ? ok(answer.value.receipts) : answer;
  }

  async roles(aid: Aid, height: Height) {
    const answer = await this.#ask("roles", { kind: "roles", aid, height });
    return answer.ok ? ok(answer.value.replies) : answer;
  }

  async locations(aid: Aid, height: Height) {
    const answer = await this.#ask("locations", { kind: "locations", aid, height });
    return answer.ok ? ok(answer.value.replies) : answer;
  }

  async forks(aid: Aid, height: Height) {
    const answer = await this.#ask("forks", { kind: "forks", aid, height });
    return answer.ok ? ok(answer.value.forks) : answer;
  }

  async event(aid: Aid, height: Height, sn: number) {
    const answer = await this.#ask("event", { kind: "event", aid, height, sn });
    return answer.ok ? ok(answer.value.event ?? undefined) : answer;
  }

  async changes(aid: Aid, after: Height | -1, height: Height, skip = 0) {
    const answer = await this.#ask("changes", { kind: "changes", aid, height, after, skip });
    return answer.ok ? ok(answer.value.changes) : answer;
  }

  async #ask<K extends KerlAnswer["kind"]>(kind: K, question: KerlQuestion): Promise<Result<AnswerOf<K>>> {
    const { ledger, projector, projected } = this.#parts;
    const { height } = question;
    if (height > ledger.height)
      return refuse(
        "HEIGHT_UNKNOWN",
        `This node is at height ${this.height()}; height ${height} is not known here yet.`,
      );
    if (height > projected()) projector().hurry();
    if (height > projected() && !(await this.#projected.wait(height, CATCH_UP_MS)))
      return refuse("HISTORY_LAGGING", `History is known up to height ${projected()}; ask again in a moment.`, "none");
    const answer = await projector().askKerl(question);
    if (!answer.ok) return answer;
    const { value } = answer;
    const isAnswer = (given: KerlAnswer): given is AnswerOf<K> => given.kind === kind;
    return ok(present(isAnswer(value) ? value : undefined, "an answer is of its question's kind"));
  }
}
