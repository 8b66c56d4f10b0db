/**
 * How many key events with one signature a second one core takes from bytes to key states: parser, SAID, rules, signature, fold. Half are
 * inceptions, the others interactions and rotations. Run: node tools/bench/kerl-verify.ts
 */
import { randomBytes } from "node:crypto";
import type { Aid } from "../../src/base/brands.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import { publicKeyOf, signer, verify } from "../../src/crypto/ed25519.ts";
import { encodeAttachments } from "../../src/keri/cesr/encode-attachments.ts";
import { type Composed, inceptSingle, interact, rotate } from "../../src/keri/compose.ts";
import { applyKerlFact } from "../../src/keri/kerl-fold.ts";
import { MemoryKerl } from "../../src/keri/kerl-overlay.ts";
import { keyText } from "../../src/keri/key-text.ts";
import { judgeMessage } from "../../src/keri/rules.ts";
import { nextKeyDigest } from "../../src/keri/said.ts";
import { StreamParser } from "../../src/keri/stream.ts";
import { type Row, median } from "./figures.ts";

const LIVES = 1_000;
const ROUNDS = 5;
/** As a socket would bring them. */
const CHUNK_BYTES = 65_536;

interface Signed {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly sig: Uint8Array;
}

function keyPair() {
  const seed = randomBytes(32);
  return { publicKey: publicKeyOf(seed), sign: signer(seed) };
}
type KeyPair = ReturnType<typeof keyPair>;

/** Inception and either an interaction or a rotation, in turns. */
function life(i: number): readonly Signed[] {
  const [now, next, after] = [keyPair(), keyPair(), keyPair()];
  const signedBy = ({ publicKey, sign }: KeyPair, { event }: Composed): Signed => ({
    publicKey,
    message: event,
    sig: sign(event),
  });
  const first = inceptSingle({ publicKey: now.publicKey, nextPublicKey: next.publicKey });
  const { aid, said: prior } = first;
  if (i % 2 === 0) {
    const second = interact({ aid, sn: 1, prior, seals: [{ d: aid satisfies Aid }] });
    return [signedBy(now, first), signedBy(now, second)];
  }
  const second = rotate({
    ...{ aid, sn: 1, prior, witnessThreshold: 0 },
    keys: [keyText(next.publicKey)],
    nextDigests: [nextKeyDigest(keyText(after.publicKey))],
  });
  return [signedBy(now, first), signedBy(next, second)];
}

const attachedOf = ({ message, sig }: Signed): Uint8Array =>
  concatBytes(
    message,
    encodeAttachments(
      {
        controllerSignatures: [{ index: 0, ondex: 0, algorithm: "ed25519", sig }],
        ...{ witnessSignatures: [], receiptCouples: [], transferableSignatures: [], sealSources: [], firstSeen: [] },
      },
      1,
    ),
  );

/** Throws: when something is not accepted. */
function judgeAll(stream: Uint8Array, count: number): void {
  const [kerl, parser] = [new MemoryKerl(), new StreamParser()];
  let accepted = 0;
  for (let at = 0; at <= stream.length; at += CHUNK_BYTES) {
    const chunk = stream.slice(at, at + CHUNK_BYTES);
    const { messages } = at + CHUNK_BYTES > stream.length ? finish(parser, chunk) : parser.push(chunk);
    for (const message of messages) {
      const judged = judgeMessage(kerl, message, { height: 1 });
      if (!judged.ok) throw new Error(judged.refusal.message);
      for (const fact of judged.value.facts) applyKerlFact(kerl, fact, 1);
      accepted += judged.value.verdict === "accepted" ? 1 : 0;
    }
  }
  if (accepted !== count) throw new Error(`${accepted} of ${count} events were accepted`);
}

function finish(parser: StreamParser, chunk: Uint8Array) {
  const { messages } = parser.push(chunk);
  return { messages: [...messages, ...parser.end().messages] };
}

/** By turns with bare checks of the same signatures over the same bytes; the medians. */
export function benchKerlVerify(): readonly Row[] {
  const events = Array.from({ length: LIVES }, (_, i) => life(i)).flat();
  const stream = concatBytes(...events.map(attachedOf));
  /** Of this thread's own time: what a core of its own would do, whoever else uses the machine. */
  const perSecond = (work: () => void): number => {
    const start = process.threadCpuUsage();
    work();
    const { user, system } = process.threadCpuUsage(start);
    return events.length / ((user + system) / 1e6);
  };
  const bare = (): void => {
    for (const { publicKey, message, sig } of events)
      if (!verify(publicKey, message, sig)) throw new Error("it should hold");
  };
  const rules = (): void => judgeAll(stream, events.length);
  rules();
  const rounds = Array.from({ length: ROUNDS }, () => ({ rules: perSecond(rules), bare: perSecond(bare) }));
  return [
    {
      name: "key events with one signature, from bytes to key states, one core",
      value: median(rounds.map((round) => round.rules)),
      unit: "/s",
      budget: { kind: "at least", value: 4_000 },
      baseline: {
        name: "Ed25519 checks of the same signatures",
        value: median(rounds.map((round) => round.bare)),
        unit: "/s",
      },
      details: { rounds, ratio: median(rounds.map((round) => round.rules / round.bare)) },
    },
  ];
}

if (import.meta.main) for (const { value, baseline } of benchKerlVerify()) console.log(value, baseline);
