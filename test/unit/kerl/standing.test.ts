/** What an append answers of messages that are neither in the log nor wait. */
import { expect, test } from "vitest";
import { present } from "../../../src/base/errors.ts";
import { FORKS_PER_PLACE_MAX } from "../../../src/keri/kerl.ts";
import { bodyOf } from "../../../src/keri/stored-body.ts";
import { parseStream } from "../../../src/keri/stream.ts";
import { standingOf } from "../../../src/projections/kerl/standing.ts";
import { type Key, complete } from "../keri/differential/lives.ts";
import { Stage, interaction } from "../keri/stage.ts";

test("a rival is forked whenever it is sent, also where there is enough evidence of such; what is in force is known", () => {
  const stage = new Stage();
  const [a, n] = stage.keys(2) as readonly [Key, Key];
  const icp = stage.begin([a], [n]);
  const standing = (text: string): string => {
    const bytes = complete(interaction(icp.aid, 1, icp.said, text).event, [a], [], []);
    const facts = stage.facts.length;
    stage.send(bytes);
    const body = bodyOf(present(parseStream(bytes).messages[0], "one message"));
    return body.ok ? standingOf(stage.kerl, body.value, stage.facts.length > facts) : body.refusal.code;
  };
  const texts = [icp.aid, n.text, a.text].map((text) => text.replace(/^./, "E"));
  const [first, ...rivals] = [...texts, icp.said.slice(0, -4) + "AAAA"];
  expect(standing(first)).toBe("accepted");
  expect(standing(first)).toBe("known");
  expect(rivals.length).toBeGreaterThan(FORKS_PER_PLACE_MAX);
  for (const rival of [...rivals, ...rivals]) expect(standing(rival)).toBe("forked");
  expect(stage.kerl.forks(icp.aid)).toHaveLength(FORKS_PER_PLACE_MAX);
});
