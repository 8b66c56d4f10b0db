/**
 * `node tools/fuzz/rules.ts --inputs 1000000 --seed 1`: damaged streams through all that stands between a stranger's bytes and a key
 * state: parser, bodies, rules, the fold. Of the published streams (of random lives too: test/unit/keri/fuzz-rules.test.ts); the first input that breaks a rule of
 * judge-rules.ts is printed in hex with its number, and the run fails.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { utf8 } from "../../src/base/bytes.ts";
import { parseStream } from "../../src/keri/stream.ts";
import { Random } from "../sim/random.ts";
import { corpusOf, emptyRulesTally, rulesReport, tryRules } from "./judge-rules.ts";

const PUBLISHED = new URL("../../../shared/conformance/keri/kel-streams.json", import.meta.url);

/** The published streams, message by message. */
function publishedStreams(): readonly (readonly Uint8Array[])[] {
  const { cases } = JSON.parse(readFileSync(PUBLISHED, "utf8")) as { cases: readonly { readonly stream: string }[] };
  return cases.map(({ stream }) => parseStream(utf8(stream)).messages.map(({ source }) => source));
}

function main(): number {
  const { values } = parseArgs({
    options: {
      inputs: { type: "string", default: "100000" },
      seed: { type: "string", default: "1" },
      from: { type: "string", default: "0" },
    },
  });
  const corpus = corpusOf(publishedStreams().filter(({ length }) => length > 0));
  const tally = emptyRulesTally();
  const start = performance.now();
  for (let i = Number(values.from), end = i + Number(values.inputs); i < end; i++) {
    const found = tryRules(corpus, new Random(`rules/${values.seed}/${i}`), tally);
    if (found === undefined) continue;
    process.stdout.write(`input ${i} of seed ${values.seed}: ${found.error.stack ?? found.error.message}\n`);
    process.stdout.write(`${Buffer.from(found.bytes).toString("hex")}\n`);
    return 1;
  }
  process.stdout.write(rulesReport(tally, performance.now() - start));
  return 0;
}

process.exitCode = main();
