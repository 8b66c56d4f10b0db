/** SQLite keeps what finds a row beside the row itself: whoever edits the file may edit one of them alone, as no statement does. */
import Database from "better-sqlite3";
import { expect, it } from "vitest";
import { stored, verdictOf } from "./judge.ts";
import { smallLog } from "./small-log.ts";

const { blocks } = smallLog();
const last = blocks.length - 1;

/** As it stands on the disk, without what SQLite left where it no longer looks. */
function compact(bytes: Buffer): Buffer {
  const database = new Database(bytes);
  database.exec("PRAGMA secure_delete = ON; VACUUM");
  const compacted = database.serialize();
  database.close();
  return compacted;
}
const file = compact(stored(blocks));

/** Everything but the first page, which holds the names of tables alone. */
const BEGINS = file.readUInt16BE(16);

function placesOf(bytes: Uint8Array): readonly number[] {
  const places: number[] = [];
  for (let at = file.indexOf(bytes, BEGINS); at !== -1; at = file.indexOf(bytes, at + 1)) places.push(at);
  return places;
}

async function verdictWithByte(at: number, bit: number): Promise<string> {
  const edited = Buffer.from(file);
  edited[at] = (edited[at] ?? 0) ^ (1 << bit);
  const database = new Database(edited);
  try {
    return await verdictOf(database);
  } finally {
    database.close();
  }
}

const blobs = (query: string): readonly Buffer[] => {
  const database = new Database(file, { readonly: true });
  const found = database.prepare<[], Buffer>(query).pluck().all();
  database.close();
  return found;
};

it("a block's hash is found out wherever it stands: in its row, in the index that finds it, in its child", async () => {
  // The node's own mark of how far it came is no part of the log.
  const marks = blobs("SELECT value FROM marks").map((value) => ({
    from: placesOf(value)[0] ?? 0,
    length: value.length,
  }));
  for (const hash of blobs("SELECT hash FROM events")) {
    const places = placesOf(hash).filter((at) => !marks.some(({ from, length }) => at >= from && at < from + length));
    expect(places.length).toBeGreaterThan(1);
    for (const at of places)
      for (const offset of [0, 17, 31])
        expect(await verdictWithByte(at + offset, 5), `${at}+${offset}`).not.toBe("sound");
  }
});

it("a bundle's digest is found out in its row, in the index that finds it, and in the body that names it", async () => {
  for (const digest of blobs("SELECT digest FROM bundles WHERE height IS NOT NULL")) {
    const places = placesOf(digest);
    expect(places.length).toBeGreaterThan(2);
    for (const at of places)
      for (const offset of [0, 17, 31])
        expect(await verdictWithByte(at + offset, 5), `${at}+${offset}`).not.toBe("sound");
  }
});

/** Where a block's stream stands in the file: in its row, before its hash, and in the index, before the row's key. */
function streamsOf(height: number, hash: Uint8Array): readonly number[] {
  const name = Buffer.from("log");
  const place = height > 1 ? [height] : []; // 0 and 1 are said by their type alone, of the place and of the key
  const ofIndex = [4, 0x13, height > 1 ? 1 : 8 + height, height > 0 ? 1 : 9];
  const inIndex = Buffer.concat([
    Buffer.from(ofIndex),
    name,
    Buffer.from(place),
    Buffer.from(height > 0 ? [height + 1] : []),
  ]);
  return [...placesOf(Buffer.concat([name, Buffer.from(place), hash])), ...placesOf(inIndex).map((at) => at + 4)];
}

it("the stream and the place of an event are found out in its row and in the index that finds it", async () => {
  for (const [height, hash] of blobs("SELECT hash FROM events ORDER BY position").entries()) {
    const places = streamsOf(height, hash);
    expect(places, `${height}`).toHaveLength(2);
    for (const at of places)
      for (const offset of height > 1 ? [0, 1, 2, 3] : [0, 1, 2])
        expect(await verdictWithByte(at + offset, 1), `${at}+${offset}`).not.toBe("sound");
  }
});

it("a row of a table's own place, too, is named with its height", async () => {
  const hash = blobs(`SELECT hash FROM events WHERE position = ${last}`)[0] ?? Buffer.alloc(0);
  const row = placesOf(hash).find((at) => file[at - 1] === last && file.subarray(at - 4, at - 1).toString() === "log");
  expect(await verdictWithByte((row ?? 0) - 1, 3)).toBe(`RECORD_DIFFERS ${last} record`);
});

it("a noted root that stands at another height is found out, also beyond the log's end", async () => {
  const roots = blobs("SELECT root FROM executed ORDER BY height");
  expect(roots).toHaveLength(blocks.length);
  for (const [height, root] of roots.entries()) {
    const at = (placesOf(root)[0] ?? 0) - 4; // the row's key stands before the lengths of its two columns
    expect(file[at]).toBe(height);
    for (const bit of [0, 1, 2, 3, 5])
      expect(await verdictWithByte(at, bit), `${height} ^ ${1 << bit}`).not.toBe("sound");
  }
});
