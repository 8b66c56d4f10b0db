/** Where proofs come from: a node that answers, or a data directory that nobody needs to serve. What comes is checked alike. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type Aid, type CommandId, type Digest, type Height } from "../../src/base/brands.ts";
import { type Result, ok, refuse } from "../../src/base/result.ts";
import { AuditClient } from "../../src/client/audit-client.ts";
import { issueTls } from "../../src/client/certificate.ts";
import { SkyError } from "../../src/client/errors.ts";
import { electorateOf } from "../../src/events/facts/finality.ts";
import { blockHash, bodyHash, bundleDigest } from "../../src/events/facts/hashing.ts";
import { openLogReader } from "../../src/events/store/log-reader.ts";
import type { CliIo } from "../../src/host/cli/io.ts";
import { type OracleOptions, readAnchors, serviceEndpoints } from "../../src/host/cli/oracle.ts";
import { ClientFolderStore } from "../../src/host/founding/client-folder.ts";
import type { Founding } from "../../src/host/founding/document.ts";
import { Notary, type NotaryProgress } from "../../src/host/proofs/notary.ts";
import type { Wanted } from "../../src/host/proofs/prover.ts";
import { isShowable } from "../../src/keri/controller.ts";
import { openFiles } from "../replay/directory.ts";
import { Progress } from "../replay/progress.ts";

export interface WhereOptions extends OracleOptions {
  /** A data directory, a copy of one or a log.db; a node is asked without it. */
  readonly data?: string;
  readonly founding?: string;
}

/** What is asked for. */
export type Question =
  | { readonly kind: "head" }
  | { readonly kind: "block"; readonly height: Height; readonly withoutEffects: boolean }
  | { readonly kind: "fact"; readonly height: Height; readonly index: number; readonly n: number }
  /** `author` null: whoever asks. */
  | {
      readonly kind: "command";
      readonly author: Aid | null;
      readonly id: CommandId;
      readonly height: Height | undefined;
      readonly withoutEffects: boolean;
    }
  | { readonly kind: "keys"; readonly aid: Aid; readonly height: Height | undefined }
  | { readonly kind: "prefix"; readonly height: Height; readonly hash: Digest };

/** The founding document's path: as it was given, that of the data directory, or that of sky dev's. */
export const foundingPath = ({ founding, data, dir }: WhereOptions): string =>
  founding ?? join(data ?? dir ?? ".", "founding.sky");

/** The proof file. Refuses: what a node or the log refuses. Throws: Fault, LogDamage. */
export const askFor = (
  question: Question,
  options: WhereOptions,
  founding: Founding,
  io: CliIo,
): Promise<Result<Uint8Array>> =>
  options.data === undefined
    ? fromNode(question, options, founding)
    : fromDirectory(question, options.data, founding, io);

async function fromDirectory(
  question: Question,
  data: string,
  founding: Founding,
  io: CliIo,
): Promise<Result<Uint8Array>> {
  io.interruption(); // from here on copies are removed when somebody presses Ctrl-C
  const files = openFiles(data);
  try {
    return await fromLog(question, files.log, founding, io);
  } catch (error) {
    throw files.told(error);
  } finally {
    files.release();
  }
}

async function fromLog(question: Question, path: string, founding: Founding, io: CliIo): Promise<Result<Uint8Array>> {
  const log = openLogReader(path, { header: blockHash, body: bodyHash, bundle: bundleDigest });
  try {
    const notary = new Notary(log, electorateOf(founding));
    try {
      return await made(notary, question, io);
    } finally {
      notary.close();
    }
  } finally {
    log.close();
  }
}

/** Between two looks whether it was interrupted. Units: ms. */
const SLICE_MS = 50;

/** Throws: the interruption's reason. */
async function made(notary: Notary, question: Question, io: CliIo): Promise<Result<Uint8Array>> {
  const work = working(notary, question);
  let began = performance.now();
  let progress: Progress | undefined;
  let step = work.next();
  for (; step.done !== true; step = work.next()) {
    progress ??= new Progress(io.isTerminal ? io.err : undefined, step.value.to);
    progress.tell(Math.max(0, step.value.height), notary.commands);
    if (performance.now() - began < SLICE_MS) continue;
    await setImmediate();
    io.interruption().throwIfAborted();
    began = performance.now();
  }
  return step.value;
}

