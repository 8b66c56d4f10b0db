/**
 * The rooms of DESIGN §1 and what each may use, as data. `scripts/lint/plugin.js` turns it into lint rules; the fixtures of
 * `test/lint` prove that each line bites.
 */

/** @typedef {"none" | "types" | "all"} Use */
/**
 * @typedef {object} Room
 * @property {Readonly<Record<string, Use>>} rooms   rooms it may import: everything, or types only
 * @property {readonly string[]} packages            packages it may import
 * @property {readonly string[]} builtins            `node:` modules it may import; "*" means all of them
 * @property {boolean} ambient                       whether clock, chance, timers, process and network globals may appear
 * @property {boolean} deterministic                 whether two replicas must compute the same: also no Date at all, no locale, no Unicode tables
 */

const all = "all";
const types = "types";

/** @type {Readonly<Record<string, Room>>} */
export const ROOMS = {
  base: { rooms: {}, packages: ["msgpackr"], builtins: [], ambient: false, deterministic: true },
  crypto: {
    rooms: { base: all },
    packages: [
      "@noble/curves",
      "@noble/hashes",
      "@hpke/core",
      "@peculiar/asn1-csr",
      "@peculiar/asn1-ocsp",
      "@peculiar/asn1-schema",
      "@peculiar/asn1-x509",
      "@peculiar/x509",
      "reflect-metadata",
    ],
    builtins: ["node:crypto"],
    ambient: false,
    deterministic: false,
  },
  keri: {
    rooms: { base: all, crypto: all },
    packages: ["@noble/hashes"],
    builtins: [],
    ambient: false,
    deterministic: true,
  },
  "events/facts": {
    rooms: { base: all, crypto: all, keri: types },
    packages: [],
    builtins: [],
    ambient: false,
    deterministic: true,
  },
  "events/store": {
    rooms: { base: all, "events/facts": all },
    packages: ["kysely", "better-sqlite3"],
    builtins: ["*"],
    ambient: true,
    deterministic: false,
  },
  machines: {
    rooms: { base: all, "events/facts": types, crypto: types },
    packages: ["xstate"],
    builtins: [],
    ambient: false,
    deterministic: true,
  },
  projections: {
    rooms: { base: all, crypto: all, keri: all, "events/facts": all },
    packages: ["kysely"],
    builtins: [],
    ambient: false,
    deterministic: true,
  },
  wire: {
    rooms: { base: all, "events/facts": all },
    packages: ["@grpc/grpc-js", "@bufbuild/protobuf"],
    builtins: [],
    ambient: false,
    deterministic: false,
  },
  client: {
    rooms: { base: all, crypto: all, keri: all, "events/facts": all, wire: all },
    packages: ["@grpc/grpc-js", "cockatiel"],
    builtins: [],
    ambient: false,
    deterministic: false,
  },
  actors: {
    rooms: {
      base: all,
      crypto: all,
      keri: all,
      "events/facts": all,
      "events/store": all,
      machines: all,
      projections: all,
      wire: all,
    },
    packages: [],
    builtins: [],
    ambient: false,
    deterministic: false,
  },
  host: {
    rooms: {
      base: all,
      crypto: all,
      keri: all,
      "events/facts": all,
      "events/store": all,
      machines: all,
      projections: all,
      wire: all,
      client: all,
      actors: all,
    },
    packages: [
      "@bufbuild/protobuf",
      "@grpc/grpc-js",
      "@grpc/proto-loader",
      "@grpc/reflection",
      "better-sqlite3",
      "cockatiel",
      "comlink",
      "commander",
      "grpc-health-check",
      "kysely",
      "msgpackr",
      "pino",
      "piscina",
      "prom-client",
      "yaml",
      "zod",
    ],
    builtins: ["*"],
    ambient: true,
    deterministic: false,
  },
};

/** Names of node:crypto that draw random numbers: a room without ambient chance takes randomness as an argument. */
export const RANDOM_OF_CRYPTO = new Set([
  "createECDH",
  "diffieHellman",
  "generateKey",
  "generateKeyPair",
  "generateKeyPairSync",
  "generateKeySync",
  "generatePrime",
  "generatePrimeSync",
  "getRandomValues",
  "pseudoRandomBytes",
  "randomBytes",
  "randomFill",
  "randomFillSync",
  "randomInt",
  "randomUUID",
  "randomUUIDv7",
  "subtle",
  "webcrypto",
]);

/** Globals that reach the clock, chance, the process or the network. */
export const AMBIENT_GLOBALS = new Map([
  ["process", "take what you need of it as an argument"],
  ["performance", "take the clock as a port"],
  ["crypto", "take randomness as an argument; hash with src/crypto"],
  ["setTimeout", "emit a setTimer effect, or take a timer port"],
  ["setInterval", "emit a setTimer effect, or take a timer port"],
  ["setImmediate", "take a scheduling port"],
  ["clearTimeout", "take a timer port"],
  ["clearInterval", "take a timer port"],
  ["clearImmediate", "take a scheduling port"],
  ["queueMicrotask", "take a scheduling port"],
  ["fetch", "take a network port"],
  ["WebSocket", "take a network port"],
  ["Worker", "only the host starts threads"],
  ["require", "import it"],
  ["globalThis", "name the global that you mean"],
  ["global", "name the global that you mean"],
  ["eval", "write the code out"],
  ["Function", "write the code out"],
  ["console", "return it, or take a log port"],
]);

/** What two runtimes may compute differently: banned where replicas must agree. */
export const LOCALE_METHODS = new Set([
  "localeCompare",
  "normalize",
  "toLocaleDateString",
  "toLocaleLowerCase",
  "toLocaleString",
  "toLocaleTimeString",
  "toLocaleUpperCase",
]);

/** The inspector's page: it runs in a browser, so that it takes of the nodes' code only what is pure. */
export const PAGE = "tools/visualizer/page/";
export const PAGE_MAY = {
  packages: ["preact"],
  /** Files whose values it may use: none of them touches bytes or anything else that only Node has. */
  values: ["src/base/errors.ts", "src/base/result.ts", "src/host/cli/graph-text.ts"],
};
