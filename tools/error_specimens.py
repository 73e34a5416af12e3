"""One specimen of each provider's answers: what makes its error bodies and failed jobs out of a code and a text.

A new provider adds a function here; the page of provider errors and its test do the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from video_production.providers.elevenlabs import refusals as elevenlabs
from video_production.providers.heygen import refusals as heygen
from video_production.providers.http import Explain
from video_production.providers.runway import refusals as runway
from video_production.providers.veo3 import refusals as veo3
from video_production.settings import Names

__all__ = ["SPECIMENS", "Failed", "Specimen"]


@dataclass(frozen=True, slots=True)
class Failed:
    """A job that ended without a result: what people read, and whether it was charged (None: not known)."""

    sentence: str
    charged: bool | None


@dataclass(frozen=True, slots=True)
class Specimen:
    """A provider's tables of errors, and how to make each of them happen.

    `answer` makes an error body of a code and what the provider says; `explain` is what its module makes of a status
    and a body; `failed` what it makes of a job that failed with a code. `others` are ways to fail that have no code,
    `usual` the statuses of codes that come with another one than their sentence's.
    """

    refusals: Mapping[str, str]
    statuses: Mapping[int, str]
    failures: Mapping[str, str]
    answer: Callable[[str, str], Any]
    explain: Explain
    failed: Callable[[str, str], Failed]
    others: Mapping[str, Failed] = field(default_factory=dict)
    usual: Mapping[str, int] = field(default_factory=dict)


def _elevenlabs() -> Specimen:
    subject = elevenlabs.Subject(_secret("elevenlabs"), voice="JBFqnCBsd6RMkjVDRZzb", model="eleven_v3")
    return Specimen(
        elevenlabs.REFUSALS,
        elevenlabs.BY_STATUS,
        elevenlabs.FAILURES,
        lambda code, said: {"detail": {"code": code, "message": said}},
        lambda status, body: elevenlabs.explain(status, body, subject),
        lambda code, said: Failed(elevenlabs.failure_sentence(code, said, subject), charged=False),
    )


def _heygen() -> Specimen:
    subject = heygen.Subject(_secret("heygen"), avatar="Anna_public_3")
    return Specimen(
        heygen.REFUSALS,
        heygen.BY_STATUS,
        heygen.FAILURES,
        lambda code, said: {"error": {"code": code, "message": said}},
        lambda status, body: heygen.explain(status, body, subject),
        lambda code, said: Failed(heygen.failure_sentence(code, said, subject), charged=False),
    )


def _veo3() -> Specimen:
    subject = veo3.Subject(_secret("veo3"), "my-project", "us-central1", "my-films", "veo-3.1-generate-001")
    words = {word: number for number, word in veo3.NUMBERS.items()}

    def answer(code: str, said: str) -> dict[str, Any]:
        if code == veo3.FILTERED:
            return {"error": {"status": "INVALID_ARGUMENT", "message": f"{said} violates our usage guidelines"}}
        return {"error": {"status": code, "message": said, "details": [{"reason": code}]}}

    def failed(code: str, said: str) -> Failed:
        filtered = code == veo3.FILTERED
        told = f"{said} violates our usage guidelines" if filtered else said
        number = words["INVALID_ARGUMENT"] if filtered else words[code]
        sentence, _ = veo3.failure_of({"code": number, "message": told}, subject)
        return Failed(sentence, charged=False)

    return Specimen(
        veo3.REFUSALS,
        veo3.BY_STATUS,
        veo3.FAILURES,
        answer,
        lambda status, body: veo3.explain(status, body, subject),
        failed,
        others={"raiMediaFilteredCount": Failed(veo3.filtered_sentence(["…"]), charged=None)},
    )


def _runway() -> Specimen:
    subject = runway.Subject(_secret("runway"))
    told = {
        "out_of_credit": "You do not have enough credits to run this task.",
        "daily_limit": "You have reached your daily limit.",
    }

    def failed(code: str, said: str) -> Failed:
        # Runway says of each task what it cost; of its failures it charges only for input that it rejects.
        credits = 60 if code == "SAFETY.INPUT" else 0
        return Failed(runway.failure_sentence(code, said, credits, subject), charged=credits > 0)

    return Specimen(
        runway.REFUSALS,
        runway.BY_STATUS,
        runway.FAILURES,
        lambda code, said: {"error": told.get(code, said)},
        lambda status, body: runway.explain(status, body, subject),
        failed,
        usual={"daily_limit": 429},
    )


def _secret(provider: str) -> str:
    return Names("production").secret(provider)


SPECIMENS: Mapping[str, Callable[[], Specimen]] = {
    "elevenlabs": _elevenlabs,
    "heygen": _heygen,
    "veo3": _veo3,
    "runway": _runway,
}
