/** Chance of the network, taken from a list: what fast-check drew it also shrinks, towards a network that delays nothing. */
import { Random } from "../../../tools/sim/random.ts";

/** Marks by which the network's questions are told apart; they are no probabilities here. */
export const LOSS = 0.5;
export const DUPLICATION = 0.25;
export const CORRUPTION = 0.125;

export class Schedule extends Random {
  readonly #delays: readonly number[];
  #drawn = 0;
  /** How many of the next frames are lost, doubled, damaged. */
  readonly strikes: Record<number, number> = { [LOSS]: 0, [DUPLICATION]: 0, [CORRUPTION]: 0 };

  /** `delays`: of the first frames, one each, in units of the network's jitter; every later frame is prompt. */
  constructor(delays: readonly number[]) {
    super("schedule");
    this.#delays = delays;
  }

  override exponential(mean: number): number {
    const delay = this.#delays[this.#drawn] ?? 0;
    this.#drawn += 1;
    return mean * delay;
  }

  override chance(question: number): boolean {
    const left = this.strikes[question] ?? 0;
    if (left === 0) return false;
    this.strikes[question] = left - 1;
    return true;
  }
}
