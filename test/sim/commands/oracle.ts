/** The model: which writes were acknowledged, where, and the graph that they give at every height. */

export interface Acknowledged {
  readonly id: string;
  readonly change: "grant" | "revoke";
  readonly edge: number;
  readonly height: number;
  readonly index: number;
  readonly blockHash: string;
  readonly changed: boolean;
}

export interface Checked {
  readonly node: string;
  readonly edge: number;
  readonly height: number;
  readonly result: boolean;
  /** Newest height that any client had been told when this was asked, if the check carried it. */
  readonly atLeast: number;
}

export class Oracle {
  readonly acknowledged = new Map<string, Acknowledged>();
  readonly checks: Checked[] = [];

  /** Newest acknowledged height. */
  get newest(): number {
    return Math.max(0, ...[...this.acknowledged.values()].map(({ height }) => height));
  }

  /** A write was acknowledged, perhaps again. Returns what is wrong. */
  acknowledge(write: Acknowledged): string | undefined {
    const before = this.acknowledged.get(write.id);
    this.acknowledged.set(write.id, before ?? write);
    if (before === undefined) return undefined;
    const place = ({ height, index, blockHash }: Acknowledged): string =>
      `${height}/${index} in ${blockHash.slice(0, 8)}`;
    return place(before) === place(write)
      ? undefined
      : `write ${write.id} was acknowledged at ${place(before)}, and later at ${place(write)}`;
  }

  /** Whether an edge stands once everything up to a height has acted. */
  stands(edge: number, height = Number.POSITIVE_INFINITY): boolean {
    const last = this.#ordered().findLast((write) => write.edge === edge && write.height <= height);
    return last?.change === "grant";
  }

  #ordered(): readonly Acknowledged[] {
    return [...this.acknowledged.values()].sort((a, b) => a.height - b.height || a.index - b.index);
  }

  /** What any answer got wrong, now that every write is acknowledged. */
  disagreement(): string | undefined {
    const standing = new Set<number>();
    for (const { id, change, edge, changed } of this.#ordered()) {
      const changes = standing.has(edge) !== (change === "grant");
      if (changes !== changed) return `write ${id} was told that it changed ${changed ? "something" : "nothing"}`;
      if (change === "grant") standing.add(edge);
      else standing.delete(edge);
    }
    for (const { node, edge, height, result, atLeast } of this.checks) {
      if (height < atLeast) return `${node} answered at ${height} to a check that demanded ${atLeast}`;
      if (result !== this.stands(edge, height)) return `${node} said that edge ${edge} is ${result} at ${height}`;
    }
    return undefined;
  }
}
