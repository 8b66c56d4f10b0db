import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GraphLink, GraphPicture, GraphPoint } from "../../../src/host/inspector/contract.ts";
import { EXPLAIN_BOUNDS } from "../../../src/projections/rebac/explain.ts";
import { highlightOf, linkKey, storyOf } from "../../../tools/visualizer/page/views/check-sentences.ts";
import { readGraphFocus, writeGraphFocus } from "../../../tools/visualizer/page/views/graph-focus.ts";
import { BOX_HEIGHT, BOX_WIDTH, layOut } from "../../../tools/visualizer/page/views/graph-layout.ts";
import { begin, centre, fit, zoom } from "../../../tools/visualizer/page/views/pan-zoom.ts";
import { acceptance, node, VIEW } from "./acceptance-graph.ts";

const explained = (subject: string, object = VIEW, inherits: readonly string[] = []) =>
  acceptance(inherits).graph.explain({ subject: node(subject), object: node(object) }, EXPLAIN_BOUNDS);

describe("the layout", () => {
  it("leads every map and grant of the acceptance story from left to right, so that a permission never turns back", () => {
    const { picture } = acceptance(["Document:123#Read", "Folder:9#Read"]);
    const { places } = layOut(picture);
    for (const { from, to, kind } of picture.links) {
      const [left, right] = kind === "objectMapped" ? [to, from] : [from, to];
      expect(places.get(left)?.x, `${left} before ${right}`).toBeLessThan(places.get(right)?.x ?? -1);
    }
    expect(places.size).toBe(picture.points.length);
  });

  /** Any graph of a few dozen points; maps may even close cycles, which the log never has but a cut picture must survive. */
  const pictures = fc
    .record({
      kinds: fc.array(fc.constantFrom<GraphPoint["kind"]>("subject", "object", "relation"), {
        minLength: 1,
        maxLength: 40,
      }),
      pairs: fc.array(fc.tuple(fc.nat(39), fc.nat(39)), { maxLength: 80 }),
    })
    .map(({ kinds, pairs }): GraphPicture => {
      const points = kinds.map(
        (kind, at): GraphPoint => ({ id: `${kind} ${at}`, kind, namespace: "", name: `${at}`, relation: "" }),
      );
      const links = pairs.flatMap(([a, b]): GraphLink[] => {
        const [from, to] = [points[a % points.length], points[b % points.length]];
        if (from === undefined || to === undefined || from === to) return [];
        if (from.kind === to.kind) return [{ from: from.id, to: to.id, kind: `${from.kind}Mapped` }];
        return from.kind === "subject" && to.kind === "object" ? [{ from: from.id, to: to.id, kind: "assertion" }] : [];
      });
      return { height: 1, points, links, truncated: false };
    });

  it("cuts a cycle at the same place whatever order its links come in", () => {
    const points = [0, 2, 3].map(
      (at): GraphPoint => ({ id: `relation ${at}`, kind: "relation", namespace: "", name: `${at}`, relation: "" }),
    );
    const links = ["0 2", "0 3", "2 3", "3 2"].map((pair): GraphLink => {
      const [from, to] = pair.split(" ");
      return { from: `relation ${from}`, to: `relation ${to}`, kind: "relationMapped" };
    });
    const layout = layOut({ height: 1, points, links, truncated: false });
    expect(layOut({ height: 1, points, links: links.toReversed(), truncated: false }).places).toEqual(layout.places);
  });

  it("puts every point somewhere inside the drawing and no two on top of each other, the same way every time", () => {
    fc.assert(
      fc.property(pictures, (picture) => {
        const layout = layOut(picture);
        const places = [...layout.places.values()];
        expect(places).toHaveLength(picture.points.length);
        for (const [index, a] of places.entries()) {
          expect(a.x >= 0 && a.y >= 0 && a.x + BOX_WIDTH <= layout.width && a.y + BOX_HEIGHT <= layout.height).toBe(
            true,
          );
          for (const b of places.slice(index + 1))
            expect(Math.abs(a.x - b.x) >= BOX_WIDTH || Math.abs(a.y - b.y) >= BOX_HEIGHT).toBe(true);
        }
        expect(
          layOut({ ...picture, points: picture.points.toReversed(), links: picture.links.toReversed() }).places,
        ).toEqual(layout.places);
      }),
      { numRuns: 500 },
    );
  });

  it("lays 2,000 points out without recursion or more than a few looks at each link", () => {
    const points = Array.from(
      { length: 2_000 },
      (_none, at): GraphPoint => ({
        id: `subject ${at}`,
        kind: "subject",
        namespace: "",
        name: `${at}`,
        relation: "",
      }),
    );
    const links = points
      .slice(1)
      .map((point, at): GraphLink => ({ from: point.id, to: `subject ${at}`, kind: "subjectMapped" }));
    expect(layOut({ height: 1, points, links, truncated: false }).places.size).toBe(2_000);
  });
});

