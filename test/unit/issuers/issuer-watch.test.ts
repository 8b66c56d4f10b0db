import { afterEach, expect, test } from "vitest";
import { ALARM_BEFORE_MS, IssuerWatch, WARN_BEFORE_MS } from "../../../src/host/issuers/issuer-watch.ts";
import { createMetrics } from "../../../src/host/metrics/metrics.ts";

const said: string[] = [];
let now = Date.now();
const metrics = createMetrics();
const watch = new IssuerWatch({
  logger: {
    warn: (message) => void said.push(`warn ${message}`),
    error: (message) => void said.push(`error ${message}`),
  },
  metrics,
  now: () => now,
});
afterEach(() => watch.stop());

test("an issuer's end is a metric at once, a warning a quarter before, an error in the last days and after", async () => {
  const end = Date.now() + 2 * WARN_BEFORE_MS;
  watch.watch("own", end);
  expect(said).toEqual([]);
  expect(await metrics.page()).toMatch(/sky_issuer_expires_seconds\{issuer="own"\} 1555\d{4}/);
  for (const at of [end - WARN_BEFORE_MS, end - ALARM_BEFORE_MS, end]) {
    now = at - 1;
    watch.look();
    now = at;
    watch.look();
  }
  expect(said.map((line) => line.slice(0, 35))).toEqual(
    [
      "warn An issuer's certificate ends; h",
      "warn An issuer's certificate ends; h",
      "error An issuer's certificate ends w",
      "error An issuer's certificate ends w",
      "error An issuer's certificate has en",
    ].map((line) => line.slice(0, 35)),
  );
});
