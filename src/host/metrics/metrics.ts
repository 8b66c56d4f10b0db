import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";

/** Listeners that a refusal can happen at, and the places inside a node that refuse. */
export const REFUSING_PORTS = [
  "api",
  "approach",
  "cluster",
  "service",
  "health",
  "inspector",
  "identity",
  "mempool",
  "machine",
] as const;
export type RefusingPort = (typeof REFUSING_PORTS)[number];

/** Where work waits: clients' commands, bundles to be ordered, blocks to be projected. */
export const MAILBOXES = ["host", "consensus", "projector"] as const;
export type Mailbox = (typeof MAILBOXES)[number];

/** Listeners with a certificate of their own. */
export const CERTIFIED_LISTENERS = ["api", "approach", "cluster", "service", "external"] as const;
export type CertifiedListener = (typeof CERTIFIED_LISTENERS)[number];

/** The node's own issuer, the first of all founders' to end, and one outside of the cluster. */
export const WATCHED_ISSUERS = ["own", "anchors", "external"] as const;
export type WatchedIssuer = (typeof WATCHED_ISSUERS)[number];

const GAUGES = {
  height: "Height of the last final block in the log",
  executed_height: "Height of the last block that was executed",
  projected_height: "Height that the projector has reached",
  vouched_from_height:
    "Lowest height from which the log is whole; above 0 while blocks before a fetched checkpoint are still to come",
  checkpoint_height: "Height of the newest checkpoint whose segments are on this disk",
  view: "Current view of consensus",
  epoch: "Current epoch",
  peers: "Members connected now",
  peer_streams_overdue:
    "Streams to members that should be on a new connection (age, keys, certificates), and none can be had",
  sealed: "1 while the node is sealed",
  certificates_failing: "Listeners whose certificate could not be renewed when that was last tried",
  key_sequence_number: "Sequence number of the establishment event whose key the node signs by",
  identifiers: "Identifiers with a key event receipt log",
  key_events_escrowed: "Key events, receipts and replies that wait for what they lack",
  projection_rebuild_height:
    "Height that a projection has reached that is built beside the serving one; 0 while none is",
  rotation_pending: "1 while a rotation of the node's key is under way",
  rotation_failing: "1 while a rotation of the node's key does not come into force",
  log_damaged: "1 while the log is damaged and the node therefore out of service",
} as const;
export type GaugeName = keyof typeof GAUGES;

const HISTOGRAMS = {
  write: {
    help: "From a write's arrival to its answer",
    seconds: [0.001, 0.002, 0.004, 0.006, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30],
  },
  execute: { help: "Executing one block", seconds: [0.0001, 0.001, 0.005, 0.02, 0.1, 0.5, 2] },
} as const;
export type HistogramName = keyof typeof HISTOGRAMS;

const COUNTERS = {
  blocks: "Blocks executed",
  certificate_record_failures: "Certificates of this node whose record the log did not take",
  certificate_renewals: "Certificates of listeners renewed while the node ran",
  certificate_renewal_failures: "Certificates of listeners that could not be issued",
  commands: "Commands executed",
  connections_retired: "Connections ended gracefully, since a key behind them went out of force",
  key_rotations: "Rotations of the node's key that came into force while it ran",
  key_rotation_failures: "Attempts to bring a rotation of the node's key into force that failed",
  defects: "Commands whose decision failed by a defect of ours",
  log_damages: "Damaged records of the log that were found",
  log_events_healed: "Events of the log that were fetched again from peers and put in place",
  log_fields_dropped: "Log fields that are not on the allow-list",
  identity_requests: "Requests that the identity port answered",
  peer_streams_renewed: "Streams to members that moved to a new connection while the old one stood",
  peer_stream_renewal_failures: "New connections for streams to members that could not be had",
  projection_rebuild_failures: "Projections built beside the serving one that did not take its place",
  projection_rebuilds: "Projections rebuilt from the log that took the place of the serving one",
  projection_roll_backs: "Previous projections that took the place of the serving one again",
  views_nullified: "Views that ended without a block",
  witness_receipts: "Receipts that the node signed as a witness and had ordered",
  witness_rivals: "Events that it did not sign as a witness, since it had signed another one for their place",
  worker_restarts: "Workers restarted by their supervisor",
} as const;
export type CounterName = keyof typeof COUNTERS;

