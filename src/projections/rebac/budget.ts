/**
 * What one command's walks and cascades may visit together, in edges followed and things taken away: the same on all replicas,
 * and counted so that it does not depend on the order of anybody's lists. Source: DESIGN §8.
 */
export const VISITS_MAX = 100_000;

export class Budget {
  #left = VISITS_MAX;

  /** Takes `visits` from the budget; false when there is not enough, and then nothing is left. */
  spend(visits: number): boolean {
    this.#left -= visits;
    if (this.#left >= 0) return true;
    this.#left = -1;
    return false;
  }
}
