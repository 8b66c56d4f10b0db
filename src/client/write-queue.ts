/** Groups commands that are signed together and sends each group until its outcome is known. */
import { type Command, COMMANDS_PER_SIGNED_MAX } from "../events/facts/command.ts";
import type { CommandOutcome } from "../wire/outcome.ts";
import { SkyError } from "./errors.ts";

/** 512 KiB of payloads: half of what a signed batch may have, the rest is room for framing and for one more payload. */
const GROUP_BYTES = 512 * 1024;
/** Groups in flight: enough to fill a few blocks; while they fly, new commands gather into larger groups. */
const GROUPS_IN_FLIGHT_MAX = 16;
const QUEUED_MAX = 20_000;

interface Waiting {
  readonly command: Command;
  readonly deadlineMs: number;
  readonly resolve: (outcome: CommandOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** Signs and delivers a batch, again until the deadline. Throws: SkyError. */
export type Deliver = (commands: readonly Command[], deadlineMs: number) => Promise<readonly CommandOutcome[]>;

/** Bounds: 20,000 commands waiting; 16 groups of at most 1,000 commands in flight. */
export class WriteQueue {
  readonly #deliver: Deliver;
  #waiting: Waiting[] = [];
  #inFlight = 0;
  #scheduled = false;

  constructor(deliver: Deliver) {
    this.#deliver = deliver;
  }

  /** Throws: SkyError; OVERLOADED beyond the bound. */
  submit(command: Command, deadlineMs: number): Promise<CommandOutcome> {
    if (this.#waiting.length >= QUEUED_MAX)
      return Promise.reject(new SkyError("OVERLOADED", `${QUEUED_MAX} writes wait to be sent; wait for some of them.`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ command, deadlineMs, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      // After the caller's own turn: what it writes together is signed together.
      void Promise.resolve().then(() => {
        this.#scheduled = false;
        this.#flush();
      });
    });
  }

  #flush(): void {
    while (this.#waiting.length > 0 && this.#inFlight < GROUPS_IN_FLIGHT_MAX) {
      this.#inFlight += 1;
      void this.#send(this.#takeGroup()).finally(() => {
        this.#inFlight -= 1;
        this.#flush();
      });
    }
  }

  #takeGroup(): readonly Waiting[] {
    let bytes = 0;
    let size = 0;
    for (const { command } of this.#waiting) {
      bytes += command.payload.length;
      if (size > 0 && bytes > GROUP_BYTES) break;
      size += 1;
      if (size === COMMANDS_PER_SIGNED_MAX) break;
    }
    const group = this.#waiting.slice(0, size);
    this.#waiting = this.#waiting.slice(size);
    return group;
  }

  /** Never rejects: each command's own promise does. */
  async #send(group: readonly Waiting[]): Promise<void> {
    try {
      const commands = group.map(({ command }) => command);
      const deadlineMs = Math.min(...group.map((waiting) => waiting.deadlineMs));
      const outcomes = new Map((await this.#deliver(commands, deadlineMs)).map((outcome) => [outcome.id, outcome]));
      for (const { command, resolve, reject } of group) {
        const outcome = outcomes.get(command.id);
        if (outcome !== undefined) resolve(outcome);
        else
          reject(
            new SkyError(
              "MALFORMED",
              "The node's answer leaves out a command; its outcome is unknown, write again with the same id.",
              { retryable: true },
            ),
          );
      }
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}
