/** Certificates that clients connect by: the end that comes first is a metric, and a warning long before. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Aid, Digest } from "../../../src/base/brands.ts";
import type { PeerIdentity } from "../../../src/crypto/peer-certificate.ts";
import type { LogFields } from "../../../src/host/logging/fields.ts";
import { createMetrics } from "../../../src/host/metrics/metrics.ts";
import { CallerCertificates } from "../../../src/host/node/caller-certificates.ts";

const DAY = 86_400_000;
const AT_FIRST = Date.UTC(2026, 0, 1);
let now: number;
beforeEach(() => {
  now = AT_FIRST;
  vi.useFakeTimers({ toFake: ["Date"], now });
});
afterEach(() => void vi.useRealTimers());

function made(connectionMaxAgeMs = DAY) {
  const said: LogFields[] = [];
  const metrics = createMetrics();
  const logger = { warn: (_message: string, fields?: LogFields) => void said.push(fields ?? {}) };
  const callers = new CallerCertificates({ logger, metrics, connectionMaxAgeMs, now: () => now });
  const metric = async (): Promise<number | undefined> => {
    vi.setSystemTime(now);
    const value = /^sky_client_certificate_expires_seconds (\S+)$/m.exec(await metrics.page())?.[1];
    return value === undefined ? undefined : Number(value);
  };
  return { callers, said, metric };
}

/** A certificate of 90 days, `issuedDaysLater` than the others. */
const certificate = (name: string, issuedDaysLater = 0): PeerIdentity => ({
  aid: `E${name.repeat(43)}` as Aid,
  role: "client",
  keySn: 0,
  sans: [],
  notBefore: AT_FIRST + issuedDaysLater * DAY,
  notAfter: AT_FIRST + (issuedDaysLater + 90) * DAY,
  spkiHash: `${name}${String(issuedDaysLater)}`.padEnd(64, "0") as Digest,
});

it("says when the first of those ends that are in use and were not renewed, and nothing where all were", async () => {
  const { callers, metric } = made();
  expect(await metric()).toBeUndefined();
  now += 70 * DAY;
  callers.seen(certificate("a", 10)); // two thirds: this is when SkyClient renews
  callers.seen({ ...certificate("c"), role: "operator" });
  callers.seen({ ...certificate("d"), role: "node" });
  expect(await metric()).toBeUndefined();
  callers.seen(certificate("a"));
  callers.seen(certificate("b", 2));
  expect(await metric()).toBe((20 * DAY) / 1000);
  now += DAY;
  callers.seen(certificate("b", 2));
  expect(await metric()).toBe((19 * DAY) / 1000);
  now += 1.5 * DAY; // a did not come again for longer than connections live
  expect(await metric()).toBe((19.5 * DAY) / 1000);
  callers.close();
  expect(await metric()).toBeUndefined();
});

it("warns of one that nobody renewed, once a day and each by itself; never of one that was renewed in time", () => {
  const { callers, said } = made();
  const [mine, short] = [certificate("a"), { ...certificate("s"), notAfter: AT_FIRST + DAY }];
  now = AT_FIRST + 60 * DAY;
  callers.seen(mine); // two thirds: this is when SkyClient renews
  expect(said).toEqual([]);
  now = AT_FIRST + 68 * DAY;
  callers.seen(mine);
  callers.seen(mine);
  callers.seen(certificate("a", 60)); // its successor
  expect(said).toEqual([{ aid: mine.aid, count: 22 }]);
  now += DAY;
  callers.seen(mine);
  expect(said).toEqual([
    { aid: mine.aid, count: 22 },
    { aid: mine.aid, count: 21 },
  ]);
  now = AT_FIRST + DAY / 2;
  callers.seen(short);
  expect(said).toHaveLength(2);
});

it("knows no more of them than a node can have connections for, and none that ended", async () => {
  const { callers, metric } = made(0);
  now += 80 * DAY;
  callers.seen(certificate("a"));
  for (let i = 0; i < 4_096; i++)
    callers.seen({ ...certificate("b", 1), spkiHash: i.toString(16).padStart(64, "0") as Digest });
  expect(await metric()).toBe((11 * DAY) / 1000);
  now = AT_FIRST + 91 * DAY;
  expect(await metric()).toBeUndefined();
});
