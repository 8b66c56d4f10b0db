/** The inspector's page in Chromium, over a recording of a simulated cluster with a leader that lies. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "./cluster.ts";
import { type OpenOptions, type Session, chromiumPath, launch, open } from "./inspector/browser.ts";
import { Inspecting, record } from "./inspector/inspecting.ts";
import { VIEWS, connection, follow, overflow, place, says, show } from "./inspector/pages.ts";
import { Witness, faultsOf } from "./inspector/witness.ts";

const chromium = chromiumPath();
/** Its member n2 proposes two blocks in view 2. */
const SEED = 7;
const LIAR = "n2";

describe.skipIf(chromium === null)("a recording of an equivocating leader, in the browser", () => {
  let browser: Browser;
  let inspecting: Inspecting;
  let witness: Witness;
  let session: Session;
  const directory = mkdtempSync(path.join(tmpdir(), "sky-inspector-"));

  beforeAll(async () => {
    const file = path.join(directory, "recording.jsonl");
    await record(file, SEED, "equivocator");
    inspecting = await Inspecting.start(file);
    witness = await Witness.before(inspecting.link);
    browser = await launch(chromium ?? "");
    // As somebody does whose session is over: the fresh link is opened in the window that has said so.
    const first = await open(browser, witness, { fragment: "view=blocks" });
    await says(first.page, "Not admitted");
    first.complaints.length = 0;
    await first.page.evaluate(`location.href = ${JSON.stringify(witness.link)}`);
    await connection(first.page, "recording read to its end");
    expect(first.page.url()).not.toContain("token");
    session = await first.page.context().storageState();
    await first.page.context().close();
    expect(first.complaints).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    await witness?.close();
    expect((await inspecting?.stop()) ?? 0).toBe(0);
    rmSync(directory, { recursive: true, force: true });
  });

  const look = async (fragment: string, options: OpenOptions = {}) => {
    const watched = await open(browser, witness, { ...options, fragment, session });
    await connection(watched.page, "recording read to its end");
    return watched;
  };

  it("the stream brings every entry of every life once, in order", () => {
    const streamed = witness.streamed();
    expect(streamed.entries.length).toBeGreaterThan(10_000);
    expect(faultsOf(streamed)).toEqual([]);
  });

  it("the evidence against the leader can be seen where it was found, and what it proves", async () => {
    const { page, complaints } = await look("view=sequence");
    const evidence = witness.streamed().entries.find((entry) => entry.kind === "evidence" && entry.member === LIAR);
    if (evidence?.kind !== "evidence") throw new Error("the recording has evidence");
    await follow(page, `view=sequence&at=${evidence.node}:${evidence.life}:${evidence.n}`);
    await says(page, `${evidence.node} holds evidence against ${LIAR}: ${evidence.evidence} in view ${evidence.view}.`);
    await page.locator(".seq-row .note-evidence").first().waitFor();
    await show(page, "ring");
    await says(page, "equivocator");
    await show(page, "blocks");
    await says(page, new RegExp(`(evidence|lied|two blocks|equivocat)`, "i"));
    await page.context().close();
    expect(complaints).toEqual([]);
  });

  it("every view stands, on a screen and on a phone, without a complaint, a violation of the policy or a foreign request", async () => {
    for (const size of [
      [1280, 800],
      [360, 740],
    ] as const) {
      const { page, complaints } = await look("", { size });
      for (const { name, title, key } of VIEWS) {
        await page.keyboard.press(key);
        await page.locator(`.view[data-view="${name}"]`).waitFor();
        await until(`the tab ${title} is in sight`, async () => {
          const tab = await page.getByRole("navigation", { name: "Views" }).getByText(title).boundingBox();
          return tab !== null && tab.x >= 0 && tab.x + tab.width <= size[0];
        });
        if (name === "ceremony") await says(page, "has no ceremony");
        if (name === "graph") await page.locator(".graph-svg .point").first().waitFor();
        if (name === "difference") await says(page, /root of/);
        expect(await overflow(page), `${name} at ${size[0]} px`).toBeLessThanOrEqual(0);
      }
      await page.context().close();
      expect(complaints).toEqual([]);
    }
  });

  it("keys alone lead through views, time, search and help", async () => {
    const { page, complaints } = await look("");
    for (const { name, key } of VIEWS) {
      await page.keyboard.press(key);
      await page.locator(`.view[data-view="${name}"]`).waitFor();
    }
    await page.keyboard.press("Home");
    await until("the cursor is at the beginning", async () => (await place(page)).at === 1);
    await page.keyboard.press("ArrowRight");
    await until("the cursor is one further", async () => (await place(page)).at === 2);
    await page.keyboard.press("2");
    const list = page.getByRole("listbox", { name: "Messages in the order of time" });
    await list.focus();
    const before = await place(page);
    await page.keyboard.press("PageDown");
    await until("the list went down a page", async () => (await place(page)).at > before.at + 5);
    const chosen = list.getByRole("option", { selected: true });
    await until("one of it is chosen", async () => (await chosen.count()) === 1);
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("/");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.context().close();
    expect(complaints).toEqual([]);
  });

  it("dialogs open and close as fast as somebody types", async () => {
    const { page, complaints } = await look("");
    const help = page.getByRole("dialog", { name: "Help" });
    const search = page.getByRole("dialog", { name: "Search" });
    for (let turn = 0; turn < 30; turn++) {
      for (const key of ["?", "Escape", "/", "Escape", "?", "Escape", "?"]) await page.keyboard.press(key);
      expect(await help.isVisible(), `help, turn ${turn}`).toBe(true);
      for (const key of ["Escape", "/"]) await page.keyboard.press(key);
      expect(await search.isVisible(), `search, turn ${turn}`).toBe(true);
      await page.keyboard.press("Escape");
      expect(await page.getByRole("dialog").count(), `none, turn ${turn}`).toBe(0);
    }
    await page.context().close();
    expect(complaints).toEqual([]);
  });

  it("a link to a moment shows the same moment to somebody else", async () => {
    const { page } = await look("view=ring");
    await page.keyboard.press("Home");
    for (let step = 0; step < 3; step++) await page.keyboard.press("]");
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByRole("button", { name: "Link" }).click();
    const link = await until("the link is copied", async () => {
      const text = String(await page.evaluate("navigator.clipboard.readText()"));
      return /\/inspect\/#view=ring&at=n\d:\d+:\d+$/.test(text) && text;
    });
    await until("the address says the same", () => page.url() === link);
    const other = await look(new URL(link).hash.slice(1));
    // The address is ahead of what is drawn: both are looked at until they have drawn it.
    await until("both pages stand there", async () => {
      const [here, there] = [await place(page), await place(other.page)];
      return here.at === there.at && here.at < here.of;
    });
    await page.context().close();
    await other.page.context().close();
  });

  it("a thousand moves at once are drawn, stand in the address in the end, and the browser does not stop the page", async () => {
    const { page, complaints } = await look("view=ring");
    const { of } = await place(page);
    await page.evaluate(
      "for (let n = 0; n < 1000; n++) dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft' }))",
    );
    await until("the cursor has come there", async () => (await place(page)).at === of - 1_000);
    const address = page.url();
    await page.keyboard.press("ArrowLeft");
    await until("the address goes with it", () => page.url() !== address);
    await page.context().close();
    expect(complaints).toEqual([]);
  });

  it("more than 10,000 entries scrub: what stands in the page stays small at every place", async () => {
    const { page, complaints } = await look("view=sequence");
    const { of } = await place(page);
    expect(of).toBeGreaterThan(10_000);
    const track = await page.getByRole("slider", { name: "Moment" }).boundingBox();
    if (track === null) throw new Error("there is a slider");
    const y = track.y + track.height / 2;
    await page.mouse.move(track.x + 2, y);
    await page.evaluate(
      "globalThis.longTasks = []; new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((one) => one.duration))).observe({ type: 'longtask' })",
    );
    await page.mouse.down();
    let most = 0;
    for (let step = 0; step <= 60; step++) {
      await page.mouse.move(track.x + 2 + ((track.width - 4) * step) / 60, y);
      most = Math.max(most, await page.locator(".seq-svg *").count());
    }
    await page.mouse.up();
    // Told, not judged: a shared machine's time says little (DESIGN §10).
    console.info(`long tasks of 61 places of the slider, ms: ${String(await page.evaluate("longTasks.join(', ')"))}`);
    await until("the cursor is where the slider was let go", async () => (await place(page)).at > of * 0.95);
    expect(most).toBeGreaterThan(50);
    expect(most).toBeLessThan(2_500);
    await page.context().close();
    expect(complaints).toEqual([]);
  });
});
