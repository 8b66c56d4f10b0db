/** Inceptions of the founding document as facts of key event receipt logs. */
import type { IdentityFact } from "../../events/facts/fact.ts";
import type { KerlFact } from "../../keri/kerl-facts.ts";
import { parseInception } from "../../keri/event.ts";
import { present } from "../../base/errors.ts";

/** In force without signatures of its own: those under the founding document prove it. */
export function factOfInception({ aid, icp }: Omit<IdentityFact, "kind">): KerlFact {
  const event = parseInception(icp);
  const { sn, said } = present(
    event.ok ? event.value : undefined,
    "a founding document's inceptions were judged when it was opened",
  );
  return {
    kind: "keyEventAccepted",
    aid,
    sn,
    said,
    event: icp,
    attached: new Uint8Array(0),
    superseded: [],
    anchor: null,
    signers: [],
  };
}
