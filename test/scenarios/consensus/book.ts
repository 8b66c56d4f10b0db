/** Names for what a consensus script speaks of: blocks, bundles and roots, so that no digest is ever read or written. */
import { type Digest, height, view } from "../../../src/base/brands.ts";
import type { BlockSummary, FinalBlock } from "../../../src/machines/consensus/types.ts";
import { blockOn } from "../../machines/consensus/scenario.ts";
import { GENESIS, GENESIS_ROOT, digest, rootAfter } from "../../machines/consensus/values.ts";
import { ScriptError } from "../script.ts";

const BLOCK =
  /^block (\w+) view (\d+) on (\w+)(?: with (\w+(?: (?!(?:time|height|parent|executed|root|checkpoint)\b)\w+)*))?(?: time (\d+))?(?: height (\d+))?(?: parent view (\d+))?(?: executed (\w+))?(?: root (\w+))?( checkpoint)?$/;

export class Book {
  readonly #blocks = new Map<string, BlockSummary>();
  readonly #names = new Map<Digest, string>([
    [GENESIS.hash, "genesis"],
    [GENESIS_ROOT, "root(genesis)"],
  ]);
  readonly #roots = new Map<string, Digest>([["genesis", GENESIS_ROOT]]);

  /**
   * `block A view 1 on genesis with x y time 5 height 7 parent view 3 executed A root wrong checkpoint`: from `with` on all is optional.
   * `executed A`: it names A as executed, with A's root; `root other`: with that root instead; `checkpoint`: it proves
   * a checkpoint and orders nothing. Returns false for other lines.
   */
  declare(line: string): boolean {
    const found = BLOCK.exec(line);
    if (found === null) return false;
    const [, name = "", at = "", on = "", ...optional] = found;
    if (this.#blocks.has(name)) throw new ScriptError(`${name} is a block already`);
    const block = blockOn(this.parent(on), Number(at), { name, ...this.#fields(this.parent(on), optional) });
    this.#blocks.set(name, block);
    this.#names.set(block.hash, name);
    const before = this.#roots.get(on);
    if (before !== undefined) {
      this.#roots.set(name, rootAfter(before, block.hash));
      this.#names.set(rootAfter(before, block.hash), `root(${name})`);
    }
    return true;
  }

  #fields(parent: BlockSummary | FinalBlock, optional: readonly (string | undefined)[]): Parameters<typeof blockOn>[2] {
    const [bundles, time, high, parentView, executed, root, checkpoint] = optional;
    const names = bundles?.split(" ") ?? [];
    for (const name of names) this.bundle(name);
    return {
      bundles: names,
      ...(time !== undefined && { time: Number(time) }),
      ...(high !== undefined && { height: height(Number(high)) }),
      ...(parentView !== undefined && { parentView: view(Number(parentView)) }),
      ...(checkpoint !== undefined && { checkpoint: height(parent.height + 1) }),
      ...(executed !== undefined && {
        executedHeight: this.parent(executed).height,
        ...(root === undefined && { executedRoot: this.rootOf(executed) }),
      }),
      ...(root !== undefined && { executedRoot: this.root(root) }),
    };
  }

  block(name: string): BlockSummary {
    const block = this.#blocks.get(name);
    if (block === undefined) throw new ScriptError(`no block is named ${name}; the header declares them`);
    return block;
  }

  parent(name: string): BlockSummary | FinalBlock {
    return name === "genesis" ? GENESIS : this.block(name);
  }

  bundle(name: string): Digest {
    const made = digest(name);
    this.#names.set(made, name);
    return made;
  }

  /** The root that honest members have after executing a block. */
  rootOf(block: string): Digest {
    const root = this.#roots.get(block);
    if (root === undefined) throw new ScriptError(`${block} has no root that a script could name`);
    return root;
  }

  /** A root that no honest member has. */
  root(name: string): Digest {
    const made = digest(`root ${name}`);
    this.#names.set(made, `root ${name}`);
    return made;
  }

  blockOf(hash: Digest): BlockSummary | undefined {
    const name = this.#names.get(hash);
    return name === undefined ? undefined : this.#blocks.get(name);
  }

  name(of: Digest): string {
    return this.#names.get(of) ?? of.slice(0, 8);
  }

  get blocks(): readonly BlockSummary[] {
    return [...this.#blocks.values()];
  }
}
