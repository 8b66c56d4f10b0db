/**
 * Who may look: a one-time token is exchanged for a session, a session is a cookie. Only digests of either are kept, so that a
 * look-up compares nothing secret, and what is compared is compared in constant time.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

const SECRET_BYTES = 32;
/** What `mint` and `open` make: 32 bytes as base64url. */
export const SECRET_TEXT = /^[A-Za-z0-9_-]{43}$/;

interface Kept {
  readonly digest: Buffer;
  /** Units: ms since 1970. */
  readonly until: number;
}

/** Digests of secrets that live for a while. Bounds: the newest `max`; older ones are forgotten. */
class Secrets {
  readonly #lifeMs: number;
  readonly #max: number;
  readonly #now: () => number;
  #kept: Kept[] = [];

  constructor(lifeMs: number, max: number, now: () => number) {
    this.#lifeMs = lifeMs;
    this.#max = max;
    this.#now = now;
  }

  make(): string {
    const text = randomBytes(SECRET_BYTES).toString("base64url");
    this.#kept = [...this.#living(), { digest: digestOf(text), until: this.#now() + this.#lifeMs }].slice(-this.#max);
    return text;
  }

  /** When it ends. Every kept digest is compared, so that time says nothing of which one it was. */
  find(text: string): Kept | undefined {
    if (!SECRET_TEXT.test(text)) return undefined;
    const digest = digestOf(text);
    let found: Kept | undefined;
    for (const kept of this.#living()) if (timingSafeEqual(kept.digest, digest)) found = kept;
    return found;
  }

  forget(kept: Kept): void {
    this.#kept = this.#kept.filter((one) => one !== kept);
  }

  clear(): void {
    this.#kept = [];
  }

  #living(): readonly Kept[] {
    const now = this.#now();
    return this.#kept.filter(({ until }) => until > now);
  }
}

const digestOf = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Ten minutes: time to walk to a browser. */
const TOKEN_LIFE_MS = 10 * 60_000;
/** Links that were printed and not opened yet. */
const TOKENS_MAX = 16;

export interface TokenOptions {
  /** Units: ms. */
  readonly lifeMs?: number;
  readonly now?: () => number;
}

/** Tokens that open a session once. They are in memory alone, and whoever mints one hands it over (SECURITY.md). */
export class OneTimeTokens {
  readonly #secrets: Secrets;

  constructor({ lifeMs = TOKEN_LIFE_MS, now = () => Date.now() }: TokenOptions = {}) {
    this.#secrets = new Secrets(lifeMs, TOKENS_MAX, now);
  }

  mint(): string {
    return this.#secrets.make();
  }

  /** True once for each token that was minted and has not expired. */
  redeem(text: string): boolean {
    const kept = this.#secrets.find(text);
    if (kept === undefined) return false;
    this.#secrets.forget(kept);
    return true;
  }
}

export interface Session {
  /** When it ends. Units: ms since 1970. */
  readonly until: number;
  /** Tells it from others, and opens nothing. */
  readonly name: string;
}

/** Twelve hours: a day's debugging; then a new link. */
const SESSION_LIFE_MS = 12 * 3_600_000;
/** Browsers of one person; the oldest session makes room. */
const SESSIONS_MAX = 16;

export class Sessions {
  readonly lifeMs: number;
  readonly #secrets: Secrets;

  constructor({ lifeMs = SESSION_LIFE_MS, now = () => Date.now() }: TokenOptions = {}) {
    this.lifeMs = lifeMs;
    this.#secrets = new Secrets(lifeMs, SESSIONS_MAX, now);
  }

  open(): string {
    return this.#secrets.make();
  }

  /** Undefined when there is no such session (any more). */
  find(text: string): Session | undefined {
    const kept = this.#secrets.find(text);
    return kept && { until: kept.until, name: kept.digest.toString("hex") };
  }

  clear(): void {
    this.#secrets.clear();
  }
}

/** The printed link: the token is in the fragment, which browsers send to nobody; the page posts it. */
export const linkWith = (origin: string, token: string): string => `${origin}/inspect/#token=${token}`;
