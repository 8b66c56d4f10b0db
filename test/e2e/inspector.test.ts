/**
 * The inspector's page in Chromium, over a cluster of `sky dev` that works, loses a node and gets it back: what a reader sees, that
 * nothing is missed over a cut connection, and that no secret ever reaches the page.
 */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CompatibleClients, messageOf, nodeNamed } from "./clients.ts";
import { Cluster, until } from "./cluster.ts";
import { type Session, chromiumPath, launch, open } from "./inspector/browser.ts";
import { linkIn } from "./inspector/inspecting.ts";
import { VIEWS, connection, follow, overflow, place, says, show, textOf } from "./inspector/pages.ts";
import { Witness, faultsOf } from "./inspector/witness.ts";
import { canaries, spellings } from "./security/canaries.ts";
import { steal } from "./security/stolen.ts";

const chromium = chromiumPath();
/** Of the acceptance story, as the command line writes them. */
const DEMET = "my-org:Demet";
const DOCUMENT = "my-org:Document%3A123%23View";
/** A name in a write that is refused: it must go nowhere. */
const REFUSED_NAME = "a-name-in-a-refused-write";

/** What a cut connection makes the browser itself say. */
const OF_THE_CUT = /net::ERR_(?:EMPTY_RESPONSE|CONNECTION|INCOMPLETE|FAILED|NETWORK|SOCKET|ABORTED)/;

