/** Speaks the part of Vault's PKI API that is used, over real TLS, with a real authority behind it. */
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Server, createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { readCertificateRequest } from "../../../src/crypto/certificate-request.ts";
import { certificatesOfPem } from "../../../src/crypto/x509.ts";
import { Pkcs10CertificateRequest } from "../../../src/crypto/x509-library.ts";
import { Authority } from "./authority.ts";

export type Mood = "well" | "sealed" | "slow" | "garbage" | "endless" | "failing" | "other key" | "no chain";

export class VaultStandIn {
  readonly authority = new Authority("Vault");
  mood: Mood = "well";
  token = "hvs.first";
  namespace: string | undefined;
  /** How often it fails before it is well again. */
  failures = 0;
  readonly revoked: string[] = [];
  readonly asked: string[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer({ ...this.authority.server() }, (request, response) => {
      void this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<VaultStandIn> {
    const vault = new VaultStandIn();
    vault.#server.listen(0, "127.0.0.1");
    await once(vault.#server, "listening");
    return vault;
  }

  get address(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
    this.authority.clean();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await request.toArray()).toString();
    const path = (request.url ?? "").split("?")[0] ?? "";
    this.asked.push(`${request.method} ${path}`);
    const say = (status: number, content: object | string): void => {
      response.writeHead(status).end(typeof content === "string" ? content : JSON.stringify(content));
    };
    const no = (status: number, error: string): void => say(status, { errors: [error] });
    if (!(await this.#isWell(say, no))) return;
    if (path === "/v1/sys/health") return say(200, { initialized: true, sealed: false });
    if (path === "/v1/pki/ca_chain") return say(200, this.authority.text("chain.pem"));
    if (request.headers["x-vault-token"] !== this.token || request.headers["x-vault-namespace"] !== this.namespace)
      return no(403, "permission denied");
    this.#pki(path, body, say, no);
  }

  async #isWell(
    say: (status: number, content: object | string) => void,
    no: (status: number, error: string) => void,
  ): Promise<boolean> {
    if (this.mood === "slow") await pause(3_000, undefined, { ref: false });
    if (this.mood === "garbage") say(200, "<html>It works!</html>");
    else if (this.mood === "endless") say(200, "a".repeat(1024 * 1024));
    else if (this.mood === "sealed") no(503, "Vault is sealed");
    else if (this.mood === "failing" || this.failures > 0) {
      this.failures -= 1;
      no(500, "internal error");
    } else return true;
    return false;
  }

  #pki(
    path: string,
    body: string,
    say: (status: number, content: object | string) => void,
    no: (status: number, error: string) => void,
  ): void {
    const input: unknown = JSON.parse(body);
    const field = (name: string): unknown =>
      typeof input === "object" && input !== null ? Reflect.get(input, name) : undefined;
    if (path === "/v1/pki/revoke") {
      this.revoked.push(String(field("serial_number")));
      return say(200, { data: { revocation_time: 1 } });
    }
    const [, action, role] = /^\/v1\/pki\/(sign|sign-verbatim)\/([a-z-]+)$/.exec(path) ?? [];
    if (action === undefined) return no(404, "no handler for route");
    if (role !== "sky") return no(404, `unknown role: ${String(role)}`);
    const csr = String(field("csr"));
    const read = readCertificateRequest(new Uint8Array(new Pkcs10CertificateRequest(csr).rawData));
    if (!read.ok) return no(400, "error parsing CSR");
    const days = Math.ceil(Number.parseInt(String(field("ttl")), 10) / 86_400);
    const certificate =
      this.mood === "other key"
        ? this.authority.text("server.pem")
        : this.authority.issue(csr, read.value.sans, days, action === "sign-verbatim");
    const [der = new Uint8Array(0)] = certificatesOfPem(certificate) ?? [];
    const chain =
      this.mood === "no chain" ? [] : [this.authority.text("intermediate.pem"), this.authority.text("root.pem")];
    say(200, {
      data: {
        certificate,
        issuing_ca: this.authority.text("intermediate.pem"),
        ca_chain: chain,
        serial_number: new X509Certificate(der).serialNumber,
      },
    });
  }
}
