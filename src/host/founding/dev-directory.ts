/** Reads back what `foundDevCluster` made, for `sky dev --dir` started again. */
import { join } from "node:path";
import type { Aid } from "../../base/brands.ts";
import { FOUNDING_BYTES_MAX } from "../../events/facts/founding.ts";
import { demand } from "../enclave/node-files.ts";
import { type Founding, openFounding } from "./document.ts";
import { readPublic } from "./files.ts";

export interface DevDirectory {
  readonly founding: Founding;
  readonly foundingFile: string;
  readonly nodes: readonly { readonly name: string; readonly aid: Aid; readonly directory: string }[];
  readonly operators: readonly {
    readonly name: string;
    readonly aid: Aid;
    readonly file: string;
    readonly passphraseFile: string;
  }[];
  readonly clients: { readonly default: string; readonly admin: string };
}

/** Throws: Fault when the directory holds no founding document, or one that does not hold. */
export function openDevCluster(directory: string): DevDirectory {
  const foundingFile = join(directory, "founding.sky");
  const founding = demand(openFounding(demand(readPublic(foundingFile, 2 * FOUNDING_BYTES_MAX))));
  return {
    founding,
    foundingFile,
    nodes: founding.document.founders.map(({ name, aid }) => ({
      name,
      aid,
      directory: join(directory, "nodes", name),
    })),
    operators: founding.document.operators.map(({ name, aid }) => ({
      name,
      aid,
      file: join(directory, "operators", name, "operator.sky"),
      passphraseFile: join(directory, "operators", name, "passphrase"),
    })),
    clients: { default: join(directory, "clients", "default"), admin: join(directory, "clients", "admin") },
  };
}
