"""A user's desk for end-to-end tests: a folder of its own, the command line as a subprocess, the stand-in's levers."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from PIL import Image

from local_cloud.handle import CloudHandle, attach_or_start
from stand_ins.charge_book import Charge, ChargeBook
from tests.unit.media.clips import make_clip
from video_production.cli.local_workspace import LocalSnapshot, read_snapshot

CHECKOUT = Path(__file__).resolve().parent.parent.parent
SCRIPT = "Binary search looks at the middle of a sorted list."


@dataclass
class Lab:
    """`home` is the state folder of the local cloud, `folder` holds the lesson.

    Labs that share one `state` folder share a local cloud; each has a pipeline of its own `name` there.
    """

    root: Path
    state: Path | None = None
    name: str = "lab"

    @property
    def home(self) -> Path:
        return self.state or self.root / "home"

    @property
    def folder(self) -> Path:
        return self.root / "lesson"

    @property
    def document(self) -> Path:
        return self.folder / "pipeline.json"

    # The lesson

    def write_lesson(self, *, captions: bool = False, script: str = SCRIPT, **changes: Any) -> Path:
        """A still with a voiceover, then a clip, merged: the smallest lesson that uses every function."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "script.txt").write_text(script)
        if not (self.folder / "clip.mp4").exists():
            make_clip(self.folder / "clip.mp4", seconds=1.0, rate="25")
            make_clip(self.folder / "still.mp4", seconds=0.2, sample_rate=None)
        nodes = [
            *_scene("still.mp4", captions),
            {"id": "clip", "type": "asset", "asset": {"type": "video", "source": "clip.mp4"}},
            {"id": "film", "type": "merge-videos", "inputs": {"segments": ["scene", "clip"]}},
        ]
        for node in nodes:
            node.update(changes.get(node["id"], {}))
        return self.write_document(nodes + changes.get("more", []))

    def write_scene(self, script: str, *, captions: bool = False) -> Path:
        """A picture with a voiceover: the smallest lesson that buys anything."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "script.txt").write_text(script)
        Image.new("RGB", (320, 180), "teal").save(self.folder / "slide.png")
        return self.write_document(_scene("slide.png", captions))

    def write_film(self, *clips: str) -> Path:
        """Clips that lie in the folder, merged; nothing is bought."""
        nodes: list[dict[str, Any]] = [
            {"id": Path(clip).stem, "type": "asset", "asset": {"type": "video", "source": clip}} for clip in clips
        ]
        segments = [Path(clip).stem for clip in clips]
        return self.write_document([*nodes, {"id": "film", "type": "merge-videos", "inputs": {"segments": segments}}])

    def write_document(self, nodes: list[dict[str, Any]]) -> Path:
        self.folder.mkdir(exist_ok=True)
        document = {"id": self.name, "title": "Lab", "version": "1", "nodes": nodes}
        self.document.write_text(json.dumps(document, indent=2))
        return self.document

    # The command line

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Run a command in a session of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "video_production.cli", *arguments],
            cwd=self.root,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill_everything(process)
            process.communicate()
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def produce(self, *options: str, timeout: float = 120) -> tuple[int, dict[str, Any]]:
        """Produce the lesson; the exit code and the last event."""
        done = self.run("produce", str(self.document), "--json", *options, timeout=timeout)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout.splitlines()[-1])

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "PYTHONPATH": str(CHECKOUT),
            "JIKI_VIDEO_HOME": str(self.home),
            "USER": "tester",
        }

    # The cloud and the stand-in

    def cloud(self, **variables: str) -> CloudHandle:
        """The local cloud of this desk; `variables` are for its functions, where it is started by this."""
        return attach_or_start(self.home, variables=variables)

    def faults(self, *rules: dict[str, Any]) -> None:
        """Tell the stand-in how to misbehave; it keeps the rules across restarts."""
        self.control("faults", list(rules))

    def control(self, path: str, content: Any) -> None:
        with self.cloud() as cloud:
            answer = requests.post(
                f"{cloud.endpoints.stand_ins['elevenlabs']}/stand-in/{path}", json=content, timeout=10
            )
            assert answer.ok, answer.text

    def charges_for(self, script: str) -> list[Charge]:
        """What the stand-in charged for one script."""
        digest = hashlib.sha256(script.encode()).hexdigest()
        return [charge for charge in self.charges() if charge.request_sha256 == digest]

    def charges(self) -> list[Charge]:
        return ChargeBook(self.home / "stand-ins" / "elevenlabs" / "charge_book.jsonl").rows()

    # What lies on disk

    def snapshot(self) -> LocalSnapshot:
        return read_snapshot(self.home)

    def take_states(self) -> list[str]:
        return [item["state"] for item in self.takes_items() if item["record"] == "take"]

    def takes_items(self) -> list[dict[str, Any]]:
        return self.snapshot().tables.get("jiki-video-takes-local", [])

    def node(self, node_id: str) -> dict[str, Any]:
        items = self.snapshot().tables.get("jiki-video-nodes-local", [])
        return next((item for item in items if item["pipeline_id"] == self.name and item["id"] == node_id), {})

    def wait_for(self, condition: Callable[[], bool], timeout: float = 60, every: float = 0.005) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, "the moment never came"
            time.sleep(every)

    def kill_everything(self, process: subprocess.Popen[str]) -> None:
        """SIGKILL the command and every process that works for this desk: cloud, stand-in, sandboxes, FFmpeg."""
        victims = {process.pid, *self._own_processes()}
        for pid in victims:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        process.wait()
        self.wait_for(lambda: not self._own_processes(), timeout=10)

    def _own_processes(self) -> set[int]:
        return {pid for pid in _processes() if str(self.root) in _environment_and_command(pid)} - {os.getpid()}


def _scene(picture: str, captions: bool) -> list[dict[str, Any]]:
    config = {
        "provider": "elevenlabs",
        "voiceId": "JBFqnCBsd6RMkjVDRZzb",
        "modelId": "eleven_multilingual_v2",
        "captions": captions,
    }
    kind = "image" if picture.endswith(".png") else "video"
    return [
        {"id": "script", "type": "asset", "asset": {"type": "text", "source": "script.txt"}},
        {"id": "still", "type": "asset", "asset": {"type": kind, "source": picture}},
        {"id": "voice", "type": "generate-voiceover", "inputs": {"script": "script"}, "config": config},
        {"id": "scene", "type": "mix-audio", "inputs": {"video": "still", "audio": "voice"}},
    ]


def _processes() -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            yield int(entry.name)


def _environment_and_command(pid: int) -> str:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        if state == "Z":
            return ""
        return Path(f"/proc/{pid}/environ").read_text() + Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
