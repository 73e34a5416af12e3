"""What is quoted of a provider's words, by every provider alike."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from video_production.providers.elevenlabs import refusals as elevenlabs
from video_production.providers.heygen import refusals as heygen
from video_production.providers.quoting import quotable
from video_production.providers.runway import refusals as runway
from video_production.providers.veo3 import refusals as veo3

SIGNED = "https://files.example/a/b.mp4?X-Amz-Credential=AKIA1&X-Amz-Signature=5160aa"


@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        ("No.", "No"),
        ("two\n  lines\t", "two lines"),
        (f"Could not fetch {SIGNED}.", "Could not fetch https://files.example/a/b.mp4?…"),
        (f"Could not fetch '{SIGNED}' (403).", "Could not fetch 'https://files.example/a/b.mp4?…' (403)"),
        ("See https://docs.example/errors.", "See https://docs.example/errors"),
        ("gs://films/a.mp4#123 is gone", "gs://films/a.mp4?… is gone"),
        ("https://me:word@files.example/a?b=c", "https://files.example/a?…"),
        ("Why? Ask us.", "Why? Ask us"),
        ("x" * 500, "x" * 239 + "…"),
    ],
)
def test_words_are_quoted_on_one_line_without_what_opens_doors(said: str, quoted: str) -> None:
    assert quotable(said) == quoted


def test_secrets_and_what_looks_like_them_are_left_out() -> None:
    assert quotable("key-1 or sk_2", "key-1", re.compile(r"sk_\d")) == "… or …"


@pytest.mark.parametrize(
    "sentence",
    [
        lambda: elevenlabs.explain(400, _error("detail", f"No {SIGNED}"), elevenlabs.Subject("s")).message,
        lambda: elevenlabs.failure_sentence("model_error", f"No {SIGNED}", elevenlabs.Subject("s")),
        lambda: heygen.explain(400, _error("error", f"No {SIGNED}"), heygen.Subject("s")).message,
        lambda: heygen.failure_sentence("download_failed", f"No {SIGNED}", heygen.Subject("s")),
        lambda: runway.explain(400, json.dumps({"error": f"No {SIGNED}"}).encode(), runway.Subject("s")).message,
        lambda: runway.failure_sentence("ASSET.INVALID", f"No {SIGNED}", 0, runway.Subject("s")),
        lambda: veo3.explain(400, _error("error", f"No {SIGNED}"), veo3.Subject("s")).message,
        lambda: veo3.failure_of({"code": 13, "message": f"No {SIGNED}"}, veo3.Subject("s"))[0],
        lambda: veo3.filtered_sentence([f"No {SIGNED}"]),
    ],
)
def test_no_provider_has_a_signed_address_written_down(sentence: Callable[[], str]) -> None:
    said = sentence()
    assert "No https://files.example/a/b.mp4?…" in said
    assert "Amz" not in said


def _error(name: str, message: str) -> bytes:
    return json.dumps({name: {"code": "strange", "status": "strange", "message": message}}).encode()
