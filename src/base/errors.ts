/** An assertion failed: our own code is wrong (DESIGN §7, defect). The worker that throws it stops. */
export class Defect extends Error {
  override readonly name = "Defect";
}

/** The environment failed: disk, network, operating system (DESIGN §7, fault). */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: string;
  readonly retryable: boolean;
  constructor(code: string, message: string, options: { readonly retryable?: boolean; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** States an invariant. Throws: Defect. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Defect(message);
}

/** Returns the value, or stops: it can only be absent if our own code is wrong. Throws: Defect. */
export function present<T>(value: T | undefined | null, message: string): T {
  if (value === undefined || value === null) throw new Defect(message);
  return value;
}

/** Closes an exhaustive switch; the compiler refuses a call that can be reached. */
export function unreachable(value: never): never {
  throw new Defect(`unreachable: ${String(value)}`);
}
