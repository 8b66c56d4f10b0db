import { describe, expect, test } from "vitest";
import { loadAssets } from "../../../tools/visualizer/assets.ts";

describe("the page's assets", () => {
  test("are the page, its script, its stylesheet and the charts, each with its type", async () => {
    const assets = await loadAssets();
    expect([...assets].map(([path, { type }]) => [path, type.split(";")[0]])).toEqual([
      ["/inspect/", "text/html"],
      ["/inspect/assets/page.js", "text/javascript"],
      ["/inspect/assets/page.css", "text/css"],
      ["/inspect/assets/charts.json", "application/json"],
    ]);
    for (const { bytes } of assets.values()) expect(bytes.length).toBeGreaterThan(0);
  });

  test("ask nothing of anybody else and hold nothing inline that the policy forbids", async () => {
    const assets = await loadAssets();
    const text = (path: string): string => new TextDecoder().decode(assets.get(path)?.bytes);
    const page = text("/inspect/");
    expect(page).not.toMatch(/<style|style=|<script(?![^>]*\bsrc=)|\bon\w+=/);
    for (const [, address] of page.matchAll(/(?:src|href)="([^"]*)"/g))
      expect(address).toMatch(/^(?:\/inspect\/assets\/|data:image)/);
    expect(text("/inspect/assets/page.css")).not.toMatch(/url\(|@import/);
    expect(text("/inspect/assets/page.js")).not.toMatch(/\beval\(|new Function\(/);
  });

  test("are made once", async () => {
    expect(await loadAssets()).toBe(await loadAssets());
  });
});
