"""The timed answer is taken apart without ever holding its sound in memory."""

from __future__ import annotations

import base64
import io
import json
import os
import tempfile
import tracemalloc
from typing import Any

import pytest

from video_production.providers.elevenlabs.timed import Alignment, TimedAnswer, read_timed_answer

LETTERS = {
    "characters": ["H", "i"],
    "character_start_times_seconds": [0.0, 0.1],
    "character_end_times_seconds": [0.1, 0.25],
}


def read(body: bytes) -> tuple[TimedAnswer, bytes]:
    sound = io.BytesIO()
    with tempfile.TemporaryFile() as file:
        file.write(body)
        file.flush()
        return read_timed_answer(file, sound), sound.getvalue()


def answer(**changes: Any) -> bytes:
    whole = {"audio_base64": base64.b64encode(b"sound").decode(), "alignment": LETTERS, "normalized_alignment": None}
    return json.dumps(whole | changes).encode()


def test_sound_and_times_come_apart() -> None:
    timed, sound = read(answer())
    assert sound == b"sound"
    assert timed == TimedAnswer(Alignment(["H", "i"], [0.0, 0.1], [0.1, 0.25]), None)
    assert TimedAnswer.from_json(json.loads(json.dumps(timed.to_json()))) == timed


@pytest.mark.parametrize("size", [0, 1, 2, 3, (1 << 20) * 3 // 4, (1 << 20) * 3 // 4 + 1, 5_000_000])
def test_a_sound_of_any_size_arrives_whole(size: int) -> None:
    content = os.urandom(size)
    body = answer(audio_base64=base64.b64encode(content).decode())
    if not size:
        with pytest.raises(ValueError, match="no sound"):
            read(body)
        return
    assert read(body)[1] == content


def test_the_order_of_the_fields_the_spaces_and_escaped_slashes_do_not_matter() -> None:
    content = b"\xff\xff\xfe" * 700_000
    encoded = base64.b64encode(content).replace(b"/", b"\\/")
    timed, sound = read(b'{"alignment": null,\n "x": "\\"audio_base64\\":", "audio_base64"  :  "' + encoded + b'"}')
    assert (timed, sound) == (TimedAnswer(None, None), content)


def test_memory_stays_small() -> None:
    body = answer(audio_base64=base64.b64encode(bytes(24 << 20)).decode())
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as sound:
        file.write(body)
        file.flush()
        del body
        tracemalloc.start()
        read_timed_answer(file, sound)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sound.tell() == 24 << 20
    assert peak < 8 << 20


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"{}",
        b"null",
        answer(audio_base64=None),
        answer(audio_base64="not base64!!"),
        answer(audio_base64="QUJD" * 1000 + "Q"),
        answer()[:-1],
        answer()[:20],
        b"[" + answer()[1:-1] + b"]",
        b'["audio_base64": "QUJD"]',
    ],
)
def test_anything_else_is_called_unreadable(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(body)


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        {},
        LETTERS | {"characters": ["H"]},
        LETTERS | {"characters": [1, 2]},
        LETTERS | {"character_end_times_seconds": ["a", "b"]},
        LETTERS | {"character_start_times_seconds": None},
    ],
)
def test_times_that_do_not_fit_together_are_no_times(broken: Any) -> None:
    assert read(answer(alignment=broken))[0].alignment is None
