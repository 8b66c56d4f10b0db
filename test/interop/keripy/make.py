"""Makes random lives of identifiers by keripy, each accepted by keripy itself: {"messages": [base64, …], "inForce": {aid: [said, …]}} a line.

Arguments: seed, how many.
"""

import base64
import json
import random
import sys

from keri import kering
from keri.core import coring, counting, eventing, signing

seed, count = sys.argv[1], int(sys.argv[2])
SIGNERS = signing.Salter(raw=b"0123456789abcdef").signers(count=400, path="k", temp=True)
WITNESSES = signing.Salter(raw=b"0123456789abcdef").signers(count=60, path="w", transferable=False, temp=True)


class World:
    def __init__(self, name):
        self.random = random.Random(name)
        self.kind = self.random.choice(["JSON", "JSON", "CBOR", "MGPK"])
        self.keys = iter(SIGNERS)
        self.backers = iter(WITNESSES)
        self.messages = []
        self.lives = []

    def fresh(self, least, most):
        return [next(self.keys) for _ in range(self.random.randint(least, most))]

    def threshold(self, signers):
        many = len(signers)
        if many < 2 or self.random.random() < 0.5:
            return self.random.randint(1, many) if many else 0
        return [f"1/{self.random.randint(1, many)}" if self.random.random() < 0.5 else "1" for _ in signers[1:]] + ["1"]


def texts(signers):
    return [one.verfer.qb64 for one in signers]


def digests(signers):
    return [coring.Diger(ser=one.verfer.qb64b, code="E").qb64 for one in signers]


class Life:
    def __init__(self, world, boss=None):
        self.world, self.boss = world, boss
        self.keys, self.next = world.fresh(1, 3), world.fresh(1, 3)
        self.wits = [next(world.backers) for _ in range(world.random.choice([0, 0, 1, 3]))]
        toad = world.random.randint(1, len(self.wits)) if self.wits else 0
        self.nsith = world.threshold(self.next)
        serder = eventing.incept(
            keys=texts(self.keys),
            isith=world.threshold(self.keys),
            ndigs=digests(self.next),
            nsith=self.nsith,
            toad=toad,
            wits=texts(self.wits),
            code="E",
            kind=world.kind,
            delpre=boss and boss.pre,
        )
        self.pre, self.toad, self.log = serder.pre, toad, [serder.said]
        sigers = [one.sign(serder.raw, index=i) for i, one in enumerate(self.keys)]
        self.publish(serder, sigers)
        world.lives.append(self)

    def interact(self, data):
        serder = eventing.interact(
            pre=self.pre, dig=self.log[-1], sn=len(self.log), data=data, kind=self.world.kind
        )
        self.log.append(serder.said)
        self.publish(serder, [one.sign(serder.raw, index=i) for i, one in enumerate(self.keys)], anchored=True)
        return serder.said

    def rotate(self):
        """All of the next keys but those held in reserve; some new ones beside them."""
        world = self.world
        exposed = list(enumerate(self.next))
        world.random.shuffle(exposed)
        if self.nsith == 1 and world.random.random() < 0.5:
            exposed = exposed[:1]
        new = world.fresh(0, 1)
        keys = [one for _, one in exposed] + new
        after = world.fresh(1, 3)
        nsith = world.threshold(after)
        cuts = self.wits[:1] if world.random.random() < 0.3 else []
        adds = [next(world.backers)] if world.random.random() < 0.3 else []
        wits = [one for one in self.wits if one not in cuts] + adds
        toad = world.random.randint(1, len(wits)) if wits else 0
        serder = eventing.rotate(
            pre=self.pre,
            keys=texts(keys),
            dig=self.log[-1],
            ilk="drt" if self.boss else "rot",
            sn=len(self.log),
            isith=world.threshold(keys),
            ndigs=digests(after),
            nsith=nsith,
            toad=toad,
            wits=texts(self.wits),
            cuts=texts(cuts),
            adds=texts(adds),
            kind=world.kind,
        )
        sigers = [one.sign(serder.raw, index=i, ondex=place) for i, (place, one) in enumerate(exposed)]
        sigers += [one.sign(serder.raw, index=len(exposed) + i, only=True) for i, one in enumerate(new)]
        self.keys, self.next, self.nsith, self.wits, self.toad = keys, after, nsith, wits, toad
        self.log.append(serder.said)
        self.publish(serder, sigers)

    def publish(self, serder, sigers, anchored=False):
        """Complete, or the receipts by themselves; a delegate's anchor before it, with a seal that says where, or after it."""
        world = self.world
        delegated = self.boss is not None and not anchored
        first = world.random.random() < 0.5
        seal = {"i": self.pre, "s": serder.sad["s"], "d": serder.said}
        anchors = self.boss.interact([seal]) if delegated and first else None
        attached = world.random.random() < 0.5
        wigers = [one.sign(serder.raw, index=i) for i, one in enumerate(self.wits)]
        cigars = [one.sign(serder.raw) for one in self.wits]
        message = eventing.messagize(
            serder,
            sigers=sigers,
            wigers=wigers if attached else None,
            pipelined=anchors is None and world.random.random() < 0.5,
        )
        if anchors is not None:
            couple = counting.Counter(counting.Codens.SealSourceCouples, count=1, gvrsn=kering.Vrsn_1_0)
            message.extend(couple.qb64b)
            message.extend(coring.Seqner(sn=len(self.boss.log) - 1).qb64b)
            message.extend(anchors.encode())
        self.world.messages.append(bytes(message))
        if not attached and self.wits:
            receipt = eventing.receipt(pre=self.pre, sn=serder.sn, said=serder.said, kind=world.kind)
            couples = eventing.messagize(receipt, cigars=cigars)
            self.world.messages.append(bytes(couples))
        if delegated and not first:
            self.boss.interact([seal])


for number in range(count):
    world = World(f"{seed}/{number}")
    first = Life(world)
    for _ in range(world.random.randint(4, 10)):
        life = world.random.choice(world.lives)
        choice = world.random.random()
        if choice < 0.2 and len(world.lives) < 4:
            Life(world, world.random.choice([None, life]))
        elif choice < 0.6:
            life.interact([{"d": life.log[0]}])
        else:
            life.rotate()
    made = [base64.b64encode(message).decode() for message in world.messages]
    print(json.dumps({"messages": made, "kind": world.kind, "inForce": {life.pre: life.log for life in world.lives}}))
