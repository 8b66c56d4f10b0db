import type { Refusal } from "../../base/result.ts";

/** What is read is no CESR, or not all of it is there. */
export interface CesrRefusal extends Refusal<"KERI_MALFORMED"> {
  /** Only where the text ends too early: how many characters it takes at least. */
  readonly missing?: number;
}

export const malformed = (message: string): { readonly ok: false; readonly refusal: CesrRefusal } => ({
  ok: false,
  refusal: { code: "KERI_MALFORMED", message, blame: "peer" },
});

/** The text ends inside what is read; `missing` characters more might make it whole. */
export const short = (what: string, missing: number): { readonly ok: false; readonly refusal: CesrRefusal } => ({
  ok: false,
  refusal: { code: "KERI_MALFORMED", message: `The stream ends inside ${what}.`, blame: "peer", missing },
});
