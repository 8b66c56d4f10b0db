/** Certificates of a node that runs for long: renewed in time, told of long before they end, an alarm when renewing fails. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CertificateRequest } from "../../../src/host/enclave/certificates.ts";
import { type Metrics, createMetrics } from "../../../src/host/metrics/metrics.ts";
import { Certificates } from "../../../src/host/node/certificates.ts";

const LIFE = 30 * 86_400_000;
const SKEW = 300_000;

let metrics: Metrics;
let lines: { readonly level: string; readonly message: string }[];
let certificates: Certificates;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  metrics = createMetrics();
  lines = [];
  const line = (level: string) => (message: string) => void lines.push({ level, message });
  certificates = new Certificates({
    logger: { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") } as never,
    metrics,
    now: () => Date.now(),
    everyMs: 60_000,
  });
});
afterEach(() => {
  certificates.stop();
  vi.useRealTimers();
});

/** A listener whose certificates are issued at these times, or not at all while `fails`. */
function listener(name: "service" | "cluster" = "service") {
  const state = { issued: [] as number[], fails: false };
  const renew = async (): Promise<void> => {
    const request: CertificateRequest = {
      spki: new Uint8Array(0),
      hosts: [],
      notBefore: Date.now() - SKEW,
      notAfter: Date.now() + LIFE,
      bringsRotations: false,
    };
    await certificates.issue(name, request, async () => {
      if (state.fails) throw new Error("the issuer is away");
      state.issued.push(Date.now());
      return [new Uint8Array(1)];
    });
  };
  const forget = certificates.track(name, renew);
  return { state, renew, forget };
}

const page = async (pattern: RegExp): Promise<string | undefined> => (await metrics.page()).match(pattern)?.[1];

describe("a listener's certificate", () => {
  it("is renewed at two thirds of its life, again and again", async () => {
    const { state, renew } = listener();
    await renew();
    await vi.advanceTimersByTimeAsync(1.9 * LIFE);
    const [first = 0, ...later] = state.issued;
    expect(later).toHaveLength(2);
    for (const [i, at] of later.entries()) {
      const before = i === 0 ? first : (later[i - 1] ?? 0);
      expect((at - before) / LIFE).toBeGreaterThanOrEqual(2 / 3);
      expect((at - before) / LIFE).toBeLessThan(0.67);
    }
    expect(lines.filter(({ level }) => level !== "debug")).toEqual([]);
    expect(await page(/^sky_certificate_renewals_total (\d+)$/m)).toBe("2");
  });

  it("shows how long it is good for", async () => {
    const { renew, forget } = listener();
    await renew();
    await vi.advanceTimersByTimeAsync(10 * 86_400_000);
    expect(await page(/^sky_certificate_expires_seconds\{listener="service"\} (-?\d+)$/m)).toBe(String(20 * 86_400));
    forget();
    expect(await page(/^sky_certificate_expires_seconds\{listener="service"\} (-?\d+)$/m)).toBeUndefined();
  });

  it("that cannot be renewed raises an alarm at once, a warning long before it ends, and is tried on until it can be", async () => {
    const { state, renew } = listener();
    await renew();
    state.fails = true;
    await vi.advanceTimersByTimeAsync((LIFE * 2) / 3 + 60_000);
    expect(certificates.check()).toEqual({
      name: "certificates",
      ok: true, // service goes on
      detail: "renewing fails: service",
    });
    expect(await page(/^sky_certificates_failing (\d+)$/m)).toBe("1");
    expect(lines.some(({ level }) => level === "error")).toBe(true);
    expect(lines.some(({ level }) => level === "warn")).toBe(false);
    await vi.advanceTimersByTimeAsync(LIFE / 12 + 60_000);
    expect(lines.filter(({ level }) => level === "warn")).toHaveLength(1);
    expect(certificates.status()).toMatchObject([{ listener: "service", failure: "the issuer is away" }]);
    const failures = Number(await page(/^sky_certificate_renewal_failures_total (\d+)$/m));
    expect(failures).toBeGreaterThan(1_000); // every minute
    state.fails = false;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(state.issued).toHaveLength(2);
    expect(certificates.check()).toEqual({ name: "certificates", ok: true });
    expect(await page(/^sky_certificates_failing (\d+)$/m)).toBe("0");
  });

  it("that has ended makes the node unready, and says so", async () => {
    const { state, renew } = listener();
    await renew();
    state.fails = true;
    await vi.advanceTimersByTimeAsync(LIFE + 60_000);
    expect(certificates.check()).toEqual({ name: "certificates", ok: false, detail: "ended: service" });
    expect(Number(await page(/^sky_certificate_expires_seconds\{listener="service"\} (-?\d+)$/m))).toBeLessThan(0);
  });
});

describe("renewing all, since the key behind them changes", () => {
  it("is done when every one is there, and fails when one is not", async () => {
    const [one, other] = [listener("service"), listener("cluster")];
    await one.renew();
    await other.renew();
    await vi.advanceTimersByTimeAsync(1_000);
    await certificates.renewAll();
    expect([one.state.issued.length, other.state.issued.length]).toEqual([2, 2]);
    other.state.fails = true;
    await expect(certificates.renewAll()).rejects.toThrow("the issuer is away");
    expect(one.state.issued).toHaveLength(3);
  });

  it("does not take for its own what was under way before", async () => {
    const { state, renew } = listener();
    await renew();
    const attempts = Promise.all([certificates.renewAll(), certificates.renewAll()]);
    await vi.advanceTimersByTimeAsync(0);
    await attempts;
    expect(state.issued).toHaveLength(3);
  });
});
