/** What one peer may cost: an allowance for each member that fills up again with time. */
import type { MemberIndex } from "../../base/brands.ts";

export interface AllowanceOptions {
  /** What is there at first and at most. */
  readonly burst: number;
  readonly perSecond: number;
}

/** Frames that do not hold: honest members send none. Beyond it nothing of the peer's is read until it has been quiet. Units: frames. */
export const FAULTS: AllowanceOptions = { burst: 500, perSecond: 100 };

interface Purse {
  left: number;
  /** Units: ms since 1970. */
  at: number;
}

/** Spent before the work is done or right after it: the last piece may overdraw, the next waits until it is paid for. */
export class Allowance {
  readonly #options: AllowanceOptions;
  readonly #purses = new Map<MemberIndex, Purse>();

  constructor(options: AllowanceOptions) {
    this.#options = options;
  }

  /** Whether anything is left for this member. */
  has(member: MemberIndex, now: number): boolean {
    return this.#purse(member, now).left > 0;
  }

  spend(member: MemberIndex, amount: number, now: number): void {
    this.#purse(member, now).left -= amount;
  }

  #purse(member: MemberIndex, now: number): Purse {
    const { burst, perSecond } = this.#options;
    let purse = this.#purses.get(member);
    if (purse === undefined) {
      purse = { left: burst, at: now };
      this.#purses.set(member, purse);
    }
    // A clock that was set back gives nothing, and takes nothing.
    purse.left = Math.min(burst, purse.left + (Math.max(0, now - purse.at) / 1000) * perSecond);
    purse.at = now;
    return purse;
  }
}