describe.skipIf(chromium === null)("the inspector of a cluster that works, in the browser", () => {
  let cluster: Cluster;
  let browser: Browser;
  let witness: Witness;
  let session: Session;
  let main: Page;
  let complaints: readonly string[];

  beforeAll(async () => {
    [cluster, browser] = await Promise.all([Cluster.start("--story"), launch(chromium ?? "")]);
    const link = await until("sky dev prints the link", () => linkIn(cluster.said));
    witness = await Witness.before(link);
    ({ page: main, complaints } = await open(browser, witness));
    await connection(main, "connected");
    session = await main.context().storageState();
  });
  afterAll(async () => {
    await browser?.close();
    await witness?.close();
    await cluster?.clean();
  });

  /** One more block. */
  const write = async (name: string, node = "n0"): Promise<void> => {
    const clients = new CompatibleClients(cluster);
    try {
      await clients.ask(node, "addSubject", messageOf(nodeNamed(name, "my-org")));
    } finally {
      clients.close();
    }
  };

  it("the one-time token opens the page once, and does not stay in the address", async () => {
    expect(main.url()).not.toContain("token");
    const { page } = await open(browser, witness);
    await says(page, "A link opens the page once");
    await page.context().close();
  });

  it("a new user finds, from the page alone, who leads, why a check was denied, and what happened when a node died", async () => {
    // In one look: while the page reads what happened, leaders change.
    await until("the sentence and the marked node name the same leader", () =>
      main.evaluate(
        "document.querySelector('.story')?.innerText.includes(`${document.querySelector('.node-card.leader')?.dataset.node} leads view `)",
      ),
    );

    await show(main, "graph");
    const form = main.getByRole("form", { name: "Explain a check" });
    await form.getByLabel("Does").fill(DEMET);
    await form.getByLabel("have").fill(DOCUMENT);
    await form.getByRole("button", { name: "Explain" }).click();
    // Denied it is at every height; what was tried is that of the newest once the page has read up to there.
    await says(main, `${DEMET} belongs to my-org:HelpDesk#member and my-org:Admins#member.`);
    const denied = await says(main, "Granted there is my-org:ABCTechnicians#flag");
    expect(denied).toContain(`Denied: ${DEMET} does not have ${DOCUMENT}.`);
    await main.locator(".graph-svg .point.tried").nth(2).waitFor();
    // What is true has its chain.
    await form.getByLabel("Does").fill("my-org:ABCTechnicians#flag");
    await form.getByRole("button", { name: "Explain" }).click();
    await says(main, `Allowed: my-org:ABCTechnicians#flag has ${DOCUMENT}.`);
    await main.locator(".graph-svg .link.assertion.lit").waitFor();

    await cluster.kill("n3");
    await says(main, "n3 is down; 3 of 4 are enough to go on");
    await says(main, /n3 ended: .*(SIGKILL|signal 9|killed)/i);
    await show(main, "ring");
    await says(main, /n3 ended: /);
    await main.locator(".ring-svg .disc.ended").waitFor();
    await write("while-n3-is-down");
    await cluster.revive("n3");
    await says(main, "all 4 nodes run");
    await says(main, /n3 (?:came back|was unsealed and takes part)/);
    await main.locator(".ring-svg .disc.ended").waitFor({ state: "detached" });
  });

  it("every view shows what happens, on a screen and on a phone", async () => {
    const phone = await open(browser, witness, { size: [360, 740], fragment: "", session });
    await connection(phone.page, "connected");
    for (const page of [main, phone.page])
      for (const { name } of VIEWS) {
        await show(page, name);
        const view = page.locator(`.view[data-view="${name}"]`);
        if (name === "sequence") await view.locator(".seq-row").first().waitFor();
        if (name === "ring") await says(page, /lead(s)? view \d+ of epoch 0/);
        if (name === "graph") await view.locator(".point").first().waitFor();
        if (name === "ceremony") await says(page, /2 of 3 operators open it/);
        if (name === "difference") await says(page, /root of n0 at \d+/);
        expect(await overflow(page), `${name} beyond the window`).toBeLessThanOrEqual(0);
      }
    await phone.page.context().close();
    expect(phone.complaints).toEqual([]);
  });

  it("two nodes that agree are said to agree, and two heights show what was written between them", async () => {
    await follow(main, "view=difference&focus=n0%40%20n1%40");
    await says(main, /n0 and n1 agree as far as both have come: up to height \d+\./);
    const [, height = ""] = /last block (\d+)/.exec(await textOf(main)) ?? [];
    await write("written-in-between");
    await follow(main, `view=difference&focus=n0%40${height}%20n0%40`);
    await says(main, "my-org:written-in-between");
  });

  it("a cut connection is said, and made good without gap or duplicate", async () => {
    const { page, complaints: said } = await open(browser, witness, { fragment: "view=sequence", session });
    await connection(page, "connected");
    const before = (await place(page)).of;
    for (let round = 0; round < 2; round++) {
      witness.cut();
      await connection(page, "connection lost, trying again");
      await write(`during-cut-${round}`);
      witness.mend();
      await connection(page, "connected");
    }
    await write("after-the-cuts");
    await until("the page has what happened meanwhile", async () => (await place(page)).of > before);
    await page.context().close();
    const { entries, gaps, streams } = witness.streamed();
    expect(streams).toBeGreaterThan(4);
    expect(entries.length).toBeGreaterThan(before);
    // Every page began at the beginning and went on from where it was: read each on its own.
    for (const one of witness.readers()) expect(faultsOf(one)).toEqual([]);
    expect(gaps.filter(({ reason }) => /slow|behind/i.test(reason))).toEqual([]);
    expect(said.filter((complaint) => !OF_THE_CUT.test(complaint))).toEqual([]);
  });

  it("no secret of the cluster, and no name of a refused write, is in the page or in anything that it was given", async () => {
    const clients = new CompatibleClients(cluster);
    const refused = await clients.try("n1", "addSubject", messageOf(nodeNamed(REFUSED_NAME, "sky")));
    clients.close();
    expect(refused.code).not.toBe(0);
    await write("after-the-refusal");
    for (const { name } of VIEWS) await show(main, name);
    const shown = Buffer.from(`${await main.content()}\n${await textOf(main)}`);
    const bodies = witness.bodies();
    expect(bodies.length).toBeGreaterThan(20);
    const all = canaries(cluster, steal(cluster.directory)).map((canary) => ({
      canary,
      spelled: spellings(canary.bytes),
    }));
    expect(all.length).toBeGreaterThan(60);
    const tokens = cluster.said.flatMap((line) => /token=(\S+)/.exec(line)?.[1] ?? []);
    expect(tokens.length).toBeGreaterThan(0);
    const found: string[] = [];
    for (const { path, text } of [...bodies, { path: "the page itself", text: shown.toString("utf8") }]) {
      const bytes = Buffer.from(text);
      for (const { canary, spelled } of all)
        if (spelled.some((one) => bytes.includes(one))) found.push(`${canary.name} in ${path}`);
      for (const word of [...tokens, REFUSED_NAME]) if (text.includes(word)) found.push(`${word} in ${path}`);
    }
    expect(found).toEqual([]);
  });

  it("all this time the page had nothing to complain of, and asked nobody else", () => {
    expect(complaints.filter((complaint) => !OF_THE_CUT.test(complaint))).toEqual([]);
    expect(witness.answered.filter(({ status }) => status >= 500)).toEqual([]);
  });
});
