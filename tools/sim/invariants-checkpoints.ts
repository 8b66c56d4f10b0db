/**
 * What a checkpoint must be: the state of its height as every member finds it that replays the log to there, to the byte, whoever
 * wrote it, and whoever began with it. A reference root is what the first honest member executed.
 */
import type { Digest } from "../../src/base/brands.ts";
import { decode } from "../../src/base/codec.ts";
import { BODY_BYTES_MAX, type Header, bodyShape } from "../../src/events/facts/block.ts";
import type { CheckpointStatement } from "../../src/events/facts/checkpoint.ts";
import { Violation } from "./violation.ts";

type Written = Pick<CheckpointStatement, "height" | "root" | "segments">;

export class CheckpointInvariants {
  readonly #written = new Map<number, Written>();
  readonly #root: (height: number) => Digest | undefined;
  #adopted = 0;

  /** `root`: what honest members found at a height. */
  constructor(root: (height: number) => Digest | undefined) {
    this.#root = root;
  }

  get written(): number {
    return this.#written.size;
  }

  get adopted(): number {
    return this.#adopted;
  }

  /** An honest member wrote the state of its tables. */
  wrote(name: string, { height, root, segments }: Written): void {
    const reference = this.#root(height);
    if (root !== reference)
      throw new Violation(
        "checkpoints are the state",
        `${name} wrote one of ${height} with root ${root}, not ${reference ?? "known"}`,
      );
    const known = this.#written.get(height);
    if (known === undefined) this.#written.set(height, { height, root, segments });
    else if (known.segments !== segments)
      throw new Violation(
        "checkpoints are the state",
        `${name} wrote other segments of height ${height} than whoever wrote them first`,
      );
  }

  /** An honest member's log goes on from a checkpoint. */
  adoptedBy(name: string, statement: Written): void {
    this.#adopted += 1;
    this.#expectTrue(name, statement, "adopted a checkpoint");
  }

  /** An honest member's tables were filled from segments. */
  filled(name: string, height: number, root: Digest): void {
    const reference = this.#root(height);
    if (root !== reference)
      throw new Violation(
        "checkpoints are the state",
        `${name} began at ${height} with root ${root}, and replay gives ${reference ?? "none"}`,
      );
  }

  #expectTrue(name: string, { height, root, segments }: Written, what: string): void {
    const known = this.#written.get(height);
    if (known === undefined || known.root !== root || known.segments !== segments)
      throw new Violation(
        "checkpoints are the state",
        `${name} ${what} of height ${height} that ${known === undefined ? "no honest member wrote" : "says another state"}`,
      );
  }

  /** Why a block of the log is no checkpoint block that may stand there; undefined when it may, or is none. */
  defect(header: Header, body: Uint8Array, earlier: Ordered, quorum: number): string | undefined {
    if (header.lastCheckpoint !== earlier.block) return "its lastCheckpoint is not the newest checkpoint before it";
    const opened = decode(bodyShape, body, BODY_BYTES_MAX);
    if (!opened.ok || opened.value.kind !== "checkpoint") return undefined;
    const { statement, signatures } = opened.value.checkpoint;
    this.#expectTrue("the log", statement, "orders a checkpoint");
    if (signatures.length < quorum) return "its checkpoint has too few signatures";
    if (statement.height > header.executed.height) return "its checkpoint is above what it says is executed";
    return statement.height > earlier.of ? undefined : "its checkpoint is not above the one before it";
  }
}

/** The newest checkpoint block up to a block, and the height of the state that it proves; 0 for none. */
export interface Ordered {
  readonly block: number;
  readonly of: number;
}

export function orderedAfter(earlier: Ordered, height: number, body: Uint8Array): Ordered {
  const opened = decode(bodyShape, body, BODY_BYTES_MAX);
  if (!opened.ok || opened.value.kind !== "checkpoint") return earlier;
  return { block: height, of: opened.value.checkpoint.statement.height };
}
