/** `sky oracle …`: asks and changes the graph as the client whose folder is given. */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { CommandId, Height } from "../../base/brands.ts";
import { Fault } from "../../base/errors.ts";
import type { Result } from "../../base/result.ts";
import { SkyError } from "../../client/errors.ts";
import { newCommandId } from "../../client/signing.ts";
import { type Found, SkyClient } from "../../client/sky-client.ts";
import type { Precondition, Relation } from "../../events/facts/graph.ts";
import { ClientFolderStore, clientFiles } from "../founding/client-folder.ts";
import { formatNode, parseAssertion, parseChange, parseNode, parseRelation } from "./graph-text.ts";
import { askingIdentity } from "./identity-folder.ts";
import { type CliIo, type ExitCode, EXIT, reportFailure, reportRefusal } from "./io.ts";

/** Where to ask, and as whom. */
export interface OracleOptions {
  readonly json?: boolean;
  /** Directory of `sky dev`: gives nodes and client unless these are given. */
  readonly dir?: string;
  readonly client?: string;
  readonly node?: readonly string[];
  /** Units: ms. */
  readonly timeout?: number;
}

/** A refusal or a client's error as exit code: nobody answered, or the answer was no. */
const UNANSWERED = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED", "OUTCOME_UNKNOWN"]);

/** Connects, does the work, closes; tells of refusals. */
export async function withClient(
  options: OracleOptions,
  io: CliIo,
  work: (client: SkyClient) => Promise<ExitCode>,
): Promise<ExitCode> {
  const asking = askingIdentity(options);
  if (!asking.ok) return reportRefusal(io, asking.refusal, options.json === true);
  const { folder: directory, kept } = asking.value;
  if (kept.cluster === null) throw lacksCredentials(directory);
  const client = await SkyClient.open({
    endpoints: options.node ?? serviceEndpoints(options.dir ?? "."),
    ca: readAnchors(directory),
    identity: new ClientFolderStore(directory),
  });
  try {
    return await work(client);
  } catch (error) {
    if (!(error instanceof SkyError)) throw error;
    reportFailure(io, error.code, error.message, options.json === true);
    return UNANSWERED.has(error.code) ? EXIT.unavailable : EXIT.refused;
  } finally {
    client.close();
  }
}

export const lacksCredentials = (directory: string, cause?: unknown): Fault =>
  new Fault(
    "CLIENT_FOLDER",
    `${directory} has no certificate yet; run: sky init client --dir ${directory} --founding FILE`,
    { cause },
  );

/** Throws: Fault CLIENT_FOLDER. */
export function readAnchors(directory: string): Uint8Array {
  try {
    return readFileSync(clientFiles(directory).anchors);
  } catch (cause) {
    throw lacksCredentials(directory, cause);
  }
}

/** SERVICE addresses of a dev cluster. Throws: Fault CLUSTER_FILE, NOT_RUNNING. */
export function serviceEndpoints(directory: string): readonly string[] {
  const file = path.join(directory, "cluster.json");
  try {
    const { nodes } = JSON.parse(readFileSync(file, "utf8")) as {
      readonly nodes: readonly { readonly pid: number | null; readonly ports: { readonly service: number } }[];
    };
    const endpoints = nodes.map((node) => `127.0.0.1:${node.ports.service}`);
    if (nodes.some(({ pid }) => pid !== null)) return endpoints;
  } catch (cause) {
    throw new Fault(
      "CLUSTER_FILE",
      `${file} cannot be read; name a cluster's directory with --dir, or nodes with --node HOST:PORT.`,
      { cause },
    );
  }
  throw new Fault("NOT_RUNNING", `No node of the cluster in ${directory} runs; start it: sky dev --dir ${directory}`);
}

/** Parses each text, or tells of the first that is wrong. */
function parseAll<T>(texts: readonly string[], parse: (text: string) => Result<T>): Result<readonly T[]> {
  const values: T[] = [];
  for (const text of texts) {
    const parsed = parse(text);
    if (!parsed.ok) return parsed;
    values.push(parsed.value);
  }
  return { ok: true, value: values };
}

const usage = (io: CliIo, refused: { readonly code: string; readonly message: string }, json = false): ExitCode => {
  reportFailure(io, refused.code, refused.message, json);
  return EXIT.usage;
};

export const timing = ({ timeout }: OracleOptions): { readonly timeoutMs?: number } =>
  timeout === undefined ? {} : { timeoutMs: timeout };

export interface CheckOptions extends OracleOptions {
  readonly args: readonly [subject: string, object: string];
  readonly at?: number;
}