describe("a check, in sentences", () => {
  it("true: each step of the shortest chain, from the subject to the object", () => {
    expect(storyOf(explained("my-org:Jale", "Folder:9#Read", ["Folder:9#Read"]))).toEqual({
      verdict: "Allowed: my-org:Jale has Folder:9#Read.",
      steps: [
        "my-org:Jale belongs to my-org:ABCTechnicians#member.",
        "my-org:ABCTechnicians#member belongs to my-org:Technicians#member.",
        "my-org:Technicians#member belongs to my-org:Users#member.",
        "my-org:Users#member was granted Document:123#View.",
        "Folder:9#Read inherits what is granted on Document:123#View.",
      ],
      nearly: [],
    });
  });

  it("false: what was tried and who has the grant, and what would have to be there", () => {
    const story = storyOf(explained("my-org:Demet"));
    expect(story.verdict).toBe("Denied: my-org:Demet does not have Document:123#View.");
    expect(story.steps).toEqual([
      "my-org:Demet belongs to my-org:HelpDesk#member and my-org:Admins#member.",
      "Document:123#View inherits from no other object.",
      "Granted there is my-org:ABCTechnicians#flag and my-org:Users#member: none of these is my-org:Demet or a group it belongs to.",
    ]);
    expect(story.nearly).toContain(
      "my-org:Demet would pass if it belonged to my-org:Users#member, which was granted Document:123#View.",
    );
  });

  it("false: an unknown name, namespace or relation is what it says first", () => {
    expect(storyOf(explained("my-org:Nobody")).steps[0]).toMatch(/my-org:Nobody is not known as a subject/);
    expect(storyOf(explained("theirs:Jale")).steps[0]).toBe(
      "There is no namespace “theirs”, so nothing is known of theirs:Jale.",
    );
    expect(storyOf(explained("my-org:Jale#owner")).steps[0]).toMatch(/There is no relation “owner”/);
    expect(storyOf(explained("my-org:Jale", "Document:124#View")).steps[0]).toMatch(
      /Document:124#View is not known as an object/,
    );
  });

  it("highlights exactly the chain when true, and what both sides reached when false", () => {
    const { picture } = acceptance(["Folder:9#Read"]);
    const links = new Set(picture.links.map(linkKey));
    const chain = highlightOf(explained("my-org:Jale", "Folder:9#Read", ["Folder:9#Read"]));
    expect(chain.chain).toBe(true);
    expect(chain.links.size).toBe(5);
    expect([...chain.links].every((key) => links.has(key))).toBe(true);
    const tried = highlightOf(explained("my-org:Demet"));
    expect(tried.chain).toBe(false);
    expect([...tried.links].every((key) => links.has(key))).toBe(true);
    expect(tried.points).toContain("subject my-org:Admins#member");
    expect(tried.points).not.toContain("subject my-org:Can");
  });
});

describe("what the graph view looks at, in a link", () => {
  it("is read back as it was written, whatever the names", () => {
    const texts = fc.string({ minLength: 1, maxLength: 20 }).map((text) => text.replaceAll(/\s/gu, "_"));
    fc.assert(
      fc.property(texts, texts, texts, (around, subject, object) => {
        expect(readGraphFocus(writeGraphFocus({ around, subject, object }))).toEqual({ around, subject, object });
      }),
    );
    expect(writeGraphFocus({ around: "", subject: "", object: "" })).toBeNull();
    expect(readGraphFocus(null)).toEqual({ around: "", subject: "", object: "" });
  });
});

describe("sight", () => {
  const box = { width: 400, height: 300 };

  it("fits a drawing whole and in the middle", () => {
    const sight = fit({ width: 1_000, height: 300 }, box);
    expect(sight).toEqual({ x: 0, y: -225, width: 1_000, height: 750 });
  });

  it("zooming keeps the point under the finger where it is, within bounds", () => {
    const before = fit({ width: 1_000, height: 300 }, box);
    const after = zoom(before, 2, 250, 100, box.width);
    expect((250 - after.x) / after.width).toBeCloseTo((250 - before.x) / before.width);
    expect((100 - after.y) / after.height).toBeCloseTo((100 - before.y) / before.height);
    let sight = before;
    for (let at = 0; at < 50; at++) sight = zoom(sight, 2, 0, 0, box.width);
    expect(box.width / sight.width).toBeCloseTo(3);
  });

  it("centres a point where it can be read", () => {
    const sight = centre(fit({ width: 5_000, height: 300 }, box), 700, 80, box.width);
    expect([sight.x + sight.width / 2, sight.y + sight.height / 2]).toEqual([700, 80]);
    expect(box.width / sight.width).toBeCloseTo(0.8);
  });
});

describe("what is seen of a drawing first", () => {
  const drawing = { width: 1_000, height: 700 };

  it("is all of it, where there is room", () => {
    for (const box of [
      { width: 1_100, height: 500 },
      { width: 600, height: 300 },
    ])
      expect(begin(drawing, box)).toEqual(fit(drawing, box));
    expect(begin({ width: 300, height: 200 }, { width: 340, height: 300 })).toEqual(
      fit({ width: 300, height: 200 }, { width: 340, height: 300 }),
    );
  });

  it("is a part that can be read, on a phone", () => {
    const sight = begin(drawing, { width: 340, height: 440 });
    expect([sight.x, sight.y]).toEqual([0, 0]);
    expect(340 / sight.width).toBeCloseTo(0.6);
  });
});
