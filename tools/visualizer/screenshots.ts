/**
 * Takes the pictures of docs/INSPECTOR.md: every view, light and dark, over a cluster that lost a node and got it back, and over a
 * recording of a leader that lied. Usage: node tools/visualizer/screenshots.ts [DIRECTORY]. Needs Chromium (CHROMIUM_PATH).
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { type Browser, type BrowserContext, type Page, chromium } from "playwright-core";
import { withPalette } from "./palette-png.ts";

const root = path.resolve(import.meta.dirname, "../..");
const SKY = path.join(root, "bin/sky.js");
const out = path.resolve(process.argv[2] ?? path.join(root, "docs/images/inspector"));
const VIEWPORT = { width: 1120, height: 720 };
const THEMES = ["light", "dark"] as const;
/** A picture above it does not belong into a repository. Units: bytes. */
const BYTES_MAX = 100_000;
/** Until what the server was asked has come and is drawn. Units: ms. */
const SETTLED_MS = 900;
const PATIENCE_MS = 90_000;

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts `sky` and waits for the link that it prints. */
async function linkOf(...args: readonly string[]): Promise<{ readonly child: ChildProcess; readonly link: string }> {
  const child = spawn(process.execPath, [SKY, ...args], { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line);
    const link = /http:\/\/127\.0\.0\.1:\d+\/inspect\/#token=\S+/.exec(line)?.[0];
    if (link !== undefined) return { child, link };
  }
  throw new Error(`sky ${args.join(" ")} ended without a link`);
}

const stop = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGINT");
  });

const pidOf = (directory: string, name: string): number => {
  const { nodes } = JSON.parse(readFileSync(path.join(directory, "cluster.json"), "utf8")) as {
    readonly nodes: readonly { readonly name: string; readonly pid: number }[];
  };
  const node = nodes.find((one) => one.name === name);
  if (node === undefined) throw new Error(`no node ${name}`);
  return node.pid;
};

async function look(page: Page, fragment: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(fragment)}`);
  await page.waitForTimeout(SETTLED_MS);
}

/** Where the newest entry is that the search finds, as a link. */
async function found(page: Page, view: string, query: string): Promise<string> {
  await look(page, `view=${view}`);
  await page.keyboard.press("/");
  await page.getByRole("dialog").getByRole("searchbox").or(page.locator("dialog input")).first().fill(query);
  await page.waitForTimeout(SETTLED_MS);
  await page.keyboard.press("Enter");
  await page.waitForTimeout(SETTLED_MS);
  const link = String(await page.evaluate("location.hash.slice(1)"));
  if (!link.includes("at=")) throw new Error(`nothing found of: ${query}`);
  return link;
}

async function take(page: Page, name: string): Promise<void> {
  const png = withPalette(await page.screenshot());
  if (png.length > BYTES_MAX) throw new Error(`${name}: ${png.length} bytes`);
  writeFileSync(path.join(out, `${name}.png`), png);
  console.log(`${name}.png ${png.length}`);
}

/** What the page says of its source once it has heard what there was. */
const CONNECTED = "connected";
const READ = "recording read to its end";

async function heard(page: Page, connection: string): Promise<void> {
  await page.locator(`.connection[title="${connection}"]`).waitFor({ timeout: PATIENCE_MS });
}

/** The same places, light and dark. */
async function takeAll(
  browser: Browser,
  first: BrowserContext,
  source: { readonly origin: string; readonly connection: string },
  places: Readonly<Record<string, string>>,
) {
  const { origin, connection } = source;
  const storageState = await first.storageState();
  for (const colorScheme of THEMES) {
    const context = await browser.newContext({ viewport: VIEWPORT, colorScheme, storageState });
    const page = await context.newPage();
    await page.goto(`${origin}/inspect/`);
    await heard(page, connection);
    await page.waitForTimeout(3 * SETTLED_MS);
    for (const [name, fragment] of Object.entries(places)) {
      await look(page, fragment);
      await page.locator(".stage").evaluate("(element) => { element.scrollTop = 0; }");
      await take(page, `${name}-${colorScheme}`);
    }
    await context.close();
  }
}

/** A cluster whose node n0 dies and comes back. */
async function ofTheCluster(browser: Browser, directory: string): Promise<void> {
  const { child, link } = await linkOf("dev", "--dir", directory, "--story");
  try {
    const context = await browser.newContext({ viewport: VIEWPORT });
    const page = await context.newPage();
    await page.goto(link);
    await heard(page, CONNECTED);
    // What n0 had said has come: after its death nobody can ask it.
    await page.locator('.node-card.alive[data-node="n0"]', { hasText: /block \d/ }).waitFor({ timeout: PATIENCE_MS });
    process.kill(pidOf(directory, "n0"), "SIGKILL");
    await page.getByText("n0 is down").first().waitFor({ timeout: PATIENCE_MS });
    await page.waitForTimeout(SETTLED_MS);
    const dead = await found(page, "ring", "node:n0 kind:ended");
    execFileSync(process.execPath, [SKY, "dev", "--dir", directory, "--revive", "n0"], { cwd: root, stdio: "inherit" });
    await page.keyboard.press("End");
    await page.getByText("all 4 nodes run").first().waitFor({ timeout: PATIENCE_MS });
    const share = await found(page, "ceremony", "node:n0 shareVerified ann");
    const message = await found(page, "sequence", "kind:sent type:proposal");
    const at = `&${message.split("&").find((field) => field.startsWith("at=")) ?? ""}`;
    const check = "subject=my-org:Demet object=my-org:Document%3A123%23View around=my-org:";
    await takeAll(
      browser,
      context,
      { origin: new URL(link).origin, connection: CONNECTED },
      {
        states: `view=states${at}&focus=n1/consensus`,
        sequence: message,
        members: dead,
        graph: `view=graph${at}&focus=${encodeURIComponent(check)}`,
        ceremony: share,
        difference: `view=difference${at}&focus=${encodeURIComponent("n1@11 n1@15")}`,
      },
    );
    await context.close();
  } finally {
    await stop(child);
  }
}

/** A leader that proposes two blocks. */
async function ofTheRecording(browser: Browser, directory: string): Promise<void> {
  const file = path.join(directory, "recording.jsonl");
  const options = ["--seed", "7", "--nodes", "4", "--byzantine", "1", "--actor", "equivocator", "--record", file];
  execFileSync(process.execPath, [SKY, "simulate", ...options], { cwd: root, stdio: "inherit" });
  const { child, link } = await linkOf("inspect", file);
  try {
    const context = await browser.newContext({ viewport: VIEWPORT });
    const page = await context.newPage();
    await page.goto(link);
    await heard(page, READ);
    const lied = await found(page, "blocks", "kind:evidence twoProposals");
    await takeAll(browser, context, { origin: new URL(link).origin, connection: READ }, { blocks: lied });
    await context.close();
  } finally {
    await stop(child);
  }
}

mkdirSync(out, { recursive: true });
const scratch = mkdtempSync(path.join(tmpdir(), "sky-screenshots-"));
const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium",
  args: FLAGS,
});
try {
  await ofTheCluster(browser, path.join(scratch, "cluster"));
  await ofTheRecording(browser, scratch);
} finally {
  await browser.close();
  rmSync(scratch, { recursive: true, force: true });
}
