/** What tests do with the inspector's page as a reader would: look at a view, read it, move in time. */
import type { Page } from "playwright-core";
import { until } from "../cluster.ts";

/** Name in links, title of its tab, key. */
export const VIEWS = [
  { name: "states", title: "Statecharts", key: "1" },
  { name: "sequence", title: "Sequence", key: "2" },
  { name: "blocks", title: "Blocks", key: "3" },
  { name: "ring", title: "Members", key: "4" },
  { name: "graph", title: "Graph", key: "5" },
  { name: "ceremony", title: "Ceremony", key: "6" },
  { name: "difference", title: "Difference", key: "7" },
] as const;
export type ViewName = (typeof VIEWS)[number]["name"];

/** Presses the tab, and waits until the view stands there. */
export async function show(page: Page, name: ViewName): Promise<void> {
  const view = VIEWS.find((one) => one.name === name);
  await page
    .getByRole("navigation", { name: "Views" })
    .getByRole("button", { name: view?.title ?? name, exact: false })
    .click();
  await page.locator(`.view[data-view="${name}"]`).waitFor();
}

/** Everything that a reader can read of the page. */
export const textOf = (page: Page): Promise<string> => page.locator("body").innerText();

/** Waits until the page says so. */
export async function says(page: Page, what: string | RegExp): Promise<string> {
  let text = "";
  try {
    await until(`the page says ${String(what)}`, async () => {
      text = await textOf(page);
      return typeof what === "string" ? text.includes(what) : what.test(text);
    });
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}; it says:\n${text}`, { cause: error });
  }
  return text;
}

/** Waits until the page's connection stands so; on a phone its words are in the title alone. */
export const connection = (
  page: Page,
  state: "connected" | "connection lost, trying again" | "recording read to its end",
) => page.locator(`.connection[title="${state}"]`).waitFor();

/** The cursor's position among how many entries, from 1, as the page writes it under the slider. */
export async function place(page: Page): Promise<{ readonly at: number; readonly of: number }> {
  const text = await page.locator(".place .count").innerText();
  const [, at = "", of = ""] = /^([\d,]+) of ([\d,]+)$/.exec(text) ?? [];
  return { at: Number(at.replaceAll(",", "")), of: Number(of.replaceAll(",", "")) };
}

/** Moves every view to a moment, as a permanent link does. */
export async function follow(page: Page, fragment: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(fragment)}`);
}

/** How far the page goes beyond the window's right edge. Units: px. */
export const overflow = async (page: Page): Promise<number> =>
  Number(await page.evaluate("document.documentElement.scrollWidth - innerWidth"));
