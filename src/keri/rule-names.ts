/**
 * The rules of the key state, each with the section of the ToIP KERI specification that it stands in. A message that breaks one is
 * refused as KERI_RULE with the rule's name; names are stable, sentences say what to do.
 */
import type { No } from "../base/result.ts";
import type { KerlRefusal } from "./kerl.ts";

export const RULES = {
  "prior-digest": {
    section: "SAID fields: prior, p",
    sentence:
      "The prior digest p is not that of the event in force one sequence number before; build on the log as it is.",
  },
  abandoned: {
    section: "Next key digest list field",
    sentence: "The identifier committed to no next key: no event may follow in its log.",
  },
  "establishment-only": {
    section: "Configuration traits field: EO",
    sentence: "The identifier allows establishment events only (trait EO); anchor in a rotation instead.",
  },
  "do-not-delegate": {
    section: "Configuration traits field: DND",
    sentence: "The delegator forbids delegation (trait DND).",
  },
  "trait-inception-only": {
    section: "Configuration traits field",
    sentence: "Traits EO, DND and NRB stand in inceptions only.",
  },
  "no-registrar-backers": {
    section: "Configuration traits field: NRB",
    sentence: "The identifier forbids registrar backers (trait NRB), and the rotation asks for them.",
  },
  "delegated-rotation": {
    section: "Delegated rotation event",
    sentence: "A delegated identifier rotates by drt, and no other does.",
  },
  "backers-removed": {
    section: "Backer remove list",
    sentence: "A witness to be removed (br) is none of the present ones.",
  },
  "backers-added": {
    section: "Backer add list",
    sentence: "A witness to be added (ba) is one already, or is removed by the same event.",
  },
  "backer-threshold": {
    section: "Backer threshold field",
    sentence: "Threshold bt is not within 1 and the number of witnesses (0 when there are none).",
  },
  "key-threshold": {
    section: "Key and key digest threshold fields",
    sentence: "Threshold kt speaks of more keys than there are.",
  },
  "first-seen": {
    section: "First Seen Policy",
    sentence: "Another event is in force at this sequence number, and this one may not supersede it.",
  },
  "receipt-identifier": {
    section: "Receipt messages",
    sentence: "The receipt names an event of another identifier.",
  },
  "receipt-empty": {
    section: "Receipt messages",
    sentence: "Nothing that could be a receipt is attached; attach signatures of witnesses, of keys or of identifiers.",
  },
  "signatures-attached": {
    section: "Indexed signatures",
    sentence: "More signatures are attached than the keys at hand could have made.",
  },
  bada: {
    section: "BADA (Best-Available-Data-Acceptance) policy",
    sentence: "A newer reply for the same subject is kept; date and sign anew.",
  },
} as const satisfies Readonly<Record<string, { readonly section: string; readonly sentence: string }>>;

export type RuleName = keyof typeof RULES;

export const broken = (rule: RuleName): No<KerlRefusal> => ({
  ok: false,
  refusal: { code: "KERI_RULE", message: RULES[rule].sentence, blame: "peer", rule },
});

export const badSignature = (message: string): No<KerlRefusal> => ({
  ok: false,
  refusal: { code: "KERI_BAD_SIGNATURE", message, blame: "peer" },
});
