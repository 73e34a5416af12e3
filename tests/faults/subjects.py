"""What is bought in the campaign: for each provider (and each of its ways) one node, made as cheaply as it can be."""

from __future__ import annotations

import functools
import io
import shutil
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import stand_ins.elevenlabs.api
import stand_ins.elevenlabs.workspace
import stand_ins.heygen.api
import stand_ins.heygen.workspace
import stand_ins.runway.api
import stand_ins.runway.workspace
import stand_ins.veo3.api
import stand_ins.veo3.workspace
from stand_ins.server import Application
from stand_ins.veo3 import draft_secret
from video_production.providers.elevenlabs import models, parts

__all__ = ["SUBJECTS", "Subject", "cut_early", "film_once"]

VOICE = "JBFqnCBsd6RMkjVDRZzb"
_KEY = "draft-key"
_FOR_EVER = 1e9


@dataclass(frozen=True, slots=True)
class Subject:
    """One node with one input. `takes` is how many results it consists of, each bought once."""

    name: str
    provider: str
    type: str
    slot: str
    media: str
    content: bytes
    config: Mapping[str, Any]
    takes: int = 1
    seconds: float | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def stand_in(self, home: Path) -> tuple[Any, Application]:
        """Its stand-in, in this process: the state (to be closed) and what serves."""
        package = {
            "elevenlabs": stand_ins.elevenlabs,
            "heygen": stand_ins.heygen,
            "veo3": stand_ins.veo3,
            "runway": stand_ins.runway,
        }[self.provider]
        # Links live as long as it takes: the clock jumps by hours where nobody asks for a node again.
        keyed = {} if self.provider == "veo3" else {"api_key": _KEY, "url_seconds": _FOR_EVER}
        workspace = package.workspace.Workspace(package.workspace.Settings(home, job_seconds=0.01, **keyed))
        return workspace, package.api.application(workspace)

    def secret(self, home: Path) -> str:
        return draft_secret(home) if self.provider == "veo3" else _KEY


def _tone() -> bytes:
    samples = (0.3 * np.sin(2 * np.pi * 220 * np.arange(9600) / 24_000) * 32767).astype("<i2")
    with io.BytesIO() as file:
        with wave.open(file, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(24_000)
            sound.writeframes(samples.tobytes())
        return file.getvalue()


_SPOKEN = {"voiceId": VOICE, "modelId": "eleven_multilingual_v2"}
_LONG = "Halve the list. Look at the middle."

SUBJECTS = (
    Subject("elevenlabs job", "elevenlabs", "generate-voiceover", "script", "text", b"Halve the list.", _SPOKEN),
    Subject(
        "elevenlabs timed",
        "elevenlabs",
        "generate-voiceover",
        "script",
        "text",
        b"Halve the list.",
        {**_SPOKEN, "captions": True},
    ),
    Subject(
        "elevenlabs parts",
        "elevenlabs",
        "generate-voiceover",
        "script",
        "text",
        _LONG.encode(),
        {"voiceId": VOICE, "modelId": "eleven_v3"},
        takes=2,
    ),
    Subject(
        "heygen",
        "heygen",
        "generate-talking-head",
        "audio",
        "audio",
        _tone(),
        {"avatarId": "Anna_public_3"},
        seconds=0.4,
        options={"engine": "avatar_iv"},
    ),
    Subject(
        "veo3",
        "veo3",
        "generate-animation",
        "prompt",
        "text",
        b"A paper boat",
        {"duration": 4},
        options={"project": "drafts", "location": "us-central1", "bucket": "films", "model": "veo-3.1-generate-001"},
    ),
    Subject(
        "runway",
        "runway",
        "generate-animation",
        "prompt",
        "text",
        b"A paper boat",
        {"duration": 2},
        # The module keeps that many real seconds between its looks at a task.
        options={"model": "gen4.5", "poll_interval_seconds": "0.05"},
    ),
)


def cut_early() -> None:
    """Have a script of two sentences cut into two parts, as a long one is."""
    parts.LONGEST_PART, parts._SHORTEST_PART = 22, 10
    models.MODELS = {name: replace(model, characters=22) for name, model in models.MODELS.items()}  # type: ignore[misc]


def film_once(folder: Path) -> None:
    """Have each stand-in speak and draw a thing once; hundreds of cases then get the same bytes."""
    for module, name in (
        (stand_ins.heygen.workspace, "talking_card"),
        (stand_ins.veo3.workspace, "title_card"),
        (stand_ins.runway.workspace, "title_card"),
    ):
        setattr(module, name, _remembering(getattr(module, name), folder))
    for module in (stand_ins.heygen.workspace, stand_ins.elevenlabs.workspace):
        module.speak = functools.cache(module.speak)


def _remembering(draw: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    known: dict[str, tuple[Path, Any]] = {}

    def drawn(what: Any, destination: Path, **how: Any) -> Any:
        content = what.read_bytes() if isinstance(what, Path) else what
        key = repr((draw.__name__, content, sorted(how.items(), key=lambda item: item[0])))
        if key not in known:
            kept = folder / f"film-{len(known)}.mp4"
            known[key] = (kept, draw(what, kept, **how))
        kept, result = known[key]
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(kept, destination)
        return result

    return drawn
