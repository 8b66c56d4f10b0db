/** The Oracle's port over the live read model, the ledger and the projector (DESIGN §5). */
import type { Aid, Height } from "../../base/brands.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { height as heightOf } from "../../base/brands.ts";
import type { Ledger } from "../../projections/ledger/ledger.ts";
import { mayRead } from "../../projections/ledger/policy.ts";
import { EXPLAIN_BOUNDS } from "../../projections/rebac/explain.ts";
import type { Submission } from "../executor/submission.ts";
import type { HeightWaiters } from "../executor/waiting.ts";
import type { ProjectorHost } from "../projector/projector-host.ts";
import type { HistoricalView, OraclePort } from "../services/oracle-port.ts";

export interface OracleParts {
  readonly ledger: Ledger;
  readonly submission: Submission;
  readonly heights: HeightWaiters;
  /** The one that runs: its worker may be restarted. */
  readonly projector: () => ProjectorHost;
  /** Told how long a write took from its arrival to its answer. Units: seconds. */
  readonly onWrite: (seconds: number) => void;
}

/** Identifiers whose right to read is remembered until the next block. */
const READERS_REMEMBERED_MAX = 10_000;

export function oraclePort({ ledger, submission, heights, projector, onWrite }: OracleParts): OraclePort {
  const { graph } = ledger;
  const readers = new Map<Aid, boolean>();
  let readersAt: number = ledger.height;
  const height = (): Height => heightOf(Math.max(0, ledger.height));
  return {
    height,
    waitFor: (wanted, deadlineMs) =>
      wanted <= ledger.height ? Promise.resolve(true) : heights.wait(wanted, deadlineMs - Date.now()),
    mayRead: (aid) => {
      if (readersAt !== ledger.height || readers.size > READERS_REMEMBERED_MAX) {
        readers.clear();
        readersAt = ledger.height;
      }
      const known = readers.get(aid);
      if (known !== undefined) return known;
      const allowed = mayRead(graph, aid);
      readers.set(aid, allowed);
      return allowed;
    },
    check: ({ subject, object }) => graph.check(subject, object),
    explain: (assertion) => graph.explain(assertion, EXPLAIN_BOUNDS),
    readSubjects: (objects, predicate) => graph.readSubjects(objects, predicate),
    readObjects: (subjects, predicate) => graph.readObjects(subjects, predicate),
    expandSubjects: (object, predicate) => graph.expandSubjects(object, predicate),
    expandObjects: (subject, predicate) => graph.expandObjects(subject, predicate),
    at: (wanted) => Promise.resolve(historical(wanted, height(), projector())),
    submitSigned: (signed, deadlineMs) => timed(submission.submitSigned(signed, deadlineMs), onWrite),
    submitFor: (principal, write, deadlineMs) => timed(submission.submitFor(principal, write, deadlineMs), onWrite),
  };
}

async function timed<T>(answer: Promise<T>, told: (seconds: number) => void): Promise<T> {
  const began = performance.now();
  const settled = await answer;
  told((performance.now() - began) / 1000);
  return settled;
}

function historical(wanted: Height, head: Height, projector: ProjectorHost): Result<HistoricalView> {
  if (wanted > head)
    return refuse("HEIGHT_UNKNOWN", `This node is at height ${head}; height ${wanted} is not known here yet.`);
  return ok({
    height: wanted,
    check: (assertions) => projector.checkAt(wanted, assertions),
    explain: (assertion) => projector.explainAt(wanted, assertion),
  });
}
