/** Real nodes under every kind of fault once, while clients write and read through all of them (tools/soak). */
import { execFile } from "node:child_process";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { FAULT_KINDS } from "../../../tools/soak/faults.ts";
import type { SoakReport } from "../../../tools/soak/soak.ts";
import { root } from "../cluster.ts";

const SOAK = path.join(root, "tools/soak/main.ts");
/** Quicker than a soak: faults last less than half as long. */
const ARGUMENTS = ["--rounds", "1", "--pace", "0.4", "--seed", "3", "--json"];
/** A busy machine takes its time for nine starts and as many ceremonies. Units: ms. */
const PATIENCE_MS = 580_000;

type Report = Omit<SoakReport, "history"> & { readonly evidence?: string };

function soak(): Promise<{ readonly code: number | null; readonly report: Report; readonly said: string }> {
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, [SOAK, ...ARGUMENTS], { timeout: PATIENCE_MS }, (_error, out, err) => {
      const line = out.trim().split("\n").at(-1) ?? "";
      if (line.startsWith("{")) resolve({ code: child.exitCode, report: JSON.parse(line) as Report, said: err });
      else reject(new Error(`the soak ended (${String(child.exitCode)}) without a report: ${out}${err}`));
    });
  });
}

describe("kill -9, SIGSTOP, clock jumps, full disks and partitions", () => {
  it("end with equal roots on all nodes and a linearizable history", async () => {
    const { code, report, said } = await soak();
    for (const [kind, why] of Object.entries(report.skipped)) process.stdout.write(`left out: ${kind} (${why})\n`);
    expect(report.failures, `evidence: ${String(report.evidence)} ${said}`).toEqual([]);
    expect(code).toBe(0);
    for (const kind of FAULT_KINDS)
      expect([kind, report.faults[kind] ?? report.skipped[kind]]).not.toContain(undefined);
    expect(report.judged.writes - report.judged.unknown).toBeGreaterThan(50);
    expect(report.judged.ordered).toBeGreaterThan(50);
    expect(report.judged.plain).toBeGreaterThan(20);
  });
});
