"""Judges key event streams by keripy: a verdict per message, and what is in force once everything was read.

One JSON object a line in, {"messages": [base64, …]}; one a line out, {"verdicts": […], "inForce": {aid: [said, …]}}.
"""

import base64
import json
import logging
import pathlib
import signal
import sys

from keri import help, kering
from keri.core import eventing, parsing, serdering
from keri.db import basing, dbing

help.ogler.level = logging.CRITICAL
for name in ("keri", "hio"):
    logging.getLogger(name).setLevel(logging.CRITICAL)
logging.disable(logging.CRITICAL)

WAITS = {
    kering.OutOfOrderError: "escrowed:out-of-order",
    kering.MissingSignatureError: "escrowed:partially-signed",
    kering.MissingWitnessSignatureError: "escrowed:partially-witnessed",
    kering.MissingDelegationError: "escrowed:awaiting-anchor",
    kering.UnverifiedReceiptError: "escrowed:unverified-receipt",
    kering.UnverifiedWitnessReceiptError: "escrowed:unverified-receipt",
    kering.UnverifiedTransferableReceiptError: "escrowed:unverified-receipt",
    kering.LikelyDuplicitousError: "duplicitous",
}


class Endless(BaseException):
    """Keripy 1.3.6 reads couples and groups that are cut short for ever (Parser._nonTransReceiptCouples)."""


def give_up(*_):
    raise Endless


signal.signal(signal.SIGVTALRM, give_up)


def take(kevery, message):
    """What keripy says to one message; nothing of it is left in a buffer."""
    signal.setitimer(signal.ITIMER_VIRTUAL, 1)
    parsator = parsing.Parser(framed=True, kvy=kevery).msgParsator(ims=bytearray(message), kvy=kevery, local=False)
    try:
        next(parsator)
    except StopIteration:
        return "accepted"
    except Endless:
        return "rejected:endless"
    except Exception as error:  # keripy lets many kinds through for what is malformed
        return WAITS.get(type(error), f"rejected:{type(error).__name__}")
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return "rejected:short"


def is_seen(db, message):
    """Whether the event is in its log by now: what came may have been all that it waited for."""
    try:
        serder = serdering.SerderKERI(raw=bytes(message))
        seen = db.getKes(dbing.snKey(serder.pre, serder.sn))
        return serder.ilk != kering.Ilks.rct and serder.saidb in map(bytes, seen)
    except Exception:  # whatever take said of it stands
        return False


def in_force(db):
    logs = {}
    for pre, kever in db.kevers.items():
        saids = [db.getKeLast(dbing.snKey(pre, sn)) for sn in range(kever.sner.num + 1)]
        logs[pre] = [bytes(said).decode() for said in saids]
    return logs


def judge(messages):
    db = basing.Baser(name="sky", temp=True, reopen=True)
    try:
        kevery = eventing.Kevery(db=db, lax=True, local=False)
        verdicts = []
        for message in map(base64.b64decode, messages):
            verdict = take(kevery, message)
            kevery.processEscrows()
            verdicts.append("accepted" if verdict.startswith("escrowed:") and is_seen(db, message) else verdict)
        for _ in range(2):  # of the kinds of escrow one may wait for another
            kevery.processEscrows()
        return {"verdicts": verdicts, "inForce": in_force(db)}
    finally:
        db.close(clear=True)


if pathlib.Path("/dev/shm").is_dir():  # each database is synced at every write
    basing.Baser.TempHeadDir = "/dev/shm"
for line in sys.stdin:
    print(json.dumps(judge(json.loads(line)["messages"])), flush=True)
