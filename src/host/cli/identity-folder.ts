/**
 * The identity in a folder that a command line names. Commands that ask a cluster take a directory of `sky dev` by --dir, those on one
 * identity's events its folder: who names the one for the other is told so.
 */
import { join } from "node:path";
import { type Result, refuse } from "../../base/result.ts";
import type { KeptIdentity } from "../../client/identity.ts";
import { clientFiles, readClientIdentity } from "../founding/client-folder.ts";
import { fileExists } from "../founding/files.ts";

const isDevDirectory = (directory: string): boolean => fileExists(join(directory, "cluster.json"));

/** Of the folder itself. Refuses: what is missing, loose or malformed. */
export function identityIn(folder: string): Result<KeptIdentity> {
  const kept = readClientIdentity(folder);
  if (kept.ok || kept.refusal.code !== "FILE_MISSING" || !isDevDirectory(folder)) return kept;
  return refuse(
    "FILE_MISSING",
    `${folder} is a directory of sky dev and not an identity's; name a client's folder in it: --client ${join(folder, "clients/default")}`,
  );
}

/** Of the client to ask as: the one named, or the default one of a directory of `sky dev`. Refuses: as identityIn. */
export function askingIdentity(options: {
  readonly client?: string | undefined;
  readonly dir?: string | undefined;
}): Result<{ readonly folder: string; readonly kept: KeptIdentity }> {
  const { client, dir = "." } = options;
  const folder = client ?? join(dir, "clients/default");
  const kept = identityIn(folder);
  if (kept.ok) return { ok: true, value: { folder, kept: kept.value } };
  if (client !== undefined || kept.refusal.code !== "FILE_MISSING") return kept;
  if (!fileExists(clientFiles(dir).identity))
    return refuse(
      "FILE_MISSING",
      `${options.dir === undefined ? "This directory" : dir} holds no cluster of sky dev (no ${folder}); name one by --dir, or whom to ask as by --client FOLDER and nodes by --node HOST:PORT.`,
    );
  return refuse(
    "FILE_MISSING",
    `${dir} is one identity's folder and not a directory of sky dev; ask as it by --client ${dir}, and name the nodes by --dir or --node.`,
  );
}
