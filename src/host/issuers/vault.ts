/**
 * An issuer behind Vault's PKI API: POST /v1/{mount}/sign/{role} (or sign-verbatim), GET /v1/{mount}/ca_chain, POST /v1/{mount}/revoke,
 * GET /v1/sys/health. The token is read from its file at each call, so that whatever renews it needs to tell nobody. What Vault signs is
 * judged like what a stranger sends.
 */
import { type RequestOptions, request as httpsRequest } from "node:https";
import {
  ConsecutiveBreaker,
  ExponentialBackoff,
  TimeoutStrategy,
  circuitBreaker,
  handleWhen,
  isBrokenCircuitError,
  isTaskCancelledError,
  retry,
  timeout,
  wrap,
} from "cockatiel";
import { Fault } from "../../base/errors.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { requestPem } from "../../crypto/certificate-request.ts";
import { brokenChain, differsFromAsked, earliestEnd, isIssuedBy } from "../../crypto/requested-certificate.ts";
import { certificatesOfPem } from "../../crypto/x509.ts";
import type { RevocationReason } from "../../events/facts/certificate.ts";
import { readPrivate } from "../founding/files.ts";
import { Anchors } from "./anchors.ts";
import type { Issuer, IssuerHealth } from "./issuer.ts";
import { type Profile, judgeRequest } from "./profile.ts";

export interface VaultOptions {
  /** https://host:port */
  readonly address: string;
  /** PEM of who may certify Vault: these and nobody else. */
  readonly ca: string;
  readonly tokenFile: string;
  /** X-Vault-Namespace; null for none. */
  readonly namespace: string | null;
  /** Where the PKI engine is mounted, such as "pki". */
  readonly mount: string;
  readonly role: string;
  /** sign-verbatim keeps the extensions of a request, sign drops those that it does not know. */
  readonly isVerbatim: boolean;
  /** Units: ms since 1970. */
  readonly now: () => number;
  /** Of one attempt. Units: ms; 5 s unless given. */
  readonly timeoutMs?: number;
  /** Before the first of two further attempts. Units: ms; 200 unless given. */
  readonly backoffMs?: number;
  /** How often anchors are looked at. Units: ms; 5 minutes unless given. */
  readonly lookMs?: number;
}

const TIMEOUT_MS = 5_000;
const BACKOFF_MS = 200;
const ATTEMPTS_MORE = 2;
/** Failures in a row after which Vault is left alone, and for how long. */
const FAILURES_MAX = 6;
const LEFT_ALONE_MS = 10_000;
const LOOK_MS = 300_000;
const ANSWER_BYTES_MAX = 256 * 1024;
const TOKEN_BYTES_MAX = 8 * 1024;
const CHAIN_MAX = 8;

interface Answer {
  readonly status: number;
  readonly body: string;
}

export function openVault(options: VaultOptions): Issuer {
  return new Vault(options);
}

class Vault implements Issuer {
  readonly #options: VaultOptions;
  readonly #anchors = new Anchors();
  readonly #timer: NodeJS.Timeout;
  readonly #policy;
  #expiresAt: number | null = null;