/** Ends with 0 when the subject has what the object stands for, with 1 when not. */
export async function check(options: CheckOptions, io: CliIo): Promise<ExitCode> {
  const nodes = parseAll(options.args, parseNode);
  if (!nodes.ok) return usage(io, nodes.refusal, options.json);
  const [subject, object] = nodes.value;
  if (subject === undefined || object === undefined) return EXIT.usage;
  return withClient(options, io, async (client) => {
    const { result, height } =
      options.at === undefined
        ? await client.check({ subject, object }, timing(options))
        : {
            result: (await client.checkAt(options.at as Height, [{ subject, object }], timing(options)))[0] === true,
            height: options.at,
          };
    io.out(
      options.json === true
        ? JSON.stringify({ ok: true, result, height })
        : `${result ? "yes" : "no"} (at height ${height})`,
    );
    return result ? EXIT.ok : EXIT.refused;
  });
}

export interface FindOptions extends OracleOptions {
  readonly args: readonly ["subjects" | "objects", string];
  readonly relation?: string;
}

/** Direct assertions: who was given the object, or what the subject was given. */
export const read = (options: FindOptions, io: CliIo): Promise<ExitCode> =>
  find(options, io, async function* (client, node, narrowed) {
    const wanted =
      options.args[0] === "subjects" ? client.readSubjects([node], narrowed) : client.readObjects([node], narrowed);
    yield await wanted;
  });

/** Everyone for whom check says yes of the object, or everything of the subject. */
export const expand = (options: FindOptions, io: CliIo): Promise<ExitCode> =>
  find(options, io, (client, node, narrowed) =>
    options.args[0] === "subjects" ? client.expandSubjects(node, narrowed) : client.expandObjects(node, narrowed),
  );

type Pages = (
  client: SkyClient,
  node: Parameters<SkyClient["expandSubjects"]>[0],
  options: { readonly predicate?: Relation; readonly timeoutMs?: number },
) => AsyncGenerator<Found>;

async function find(options: FindOptions, io: CliIo, pages: Pages): Promise<ExitCode> {
  const node = parseNode(options.args[1]);
  if (!node.ok) return usage(io, node.refusal, options.json);
  const relation = options.relation === undefined ? undefined : parseRelation(options.relation);
  if (relation !== undefined && !relation.ok) return usage(io, relation.refusal, options.json);
  const narrowed = { ...timing(options), ...(relation === undefined ? {} : { predicate: relation.value }) };
  return withClient(options, io, async (client) => {
    for await (const { nodes, height } of pages(client, node.value, narrowed)) {
      if (options.json === true) io.out(JSON.stringify({ ok: true, nodes, height }));
      else for (const found of nodes) io.out(formatNode(found));
    }
    return EXIT.ok;
  });
}

export interface WriteOptions extends OracleOptions {
  readonly args: readonly [changes: readonly string[]];
  readonly mustExist?: readonly string[];
  readonly mustNotExist?: readonly string[];
  /** 32 hex digits. */
  readonly id?: string;
  /** Why: signed and kept with the write, for audits. */
  readonly note?: string;
}

/** An unknown outcome says how to learn it: whoever types the command again would otherwise write anew. */
function withId(error: unknown, id: CommandId): unknown {
  if (!(error instanceof SkyError) || error.code !== "OUTCOME_UNKNOWN") return error;
  const again = `${error.message} To send it again: the same command with --id ${id} within a minute.`;
  return new SkyError(error.code, again, { cause: error });
}

/** All changes as one atomic command. */
export async function write(options: WriteOptions, io: CliIo): Promise<ExitCode> {
  const changes = parseAll(options.args[0], parseChange);
  if (!changes.ok) return usage(io, changes.refusal, options.json);
  const preconditions: Precondition[] = [];
  for (const [kind, texts] of [
    ["mustExist", options.mustExist ?? []],
    ["mustNotExist", options.mustNotExist ?? []],
  ] as const) {
    const assertions = parseAll(texts, parseAssertion);
    if (!assertions.ok) return usage(io, assertions.refusal, options.json);
    preconditions.push(...assertions.value.map((assertion) => ({ kind, assertion })));
  }
  const id = (options.id as CommandId | undefined) ?? newCommandId();
  return withClient(options, io, async (client) => {
    const written = await client
      .write(changes.value, {
        ...timing(options),
        id,
        preconditions,
        ...(options.note === undefined ? {} : { note: options.note }),
      })
      .catch((error: unknown) => Promise.reject(withId(error, id)));
    if (options.json === true) io.out(JSON.stringify({ ok: true, ...written }));
    else {
      const changed = written.changed.filter(Boolean).length;
      io.out(
        `written at height ${written.receipt.height}: ${changed} of ${written.changed.length} changed something (id ${written.id})`,
      );
    }
    return EXIT.ok;
  });
}
