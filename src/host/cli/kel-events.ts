/** `sky kel incept | rotate | interact | submit | show | export`: an identifier's own key events. */
import { writeFileSync } from "node:fs";
import type { Aid, Said } from "../../base/brands.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import type { KeptIdentity } from "../../client/identity.ts";
import type { Threshold } from "../../crypto/threshold.ts";
import {
  type Controller,
  type ControllerRefusal,
  inceptController,
  prepareInteraction,
  prepareRotation,
} from "../../keri/controller.ts";
import type { EventFields } from "../../keri/event-json.ts";
import type { Trait } from "../../keri/messages.ts";
import { parseThreshold } from "../../keri/threshold.ts";
import { clientFiles, writeIdentity } from "../founding/client-folder.ts";
import { fileExists, makePrivateDirectory } from "../founding/files.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure, reportRefusal } from "./io.ts";
import type { Asked } from "./kel-cluster.ts";
import { type KelDesk, type KelOptions, isOnline, make, online, printState, tell, withDesk } from "./kel-identity.ts";
import { random } from "./operator-command.ts";

/** A threshold as it is typed: `2`, `1/2,1/2`, or clauses that must all be met: `1/2,1/2;1`. Refuses: KERI_MALFORMED, KERI_RULE. */
export function parseThresholdWords(text: string): Result<Threshold> {
  if (/^\d{1,2}$/.test(text)) return parseThreshold(Number(text));
  const clauses = text.split(";").map((clause) => clause.split(",").map((weight) => weight.trim()));
  return parseThreshold(clauses);
}

const seedsOf = (count: number): readonly Uint8Array[] => Array.from({ length: count }, () => random(32));

interface KeysOptions {
  readonly threshold?: string;
  readonly nextThreshold?: string;
  /** How many keys the next rotation exposes. */
  readonly nextKeys?: number;
  readonly toad?: number;
}

interface Thresholds {
  readonly threshold?: Threshold;
  readonly nextThreshold?: Threshold;
}

function thresholdsOf({ threshold, nextThreshold }: KeysOptions): Result<Thresholds> {
  const parsed: { threshold?: Threshold; nextThreshold?: Threshold } = {};
  for (const [name, words] of [
    ["threshold", threshold],
    ["nextThreshold", nextThreshold],
  ] as const) {
    if (words === undefined) continue;
    const value = parseThresholdWords(words);
    if (!value.ok) return value;
    parsed[name] = value.value;
  }
  return ok(parsed);
}

const usage = (
  io: CliIo,
  { code, message }: { readonly code: string; readonly message: string },
  json = false,
): ExitCode => {
  reportFailure(io, code, message, json);
  return EXIT.usage;
};

/** What is no threshold is a wrong command line; one that the rules forbid is refused, of keys and of weights alike. */
const thresholdRefused = (io: CliIo, refusal: Refusal, json = false): ExitCode =>
  refusal.code === "KERI_RULE" ? reportRefusal(io, refusal, json) : usage(io, refusal, json);

export interface InceptOptions extends KelOptions, KeysOptions {
  readonly keys?: number;
  readonly witness?: readonly string[];
  readonly trait?: readonly Trait[];
  /** Identifier that delegates this one. */
  readonly delegator?: string;
}

/** A new identifier in a folder of its own (`--dir`), or a client's (`--client`, before it has a cluster). Never overwrites keys. */
export async function incept(options: InceptOptions, io: CliIo): Promise<ExitCode> {
  const json = options.json === true;
  const folder = options.dir ?? options.client;
  if (folder === undefined || options.operator !== undefined)
    return usage(io, { code: "IDENTITY_MISSING", message: "Say where the new identity is kept: --dir FOLDER." }, json);
  const path = clientFiles(folder).identity;
  if (fileExists(path))
    return reportRefusal(
      io,
      refuse("FILE_EXISTS", `${path} exists already; keys are never overwritten. Choose another folder.`).refusal,
      json,
    );
  const thresholds = thresholdsOf(options);
  if (!thresholds.ok) return thresholdRefused(io, thresholds.refusal, json);
  const { keys = 1, nextKeys = keys, witness = [], trait = [], delegator, toad } = options;
  const made = inceptController({
    current: seedsOf(keys),
    next: seedsOf(nextKeys),
    ...thresholds.value,
    witnesses: witness,
    traits: trait,
    ...(toad !== undefined && { witnessThreshold: toad }),
    ...(delegator !== undefined && { delegator: delegator as Aid }),
  });
  if (!made.ok) return reportRefusal(io, made.refusal, json);
  makePrivateDirectory(folder);
  writeIdentity(folder, { ...made.value, since: Date.now() }, null);
  return tell({ ...made.value, cluster: null }, options, io);
}

