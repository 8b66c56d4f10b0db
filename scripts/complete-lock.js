/**
 * Adds to package-lock.json the optional packages for other platforms that npm left out because the registry at hand did not have
 * them; without their entries "npm ci" refuses the whole lock file. Run after each "npm install" that changed it:
 * npm run lock. An entry added so has no integrity, and is only ever fetched on the platform that it is for.
 */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const OS = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const CPU = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32", "x64"];
const EXACT = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/;

/** The platform that a package's name ends in, such as @scope/cli-linux-arm64-musl; undefined when it names none. @param {string} name */
function platformOf(name) {
  const words = (name.split("/").at(-1) ?? name).split("-");
  const os = words.find((word) => OS.includes(word));
  const cpu = words.map((word) => (/^armv\d/.test(word) ? "arm" : word)).find((word) => CPU.includes(word));
  if (os === undefined || cpu === undefined) return undefined;
  const libc = words.some((word) => word.startsWith("musl"))
    ? { libc: ["musl"] }
    : words.includes("gnu")
      ? { libc: ["glibc"] }
      : {};
  return { cpu: [cpu], ...(os === "linux" ? libc : {}), os: [os] };
}

/** Entries that a lock file lacks. @param {Record<string, any>} packages */
export function missingPlatforms(packages) {
  const missing = {};
  for (const owner of Object.values(packages)) {
    for (const [name, version] of Object.entries(owner.optionalDependencies ?? {})) {
      const platform = platformOf(name);
      const isThere = Object.keys(packages).some((place) => place.endsWith(`node_modules/${name}`));
      if (isThere || platform === undefined || !EXACT.test(version)) continue;
      const { cpu, libc, os } = platform;
      missing[`node_modules/${name}`] = {
        version,
        cpu,
        ...(owner.dev ? { dev: true } : {}),
        ...(libc === undefined ? {} : { libc }),
        optional: true,
        os,
      };
    }
  }
  return missing;
}

function main() {
  const file = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../package-lock.json");
  const lock = JSON.parse(readFileSync(file, "utf8"));
  const missing = missingPlatforms(lock.packages);
  const all = Object.entries({ ...lock.packages, ...missing });
  lock.packages = Object.fromEntries(all.sort(([a], [b]) => a.localeCompare(b, "en")));
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  process.stdout.write(`${Object.keys(missing).length} packages for other platforms added to package-lock.json\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
