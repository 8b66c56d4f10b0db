/**
 * Installs the dependencies when they are missing or are not those of package-lock.json; silent and quick when they are there.
 * Runs before `npm start` and `npm test` on whatever Node is there, so it is plain JavaScript without dependencies.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

/** Packages of a lock file by their place, without the project itself. @param {string} file */
function lockedPackages(file) {
  const { "": _project, ...packages } = JSON.parse(readFileSync(file, "utf8")).packages;
  return packages;
}

/** Why the installed packages are not those of the lock file; undefined when they are. @param {string} directory */
export function whyInstall(directory) {
  const installedLock = path.join(directory, "node_modules/.package-lock.json");
  if (!existsSync(installedLock)) return "nothing is installed";
  if (!existsSync(path.join(directory, "node_modules/node/bin/node"))) return "the pinned Node is missing";
  const wanted = lockedPackages(path.join(directory, "package-lock.json"));
  const installed = lockedPackages(installedLock);
  for (const [place, one] of Object.entries(wanted)) {
    const there = installed[place];
    // Packages for other platforms are optional and rightly absent.
    if (there === undefined ? !one.optional : there.version !== one.version || there.integrity !== one.integrity) {
      return `${place.replace(/^node_modules\//, "")} ${one.version} is wanted`;
    }
  }
  const extra = Object.keys(installed).find((place) => wanted[place] === undefined);
  return extra === undefined ? undefined : `${extra} is no longer wanted`;
}

function main() {
  const reason = whyInstall(root);
  if (reason === undefined) return 0;
  process.stderr.write(`Installing dependencies (${reason}); this takes a minute, once.\n`);
  // npm's own Node: the pinned one, which may run this script, is about to be replaced.
  const { npm_execpath: npm, npm_node_execpath: node } = process.env;
  const [command, first] = npm !== undefined && node !== undefined ? [node, [npm]] : ["npm", []];
  const { status, error } = spawnSync(command, [...first, "ci"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status === 0) return 0;
  process.stderr.write(
    `npm ci failed${error ? `: ${error.message}` : ""}. See docs/TROUBLESHOOTING.md, "Installation".\n`,
  );
  return status ?? 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main();
