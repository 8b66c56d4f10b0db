/** The ceremony of `sky dev`: its throw-away operators do what operators do, over mutual TLS to each node's API port. */
import { randomBytes } from "node:crypto";
import { Fault, present } from "../../base/errors.ts";
import { demand } from "../enclave/node-files.ts";
import type { DevDirectory } from "../founding/dev-directory.ts";
import { readPrivate } from "../founding/files.ts";
import { unsealNode } from "../founding/operator-actions.ts";
import { connectOperator, operatorTls } from "../founding/operator-connection.ts";
import { OperatorFile } from "../founding/operator-file.ts";

const HANDSHAKE_MS = 10_000;
const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
const now = (): number => Date.now();

/** Takes nodes through initialise (once) and unseal; every operator fetches its shares, `threshold` of them give theirs. */
export async function unsealNodes(
  layout: DevDirectory,
  names: readonly string[],
  say: (line: string) => void,
): Promise<void> {
  const { founding, operators } = layout;
  for (const [i, operator] of operators.entries()) {
    const file = openOperator(operator);
    try {
      const tls = await operatorTls(founding, file.secrets, random, now());
      const outcomes = await Promise.all(
        names.map(async (name) => {
          const card = present(
            founding.document.founders.find((one) => one.name === name),
            "a node of this cluster",
          );
          const connection = demand(await connectOperator(founding, card, tls, { now, timeoutMs: HANDSHAKE_MS }));
          try {
            const outcome = await unsealNode({ founding, file, connection, random, now, progress: () => {} });
            if (!outcome.ok) throw new Fault(outcome.refusal.code, `${name}: ${outcome.refusal.message}`);
            return outcome.value;
          } finally {
            connection.close();
          }
        }),
      );
      const unsealed = outcomes.filter((outcome) => outcome.unsealed).length;
      say(
        `operator ${operator.name} ${i === 0 ? "opened the ceremony" : "joined"}: ${unsealed} of ${names.length} nodes unsealed`,
      );
    } finally {
      file.close();
    }
  }
}

function openOperator({ file, passphraseFile }: DevDirectory["operators"][number]): OperatorFile {
  const content = demand(readPrivate(passphraseFile, 1024));
  const end = content.indexOf(0x0a);
  return demand(OperatorFile.open(file, content.slice(0, end < 0 ? content.length : end), random));
}