/** What a node counts. Labels come from fixed lists: no identifier, name or path ever becomes one (DESIGN §3). */
export interface Metrics {
  /** Counts a refusal. A code that is not one of ours, or one too many, is counted as OTHER. */
  readonly refused: (port: RefusingPort, code: string, count?: number) => void;
  readonly count: (name: CounterName, by?: number) => void;
  readonly set: (name: GaugeName, value: number) => void;
  readonly mailbox: (mailbox: Mailbox, depth: number) => void;
  /** When a listener's certificate ends; null: it has none. Units: ms since 1970. */
  readonly certificate: (listener: CertifiedListener, notAfter: number | null) => void;
  /** When an issuer's own certificate ends. Units: ms since 1970. */
  readonly issuer: (issuer: WatchedIssuer, notAfter: number) => void;
  /** Asked at each page when the first of the clients' overdue certificates ends; undefined: there are none. Units: ms since 1970. */
  readonly clientCertificates: (firstEnd: () => number | undefined) => void;
  /** Units: seconds. */
  readonly observe: (name: HistogramName, seconds: number) => void;
  /** The page of `/metrics`. */
  readonly page: () => Promise<string>;
  readonly contentType: string;
}

/** More codes than the project will ever have; beyond it something counts what strangers wrote. */
const CODES_MAX = 200;
const CODE = /^[A-Z][A-Z0-9_]{1,47}$/;

/** Maps a code to a label: well-formed and among the first CODES_MAX seen. */
function codeLabels(): (code: string) => string {
  const seen = new Set<string>();
  return (code) => {
    if (seen.has(code)) return code;
    if (seen.size >= CODES_MAX || !CODE.test(code)) return "OTHER";
    seen.add(code);
    return code;
  };
}

/** A registry of its own for each node, so that several nodes in one process (tests) do not mix. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  // The default of 10 ms wakes an idle node a hundred times a second: 0.3 % of a core.
  collectDefaultMetrics({ register: registry, prefix: "sky_", eventLoopMonitoringPrecision: 100 });
  const registers = [registry];
  const refusals = new Counter({
    name: "sky_refusals_total",
    help: "Refusals by port and code",
    labelNames: ["port", "code"],
    registers,
  });
  const depths = new Gauge({
    name: "sky_mailbox_depth",
    help: "Messages waiting in a mailbox",
    labelNames: ["mailbox"],
    registers,
  });
  const ends = new Map<CertifiedListener, number>();
  const expiry = new Gauge({
    name: "sky_certificate_expires_seconds",
    help: "Time until a listener's certificate ends, negative once it has",
    labelNames: ["listener"],
    registers,
    collect: () => {
      for (const [listener, notAfter] of ends) expiry.set({ listener }, Math.round((notAfter - Date.now()) / 1000));
    },
  });
  const issuerEnds = new Map<WatchedIssuer, number>();
  const issuerExpiry = new Gauge({
    name: "sky_issuer_expires_seconds",
    help: "Time until an issuer's own certificate ends, and with it everything that it issued",
    labelNames: ["issuer"],
    registers,
    collect: () => {
      for (const [issuer, notAfter] of issuerEnds)
        issuerExpiry.set({ issuer }, Math.round((notAfter - Date.now()) / 1000));
    },
  });
  const clientCertificates = clientExpiry(registers);
  const counters = mapValues(COUNTERS, (help, name) => new Counter({ name: `sky_${name}_total`, help, registers }));
  const gauges = mapValues(GAUGES, (help, name) => new Gauge({ name: `sky_${name}`, help, registers }));
  const histograms = mapValues(
    HISTOGRAMS,
    ({ help, seconds }, name) => new Histogram({ name: `sky_${name}_seconds`, help, buckets: [...seconds], registers }),
  );
  const labelOf = codeLabels();
  return {
    refused: (port, code, count = 1) => refusals.inc({ port, code: labelOf(code) }, count),
    count: (name, by = 1) => counters[name].inc(by),
    set: (name, value) => gauges[name].set(value),
    mailbox: (mailbox, depth) => depths.set({ mailbox }, depth),
    certificate: (listener, notAfter) => {
      if (notAfter !== null) return void ends.set(listener, notAfter);
      ends.delete(listener);
      expiry.remove({ listener });
    },
    issuer: (issuer, notAfter) => void issuerEnds.set(issuer, notAfter),
    clientCertificates,
    observe: (name, seconds) => histograms[name].observe(seconds),
    page: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function clientExpiry(registers: Registry[]): Metrics["clientCertificates"] {
  let ask = (): number | undefined => undefined;
  const expiry = new Gauge({
    name: "sky_client_certificate_expires_seconds",
    help: "Time until the first of those certificates ends by which clients still connect though they should have renewed them",
    registers,
    collect: () => {
      const end = ask();
      if (end === undefined) expiry.remove();
      else expiry.set(Math.round((end - Date.now()) / 1000));
    },
  });
  return (firstEnd) => {
    ask = firstEnd;
  };
}

const mapValues = <Key extends string, In, Out>(
  record: Readonly<Record<Key, In>>,
  map: (value: In, key: Key) => Out,
): Record<Key, Out> =>
  Object.fromEntries((Object.entries(record) as [Key, In][]).map(([key, value]) => [key, map(value, key)])) as Record<
    Key,
    Out
  >;
