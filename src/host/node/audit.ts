/** The port of sky.audit.v1 over the notary worker. */
import { type Aid, height as heightOf } from "../../base/brands.ts";
import type { NotaryHost } from "../proofs/notary-host.ts";
import type { AuditPort } from "../services/audit.ts";

export const auditPort = (
  notary: NotaryHost,
  node: { readonly height: () => number; readonly mayAudit: (aid: Aid) => boolean },
): AuditPort => ({
  height: () => heightOf(node.height()),
  mayAudit: node.mayAudit,
  prove: (ask, untilMs) => notary.prove(ask, untilMs),
  blocks: (from, to) => notary.blocks(from, to),
  ends: () => notary.ends(),
});