  constructor(options: VaultOptions) {
    this.#options = options;
    const isRetryable = handleWhen(
      (error) => isTaskCancelledError(error) || (error instanceof Fault && error.retryable),
    );
    this.#policy = wrap(
      retry(isRetryable, {
        maxAttempts: ATTEMPTS_MORE,
        backoff: new ExponentialBackoff({ initialDelay: options.backoffMs ?? BACKOFF_MS, maxDelay: 2_000 }),
      }),
      circuitBreaker(isRetryable, { halfOpenAfter: LEFT_ALONE_MS, breaker: new ConsecutiveBreaker(FAILURES_MAX) }),
      timeout(options.timeoutMs ?? TIMEOUT_MS, TimeoutStrategy.Aggressive),
    );
    this.#timer = setInterval(() => void this.#look(), options.lookMs ?? LOOK_MS);
    this.#timer.unref();
    void this.#look();
  }

  async sign(csr: Uint8Array, profile: Profile, ttlMs: number): Promise<Result<readonly Uint8Array[]>> {
    const asked = judgeRequest(csr, profile, ttlMs);
    if (!asked.ok) return asked;
    const { mount, role, isVerbatim, now } = this.#options;
    const answer = await this.#call("POST", `${mount}/${isVerbatim ? "sign-verbatim" : "sign"}/${role}`, {
      csr: requestPem(csr),
      ttl: `${Math.floor(ttlMs / 1000)}s`,
      format: "pem",
      ...(asked.value.subject === null || isVerbatim ? {} : { common_name: asked.value.subject }),
      ...(isVerbatim
        ? { ext_key_usage: profile.kind === "external" ? ["ServerAuth"] : ["ServerAuth", "ClientAuth"] }
        : {}),
    });
    const data = dataOf(answer);
    const [leaf] = pemOf(textField(data, "certificate"));
    const issuers = [...listField(data, "ca_chain"), textField(data, "issuing_ca")].flatMap(pemOf);
    const differs = leaf === undefined ? "there is none" : differsFromAsked(leaf, asked.value, ttlMs, now());
    if (leaf === undefined || differs !== undefined)
      return refuse(
        "ISSUER_DIFFERS",
        `Vault signed another certificate than was asked for: ${differs ?? "there is none"}.`,
        "none",
      );
    const chain = chainFrom(leaf, issuers);
    const broken = brokenChain(chain, now());
    if (broken !== undefined) {
      return refuse(
        "ISSUER_DIFFERS",
        `The chain that Vault gave cannot be used: ${broken}; give the mount its whole chain.`,
        "none",
      );
    }
    this.#known(chain);
    return ok([leaf, ...chain.slice(0, -1)]);
  }

  roots(): AsyncIterable<readonly Uint8Array[]> {
    return this.#anchors.stream();
  }

  async revoke(serial: string, _reason: RevocationReason): Promise<Result<void>> {
    if (!/^(?:[0-9a-f]{2}){1,20}$/.test(serial)) return refuse("CSR_MALFORMED", "The serial number is none.");
    // Vault keeps no reasons: the log does.
    const serialNumber = serial.match(/../g)?.join(":") ?? "";
    dataOf(await this.#call("POST", `${this.#options.mount}/revoke`, { serial_number: serialNumber }));
    return ok(undefined);
  }

  async health(): Promise<IssuerHealth> {
    const expiresAt = this.#expiresAt;
    try {
      const { status } = await this.#attempt(
        "GET",
        "sys/health?standbyok=true&perfstandbyok=true",
        undefined,
        undefined,
      );
      const detail = HEALTH.get(status) ?? `Vault says ${status} of itself`;
      if (status !== 200) return { ok: false, detail, expiresAt };
      this.#token(); // a token that cannot be read is no health
      const isOver = expiresAt !== null && expiresAt <= this.#options.now();
      return { ok: !isOver, detail: isOver ? "the issuer's own certificate has ended" : detail, expiresAt };
    } catch (error) {
      return { ok: false, detail: error instanceof Fault ? error.message : "Vault does not answer", expiresAt };
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#anchors.close();
  }

  async #look(): Promise<void> {
    try {
      const { status, body } = await this.#call("GET", `${this.#options.mount}/ca_chain`);
      const chain = status === 200 ? pemOf(body) : [];
      if (chain.length > 0 && brokenChain(chain, this.#options.now()) === undefined) this.#known(chain);
    } catch {
      // told by health, and by whoever asks for a certificate
    }
  }

  /** The leaf's issuer first, the root last. */
  #known(chain: readonly Uint8Array[]): void {
    this.#expiresAt = earliestEnd(chain);
    this.#anchors.set(chain.slice(-1));
  }

  /** Throws: Fault ISSUER_TOKEN. */
  #token(): string {
    const file = readPrivate(this.#options.tokenFile, TOKEN_BYTES_MAX);
    const token = file.ok ? Buffer.from(file.value).toString("utf8").trim() : "";
    if (/^[\x21-\x7e]+$/.test(token)) return token;
    throw new Fault(
      "ISSUER_TOKEN",
      "The file of Vault's token is missing, open to others, or holds no token; write it anew, mode 0600.",
    );
  }

  async #call(method: "GET" | "POST", path: string, body?: object): Promise<Answer> {
    try {
      return await this.#policy.execute(async ({ signal }) => {
        const answer = await this.#attempt(method, path, body, signal, this.#token());
        const fault = faultOf(answer);
        if (fault !== undefined) throw fault;
        return answer;
      });
    } catch (error) {
      if (error instanceof Fault) throw error;
      if (isBrokenCircuitError(error))
        throw new Fault("ISSUER_UNREACHABLE", "Vault failed again and again and is left alone for a moment.", {
          retryable: true,
        });
      throw new Fault("ISSUER_UNREACHABLE", "Vault does not answer in time.", { retryable: true, cause: error });
    }
  }

  #attempt(
    method: "GET" | "POST",
    path: string,
    body: object | undefined,
    signal: AbortSignal | undefined,
    token?: string,
  ): Promise<Answer> {
    const { address, ca, namespace, timeoutMs } = this.#options;
    const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const options: RequestOptions = {
      method,
      ca,
      minVersion: "TLSv1.2",
      timeout: timeoutMs ?? TIMEOUT_MS,
      agent: false,
      headers: {
        accept: "application/json",
        "x-vault-request": "true",
        ...(token === undefined ? {} : { "x-vault-token": token }),
        ...(namespace === null ? {} : { "x-vault-namespace": namespace }),
        ...(content === undefined ? {} : { "content-type": "application/json", "content-length": content.length }),
      },
      ...(signal === undefined ? {} : { signal }),
    };
    return new Promise((resolve, reject) => {
      const failed = (cause: unknown): void =>
        reject(new Fault("ISSUER_UNREACHABLE", "Vault cannot be reached.", { retryable: true, cause }));
      const request = httpsRequest(new URL(`/v1/${path}`, address), options, (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size <= ANSWER_BYTES_MAX) chunks.push(chunk);
          else request.destroy(new Error("the answer is too large"));
        });
        response.on("error", failed);
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
        );
      });
      request.on("timeout", () => request.destroy(new Error("timeout")));
      request.on("error", failed);
      request.end(content);
    });
  }
}

