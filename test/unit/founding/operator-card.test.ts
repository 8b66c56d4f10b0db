/** `sky init operator`: the card that people hand over is of the keys that the file holds. */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runOperator } from "../../../src/host/cli/init.ts";
import { EXIT } from "../../../src/host/cli/io.ts";
import { x25519PublicKey } from "../../../src/host/enclave/x25519.ts";
import { readOperatorCard } from "../../../src/host/founding/cards.ts";
import { OperatorFile } from "../../../src/host/founding/operator-file.ts";
import { ed25519Key } from "../../../src/crypto/verification-key.ts";
import { keyStateOfInception } from "../../../src/keri/key-state.ts";
import { publicKeyOf } from "../../../src/crypto/ed25519.ts";
import { temporaryDirectory } from "../enclave/sealed-node.ts";
import { quietConsole } from "../host/command-line.ts";

const directory = temporaryDirectory();
afterAll(directory.remove);
const at = (...parts: readonly string[]): string => join(directory.path, ...parts);

test("the card names the keys of the operator's file, made before its secrets were erased", async () => {
  const { io, out, err } = quietConsole();
  writeFileSync(at("passphrase"), "a passphrase of some length\n", { mode: 0o600 });
  expect(await runOperator({ name: "ann", dir: at("ann"), passphraseFile: at("passphrase") }, io)).toBe(EXIT.ok);
  const card = readOperatorCard(at("ann", "operator.card"));
  const file = OperatorFile.open(
    at("ann", "operator.sky"),
    Buffer.from("a passphrase of some length"),
    (length) => new Uint8Array(randomBytes(length)),
  );
  if (!card.ok || !file.ok) throw new Error("card and file can be read");
  const { aid, hpke } = file.value.secrets;
  const [[current = new Uint8Array()], [next = new Uint8Array()]] = [
    file.value.secrets.current,
    file.value.secrets.next,
  ];
  expect(hpke.some((byte) => byte !== 0)).toBe(true);
  expect(card.value).toMatchObject({ aid, name: "ann" });
  expect(card.value.hpkeKey).toEqual(x25519PublicKey(hpke));
  const inception = keyStateOfInception(card.value.icp);
  expect(inception.ok && inception.value.keys).toEqual([ed25519Key(publicKeyOf(current))]);
  // What the command said, and the card, hold none of it.
  const open = [...out, ...err].join("\n") + readFileSync(at("ann", "operator.card"), "latin1");
  for (const secret of [hpke, current, next])
    for (const encoding of ["hex", "base64url"] as const)
      expect(open).not.toContain(Buffer.from(secret).toString(encoding));
});
