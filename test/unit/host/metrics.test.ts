import { describe, expect, it } from "vitest";
import { createMetrics } from "../../../src/host/metrics/metrics.ts";

describe("metrics", () => {
  it("counts refusals by port and code, and shows gauges, depths and histograms", async () => {
    const metrics = createMetrics();
    metrics.refused("service", "TOO_LARGE");
    metrics.refused("service", "TOO_LARGE", 2);
    metrics.set("height", 12);
    metrics.mailbox("consensus", 5);
    metrics.count("commands", 3);
    metrics.observe("write", 0.0015);
    const page = await metrics.page();
    expect(page).toContain('sky_refusals_total{port="service",code="TOO_LARGE"} 3');
    expect(page).toContain("sky_height 12");
    expect(page).toContain('sky_mailbox_depth{mailbox="consensus"} 5');
    expect(page).toContain("sky_commands_total 3");
    expect(page).toContain('sky_write_seconds_bucket{le="0.002"} 1');
    expect(page).toContain('sky_write_seconds_bucket{le="0.001"} 0');
    expect(page).toContain("sky_process_resident_memory_bytes");
  });

  it("never lets a stranger's text become a label, nor the number of labels grow without end", async () => {
    const metrics = createMetrics();
    for (const code of ["EKYLUMmNPZeEs77Zvclf0bSN5IN-mLfLpx2ySb-HDlk4x", "/etc/passwd", "my-org", "", "A".repeat(100)])
      metrics.refused("api", code);
    for (let i = 0; i < 1_000; i++) metrics.refused("cluster", `CODE_${i}`);
    const lines = (await metrics.page()).split("\n").filter((line) => line.startsWith("sky_refusals_total{"));
    expect(lines).toHaveLength(202);
    expect(lines).toContain('sky_refusals_total{port="api",code="OTHER"} 5');
    expect(lines).toContain('sky_refusals_total{port="cluster",code="OTHER"} 800');
  });

  it("keeps the numbers of two nodes in one process apart", async () => {
    const [a, b] = [createMetrics(), createMetrics()];
    a.set("height", 1);
    b.set("height", 2);
    expect(await a.page()).toContain("sky_height 1\n");
    expect(await b.page()).toContain("sky_height 2\n");
  });
});
