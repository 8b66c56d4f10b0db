/** Why bytes are not what they should be; `path` says where, from the outermost value inwards. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
  readonly #what: string;
  #path = "";

  constructor(what: string) {
    super(what);
    this.#what = what;
  }

  /** The same error, seen from the value around it. */
  within(step: string): this {
    this.#path = step + this.#path;
    this.message = `$${this.#path}: ${this.#what}`;
    return this;
  }
}
