/** The port of sky.kerl.v1 over the live logs, the ledger and the projection database. */
import type { Aid, Digest, Height } from "../../base/brands.ts";
import { digestOf } from "../../base/bytes.ts";
import { type Result, ok } from "../../base/result.ts";
import { questionChecks } from "../../keri/check-budget.ts";
import { judgeMessage } from "../../keri/rules.ts";
import { standingOf } from "../../projections/kerl/standing.ts";
import type { Ledger } from "../../projections/ledger/ledger.ts";
import { hasRole, mayRead } from "../../projections/ledger/policy.ts";
import type { SqlDatabase } from "../../projections/rebac/sql-database.ts";
import { blobOf } from "../../projections/rebac/table-rows.ts";
import type { Submission } from "../executor/submission.ts";
import type { HeightWaiters } from "../executor/waiting.ts";
import { endpointsOf } from "../services/kerl-endpoints.ts";
import type { KerlPort, WitnessOf } from "../services/kerl-port.ts";
import type { KerlQueries } from "../services/kerl-queries.ts";

export interface KerlPortParts {
  readonly ledger: Ledger;
  readonly queries: KerlQueries;
  readonly submission: Pick<Submission, "submitSigned">;
  readonly heights: HeightWaiters;
  /** Hashes of blocks that were executed last: the database may not hold them yet. */
  readonly recentHash: (height: Height) => Digest | undefined;
  /** The projection database, for queries. */
  readonly db: SqlDatabase;
  readonly members: readonly Aid[];
  readonly proveKeyState: KerlPort["proveKeyState"];
}

/** The role by which nodes name the identifier that they witness as. */
export const WITNESS_ROLE = "witness";

export function kerlPort(parts: KerlPortParts): KerlPort {
  const { ledger, queries, submission, heights } = parts;
  const hashes = parts.db.prepare("SELECT hash FROM ledger_blocks WHERE height = ?");
  return {
    queries,
    waitFor: (wanted, deadlineMs) =>
      wanted <= ledger.height ? Promise.resolve(true) : heights.wait(wanted, deadlineMs - Date.now()),
    mayRead: (aid) => mayRead(ledger.graph, aid) || hasRole(ledger.graph, aid, "audit"),
    blockHash: async (height) => {
      const recent = parts.recentHash(height);
      if (recent !== undefined) return ok(recent);
      const row = hashes.get(height);
      return ok(row === undefined ? undefined : digestOf(blobOf(row, "hash")));
    },
    proveKeyState: parts.proveKeyState,
    submitSigned: (signed, deadlineMs) => submission.submitSigned(signed, deadlineMs),
    standing: (body, changed) => standingOf(ledger.kerl.view, body, changed),
    judge: (message) => {
      const judged = judgeMessage(ledger.kerl.view, message, {
        height: queries.height() + 1,
        checks: questionChecks(),
      });
      return judged.ok ? ok(judged.value.verdict) : judged;
    },
    view: () => ledger.kerl.view,
    keyState: (aid, sn) => (sn === undefined ? ledger.kerl.keyState(aid) : ledger.kerl.view.keyStateAt(aid, sn)),
    witnesses: () => witnessesOf(queries, parts.members),
  };
}

async function witnessesOf(queries: KerlQueries, members: readonly Aid[]): Promise<Result<readonly WitnessOf[]>> {
  const found: WitnessOf[] = [];
  for (const node of members) {
    const endpoints = await endpointsOf(queries, node, queries.height(), WITNESS_ROLE);
    if (!endpoints.ok) return endpoints;
    for (const { endpoint, locations } of endpoints.value)
      found.push({ node, aid: endpoint, urls: locations.map(({ url }) => url) });
  }
  return ok(found);
}
