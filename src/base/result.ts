/** Whom a refusal blames: nobody, the client that asked, or the peer that sent. */
export type Blame = "none" | "client" | "peer";

/** An expected "no" (DESIGN §7): data, never thrown. `message` is a sentence that says what to do. */
export interface Refusal<Code extends string = string> {
  readonly code: Code;
  readonly message: string;
  readonly blame: Blame;
}

export type Ok<T> = { readonly ok: true; readonly value: T };
export type No<R extends Refusal = Refusal> = { readonly ok: false; readonly refusal: R };
export type Result<T, R extends Refusal = Refusal> = Ok<T> | No<R>;

export const ok = <T>(value: T): Ok<T> => ({ ok: true, value });

export const refuse = <Code extends string>(
  code: Code,
  message: string,
  blame: Blame = "client",
): No<Refusal<Code>> => ({ ok: false, refusal: { code, message, blame } });
