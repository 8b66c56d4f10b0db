/** What a restart must know of the journal: wrong attempts are not forgiven, acknowledgements not asked for twice. */
import type { Aid } from "../../base/brands.ts";
import type { Attempt, CeremonyRecord } from "../../machines/ceremony/ceremony.types.ts";
import { withAttempt } from "../../machines/ceremony/ceremony.rules.ts";

export interface Restored {
  readonly attempts: readonly Attempt[];
  readonly acknowledged: readonly Aid[];
}

export function restore(records: readonly CeremonyRecord[]): Restored {
  let attempts: readonly Attempt[] = [];
  let acknowledged: readonly Aid[] = [];
  for (const record of records) {
    if (record.kind === "rejected") attempts = withAttempt(attempts, { operator: record.operator, at: record.at, code: record.code });
    else if (record.kind === "dealt") acknowledged = [];
    else if (record.kind === "acknowledged" && !acknowledged.includes(record.operator)) acknowledged = [...acknowledged, record.operator];
  }
  return { attempts, acknowledged };
}
