import { describe, expect, it } from "vitest";
import { InvalidArgumentError } from "commander";
import { instant, logTime } from "../../../src/host/cli/log-time.ts";

describe("log time on a command line", () => {
  it.each([
    ["2026-11-22", "2026-11-22T23:59:59.999Z"], // what was so on that day: its end
    ["2024-02-29", "2024-02-29T23:59:59.999Z"],
    ["2026-11-22T13:00Z", "2026-11-22T13:00:00.000Z"],
    ["2026-11-22T13:00:00.5Z", "2026-11-22T13:00:00.500Z"],
    ["2026-11-22T14:30:00+01:30", "2026-11-22T13:00:00.000Z"],
    ["2026-11-22T20:00:00-08:00", "2026-11-23T04:00:00.000Z"],
  ])("%s is %s", (text, expected) => {
    expect(new Date(logTime(text)).toISOString()).toBe(expected);
    expect(instant(text)).toBe(logTime(text));
  });

  it.each([
    "2026-02-31", // Date.parse says the 3rd of March
    "2025-02-29T12:00Z",
    "2026-13-01",
    "2026-11-22T13:00:00", // in which zone?
    "2026-11-22 13:00",
    "2026-11-22T25:00Z",
    "1969-12-31",
    "yesterday 5", // Date.parse says a day of 2001
    "Nov 22 2026",
    "",
  ])("%s is refused", (text) => {
    expect(() => logTime(text)).toThrow(InvalidArgumentError);
    expect(() => instant(text)).toThrow(InvalidArgumentError);
  });

  it("of a replay may be what --json prints", () => {
    expect(instant("1795362614376")).toBe(1_795_362_614_376);
    expect(() => logTime("1795362614376")).toThrow(InvalidArgumentError);
  });
});
