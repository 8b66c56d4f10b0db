/** The ceremony of `sky dev`: its throw-away operators do what operators do, over mutual TLS to each node's API port. */
import { randomBytes } from "node:crypto";
import { Fault, present } from "../../base/errors.ts";
import { demand } from "../enclave/node-files.ts";
import type { FounderCard } from "../../events/facts/founding.ts";
import type { Founding } from "../founding/document.ts";
import type { DevDirectory } from "../founding/dev-directory.ts";
import { readPrivate } from "../founding/files.ts";
import { rotateMemberKeys } from "../founding/member-actions.ts";
import { unsealNode } from "../founding/operator-actions.ts";
import { connectOperator, operatorTls } from "../founding/operator-connection.ts";
import { OperatorFile } from "../founding/operator-file.ts";

/** On a busy machine four nodes that start at once take their time. Units: ms. */
const HANDSHAKE_MS = 30_000;
const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
const now = (): number => Date.now();

/**
 * Takes nodes through initialise (once) and unseal. The first operator goes first, since its call makes a new node deal its root;
 * then the others fetch the shares that they lack, or give theirs as far as the threshold needs them.
 * Returns the nodes that did not take part, each with its reason: they hold up nobody else.
 */
export async function unsealNodes(
  layout: DevDirectory,
  names: readonly string[],
  say: (line: string) => void,
): Promise<ReadonlyMap<string, Fault>> {
  const { founding, operators } = layout;
  const ceremony: Ceremony = { founding, names, failed: new Map(), unsealed: new Set(), say };
  const [first, ...others] = operators;
  if (first === undefined) return ceremony.failed;
  const isNew = !(await takePart(ceremony, first));
  const needed = isNew ? others : others.slice(0, founding.document.threshold - 1);
  await Promise.all(needed.map((operator) => takePart(ceremony, operator)));
  // Whom one operator did not reach, the others may have been enough for.
  for (const name of ceremony.unsealed) ceremony.failed.delete(name);
  return ceremony.failed;
}

/** The first operator has a node rotate its key. Returns the sequence number of the one in force then. Throws: Fault. */
export async function rotateNodeKey({ founding, operators }: DevDirectory, name: string): Promise<number> {
  const file = openOperator(present(operators[0], "a cluster has operators"));
  try {
    const tls = await operatorTls(founding, file.secrets, random, now());
    const connection = demand(
      await connectOperator(founding, cardOf(founding, name), tls, { now, timeoutMs: HANDSHAKE_MS }),
    );
    try {
      const { keys } = demand(await rotateMemberKeys({ founding, file, connection, random, now, progress: () => {} }));
      return Number(present(keys.keyState, "a node has a key").sn);
    } finally {
      connection.close();
    }
  } finally {
    file.close();
  }
}

interface Ceremony {
  readonly founding: Founding;
  readonly names: readonly string[];
  readonly failed: Map<string, Fault>;
  readonly unsealed: Set<string>;
  readonly say: (line: string) => void;
}

/** One operator does what it can for each node. Returns whether it held every node's share before. */
async function takePart(
  { founding, names, failed, unsealed, say }: Ceremony,
  operator: DevDirectory["operators"][number],
): Promise<boolean> {
  const file = openOperator(operator);
  try {
    const held = names.every((name) => file.shareOf(founding.cluster, cardOf(founding, name).aid) !== undefined);
    const tls = await operatorTls(founding, file.secrets, random, now());
    const partIn = async (name: string): Promise<boolean> => {
      const connection = demand(
        await connectOperator(founding, cardOf(founding, name), tls, { now, timeoutMs: HANDSHAKE_MS }),
      );
      try {
        return demand(await unsealNode({ founding, file, connection, random, now, progress: () => {} })).unsealed;
      } finally {
        connection.close();
      }
    };
    const outcomes = await Promise.all(
      names.map((name) =>
        partIn(name).catch((error: unknown) => {
          if (!(error instanceof Fault)) throw error;
          failed.set(name, error);
          return false;
        }),
      ),
    );
    for (const [i, name] of names.entries()) if (outcomes[i] === true) unsealed.add(name);
    say(
      `operator ${operator.name} ${held ? "gave its shares" : "fetched its shares"}: ${outcomes.filter(Boolean).length} of ${names.length} nodes unsealed`,
    );
    return held;
  } finally {
    file.close();
  }
}

const cardOf = ({ document }: Founding, name: string): FounderCard =>
  present(
    document.founders.find((one) => one.name === name),
    "a node of this cluster",
  );

function openOperator({ file, passphraseFile }: DevDirectory["operators"][number]): OperatorFile {
  const content = demand(readPrivate(passphraseFile, 1024));
  const end = content.indexOf(0x0a);
  return demand(OperatorFile.open(file, content.slice(0, end < 0 ? content.length : end), random));
}
