/** The known-bug set: a few are hunted here, all of them in `npm run test:soak`; and none of them may fall out of step with the sources. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { MUTANTS } from "../../tools/mutants/all.ts";
import { bundleSimulator, removeBundle, root } from "../../tools/mutants/bundle.ts";
import { huntAll } from "../../tools/mutants/hunt.ts";
import { mutated } from "../../tools/mutants/mutant.ts";

const quick = MUTANTS.filter((mutant) => mutant.quick === true);

describe("the known-bug set", () => {
  it("has names of its own, and at least twenty bugs beside those of others", () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    expect(MUTANTS.filter(({ why }) => !why.startsWith("Known bug")).length).toBeGreaterThanOrEqual(20);
    expect(quick.length).toBeGreaterThan(5);
  });

  it.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))("%s changes sources that are there", (_, mutant) => {
    expect(mutant.edits.length).toBeGreaterThan(0);
    for (const file of new Set(mutant.edits.map((edit) => edit.file))) {
      const source = readFileSync(path.join(root, file), "utf8");
      expect(mutated(mutant, file, source)).not.toBe(source);
    }
  });

  it("finds the quick ones within their seeds, and spares the sources as they are", async () => {
    const hunted = await huntAll(quick, 2, () => {});
    expect(hunted.filter(({ found }) => found.kind !== "found")).toEqual([]);
    expect(hunted.flatMap(({ spoilt }) => spoilt)).toEqual([]);
  });

  it("refuses a mutant whose text is gone", async () => {
    const edits = [{ file: "src/machines/consensus/committee.ts", find: "no such text", replace: "" }];
    const gone = { name: "gone", why: "", edits, seeds: 1 };
    await expect(bundleSimulator(gone).then(removeBundle)).rejects.toThrow("occurs 0 times");
  });
});
