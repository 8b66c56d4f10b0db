import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const css = readFileSync(new URL("../../../tools/visualizer/page/styles/tokens.css", import.meta.url), "utf8");

/** Colours that a block of the stylesheet names. */
function colours(selector: string): Readonly<Record<string, string>> {
  const block = css.slice(css.indexOf(`${selector} {`));
  const named = block.slice(0, block.indexOf("}")).matchAll(/--([\w-]+): (#[0-9a-f]{6})/g);
  return Object.fromEntries([...named].map(([, name, value]) => [name, value]));
}

const channel = (value: number): number => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

/** Source: WCAG 2.2, relative luminance. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) =>
    channel(Number.parseInt(colour.slice(at, at + 2), 16) / 255),
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

const MEMBERS = Array.from({ length: 8 }, (_, index) => `member-${index}`);
/** Text, and what it stands on. */
const PAIRS: readonly (readonly [readonly string[], readonly string[]])[] = [
  [
    ["ink", "quiet", "accent", "good", "bad", "warn", "evidence", "notarize", "finalize", "nullify", ...MEMBERS],
    ["ground", "surface"],
  ],
  [
    ["ink", "quiet"],
    ["raised", "accent-wash", "evidence-wash"],
  ],
  [["on-accent"], ["accent"]],
  [["good"], ["good-wash", "accent-wash"]],
  [["bad"], ["bad-wash"]],
  [["warn"], ["warn-wash", "accent-wash"]],
  [["evidence"], ["evidence-wash", "accent-wash"]],
];

describe.each([
  ["light", ":root"],
  ["dark", ':root[data-theme="dark"]'],
  ["dark by the system", ':root:not([data-theme="light"])'],
])("the %s theme", (_name, selector) => {
  const theme = { ...colours(":root"), ...colours(selector) };

  test.each(
    PAIRS.flatMap(([texts, grounds]) => texts.flatMap((text) => grounds.map((ground) => [text, ground] as const))),
  )("%s can be read on %s (AA: 4.5)", (text, ground) => {
    expect(contrast(theme[text] ?? "", theme[ground] ?? "")).toBeGreaterThanOrEqual(4.5);
  });
});