export interface RotateOptions extends KelOptions, KeysOptions {
  readonly addWitness?: readonly string[];
  readonly cutWitness?: readonly string[];
  /** Places of the next keys that come into force, from 0 on; the others stay next keys. */
  readonly expose?: readonly number[];
  /** Event seals to anchor besides, AID:SN:SAID. */
  readonly seal?: readonly string[];
  /** Never rotates again. */
  readonly abandon?: boolean;
  /** Only keys that are in force for as long; those of unknown age too. Units: days. */
  readonly olderThan?: number;
}

/** The next keys, or those to expose, come into force; those after them are made and kept first. A pending event is finished instead. */
export async function rotate(options: RotateOptions, io: CliIo): Promise<ExitCode> {
  const thresholds = thresholdsOf(options);
  if (!thresholds.ok) return thresholdRefused(io, thresholds.refusal, options.json);
  const seals = sealsOf(options.seal ?? []);
  if (!seals.ok) return usage(io, seals.refusal, options.json);
  const { addWitness = [], cutWitness = [], toad, nextKeys, abandon, operator, expose } = options;
  if (abandon === true && expose !== undefined)
    return usage(
      io,
      { code: "OPTIONS_CONFLICT", message: "Who abandons an identifier keeps no key in reserve: leave --expose out." },
      options.json,
    );
  if (abandon === true && (nextKeys ?? 0) !== 0)
    return usage(
      io,
      {
        code: "OPTIONS_CONFLICT",
        message: "Who abandons an identifier commits to no next key: leave --next-keys out.",
      },
      options.json,
    );
  if (operator !== undefined && (nextKeys ?? 1) !== 1)
    return reportRefusal(
      io,
      refuse("KERI_RULE", "An operator has one key, which its shares are signed by.").refusal,
      options.json === true,
    );
  const prepare = (kept: Controller): Result<Controller, ControllerRefusal> => {
    const reserve = kept.next.length - (expose?.length ?? kept.next.length);
    const fresh = abandon === true ? 0 : (nextKeys ?? kept.next.length) - reserve;
    if (fresh < 0)
      return refuse("KERI_RULE", `${reserve} next keys stay in reserve; --next-keys counts them too.`, "client");
    return prepareRotation(kept, {
      after: seedsOf(fresh),
      ...(expose !== undefined && { exposed: expose }),
      ...thresholds.value,
      witnessesAdded: addWitness,
      witnessesRemoved: cutWitness,
      ...(toad !== undefined && { witnessThreshold: toad }),
      seals: seals.value,
    });
  };
  return withDesk(options, io, async (desk) => {
    const young = options.olderThan === undefined ? undefined : await youngKeys(desk, options, options.olderThan);
    if (young === undefined) return tell(await make(desk, options, prepare), options, io, { rotated: true });
    const since = new Date(young.since).toISOString();
    if (options.json === true) return tell(young.kept, options, io, { rotated: false, since });
    io.out(
      `${young.kept.aid}: the keys are in force since ${since}, fewer than ${options.olderThan} days; nothing to do`,
    );
    return EXIT.ok;
  });
}

const DAY_MS = 86_400_000;

/** The identity, if its keys are younger than that. What was begun is finished first: it may be their rotation. Throws: SkyError. */
async function youngKeys(
  desk: KelDesk,
  options: KelOptions,
  days: number,
): Promise<{ readonly kept: KeptIdentity; readonly since: number } | undefined> {
  const timing = options.timeout === undefined ? {} : { timeoutMs: options.timeout };
  if (isOnline(options) && desk.store.read().pending !== null)
    await online(desk, (client) => client.change(null, timing));
  const kept = desk.store.read();
  const { since, pending } = kept;
  return since === undefined || pending !== null || Date.now() - since >= days * DAY_MS ? undefined : { kept, since };
}

export interface InteractOptions extends KelOptions {
  /** Seals: AID:SN:SAID of an event, or the digest of anything. */
  readonly args: readonly [readonly string[]];
}

