"""What the state of a take means for a node that wants it: buy it, wait for it, or fail with what ended it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from video_production.errors import (
    BudgetExceeded,
    Cancelled,
    MayHaveBeenPaid,
    ProviderError,
    ProviderJobFailed,
    ProviderRefused,
    RequestError,
)
from video_production.nodes.model import Node, Pipeline
from video_production.takes.following import CANCELLED, undecided
from video_production.takes.model import Take, TakeState
from video_production.takes.wanted import Part

__all__ = ["check_agreed", "may_buy_again", "named", "raise_if_ended", "sent_again_in"]


def check_agreed(pipeline: Pipeline, provider: str, title: str, mode: str) -> None:
    """Raise RequestError where a pipeline that says from whom it may buy really said otherwise than is set here.

    On a laptop a run that was interrupted is continued by whatever local cloud comes next, which may be another kind.
    """
    if pipeline.live is None or (provider in pipeline.live) == (mode == "live"):
        return
    if mode == "live":
        raise RequestError(
            f"This pipeline was not asked to use the real {title}, so nothing was sent. Run produce with --live "
            f"{provider} to pay for it, or without --live for a draft."
        )
    raise RequestError(
        f"This pipeline is to be made with the real {title}, so no draft was made. Run produce with --live {provider} "
        "to go on, or without --live for a draft."
    )


def may_buy_again(node: Node, take: Take, now: float) -> bool:
    """A second request needs a definite refusal, a job that failed without charge, or a person."""
    last = take.current
    asked_since = last.ended_at is not None and node.asked_at >= last.ended_at and node.asked_at > last.asked_at
    if take.state == TakeState.RELEASED:
        return True
    if take.state == TakeState.REFUSED:
        return asked_since or (last.retry_at is not None and last.retry_at <= now)
    if take.state == TakeState.FAILED:
        return asked_since and (last.charged is False or node.asked == "retry")
    return False


def sent_again_in(take: Take, now: float) -> float | None:
    """Seconds until a refused request may be sent again by itself; None where it may not."""
    if take.state != TakeState.REFUSED or take.current.retry_at is None:
        return None
    return max(0.0, take.current.retry_at - now)


def raise_if_ended(take: Take, title: str) -> None:
    """Raise what ended the take: MayHaveBeenPaid, ProviderRefused, ProviderJobFailed, Cancelled.

    `title` is its provider's.
    """
    last = take.current
    if take.state == TakeState.UNKNOWN:
        raise MayHaveBeenPaid(last.message or undecided(title, "its answer was lost"))
    if take.state == TakeState.ABANDONED:
        raise MayHaveBeenPaid(
            f"This request to {title} was given up after its answer was lost; to pay for another, "
            "run resolve with --pay-again."
        )
    if take.state == TakeState.REFUSED:
        raise ProviderRefused(last.message, provider=take.provider, code=last.code)
    if take.state == TakeState.FAILED and last.code == CANCELLED:
        raise Cancelled(last.message)
    if take.state == TakeState.FAILED:
        raise ProviderJobFailed(last.message, provider=take.provider, code=last.code, charged=last.charged)


@contextmanager
def named(part: Part) -> Iterator[None]:
    """Whatever ends a node inside of this says which part of it."""
    try:
        yield
    except (BudgetExceeded, MayHaveBeenPaid, ProviderError) as error:
        if part.name:
            error.args = (f"{part.name.capitalize()}: {error}",)
        raise
