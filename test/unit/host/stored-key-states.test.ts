/** A sealed node goes by the keys that its projection last had, and believes nothing of it that does not prove itself. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Aid } from "../../../src/base/brands.ts";
import { concatBytes, utf8 } from "../../../src/base/bytes.ts";
import { publicKeyOf, signer } from "../../../src/crypto/ed25519.ts";
import { openSqlite } from "../../../src/events/store/sqlite.ts";
import type { Founding } from "../../../src/host/founding/document.ts";
import { storedKeyStates } from "../../../src/host/node/stored-key-states.ts";
import { indexedEd25519 } from "../../../src/keri/cesr/indexer.ts";
import { incept, rotate } from "../../../src/keri/compose.ts";
import type { KerlFact } from "../../../src/keri/kerl-facts.ts";
import { keyStateOfInception } from "../../../src/keri/key-state.ts";
import { keyText } from "../../../src/keri/key-text.ts";
import { nextKeyDigest } from "../../../src/keri/said.ts";
import { KerlTables } from "../../../src/projections/kerl/tables.ts";

const seed = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const text = (n: number): string => keyText(publicKeyOf(seed(n)));
const { aid, event: icp, said } = incept({ keys: [text(1)], nextDigests: [nextKeyDigest(text(2))] });
const state = keyStateOfInception(icp);
if (!state.ok) throw new Error(state.refusal.message);
const founding = {
  document: { founders: [{ aid, icp }], operators: [], admins: [], clients: [] },
  identifiers: new Map([[aid, state.value]]),
} as unknown as Founding;

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "sky-stored-"))));
afterEach(() => rmSync(directory, { recursive: true }));
const path = (): string => join(directory, "projection.db");

function rotation(by: number): KerlFact {
  const made = rotate({
    aid,
    sn: 1,
    prior: said,
    keys: [text(by)],
    nextDigests: [nextKeyDigest(text(9))],
    witnessThreshold: 0,
  });
  const attached = utf8(`-AAB${indexedEd25519(0, signer(seed(by))(made.event))}`);
  return {
    kind: "keyEventAccepted",
    aid,
    sn: 1,
    said: made.said,
    event: made.event,
    attached,
    superseded: [],
    anchor: null,
    signers: [],
  };
}

/** Tables that say that these events were accepted. */
function store(...facts: readonly KerlFact[]): void {
  const db = openSqlite(path(), { store: "PROJECTION", synchronous: "normal" });
  const tables = new KerlTables(db);
  db.transaction(() => {
    tables.applyBlock(0, [{ index: 0, facts: [{ kind: "identifierIncepted", aid, icp }] }]);
    tables.applyBlock(1, [{ index: 0, facts }]);
    tables.flush();
  })();
  db.close();
}
const keysOf = (who: Aid): readonly string[] | undefined => storedKeyStates(founding, path()).get(who)?.keyTexts;

it("knows a rotation that the projection had", () => {
  store(rotation(2));
  expect(storedKeyStates(founding, path()).get(aid)).toMatchObject({ sn: 1, keyTexts: [text(2)] });
});

it("does not believe one that the identifier never committed to, whatever the tables say", () => {
  store(rotation(7));
  expect(keysOf(aid)).toEqual([text(1)]);
});

it("goes by the founding document without a projection, or with one that cannot be read", () => {
  expect(keysOf(aid)).toEqual([text(1)]);
  writeFileSync(path(), concatBytes(utf8("no database, but long enough to be looked at "), new Uint8Array(8192)));
  expect(keysOf(aid)).toEqual([text(1)]);
});
