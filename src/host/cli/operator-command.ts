/** What `unseal`, `seal` and `status` have in common: founding document, operator file, and a connection to each node. */
import { randomBytes } from "node:crypto";
import { type No, type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { FOUNDING_BYTES_MAX, type FounderCard } from "../../events/facts/founding.ts";
import { type Founding, openFounding } from "../founding/document.ts";
import { readPublic } from "../founding/files.ts";
import type { OperatorAction } from "../founding/operator-actions.ts";
import { connectOperator, operatorTls } from "../founding/operator-connection.ts";
import { OperatorFile } from "../founding/operator-file.ts";
import { type CliIo, EXIT, type ExitCode } from "./io.ts";
import { readPassphrase } from "./passphrase.ts";

export interface OperatorOptions {
  /** The signed founding document. */
  readonly founding: string;
  /** The operator's file. */
  readonly operator: string;
  /** File whose first line is the operator file's passphrase; without it, it is asked for. */
  readonly passphraseFile?: string;
  /** Names of nodes, or their API addresses; none: all founders. */
  readonly args: readonly (readonly string[])[];
  readonly json?: boolean;
}

/** How long a node may take to complete a handshake: also one on a machine that has just started, with all that it runs. Units: ms. */
const HANDSHAKE_MS = 15_000;

export interface OperatorDesk {
  readonly founding: Founding;
  readonly file: OperatorFile;
  readonly nodes: readonly FounderCard[];
}

export const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

/** Refuses: what the files do not hold, and nodes that the document does not name. */
export async function openDesk(options: OperatorOptions, io: CliIo): Promise<Result<OperatorDesk>> {
  const content = readPublic(options.founding, 2 * FOUNDING_BYTES_MAX);
  const founding = content.ok ? openFounding(content.value) : content;
  if (!founding.ok) return founding;
  const nodes = chosenNodes(founding.value, options.args[0] ?? []);
  if (!nodes.ok) return nodes;
  const passphrase = await readPassphrase(io, `Passphrase of ${options.operator}`, options.passphraseFile);
  if (!passphrase.ok) return passphrase;
  const file = OperatorFile.open(options.operator, passphrase.value, random);
  passphrase.value.fill(0);
  if (!file.ok) return file;
  const stranger = judgeOperator(founding.value, file.value, options);
  if (stranger !== undefined) {
    file.value.close();
    return stranger;
  }
  return ok({ founding: founding.value, file: file.value, nodes: nodes.value });
}

/** A node ends such a handshake without a word: say here what is wrong. */
function judgeOperator(
  { document }: Founding,
  { secrets }: OperatorFile,
  { operator, founding }: OperatorOptions,
): No<Refusal<"NOT_OPERATOR">> | undefined {
  if (document.operators.some(({ aid }) => aid === secrets.aid)) return undefined;
  return refuse(
    "NOT_OPERATOR",
    `${operator} is ${secrets.aid}, which is no operator of this founding document; ${founding} names ${document.operators.map(({ name }) => name).join(", ")}.`,
  );
}

function chosenNodes({ document }: Founding, wanted: readonly string[]): Result<readonly FounderCard[]> {
  const chosen: FounderCard[] = [];
  for (const name of wanted) {
    const node = document.founders.find(
      (card) => card.name === name || card.endpoints.api === name || card.aid === name,
    );
    if (node === undefined)
      return refuse(
        "NODE_UNKNOWN",
        `The founding document names no node ${name}; its nodes are ${document.founders.map((card) => card.name).join(", ")}.`,
      );
    if (!chosen.includes(node)) chosen.push(node);
  }
  return ok(chosen.length === 0 ? document.founders : chosen);
}

/**
 * Runs one action on every node at once; a node that refuses or does not answer does not hold up the others.
 * Prints each node's result when it is there; `exitOf` the results is the command's exit code.
 */
export async function onEveryNode<T extends object>(
  desk: OperatorDesk,
  options: OperatorOptions,
  io: CliIo,
  act: (action: OperatorAction) => Promise<Result<T>>,
  sentence: (value: T) => string,
): Promise<readonly { readonly node: FounderCard; readonly result: Result<T> }[]> {
  const now = (): number => Date.now();
  const tls = await operatorTls(desk.founding, desk.file.secrets, random, now());
  return Promise.all(
    desk.nodes.map(async (node) => {
      const connection = await connectOperator(desk.founding, node, tls, { now, timeoutMs: HANDSHAKE_MS });
      const progress = (line: string): void => io.err(`${node.name}: ${line}`);
      const result = connection.ok
        ? await act({ founding: desk.founding, file: desk.file, connection: connection.value, random, now, progress })
        : connection;
      if (connection.ok) connection.value.close();
      if (options.json === true)
        io.out(
          JSON.stringify({
            node: node.name,
            ok: result.ok,
            ...(result.ok ? result.value : { code: result.refusal.code, message: result.refusal.message }),
          }),
        );
      else if (result.ok) io.out(`${node.name}: ${sentence(result.value)}`);
      else io.err(`${node.name}: ${result.refusal.message} (${result.refusal.code})`);
      return { node, result };
    }),
  );
}

/** Done when every node did it; unavailable when all that failed did not answer; else refused. */
export function exitOf(results: readonly { readonly result: Result<object> }[]): ExitCode {
  const refusals = results.flatMap(({ result }) => (result.ok ? [] : [result.refusal]));
  if (refusals.length === 0) return EXIT.ok;
  return refusals.every(({ code }) => code === "UNREACHABLE") ? EXIT.unavailable : EXIT.refused;
}
