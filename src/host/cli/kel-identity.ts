/**
 * Whose key event log `sky kel …` works on: a client's folder, an operator's file, or a folder of its own; and where its events go.
 *
 * A folder of its own belongs to no cluster: what is made there holds at once, and `sky kel export` hands it on. Identities of a cluster
 * keep an event pending until the cluster has it (`--submit`): their keys change when the cluster says so.
 */
import { readFileSync } from "node:fs";
import { type Result, ok, refuse } from "../../base/result.ts";
import type { IdentityStore, KeptIdentity } from "../../client/identity.ts";
import { SkyError } from "../../client/errors.ts";
import { type Changed, SkyClient } from "../../client/sky-client.ts";
import { FOUNDING_BYTES_MAX } from "../../events/facts/founding.ts";
import { type Controller, type ControllerRefusal, keyStateOf, promoted } from "../../keri/controller.ts";
import type { KeyState } from "../../keri/key-state.ts";
import { writeThreshold } from "../../keri/threshold.ts";
import { ClientFolderStore, anchorsPem, clientFiles } from "../founding/client-folder.ts";
import { openFounding } from "../founding/document.ts";
import { readPublic, writeAtomic } from "../founding/files.ts";
import { OperatorFile } from "../founding/operator-file.ts";
import { identityIn } from "./identity-folder.ts";
import type { Where } from "./kel-cluster.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure, reportRefusal } from "./io.ts";
import { random } from "./operator-command.ts";
import { readAnchors, serviceEndpoints } from "./oracle.ts";
import { readPassphrase } from "./passphrase.ts";

/** Options that every command of `sky kel` on an identity has. */
export interface KelOptions {
  readonly json?: boolean;
  /** Folder of a client, or one of its own. */
  readonly client?: string;
  readonly dir?: string;
  /** An operator's file; with it the founding document, and where the passphrase is. */
  readonly operator?: string;
  readonly founding?: string;
  readonly passphraseFile?: string;
  /** Hand the event to the cluster, and wait until it is in force. */
  readonly submit?: boolean;
  /** Directory of `sky dev`, which knows the nodes. */
  readonly cluster?: string;
  readonly node?: readonly string[];
  /** Units: ms. */
  readonly timeout?: number;
}

export interface KelDesk {
  readonly store: IdentityStore;
  /** Copies the file as it is now, private as it is, to a name that says why. Returns where. */
  readonly keepCopy: (why: string) => string;
  /** Where its cluster is. Throws: Fault for files that cannot be read. */
  readonly where: () => Where;
  readonly close: () => void;
}

/** Refuses: options that name no identity or several, and what the files do not hold. */
export async function openKelDesk(options: KelOptions, io: CliIo): Promise<Result<KelDesk>> {
  const { client, dir, operator } = options;
  const named = [client, dir, operator].filter((one) => one !== undefined);
  if (named.length !== 1)
    return refuse("IDENTITY_MISSING", "Name one identity: --client FOLDER, --operator FILE or --dir FOLDER.");
  if (operator !== undefined) return openOperator(operator, options, io);
  const folder = client ?? dir ?? "";
  const kept = identityIn(folder);
  if (!kept.ok) return kept;
  if (isOnline(options)) {
    if (options.node === undefined && options.cluster === undefined)
      return refuse("NODES_MISSING", "Say where the nodes are: --node HOST:PORT, or --cluster DIRECTORY of sky dev.");
    if (kept.value.cluster === null)
      return refuse(
        "CLUSTER_MISSING",
        `${folder} belongs to no cluster. Another identity hands its events to one: sky kel export --dir ${folder} --out FILE, then sky kel append FILE --client FOLDER.`,
      );
  }
  const store = new ClientFolderStore(folder);
  const where = (): Where => ({ store, endpoints: endpointsOf(options), ca: readAnchors(folder) });
  return ok({ store, where, keepCopy: copier(clientFiles(folder).identity), close: () => {} });
}

async function openOperator(path: string, options: KelOptions, io: CliIo): Promise<Result<KelDesk>> {
  const { founding: document, passphraseFile } = options;
  if (document === undefined)
    return refuse("FOUNDING_MISSING", "An operator belongs to a cluster; name its founding document with --founding.");
  const content = readPublic(document, 2 * FOUNDING_BYTES_MAX);
  const founding = content.ok ? openFounding(content.value) : content;
  if (!founding.ok) return founding;
  const passphrase = await readPassphrase(io, `Passphrase of ${path}`, passphraseFile);
  if (!passphrase.ok) return passphrase;
  const file = OperatorFile.open(path, passphrase.value, random);
  passphrase.value.fill(0);
  if (!file.ok) return file;
  const store = file.value.identity(founding.value.cluster);
  const nodes = founding.value.document.founders.map(({ endpoints }) => endpoints.service);
  const ca = Buffer.from(anchorsPem(founding.value.document));
  const where = (): Where => ({ store, endpoints: options.node ?? nodes, ca });
  return ok({ store, where, keepCopy: copier(path), close: () => file.value.close() });
}

const copier =
  (path: string) =>
  (why: string): string => {
    const copy = `${path}.${why}`;
    writeAtomic(copy, readFileSync(path));
    return copy;
  };

/** Throws: Fault CLUSTER_FILE. */
const endpointsOf = ({ node, cluster = "." }: KelOptions): readonly string[] => node ?? serviceEndpoints(cluster);

