/** When a node's word that the cluster refuses the identity is the cluster's. */
import type { SkyError } from "./errors.ts";

/** 1 s: a node that is behind has heard of newer keys by then, and so has whoever shares the identity. */
const GRACE_MS = 1_000;

export const isIdentityRefused = (error: SkyError): boolean => error.code === "IDENTITY_REFUSED";

/** What the attempts of one call met. A liar alone ends none: more than a third of the nodes say it, or whoever can be reached does. */
export class IdentityRefusals {
  readonly #nodes: number;
  readonly #now: () => number;
  readonly #refused = new Set<number>();
  readonly #silent = new Set<number>();
  #generation: unknown;
  #since = 0;
  #last: SkyError | undefined;

  /** `now`: ms. */
  constructor(nodes: number, now: () => number) {
    this.#nodes = nodes;
    this.#now = now;
  }

  /** An attempt under this generation of certificates failed; what was met under another one counts no more. */
  met(generation: unknown, node: number, error: SkyError): void {
    if (generation !== this.#generation) {
      this.#generation = generation;
      this.#refused.clear();
      this.#silent.clear();
    }
    this.#silent.delete(node);
    if (isIdentityRefused(error)) {
      if (this.#refused.size === 0) this.#since = this.#now();
      this.#refused.add(node);
      this.#last = error;
      return;
    }
    this.#refused.delete(node);
    if (error.code === "UNAVAILABLE") this.#silent.add(node);
  }

  get isMet(): boolean {
    return this.#refused.size > 0;
  }

  /** The refusal, once it is the cluster's. */
  get final(): SkyError | undefined {
    const { size } = this.#refused;
    if (size === 0 || this.#now() - this.#since < GRACE_MS) return undefined;
    const isCommon = size > (this.#nodes - 1) / 3 || size + this.#silent.size === this.#nodes;
    return isCommon ? this.#last : undefined;
  }
}
