/** What an attacker, or a controller of ill will, adds to honest lives, and how a network garbles them. */
import type { Said } from "../../../../src/base/brands.ts";
import { delegatedIncept, delegatedRotate, interact, receipt, rotate } from "../../../../src/keri/compose.ts";
import type { IndexedSignature } from "../../../../src/keri/messages.ts";
import { nextKeyDigest } from "../../../../src/keri/said.ts";
import { type Key, type Life, type World, complete, messageOf, signed } from "./lives.ts";

const digests = (keys: readonly Key[]) => keys.map(({ text }) => nextKeyDigest(text));
const all = (keys: readonly Key[], event: Uint8Array): readonly IndexedSignature[] =>
  keys.map((key, i) => signed(key, event, i, i));

type Place = { readonly aid: Life["aid"]; readonly sn: number; readonly prior: Said };

const placeAt = ({ aid, log }: Life, sn: number): Place => ({ aid, sn, prior: log[sn - 1] as Said });

/** Messages that break some rule, or rival what is in force; made with keys that an attacker may have. */
export function forge(world: World): readonly Uint8Array[] {
  const { random } = world;
  const life = random.pick(world.lives);
  const end = placeAt(life, life.log.length);
  const place = random.once(2) ? end : placeAt(life, random.between(1, life.log.length));
  switch (random.below(11)) {
    case 0:
      return [
        complete(interact({ ...place, seals: [{ d: place.prior }] }).event, world.freshKeys(1, 2), [], life.witnesses),
      ];
    case 1: {
      // By the keys in force: a rival where something is there; at the end lawful, unless a trait forbids it or all is over.
      const { event } = interact({ ...place, seals: [{ d: life.aid }, { d: place.prior }] });
      return [complete(event, life.keys, life.keys, life.witnesses)];
    }
    case 2:
      return [forgedRotation(world, life, place, world.freshKeys(1, 3), "all")];
    case 3:
      return [forgedRotation(world, life, place, life.next.length > 0 ? life.next : life.keys, "all")];
    case 4:
      return [
        forgedRotation(world, life, place, life.next.length > 0 ? life.next : life.keys, "one key, again and again"),
      ];
    case 5:
      return [onlyWrong(world, life, life.established, life.before ?? life)];
    case 6:
      return [onlyWrong(world, life, end.sn, life)];
    case 7:
      return delegation(world, life);
    case 8:
      return world.rivals;
    case 9: {
      const { event } = interact({ ...end, seals: [{ d: life.aid }, { d: life.aid }] });
      const couples = life.witnesses.map(({ witnessText }) => ({
        receiptor: witnessText,
        code: "0B",
        sig: new Uint8Array(64),
      }));
      return [messageOf(event, { controllerSignatures: all(life.keys, event), receiptCouples: couples })];
    }
    default: {
      const [witness] = world.freshKeys(1, 1) as readonly [Key];
      const said = random.pick(life.log);
      const couple = { receiptor: witness.witnessText, code: "0B", sig: witness.sign(new Uint8Array(8)) };
      return [
        messageOf(receipt({ aid: life.aid, sn: life.log.indexOf(said), said }).event, { receiptCouples: [couple] }),
      ];
    }
  }
}

/** A rotation that is complete but for what it is: of the wrong kind, or in the place of another rotation. */
function onlyWrong(
  world: World,
  life: Life,
  sn: number,
  from: Pick<Life, "next" | "keys" | "witnesses" | "witnessThreshold">,
): Uint8Array {
  const { random } = world;
  const keys = from.next.length > 0 ? from.next : from.keys;
  const next = world.freshKeys(1, 2);
  const input = {
    ...placeAt(life, Math.max(sn, 1)),
    keys: keys.map(({ text }) => text),
    threshold: keys.length,
    nextDigests: digests(next),
    nextThreshold: 1,
    witnessThreshold: from.witnessThreshold,
  };
  const { event } = random.once(2) ? rotate(input) : delegatedRotate(input);
  return complete(event, keys, from.next, from.witnesses);
}

/** A delegate that its delegator anchors, whether its traits allow that or not. */
function delegation(world: World, delegator: Life): readonly Uint8Array[] {
  const keys = world.freshKeys(1, 2);
  const dip = delegatedIncept({
    keys: keys.map(({ text }) => text),
    threshold: 1,
    nextDigests: [],
    delegator: delegator.aid,
  });
  const place = placeAt(delegator, delegator.log.length);
  const { event } = interact({ ...place, seals: [{ i: dip.aid, s: "0", d: dip.said }] });
  const messages = [complete(event, delegator.keys, [], delegator.witnesses), complete(dip.event, keys, [], [])];
  return world.random.once(2) ? messages : messages.slice(1);
}

function forgedRotation(
  world: World,
  life: Life,
  place: Place,
  keys: readonly Key[],
  by: "all" | "one key, again and again",
): Uint8Array {
  const { random } = world;
  const next = world.freshKeys(0, 2);
  const stranger = world.freshKeys(1, 1).map(({ witnessText }) => witnessText);
  const removed = random.once(3)
    ? stranger
    : life.witnesses.slice(0, random.below(2)).map(({ witnessText }) => witnessText);
  const added = random.once(3) ? life.witnesses.slice(-1).map(({ witnessText }) => witnessText) : [];
  const input = {
    ...place,
    keys: keys.map(({ text }) => text),
    threshold: random.between(1, keys.length),
    nextDigests: digests(next),
    nextThreshold: next.length === 0 ? 0 : 1,
    witnessThreshold: random.below(3),
    witnessesRemoved: removed,
    witnessesAdded: added.filter((one) => !removed.includes(one)),
  };
  const delegated = (life.delegator !== null) !== random.once(5);
  const { event } = delegated ? delegatedRotate(input) : rotate(input);
  const witnessSignatures = all(life.witnesses, event);
  if (by === "all") return messageOf(event, { controllerSignatures: all(keys, event), witnessSignatures });
  const key = keys[0] as Key;
  const controllerSignatures = [signed(key, event, 0, 0), signed(key, event, 0, null), signed(key, event, 0, 1)];
  return messageOf(event, { controllerSignatures, witnessSignatures });
}

/** Drops, repeats, moves, exchanges, cuts and garbles messages. */
export function garble(world: World, honest: readonly Uint8Array[]): readonly Uint8Array[] {
  const { random } = world;
  const messages = [...honest];
  for (let left = random.between(1, 4); left > 0 && messages.length > 1; left--) {
    const at = random.below(messages.length);
    const message = messages[at] as Uint8Array;
    switch (random.below(10)) {
      case 0:
        messages.splice(at, 1);
        break;
      case 1:
        messages.splice(random.below(messages.length), 0, message);
        break;
      case 2:
        messages.splice(at, 1);
        messages.splice(random.below(messages.length + 1), 0, message);
        break;
      case 3:
        messages[at] = random.pick(messages);
        messages[random.below(messages.length)] = message;
        break;
      case 4: {
        const flipped = Uint8Array.from(message);
        const place = random.below(flipped.length);
        flipped[place] = (flipped[place] ?? 0) ^ (1 << random.below(8));
        messages[at] = flipped;
        break;
      }
      default:
        messages.splice(random.below(messages.length + 1), 0, ...forge(world));
    }
  }
  return messages;
}
