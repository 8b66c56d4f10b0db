import { refuse } from "../base/result.ts";

/** The refusal of what is not written as KERI and CESR write it. */
export const malformed = (message: string) => refuse("KERI_MALFORMED", message, "peer");
