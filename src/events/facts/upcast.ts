/**
 * Versions of a type's bytes (docs/adr/0023). Whoever reads gets the newest version's value, whatever version the bytes are of; the bytes
 * themselves are never written again, so what was hashed and signed stays as it is.
 *
 *     versions("write", firstShape).next(secondShape, { up, down }).shape
 *
 * On the wire the first version is as it always was; from the second on a value is [version, value of that version's shape].
 */
import { type Shape, ShapeError } from "../../base/codec.ts";

/** From one version to the next, and back where the earlier one can say the same. */
export interface Step<Earlier, Later> {
  /** What an earlier value means in the later version. Total, and changes nothing of its meaning. */
  readonly up: (earlier: Earlier) => Later;
  /**
   * The earlier version's value that means the same; undefined where it cannot be said there. Such values alone are written in the later
   * version: one value has one encoding, and what old software understands is still written so that it does.
   */
  readonly down: (later: Later) => Earlier | undefined;
}

export class Versions<Newest> {
  readonly shape: Shape<Newest>;
  readonly #name: string;
  readonly #count: number;

  constructor(name: string, count: number, shape: Shape<Newest>) {
    this.#name = name;
    this.#count = count;
    this.shape = shape;
  }

  /** Adds the next version, by its own shape and the step from the one before. */
  next<Later>(shape: Shape<Later>, { up, down }: Step<Newest, Later>): Versions<Later> {
    const version = this.#count + 1;
    const name = this.#name;
    const before = this.shape;
    const read = (wire: unknown): Later => {
      if (!isOfVersion(wire, version)) return up(before.read(wire));
      const value = shape.read(wire[1]);
      if (down(value) !== undefined)
        throw new ShapeError(`a ${name} of version ${version} that an earlier version says`);
      return value;
    };
    return new Versions(name, version, {
      read,
      write: (value) => {
        const earlier = down(value);
        return earlier === undefined ? [version, shape.write(value)] : before.write(earlier);
      },
      values: Math.max(before.values, 2 + shape.values),
    });
  }
}

/** The first version of a type: any but one whose first field is an integer, which could not be told from a version's number. */
export const versions = <First>(name: string, shape: Shape<First>): Versions<First> => new Versions(name, 1, shape);

const isOfVersion = (wire: unknown, version: number): wire is readonly [number, unknown] =>
  Array.isArray(wire) && wire.length === 2 && wire[0] === version;
