/** An operator's connection to one node's API port, sealed or not: mutual TLS to exactly the node that the founding document names. */
import { type ConnectionOptions, type SecureContext, connect, createSecureContext } from "node:tls";
import { ChannelCredentials, type ServiceError } from "@grpc/grpc-js";
import { present } from "../../base/errors.ts";
import { type No, type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { issueTls } from "../../client/certificate.ts";
import { type Trust, verifyPeerCertificate } from "../../crypto/peer-certificate.ts";
import { certificatePem } from "../../crypto/x509.ts";
import type { FounderCard } from "../../events/facts/founding.ts";
import { type Controller, isShowable } from "../../keri/controller.ts";
import { CeremonyServiceClient } from "../../wire/generated/sky/ceremony/v1/ceremony.ts";
import { InspectServiceClient } from "../../wire/generated/sky/inspect/v1/inspect.ts";
import { MemberServiceClient } from "../../wire/generated/sky/member/v1/member.ts";
import { ProjectionServiceClient } from "../../wire/generated/sky/projection/v1/projection.ts";
import type { Founding } from "./document.ts";
import type { Random } from "./identity.ts";

/** A run of the command line ends long before. */
const CERTIFICATE_MS = 3_600_000;

/** Nodes have one certificate and ask for no name; an address may not stand in its place (RFC 6066). */
const SERVER_NAME = "node.sky";

/** TLS key and certificate of one run of an operator's command. */
export interface OperatorTls {
  readonly cert: string;
  readonly key: string;
}

/** A fresh TLS key, certified by the operator's identifier. Units: `now` in ms since 1970. */
export function operatorTls(
  { cluster }: Founding,
  controller: Controller,
  random: Random,
  now: number,
): Promise<OperatorTls> {
  const pendingToo = isShowable(controller);
  return issueTls({ controller, cluster, role: "operator", pendingToo, random, now, lifetimeMs: CERTIFICATE_MS });
}

/** What the founding document lets a client of the API port trust: issuers, and boot keys of sealed nodes. */
export function foundingTrust({ document, cluster, identifiers }: Founding, now: number): Trust {
  const founderOf = (aid: string) => document.founders.find((card) => card.aid === aid);
  return {
    cluster,
    now,
    keyStateOf: (aid) => identifiers.get(aid),
    issuerOf: (aid) => founderOf(aid)?.issuer,
    bootKeyOf: (aid) => founderOf(aid)?.bootKey,
  };
}

export interface OperatorConnection {
  readonly node: FounderCard;
  readonly ceremony: CeremonyServiceClient;
  readonly member: MemberServiceClient;
  readonly projection: ProjectionServiceClient;
  readonly inspect: InspectServiceClient;
  readonly close: () => void;
}

export type ConnectRefusal = Refusal<"UNREACHABLE" | "WRONG_NODE">;

/**
 * Connects to a node's API port. The certificate that the node shows is judged first; the channel then accepts no other
 * (grpc-js would check a name, where we check an identifier). Bounds: `timeoutMs` for each handshake.
 * Refuses: UNREACHABLE, WRONG_NODE.
 */
export async function connectOperator(
  founding: Founding,
  node: FounderCard,
  tls: OperatorTls,
  { now, timeoutMs }: { readonly now: () => number; readonly timeoutMs: number },
): Promise<Result<OperatorConnection, ConnectRefusal>> {
  const [, host, port] = present(/^(.*):(\d+)$/.exec(node.endpoints.api), "openFounding has judged every endpoint");
  const address = { host: present(host, "a host").replace(/^\[|\]$/g, ""), port: Number(port) };
  const shown = await shownCertificate({ ...address, ...tls }, timeoutMs);
  if (!shown.ok)
    return refuse(
      "UNREACHABLE",
      `Node ${node.name} does not answer at ${node.endpoints.api} (${shown.refusal.message}); check that it runs.`,
    );
  const peer = verifyPeerCertificate(shown.value, foundingTrust(founding, now()));
  if (!peer.ok)
    return refuse(
      "WRONG_NODE",
      `What answers at ${node.endpoints.api} is not node ${node.name}: ${peer.refusal.message}`,
    );
  if (peer.value.aid !== node.aid || (peer.value.role !== "node" && peer.value.role !== "boot")) {
    return refuse(
      "WRONG_NODE",
      `What answers at ${node.endpoints.api} is ${peer.value.aid}, not node ${node.name}; check its address.`,
    );
  }
  const context: SecureContext = createSecureContext({
    ...tls,
    minVersion: "TLSv1.3",
    ca: certificatePem(shown.value),
    allowPartialTrustChain: true, // the leaf itself is what is trusted
  });
  const credentials = ChannelCredentials.createFromSecureContext(context, { checkServerIdentity: () => undefined });
  const options = { "grpc.enable_retries": 0, "grpc.ssl_target_name_override": SERVER_NAME };
  const ceremony = new CeremonyServiceClient(node.endpoints.api, credentials, options);
  const shared = { ...options, channelOverride: ceremony.getChannel() };
  const member = new MemberServiceClient(node.endpoints.api, credentials, shared);
  const projection = new ProjectionServiceClient(node.endpoints.api, credentials, shared);
  const inspect = new InspectServiceClient(node.endpoints.api, credentials, shared);
  return ok({ node, ceremony, member, projection, inspect, close: () => ceremony.close() });
}

/** The leaf that a server shows in a handshake that ends there. */
function shownCertificate(options: ConnectionOptions, timeoutMs: number): Promise<Result<Uint8Array>> {
  return new Promise((resolve) => {
    // rejectUnauthorized: OpenSSL knows none of our anchors; verifyPeerCertificate judges what is shown.
    const socket = connect({
      ...options,
      servername: SERVER_NAME,
      minVersion: "TLSv1.3",
      ALPNProtocols: ["h2"],
      rejectUnauthorized: false,
      timeout: timeoutMs,
    });
    const end = (result: Result<Uint8Array>): void => {
      socket.destroy();
      resolve(result);
    };
    socket.once("secureConnect", () => {
      const shown = socket.getPeerX509Certificate();
      end(shown === undefined ? refuse("UNREACHABLE", "it shows no certificate") : ok(new Uint8Array(shown.raw)));
    });
    socket.once("timeout", () => end(refuse("UNREACHABLE", `no answer within ${timeoutMs} ms`)));
    socket.once("error", (error) => end(refuse("UNREACHABLE", error.message)));
  });
}

/** What a failed call says, with the node's own code where it gave one. */
export function refusalOf(error: ServiceError): No {
  const [code] = error.metadata.get("sky-code");
  return refuse(typeof code === "string" ? code : "UNREACHABLE", error.details);
}