/** Whether the command is to ask the cluster. */
export const isOnline = ({ submit, cluster, node }: KelOptions): boolean =>
  submit === true || cluster !== undefined || node !== undefined;

/** An event made: with the cluster until it is in force; without, at once for folders of their own, and else pending. Throws: SkyError, Fault. */
export async function make(
  desk: KelDesk,
  options: KelOptions,
  prepare: (kept: KeptIdentity) => Result<Controller, ControllerRefusal>,
): Promise<KeptIdentity> {
  if (isOnline(options)) {
    const timing = options.timeout === undefined ? {} : { timeoutMs: options.timeout };
    return (await online(desk, (client): Promise<Changed> => client.change(prepare, timing))).kept;
  }
  return desk.store.update((kept) => {
    const prepared = prepare(kept);
    if (!prepared.ok) throw new SkyError(prepared.refusal.code, prepared.refusal.message, { retryable: false });
    return kept.cluster === null ? promoted(prepared.value) : prepared.value;
  });
}

export async function online<T>(desk: KelDesk, work: (client: SkyClient) => Promise<T>): Promise<T> {
  const { store, endpoints, ca } = desk.where();
  const client = await SkyClient.open({ endpoints, ca, identity: store });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

const UNANSWERED: ReadonlySet<string> = new Set([
  "UNAVAILABLE",
  "DEADLINE_EXCEEDED",
  "OUTCOME_UNKNOWN",
  "NOT_IN_FORCE",
]);

/** How a command ends that such an error ended. */
export const exitOf = ({ code }: SkyError): ExitCode => (UNANSWERED.has(code) ? EXIT.unavailable : EXIT.refused);

const USAGE: ReadonlySet<string> = new Set([
  "IDENTITY_MISSING",
  "FOUNDING_MISSING",
  "NODES_MISSING",
  "CLUSTER_MISSING",
]);

/** Opens the identity, does the work, closes; tells of refusals. */
export async function withDesk(
  options: KelOptions,
  io: CliIo,
  work: (desk: KelDesk) => Promise<ExitCode>,
): Promise<ExitCode> {
  const json = options.json === true;
  const desk = await openKelDesk(options, io);
  if (!desk.ok) {
    reportRefusal(io, desk.refusal, json);
    return USAGE.has(desk.refusal.code) ? EXIT.usage : EXIT.refused;
  }
  try {
    return await work(desk.value);
  } catch (error) {
    if (!(error instanceof SkyError)) throw error;
    reportFailure(io, error.code, error.message, json);
    return exitOf(error);
  } finally {
    desk.value.close();
  }
}

/** A key state as it is printed. */
export interface StateReport {
  readonly aid: string;
  readonly sn: number;
  readonly type: string;
  readonly said: string;
  /** Establishment event whose keys are in force. */
  readonly establishment: { readonly sn: number; readonly said: string };
  readonly keys: readonly string[];
  readonly threshold: unknown;
  readonly nextDigests: readonly string[];
  readonly nextThreshold: unknown;
  readonly witnesses: readonly string[];
  readonly witnessThreshold: number;
  readonly traits: readonly string[];
  readonly delegator: string | null;
}

export const reportOf = (state: KeyState): StateReport => ({
  aid: state.aid,
  sn: state.latest.sn,
  type: state.latest.type,
  said: state.latest.said,
  establishment: { sn: state.sn, said: state.said },
  keys: state.keyTexts,
  threshold: writeThreshold(state.threshold),
  nextDigests: state.nextDigests,
  nextThreshold: writeThreshold(state.nextThreshold),
  witnesses: state.witnesses,
  witnessThreshold: state.witnessThreshold,
  traits: state.traits,
  delegator: state.delegator,
});

export function printState(report: StateReport, io: CliIo): void {
  io.out(`${report.aid} at ${report.sn} (${report.type}) ${report.said}`);
  io.out(
    `  keys ${report.keys.join(" ")}, threshold ${JSON.stringify(report.threshold)}, set by event ${report.establishment.sn}`,
  );
  const { nextDigests, nextThreshold, witnesses, witnessThreshold, traits, delegator } = report;
  io.out(
    nextDigests.length === 0
      ? "  never rotates again"
      : `  next keys: ${nextDigests.length}, threshold ${JSON.stringify(nextThreshold)}`,
  );
  if (witnesses.length > 0) io.out(`  witnesses ${witnesses.join(" ")}, of which ${witnessThreshold}`);
  if (traits.length > 0) io.out(`  traits ${traits.join(" ")}`);
  if (delegator !== null) io.out(`  delegated by ${delegator}`);
}

/** The own state, what is still to be submitted, and with `json` whatever else is to be told. */
export function tell(
  kept: KeptIdentity,
  options: KelOptions,
  io: CliIo,
  more: Readonly<Record<string, unknown>> = {},
): ExitCode {
  const report = reportOf(keyStateOf(kept));
  const { pending } = kept;
  const waits = pending === null ? null : { sn: pending.sn, said: pending.said, rotates: pending.next !== null };
  if (options.json === true) io.out(JSON.stringify({ ok: true, ...report, pending: waits, ...more }));
  else {
    printState(report, io);
    if (waits !== null)
      io.out(`  event ${waits.sn} (${waits.said}) is signed and kept, and still to be submitted: sky kel submit`);
  }
  return EXIT.ok;
}