/** Source: Vault API, sys/health. */
const HEALTH: ReadonlyMap<number, string> = new Map([
  [200, "Vault is active"],
  [472, "Vault is a recovery secondary"],
  [501, "Vault is not initialised"],
  [503, "Vault is sealed"],
]);

/** Undefined for what worked. Vault's own words stay out: they may quote the request. */
function faultOf({ status }: Answer): Fault | undefined {
  if (status === 200 || status === 204) return undefined;
  if (status === 403)
    return new Fault("ISSUER_FORBIDDEN", "Vault refuses the token for this; renew it, or grant its policy this path.");
  if (status === 404)
    return new Fault("ISSUER_ROLE", "Vault knows no such mount or role; check SKY_ISSUER_MOUNT and SKY_ISSUER_ROLE.");
  if (status === 400)
    return new Fault("ISSUER_REFUSED", "Vault's role does not allow what was asked; look at its audit log.");
  if (status === 503) return new Fault("ISSUER_SEALED", "Vault is sealed or in maintenance.", { retryable: true });
  if (status === 429 || status >= 500)
    return new Fault("ISSUER_UNREACHABLE", `Vault fails with ${status}.`, { retryable: true });
  return new Fault("ISSUER_ANSWER", `Vault answers ${status}, which is none of its answers.`);
}

const garbage = () => new Fault("ISSUER_ANSWER", "What answers at Vault's address does not speak its API.");

function dataOf({ status, body }: Answer): object {
  if (status === 204) return {};
  try {
    const parsed: unknown = JSON.parse(body);
    const data: unknown = typeof parsed === "object" && parsed !== null ? Reflect.get(parsed, "data") : undefined;
    if (typeof data === "object" && data !== null) return data;
  } catch {
    // as below
  }
  throw garbage();
}

function textField(data: object, name: string): string {
  const value: unknown = Reflect.get(data, name);
  if (typeof value === "string") return value;
  throw garbage();
}

function listField(data: object, name: string): readonly string[] {
  const value: unknown = Reflect.get(data, name) ?? [];
  if (Array.isArray(value) && value.length <= CHAIN_MAX) {
    const texts = value.filter((item: unknown) => typeof item === "string");
    if (texts.length === value.length) return texts;
  }
  throw garbage();
}

function pemOf(pem: string): readonly Uint8Array[] {
  const certificates = certificatesOfPem(pem);
  if (certificates === undefined) throw garbage();
  return certificates;
}

/** From whoever issued the leaf up to the root, in whatever order they came. */
function chainFrom(leaf: Uint8Array, issuers: readonly Uint8Array[]): readonly Uint8Array[] {
  const chain: Uint8Array[] = [];
  for (let below = leaf; chain.length < CHAIN_MAX; ) {
    const above = issuers.find((issuer) => isIssuedBy(below, issuer) && !chain.includes(issuer));
    if (above === undefined || above === below) break;
    chain.push(above);
    if (isIssuedBy(above, above)) break;
    below = above;
  }
  return chain;
}
