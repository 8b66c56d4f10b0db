/**
 * By whose act each edge of the graph came that is there now. Bounds: 40 bytes for each edge that ever was there at one time and its act's
 * note, and one entry for each author's key state: what a log's length adds is nothing.
 */
import type { Aid, CommandId, Height, LogTime } from "../../../src/base/brands.ts";
import { fromHex, toHex } from "../../../src/base/bytes.ts";
import { assert, present } from "../../../src/base/errors.ts";
import type { CommandKind, KeyStateRef } from "../../../src/events/facts/command.ts";
import type { GraphFact } from "../../../src/events/facts/fact.ts";
import type { ChainLink } from "../../../src/events/facts/explanation.ts";
import type { LiveGraph } from "../../../src/projections/rebac/live-graph.ts";
import type { Origin } from "./origin.ts";

const ID_BYTES = 16;

/** Who signed: the same for many edges. */
interface Signer {
  readonly author: Aid;
  readonly principal: Aid | null;
  readonly keyState: KeyStateRef;
  readonly kind: CommandKind;
}

/** Origins by edge id, in arrays. */
class Columns {
  #heights = new Float64Array(1024);
  #times = new Float64Array(1024);
  #indexes = new Int32Array(1024);
  /** 0: the founding document; else a signer's number plus one. */
  #signers = new Int32Array(1024);
  #ids = new Uint8Array(1024 * ID_BYTES);
  /** Of those that have one. */
  readonly #notes = new Map<number, string>();

  set(edge: number, origin: Origin, signer: number, id: Uint8Array): void {
    const { height, index, time } = origin;
    const note = origin.by === "command" ? origin.note : null;
    if (note === null) this.#notes.delete(edge);
    else this.#notes.set(edge, note);
    if (edge >= this.#heights.length) this.#grow(Math.max(edge + 1, 2 * this.#heights.length));
    this.#heights[edge] = height;
    this.#times[edge] = time;
    this.#indexes[edge] = index;
    this.#signers[edge] = signer;
    this.#ids.set(id, edge * ID_BYTES);
  }

  at(edge: number): {
    readonly place: Pick<Origin, "height" | "index" | "time">;
    readonly signer: number;
    readonly id: Uint8Array;
    readonly note: string | null;
  } {
    const place = {
      height: present(this.#heights[edge], "an edge that is there has an origin") as Height,
      index: this.#indexes[edge] ?? 0,
      time: (this.#times[edge] ?? 0) as LogTime,
    };
    const id = this.#ids.slice(edge * ID_BYTES, (edge + 1) * ID_BYTES);
    return { place, signer: this.#signers[edge] ?? 0, id, note: this.#notes.get(edge) ?? null };
  }

  #grow(length: number): void {
    const [heights, times, indexes, signers] = [this.#heights, this.#times, this.#indexes, this.#signers];
    const ids = this.#ids;
    this.#heights = new Float64Array(length);
    this.#times = new Float64Array(length);
    this.#indexes = new Int32Array(length);
    this.#signers = new Int32Array(length);
    this.#ids = new Uint8Array(length * ID_BYTES);
    this.#heights.set(heights);
    this.#times.set(times);
    this.#indexes.set(indexes);
    this.#signers.set(signers);
    this.#ids.set(ids);
  }
}

export class EdgeOrigins {
  readonly #graph: LiveGraph;
  readonly #columns = { assertion: new Columns(), subjectMap: new Columns(), objectMap: new Columns() };
  readonly #signers: Signer[] = [];
  readonly #numbers = new Map<string, number>();

  constructor(graph: LiveGraph) {
    this.#graph = graph;
  }

  /** Notes what facts brought, which the graph holds already. */
  note(facts: readonly GraphFact[], origin: Origin): void {
    for (const fact of facts) {
      const link = linkOf(fact);
      const edge = link === undefined ? 0 : this.#graph.edgeId(link);
      if (link === undefined || edge === 0) continue;
      const isSigned = origin.by === "command";
      const id = isSigned ? present(fromHex(origin.command), "an id is hexadecimal") : new Uint8Array(ID_BYTES);
      this.#columns[link.kind].set(edge, origin, isSigned ? this.#numberOf(origin) + 1 : 0, id);
    }
  }

  /** Of an edge that is there. */
  of(link: ChainLink): Origin {
    const edge = this.#graph.edgeId(link);
    assert(edge !== 0, "origins are asked for of edges that are there");
    const { place, signer, id, note } = this.#columns[link.kind].at(edge);
    if (signer === 0) return { by: "founding", ...place };
    const by = present(this.#signers[signer - 1], "a signer has a number");
    return { by: "command", ...place, ...by, command: toHex(id) as CommandId, note };
  }

  #numberOf({ author, principal, keyState, kind }: Signer): number {
    const name = JSON.stringify([author, principal, keyState.sn, keyState.said, kind]);
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.#signers.push({ author, principal, keyState, kind });
    this.#numbers.set(name, this.#signers.length - 1);
    return this.#signers.length - 1;
  }
}

function linkOf(fact: GraphFact): ChainLink | undefined {
  switch (fact.kind) {
    case "assertionAdded":
      return { kind: "assertion", assertion: fact.assertion };
    case "subjectMapped":
      return { kind: "subjectMap", edge: fact.edge };
    case "objectMapped":
      return { kind: "objectMap", edge: fact.edge };
    default:
      return undefined;
  }
}
