"""What becomes of a request when rules of misbehaviour apply to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from stand_ins.faults import Fault, Faults
from stand_ins.server import Reply

__all__ = ["obey"]


def obey(faults: Faults, handle: Callable[[], Reply], refuse: Callable[[Fault], Reply], garbage: bytes) -> Reply:
    """Answer a request: `handle` carries it out, `refuse` words a refusal as the provider does, `garbage` is a body
    that its customers can't read."""
    reply = refuse(faults.refusal) if faults.refusal else _spoil(faults.answer, handle(), refuse, garbage)
    if faults.time:
        time.sleep(faults.time.delay)
    return reply


def _spoil(fault: Fault | None, reply: Reply, refuse: Callable[[Fault], Reply], garbage: bytes) -> Reply:
    """What becomes of an answer whose work was done."""
    match fault.do if fault else "":
        case "lose-answer":
            return reply.lost()
        case "half-download":
            return reply.halved()
        case "garbage":
            return replace(reply, body=garbage)
        case "status" if fault:
            return refuse(fault)
    return reply
