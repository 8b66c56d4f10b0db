import {
  type Setting,
  addressesSetting,
  booleanSetting,
  choiceSetting,
  integerSetting,
  numberSetting,
  optionalTextSetting,
  optionalUrlSetting,
  secretSetting,
  textSetting,
} from "./setting.ts";

const port = (env: string, fallback: number, description: string): Setting<number> =>
  integerSetting(0, 65_535, { env, fallback, description: `${description} 0 takes any free port.` });

const milliseconds = (env: string, fallback: number, description: string): Setting<number> =>
  integerSetting(1, 600_000, { env, fallback, description });

const timesDelta = (env: string, factor: number, description: string): Setting<number> =>
  integerSetting(1, 600_000, {
    env,
    fallback: { from: "deltaMs", rule: `${factor} × deltaMs`, compute: (delta) => factor * delta },
    description,
  });

/**
 * Everything a node can be told (DESIGN §9). The key is the name in the YAML file, its kebab-case the flag. Environment names
 * without SKY_ are those of the proof of concept.
 */
export const SETTINGS = {
  genesis: optionalTextSetting({
    env: "GENESIS",
    fallback: undefined,
    description: "File of the signed founding document; without it, the one in the data directory.",
  }),
  dataDir: textSetting({
    env: "SKY_DATA_DIR",
    fallback: ".sky/node",
    description: "Directory of the log, the journal, the projections and the keystore.",
  }),
  bindInterface: textSetting({
    env: "BIND_INTERFACE",
    fallback: "127.0.0.1",
    description:
      "Address, or name of the network interface, that every port but health listens on. Others reach the node at the addresses of the founding document.",
  }),
  apiPort: port("API_PORT", 8123, "Unseal ceremony and administration, for operators and administrators."),
  approachPort: port(
    "APPROACH_PORT",
    8124,
    "Admission of new members; until there is admission it serves gRPC health only.",
  ),
  clusterPort: port("CLUSTER_PORT", 8125, "Consensus and sync among members."),
  servicePort: port("SERVICE_PORT", 8126, "The Oracle, for clients."),
  healthPort: port("HEALTH_PORT", 8127, "HTTP probes and metrics."),
  healthInterface: textSetting({
    env: "SKY_HEALTH_INTERFACE",
    fallback: "127.0.0.1",
    description: "Address, or name of the network interface, that the health port listens on. It is not authenticated.",
  }),
  identityPort: port(
    "SKY_IDENTITY_PORT",
    8128,
    "HTTP for whoever verifies identifiers: OOBI, did:webs, a DID resolver. Read-only, not authenticated.",
  ),
  identityInterface: textSetting({
    env: "SKY_IDENTITY_INTERFACE",
    fallback: "127.0.0.1",
    description:
      "Address, or name of the network interface, that the identity port listens on. It speaks plain HTTP: put a reverse proxy with TLS before it.",
  }),
  identityUrl: optionalUrlSetting({
    env: "SKY_IDENTITY_URL",
    fallback: undefined,
    description:
      "Where others reach the identity port, such as https://id.example.org: did:webs identifiers and the node's witness are named by it. Without it nobody is told of it.",
  }),
  inspector: booleanSetting({
    env: "SKY_INSPECTOR",
    fallback: true,
    description:
      "Remember what the node's machines do and show it: at /inspect/ on the health port where that is loopback alone, and on the API port for operators and auditors.",
  }),
  inspectorEntries: integerSetting(100, 1_000_000, {
    env: "SKY_INSPECTOR_ENTRIES",
    fallback: 10_000,
    description:
      "How much the inspector looks back: steps and messages that the node holds in memory, at most 12 MB of them.",
  }),
  inspectorHosts: addressesSetting({
    env: "SKY_INSPECTOR_HOSTS",
    fallback: [],
    description:
      "Further names under which browsers reach the inspector on the health port, such as localhost:9000 of an SSH tunnel; any other name is refused.",
  }),
  seeds: addressesSetting({
    env: "SEEDS",
    fallback: [],
    description:
      "CLUSTER addresses of members to knock at. Nothing uses them yet: members are reached at the addresses of the founding document.",
  }),
  approaches: addressesSetting({
    env: "APPROACHES",
    fallback: [],
    description: "APPROACH addresses to ask for admission. Nothing uses them yet.",
  }),
  provisionedTokenFile: optionalTextSetting({
    env: "PROVISIONED_TOKEN_FILE",
    fallback: undefined,
    description: "File that holds the provisioning token. Nothing uses it yet.",
  }),
  provisionedToken: secretSetting({
    env: "PROVISIONED_TOKEN",
    fallback: undefined,
    description:
      "The provisioning token itself. Nothing uses it yet. Deprecated: an environment is readable by others. Warned about, taken out of the environment, refused with strict.",
  }),
  strict: booleanSetting({
    env: "SKY_STRICT",
    fallback: false,
    description: "Refuse what is deprecated (PROVISIONED_TOKEN) instead of warning about it.",
  }),
  deltaMs: integerSetting(1, 60_000, {
    env: "SKY_DELTA_MS",
    fallback: 250,
    description: "Δ of consensus: how long a message between members is expected to take at most.",
  }),
  leaderTimeoutMs: timesDelta("SKY_LEADER_TIMEOUT_MS", 2, "t_l: how long to wait for the leader's proposal."),
  advanceTimeoutMs: timesDelta("SKY_ADVANCE_TIMEOUT_MS", 3, "t_a: how long to wait for a view to end."),
  repeatTimeoutMs: timesDelta("SKY_REPEAT_TIMEOUT_MS", 2, "t_r: how often a nullify vote is repeated."),
  standstillTimeoutMs: timesDelta(
    "SKY_STANDSTILL_TIMEOUT_MS",
    4,
    "t_s: without progress for so long, everything is sent again.",
  ),
  timeoutGrowth: numberSetting(1, 10, {
    env: "SKY_TIMEOUT_GROWTH",
    fallback: 1.5,
    description: "α: by how much timeouts grow with each consecutive nullified view.",
  }),
  timeoutCapMs: milliseconds("SKY_TIMEOUT_CAP_MS", 10_000, "What grown timeouts never exceed."),
  checkpointBlocks: integerSetting(2, 10_000_000, {
    env: "SKY_CHECKPOINT_BLOCKS",
    fallback: 10_000,
    description:
      "C: after so many blocks the state is written as a checkpoint, and a node that is behind by more fetches that instead of blocks. The same on every member.",
  }),
  connectionsMax: integerSetting(16, 65_536, {
    env: "SKY_CONNECTIONS_MAX",
    fallback: 1_024,
    description: "Connections that each of the ports API, SERVICE and APPROACH holds at once; further ones are closed.",
  }),
  certificateLifetimeSeconds: integerSetting(10, 31_536_000, {
    env: "SKY_CERTIFICATE_LIFETIME_SECONDS",
    fallback: 2_592_000,
    description:
      "How long certificates of the node's ports are valid; they are renewed with fresh keys at two thirds of it, while the node runs.",
  }),
  connectionMaxAgeSeconds: integerSetting(0, 1_728_000, {
    env: "SKY_CONNECTION_MAX_AGE_SECONDS",
    fallback: 86_400,
    description:
      "Connections of members and of clients that are older make way for new ones, which are there first; calls in flight end. 0: they may live for ever.",
  }),
  rotateKeysEverySeconds: integerSetting(0, 315_360_000, {
    env: "SKY_ROTATE_KEYS_EVERY_SECONDS",
    fallback: 0,
    description:
      "The node rotates the key of its identifier by itself when it is this old, and an operator may at any time (sky member rotate). 0: only an operator.",
  }),
  issuer: choiceSetting(["enclave", "file", "vault"], {
    env: "SKY_ISSUER",
    fallback: "enclave",
    description:
      "Who certifies issuerNames for programs that know nothing of Sky: files or Vault. Members and Sky's clients always see the chain of the node's own issuer, in its enclave.",
  }),
  issuerNames: optionalTextSetting({
    env: "SKY_ISSUER_NAMES",
    fallback: undefined,
    description:
      "DNS names of the SERVICE port that the external issuer certifies, separated by commas; others than those of the founding document.",
  }),
  issuerTtlSeconds: integerSetting(60, 7_776_000, {
    env: "SKY_ISSUER_TTL_SECONDS",
    fallback: 2_592_000,
    description:
      "How long certificates of the external issuer are asked to live; they are renewed at two thirds of it.",
  }),
  issuerKeyFile: optionalTextSetting({
    env: "SKY_ISSUER_KEY_FILE",
    fallback: undefined,
    description: "Of issuer file: its P-256 key, PEM, mode 0600. Read again when it changes.",
  }),
  issuerChainFile: optionalTextSetting({
    env: "SKY_ISSUER_CHAIN_FILE",
    fallback: undefined,
    description: "Of issuer file: its certificate first, its root last, PEM. Read again when it changes.",
  }),
  issuerAddress: optionalTextSetting({
    env: "SKY_ISSUER_ADDRESS",
    fallback: undefined,
    description: "Of issuer vault: https://host:port.",
  }),
  issuerCaFile: optionalTextSetting({
    env: "SKY_ISSUER_CA_FILE",
    fallback: undefined,
    description: "Of issuer vault: PEM of who may certify Vault's own address; nobody else is trusted.",
  }),
  issuerTokenFile: optionalTextSetting({
    env: "SKY_ISSUER_TOKEN_FILE",
    fallback: undefined,
    description: "Of issuer vault: file of the token, mode 0600; read at each call.",
  }),
  issuerNamespace: optionalTextSetting({
    env: "SKY_ISSUER_NAMESPACE",
    fallback: undefined,
    description: "Of issuer vault: its namespace.",
  }),
  issuerMount: textSetting({
    env: "SKY_ISSUER_MOUNT",
    fallback: "pki",
    description: "Of issuer vault: mount of its PKI engine.",
  }),
  issuerRole: textSetting({
    env: "SKY_ISSUER_ROLE",
    fallback: "sky",
    description: "Of issuer vault: role that signs.",
  }),
  logLevel: choiceSetting(["debug", "info", "warn", "error", "silent"], {
    env: "SKY_LOG_LEVEL",
    fallback: "info",
    description: "The least severe log line that is written.",
  }),
  logFile: optionalTextSetting({
    env: "SKY_LOG_FILE",
    fallback: undefined,
    description: "File that log lines are appended to; without it, standard output.",
  }),
};

export type SettingKey = keyof typeof SETTINGS;

/** A node's configuration, every value judged. */
export type NodeConfig = {
  readonly [Key in SettingKey]: (typeof SETTINGS)[Key] extends Setting<infer T> ? T : never;
};

export const SETTING_KEYS = Object.keys(SETTINGS) as readonly SettingKey[];

/** A setting whose value's type does not matter. */
export const settingOf = (key: SettingKey): Setting<unknown> => SETTINGS[key] as Setting<unknown>;

/** apiPort → api-port */
export const flagOf = (key: SettingKey): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