function* working(notary: Notary, question: Question): Generator<NotaryProgress, Result<Uint8Array>> {
  if (question.kind !== "command") return yield* notary.prove(wantedOf(question));
  const { author, id, withoutEffects } = question;
  if (author === null) return refuse("MALFORMED", "Name the command's author: --author AID.");
  const height = question.height ?? (yield* notary.find(author, id));
  if (height === undefined)
    return refuse("NOT_FOUND", `No command ${id} of ${author} is in the newest blocks; name its --height.`);
  const subject = { kind: "command", author, id } as const;
  return yield* notary.prove({ kind: "inclusion", height, subject, withEffects: !withoutEffects });
}

function wantedOf(question: Exclude<Question, { readonly kind: "command" }>): Wanted {
  switch (question.kind) {
    case "head":
      return question;
    case "block": {
      const { height, withoutEffects } = question;
      return { kind: "inclusion", height, subject: { kind: "block" }, withEffects: !withoutEffects };
    }
    case "fact": {
      const { height, index, n } = question;
      return { kind: "inclusion", height, subject: { kind: "fact", index, n }, withEffects: true };
    }
    case "keys":
      return { kind: "keyState", aid: question.aid, through: question.height };
    case "prefix":
      return { kind: "consistency", height: question.height, hash: question.hash };
  }
}

/** Longer than any command. Units: ms. */
const CERTIFICATE_MS = 3_600_000;

/** Nodes to be asked as the client of the options, who must be an auditor or administrator there. Throws: Fault. */
export async function connectAuditor(
  options: WhereOptions,
  founding: Founding,
): Promise<{ readonly client: AuditClient; readonly self: Aid }> {
  const directory = options.client ?? join(options.dir ?? ".", "clients/admin");
  const store = new ClientFolderStore(directory);
  const kept = store.read();
  const tls = await issueTls({
    controller: kept,
    cluster: founding.cluster,
    role: store.role,
    pendingToo: isShowable(kept),
    random: (length) => new Uint8Array(randomBytes(length)),
    now: Date.now(),
    lifetimeMs: CERTIFICATE_MS,
  });
  const client = AuditClient.connect({
    endpoints: options.node ?? serviceEndpoints(options.dir ?? "."),
    ca: readAnchors(directory),
    cert: Buffer.from(tls.cert),
    key: Buffer.from(tls.key),
    members: electorateOf(founding),
  });
  return { client, self: kept.aid };
}

async function fromNode(question: Question, options: WhereOptions, founding: Founding): Promise<Result<Uint8Array>> {
  const { client, self } = await connectAuditor(options, founding);
  try {
    return ok(await asked(client, question, self, options));
  } catch (error) {
    if (!(error instanceof SkyError)) throw error;
    return refuse(error.code, error.message, "none");
  } finally {
    client.close();
  }
}

async function asked(
  client: AuditClient,
  question: Question,
  self: Aid,
  { timeout }: OracleOptions,
): Promise<Uint8Array> {
  const timing = timeout === undefined ? {} : { timeoutMs: timeout };
  switch (question.kind) {
    case "head":
      return (await client.head(timing)).file;
    case "block":
      return (await client.prove(question, { ...timing, withoutEffects: question.withoutEffects })).file;
    case "fact":
      return (await client.prove(question, timing)).file;
    case "command": {
      const { author, id, height, withoutEffects } = question;
      const thing = {
        kind: "command",
        author: author ?? self,
        id,
        ...(height === undefined ? {} : { height }),
      } as const;
      return (await client.prove(thing, { ...timing, withoutEffects })).file;
    }
    case "keys":
      return (await client.keyState(question.aid, question.height, timing)).file;
    case "prefix":
      return (await client.proveConsistency(question, timing)).file;
  }
}
