/**
 * Every certificate that a member adopted is on its disk before it says anything that may rest on it, and is found there by its next
 * life: consensus.md, "Durable before sending". What is settled by a final block needs none.
 */
import type { CertificateKind } from "../../src/events/facts/block.ts";
import type { LogBatch } from "../../src/events/store/log-batch.ts";
import { Violation } from "./violation.ts";

interface Held {
  /** Adopted in this life, and on no disk yet: view by name. */
  readonly pending: Map<string, number>;
  /** On the disk: view by name. */
  readonly durable: Map<string, number>;
}

const nameOf = (kind: string, view: number): string => `${kind} of view ${view}`;

export class DurableCertificates {
  /** By the identity of whatever stands for one disk. */
  readonly #held = new WeakMap<object, Held>();

  #of(disk: object): Held {
    let held = this.#held.get(disk);
    if (held === undefined) {
      held = { pending: new Map(), durable: new Map() };
      this.#held.set(disk, held);
    }
    return held;
  }

  adopted(disk: object, kind: CertificateKind, view: number): void {
    this.#of(disk).pending.set(nameOf(kind, view), view);
  }

  written(disk: object, { journal, append, pruneBelow }: LogBatch): void {
    const { pending, durable } = this.#of(disk);
    if (pruneBelow !== undefined)
      for (const held of [pending, durable])
        for (const [name, view] of held) if (view < pruneBelow.view) held.delete(name);
    const land = (name: string, view: number): void => {
      pending.delete(name);
      durable.set(name, view);
    };
    for (const { kind, key, view, epoch } of journal ?? [])
      if (kind === "certificate" && epoch === 0) land(nameOf(key, view), view);
    const proof = append?.events.at(-1)?.proof;
    if (proof?.kind === "finalization") {
      const { kind, view } = proof.certificate;
      land(nameOf(kind, view), view);
    }
  }

  /** It says something. `settled`: the view of the last final block on its disk. */
  speaks(name: string, disk: object, settled: () => number): void {
    const { pending } = this.#of(disk);
    if (pending.size === 0) return;
    const final = settled();
    for (const [certificate, view] of pending)
      if (view > final)
        throw new Violation("certificates are durable", `${name} goes on from a ${certificate} that no disk holds`);
    pending.clear();
  }

  starts(disk: object): void {
    this.#of(disk).pending.clear();
  }

  /** A life begins with these. */
  booted(
    name: string,
    disk: object,
    final: number,
    loaded: readonly { readonly kind: CertificateKind; readonly view: number }[],
  ): void {
    const { durable } = this.#of(disk);
    const here = new Set(loaded.map(({ kind, view }) => nameOf(kind, view)));
    for (const [certificate, view] of durable)
      if (view > final && !here.has(certificate))
        throw new Violation(
          "certificates are durable",
          `${name} starts without the ${certificate} that it had adopted`,
        );
  }
}
