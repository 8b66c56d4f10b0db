/** Chromium, and a page that is watched: whatever the console, the policy or the network has against it is kept. */
import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, type Page, chromium } from "playwright-core";
import { PATIENCE_MS } from "../cluster.ts";
import type { Witness } from "./witness.ts";

const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/snap/bin/chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];
/** Nothing but the page itself may reach for the network. */
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

/** The browser of CHROMIUM_PATH ("none": none), or of the usual places; null where there is none. Throws: none, and REQUIRE_CHROMIUM=1. */
export function chromiumPath(): string | null {
  const named = process.env["CHROMIUM_PATH"] ?? "";
  const found = named === "" ? PLACES.find((place) => existsSync(place)) : named;
  if (found !== undefined && found !== "none") return found;
  const why = `no Chromium at ${PLACES.join(", ")}; install it or set CHROMIUM_PATH`;
  if (process.env["REQUIRE_CHROMIUM"] === "1") throw new Error(why);
  console.warn(`inspector tests are skipped: ${why}`);
  return null;
}

/** Playwright would lift the bound on how often a page writes its address; readers' browsers have it. */
const NOT_LIFTED = ["--disable-ipc-flooding-protection"];

export const launch = (executablePath: string): Promise<Browser> =>
  chromium.launch({ executablePath, args: FLAGS, ignoreDefaultArgs: NOT_LIFTED, timeout: PATIENCE_MS });

export type Session = Awaited<ReturnType<BrowserContext["storageState"]>>;

export interface Watched {
  readonly page: Page;
  /** Warnings and errors of the console, errors of the page, violations of the policy, requests to another origin. */
  readonly complaints: string[];
}

export interface OpenOptions {
  /** Of the window. Units: px. */
  readonly size?: readonly [number, number];
  readonly theme?: "light" | "dark";
  /** Of the address, instead of the one-time token. */
  readonly fragment?: string;
  /** Cookies of a page that the server has admitted. */
  readonly session?: Session;
}

/** Opens the link in a context of its own. */
export async function open(browser: Browser, witness: Witness, options: OpenOptions = {}): Promise<Watched> {
  const [width, height] = options.size ?? [1280, 800];
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: options.theme ?? "light",
    reducedMotion: "reduce",
    ...(options.session !== undefined && { storageState: options.session }),
  });
  context.setDefaultTimeout(PATIENCE_MS); // of navigations, too
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning")
      complaints.push(`console ${message.type()}: ${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.origin !== witness.origin) complaints.push(`request to ${url.origin}`);
  });
  await page.exposeFunction("reportViolation", (what: string) => void complaints.push(`policy: ${what}`));
  // As text: it runs in the browser, whose types this project does not have.
  await page.addInitScript(
    "addEventListener('securitypolicyviolation', (event) => reportViolation(event.effectiveDirective + ' ' + event.blockedURI))",
  );
  await page.goto(options.fragment === undefined ? witness.link : `${witness.origin}/inspect/#${options.fragment}`);
  return { page, complaints };
}
