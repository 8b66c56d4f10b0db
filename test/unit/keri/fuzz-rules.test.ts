import { expect, test } from "vitest";
import { corpusOf, emptyRulesTally, rulesReport, tryRules } from "../../../tools/fuzz/judge-rules.ts";
import { Random } from "../../../tools/sim/random.ts";
import { parseStream } from "../../../src/keri/stream.ts";
import { World } from "./differential/lives.ts";
import { Random as LifeRandom } from "./differential/random.ts";
import { publishedStreams } from "./streams.ts";

/** The long run: SKY_FUZZ_RULES_INPUTS=1000000 SKY_FUZZ_RULES_SEED=1 vitest run --project unit test/unit/keri/fuzz-rules.test.ts */
const INPUTS = Number(process.env["SKY_FUZZ_RULES_INPUTS"] ?? 500);
const SEED = process.env["SKY_FUZZ_RULES_SEED"] ?? "unit";
const LIVES = 40;
/** Of one, at the most; few of them have what every test may take. Units: ms. */
const INPUT_MS = 60;

test(`${INPUTS} damaged streams of published logs and of random lives: in force is only what was signed, and enough of it`, {
  timeout: Math.max(600_000, INPUTS * INPUT_MS),
}, () => {
  const published = publishedStreams().map(({ stream }) =>
    parseStream(Buffer.from(stream)).messages.map(({ source }) => source),
  );
  const lives = Array.from({ length: LIVES }, (_, i) => new World(new LifeRandom(i + 1)).messages);
  const corpus = corpusOf([...published, ...lives].filter(({ length }) => length > 0));
  const tally = emptyRulesTally();
  const start = performance.now();
  for (let i = 0; i < INPUTS; i++) {
    const found = tryRules(corpus, new Random(`rules/${SEED}/${i}`), tally);
    expect(found && `${i}: ${found.error.message} ${Buffer.from(found.bytes).toString("hex")}`).toBeUndefined();
  }
  if (INPUTS > 10_000) console.info(rulesReport(tally, performance.now() - start));
  expect(tally.inForce).toBeGreaterThan(INPUTS);
  for (const verdict of ["accepted", "receipt", "known", "escrowed:out-of-order", "rejected:KERI_BAD_SIGNATURE"])
    expect(tally.verdicts.get(verdict), verdict).toBeGreaterThan(0);
});
