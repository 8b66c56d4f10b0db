/** How far a long run is, for a person who watches: one line that changes in place. */

/** Between two looks. Units: ms. */
const EVERY_MS = 200;
/** With its figures it fits 80 columns: a line that is wrapped cannot be written over. */
const BAR_WIDTH = 16;
/** Up one line, and empty it. */
const OVER = "\x1b[1A\x1b[2K";

export class Progress {
  readonly #write: ((line: string) => void) | undefined;
  readonly #total: number;
  readonly #now: () => number;
  readonly #began: number;
  #told: number;
  #isShown = false;

  /** Without `write` it is silent. `total`: heights to come. `now` in ms. */
  constructor(write: ((line: string) => void) | undefined, total: number, now: () => number = () => performance.now()) {
    this.#write = write;
    this.#total = total;
    this.#now = now;
    this.#began = now();
    this.#told = this.#began;
  }

  get seconds(): number {
    return (this.#now() - this.#began) / 1000;
  }

  tell(done: number, commands: number): void {
    if (this.#write === undefined || this.#now() - this.#told < EVERY_MS) return;
    this.#told = this.#now();
    const share = Math.min(1, done / Math.max(1, this.#total));
    const filled = Math.round(share * BAR_WIDTH);
    const bar = `${"█".repeat(filled)}${"░".repeat(BAR_WIDTH - filled)}`;
    const rate = Math.round(commands / Math.max(0.001, this.seconds));
    const percent = `${Math.floor(share * 100)} %`.padStart(5);
    this.#write(
      `${this.#isShown ? OVER : ""}${bar} ${percent}  block ${done} of ${this.#total}, ${commands} transactions, ${rate}/s`,
    );
    this.#isShown = true;
  }
}