/** Anchors seals. */
export async function interact(options: InteractOptions, io: CliIo): Promise<ExitCode> {
  const seals = sealsOf(options.args[0]);
  if (!seals.ok) return usage(io, seals.refusal, options.json);
  return withDesk(options, io, async (desk) =>
    tell(await make(desk, options, (kept) => prepareInteraction(kept, seals.value)), options, io),
  );
}

/** Hands what is pending to the cluster; nothing to do is done. */
export const submit = (given: KelOptions, io: CliIo): Promise<ExitCode> => {
  const options = { ...given, submit: true };
  return withDesk(options, io, async (desk) => {
    const timing = options.timeout === undefined ? {} : { timeoutMs: options.timeout };
    const { kept } = await online(desk, (client) => client.change(null, timing));
    return tell(kept, options, io);
  });
};

export interface ShowOptions extends KelOptions, Asked {}

/** The own key state as it is kept here; with nodes to ask, anybody's as the log has it. */
export const show = (options: ShowOptions, io: CliIo): Promise<ExitCode> =>
  withDesk(options, io, async (desk) => {
    if (options.sn !== undefined && options.height !== undefined)
      return usage(
        io,
        { code: "OPTIONS_CONFLICT", message: "Ask by --sn or --height, not by both." },
        options.json === true,
      );
    if (!isOnline(options)) return isAsked(options) ? nodesMissing(io, options) : tell(desk.store.read(), options, io);
    const { state, height } = await (await import("./kel-cluster.ts")).clusterState(desk.where(), options);
    if (options.json === true) io.out(JSON.stringify({ ok: true, ...state, height }));
    else {
      printState(state, io);
      io.out(`  at height ${height}`);
    }
    return EXIT.ok;
  });

const isAsked = ({ aid, sn, height }: Asked): boolean => [aid, sn, height].some((one) => one !== undefined);

const nodesMissing = (io: CliIo, { json }: KelOptions): ExitCode =>
  usage(io, { code: "NODES_MISSING", message: "Only nodes know that: name them by --cluster or --node." }, json);

export interface ExportOptions extends KelOptions {
  /** Anybody's, as the log has it. */
  readonly aid?: string;
  /** File; without it, standard output. */
  readonly out?: string;
  /** With the event that is pending. */
  readonly pending?: boolean;
}

/** The own events as a CESR stream; with nodes to ask, anybody's with its receipts and its delegators. */
export const exportStream = (options: ExportOptions, io: CliIo): Promise<ExitCode> =>
  withDesk(options, io, async (desk) => {
    if (!isOnline(options) && isAsked(options)) return nodesMissing(io, options);
    const { kel, pending } = desk.store.read();
    const waiting = options.pending === true && pending !== null ? pending.stream : new Uint8Array();
    const stream = isOnline(options)
      ? await (await import("./kel-cluster.ts")).clusterExport(desk.where(), options)
      : Buffer.concat([kel, waiting]);
    if (options.out === undefined) io.outBytes(stream);
    else {
      try {
        writeFileSync(options.out, stream);
      } catch (error) {
        const why = `${options.out} cannot be written: ${error instanceof Error ? error.message : String(error)}`;
        return reportRefusal(io, refuse("FILE_WRITE_FAILED", why).refusal, options.json === true);
      }
      if (options.json === true) io.out(JSON.stringify({ ok: true, out: options.out, bytes: stream.length }));
      else io.out(`${options.out}: ${stream.length} bytes`);
    }
    return EXIT.ok;
  });

const DIGEST = /^[A-Za-z0-9_-]{44}$/;

function sealsOf(words: readonly string[]): Result<readonly EventFields[]> {
  const seals: EventFields[] = [];
  for (const word of words) {
    const [aid = "", sn, said = "", ...more] = word.split(":");
    if (sn === undefined && DIGEST.test(aid)) seals.push({ d: aid as string as Said });
    else if (more.length === 0 && DIGEST.test(aid) && DIGEST.test(said) && /^\d{1,15}$/.test(sn ?? ""))
      seals.push({ i: aid, s: Number(sn).toString(16), d: said });
    else return refuse("SEAL_ILL_FORMED", `${word} is no seal: AID:SN:SAID of an event, or a digest of 44 characters.`);
  }
  return ok(seals);
}
