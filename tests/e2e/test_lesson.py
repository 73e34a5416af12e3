"""The example lesson, produced whole: what `make demo` promises, looked at and listened to."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import time
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import av
import numpy as np
import pysubs2
import pytest
from PIL import Image

from tests.e2e.lab import CHECKOUT, Lab
from tests.e2e.lesson_sound import decoded, match, onset_near, rms, split
from tests.unit.media.listening import RATE, Frames, Samples, likeness, metered, write_wav
from tools.lesson import phone, title
from tools.lesson.narration import narration_of
from tools.lesson.outro import Outro
from tools.lesson.screen import ANSWER, CALL, CODE, Screen
from tools.lesson.steps import NUMBERS, Steps

VOICES = ("intro", "steps", "screen", "outro")
CAPTIONED = ("intro", "steps", "outro")
MUSIC_FROM = "outro"


class Desk(Lab):
    """A user's desk with a copy of the example lesson on it."""

    @property
    def document(self) -> Path:
        return self.folder / "pipeline.yaml"

    @property
    def media(self) -> Path:
        return self.folder / "media"

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def made(self, node_id: str) -> Path:
        """What the cloud holds as a node's output."""
        output = self.node(node_id)["output"]
        return self.home / "s3" / output["bucket"] / output["s3_key"]

    def node(self, node_id: str) -> dict[str, Any]:
        items = self.snapshot().tables["jiki-video-nodes-local"]
        return next(item for item in items if (item["pipeline_id"], item["id"]) == ("binary-search", node_id))


@dataclass
class Produced:
    """The finished lesson. Times are seconds of the whole video."""

    desk: Desk
    first_run: str
    event: dict[str, Any]

    @property
    def video(self) -> Path:
        return self.desk.output / "lesson.draft.mp4"

    @property
    def details(self) -> dict[str, Any]:
        return dict(self.event["videos"][0])

    @cached_property
    def starts(self) -> dict[str, float]:
        return {join["name"].removesuffix(".mp4"): join["start"] for join in self.details["joins"]}

    @cached_property
    def sound(self) -> Samples:
        return decoded(self.video)

    @cached_property
    def voices(self) -> dict[str, Samples]:
        return {scene: decoded(self.desk.made(f"{scene}-voice")) for scene in VOICES}

    @cached_property
    def cues(self) -> list[pysubs2.SSAEvent]:
        return list(pysubs2.load(str(self.video.with_suffix(".srt"))))

    def frame(self, moment: float) -> Frames:
        return frame_at(self.video, moment)


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Produced:
    """The lesson, produced once, also when several workers ask for it."""
    base = tmp_path_factory.getbasetemp()
    root = (base if worker_id == "master" else base.parent) / "produced-lesson"
    root.mkdir(exist_ok=True)
    desk, record = Desk(root), root / "first-run.json"
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            shutil.copytree(CHECKOUT / "examples" / "lesson", desk.folder, ignore=shutil.ignore_patterns("output"))
            done = desk.run("produce", str(desk.document))
            assert done.returncode == 0, done.stdout + done.stderr
            _, event = desk.produce()
            record.write_text(json.dumps([done.stdout, event]))
    return Produced(desk, *json.loads(record.read_text()))


@pytest.fixture(scope="session")
def worker_id(request: pytest.FixtureRequest) -> str:
    """The name of this pytest-xdist worker, "master" without xdist."""
    return str(getattr(request.config, "workerinput", {}).get("workerid", "master"))


def frame_at(path: Path, moment: float) -> Frames:
    """The stored picture that is shown at a time in seconds, as RGB."""
    with av.open(str(path)) as container:
        container.seek(round(max(0.0, moment - 0.05) * 1_000_000))
        shown: av.VideoFrame | None = None
        for frame in container.decode(video=0):
            assert frame.time is not None
            if shown is not None and frame.time > moment + 1e-6:
                break
            shown = frame
        assert shown is not None
        return shown.to_ndarray(format="rgb24")


# What make demo promises


def test_the_last_line_is_the_path_of_the_video_alone_and_the_captions_lie_beside_it(lesson: Produced) -> None:
    last = lesson.first_run.splitlines()[-1]
    assert (lesson.desk.root / last).resolve() == lesson.video.resolve()
    assert sorted(path.name for path in lesson.desk.output.iterdir()) == [
        "lesson.draft.mp4",
        "lesson.draft.srt",
        "lesson.draft.vtt",
    ]


def test_the_summary_tells_how_each_clip_was_joined(lesson: Produced) -> None:
    assert re.search(r"phone\.mp4\s.*rotated, 29\.97 fps, 44\.1 kHz, mono → re-encoded", lesson.first_run)
    assert re.search(r"screen\s+25 fps → re-encoded", lesson.first_run)
    assert "Real providers would cost about" in lesson.first_run
    treatments = {join["name"]: join["treatment"] for join in lesson.details["joins"]}
    assert [name for name, treatment in treatments.items() if treatment == "copied"] == ["intro", "steps", "outro"]


def test_both_elevenlabs_ways_were_used(lesson: Produced) -> None:
    charges = lesson.desk.charges()
    assert len(charges) == len(VOICES)
    ways = {scene: lesson.desk.node(f"{scene}-voice")["metadata"]["way"] for scene in VOICES}
    assert ways == {"intro": "timed", "steps": "timed", "screen": "job", "outro": "timed"}


def test_the_video_is_about_a_minute_and_every_frame_is_there(lesson: Produced) -> None:
    with av.open(str(lesson.video)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate) == (1280, 720, 30)
        frames = sum(1 for _ in container.decode(stream))
    assert 55 <= lesson.event["duration"] <= 70
    assert frames == lesson.details["frames"] == round(lesson.event["duration"] * 30)
    assert abs(len(lesson.sound) - lesson.event["duration"] * RATE) <= 1024


def test_the_file_says_that_it_is_a_draft(lesson: Produced) -> None:
    with av.open(str(lesson.video)) as container:
        assert container.metadata["comment"].startswith("DRAFT")


def test_the_lesson_is_small_in_the_repository() -> None:
    files = [path for path in (CHECKOUT / "examples" / "lesson").rglob("*") if "output" not in path.parts]
    assert sum(path.stat().st_size for path in files if path.is_file()) < 2_500_000


# Listening


def test_every_voiceover_is_heard_where_its_scene_begins(lesson: Produced) -> None:
    for scene in VOICES:
        correlation, lag = match(lesson.sound, lesson.voices[scene], lesson.starts[scene])
        print(f"{scene}: correlation {correlation:.3f} at a lag of {lag * 1000:+.1f} ms")
        assert correlation >= 0.9, scene
        assert abs(lag) < 0.020, scene


def test_a_voiceover_in_another_scene_would_be_noticed(lesson: Produced) -> None:
    for one, other in combinations(VOICES, 2):
        for voice, scene in ((one, other), (other, one)):
            correlation, _ = match(lesson.sound, lesson.voices[voice], lesson.starts[scene])
            assert correlation < 0.5, f"{voice} in {scene}"


def test_the_phone_clip_keeps_its_own_voice(lesson: Produced) -> None:
    correlation, lag = match(lesson.sound, decoded(lesson.desk.media / "phone.mp4"), lesson.starts["phone"])
    assert correlation >= 0.9
    assert abs(lag) < 0.020


def test_nothing_clips(lesson: Produced) -> None:
    with av.open(str(lesson.video)) as container:
        peaks = [float(np.max(np.abs(frame.to_ndarray()))) for frame in container.decode(audio=0)]
    assert max(peaks) < 0.999
    assert max(peaks) > 0.3


def test_every_voiceover_has_minus_16_lufs(lesson: Produced, tmp_path: Path) -> None:
    for scene in VOICES:
        window = lesson.sound[round(lesson.starts[scene] * RATE) :][: len(lesson.voices[scene])]
        loudness, _ = metered(write_wav(tmp_path / f"{scene}.wav", np.stack([window, window], axis=1)))
        assert loudness == pytest.approx(-16, abs=1.5), scene


def test_the_music_is_there_and_stays_at_least_12_decibels_under_the_voice(lesson: Produced) -> None:
    start, voice = lesson.starts[MUSIC_FROM], lesson.voices[MUSIC_FROM]
    _, late = match(lesson.sound, voice, start)
    assert abs(late) <= 512 / RATE + 0.001
    spoken, music = split(lesson.sound, voice, start + late)
    assert rms(spoken) - rms(music) >= 12
    after = lesson.sound[round(start * RATE) + len(voice) :][: RATE // 2]
    assert -55 < rms(after) < -25
    correlation, lag = match(
        lesson.sound, decoded(lesson.desk.media / "outro.mp4")[-RATE:], lesson.event["duration"] - 1
    )
    assert correlation >= 0.9
    assert abs(lag) < 0.020


# Captions


def test_the_captions_hold_the_scripts_word_by_word(lesson: Produced) -> None:
    scripts = " ".join((lesson.desk.folder / "scripts" / f"{scene}.txt").read_text() for scene in CAPTIONED)
    assert " ".join(cue.plaintext for cue in lesson.cues).split() == scripts.split()
    assert all(len(line) <= 42 for cue in lesson.cues for line in cue.plaintext.splitlines())
    again = pysubs2.load(str(lesson.video.with_suffix(".vtt")))
    assert [(cue.start, cue.plaintext) for cue in again] == [(cue.start, cue.plaintext) for cue in lesson.cues]


def test_every_caption_appears_when_its_first_word_sets_in(lesson: Produced) -> None:
    for cue in lesson.cues:
        moment = cue.start / 1000
        # Music lies under the outro: only what is louder than music is speech there.
        threshold = -30.0 if moment >= lesson.starts[MUSIC_FROM] else -45.0
        onset = onset_near(lesson.sound, moment, threshold)
        assert onset is not None, cue.plaintext
        print(f"{moment:7.3f} s, {(onset - moment) * 1000:+4.0f} ms: {cue.plaintext.split()[0]}")
        assert abs(onset - moment) <= 0.120, cue.plaintext


# Looking


def test_every_scene_looks_like_its_source(lesson: Produced) -> None:
    slide = np.asarray(Image.open(lesson.desk.media / "intro.png").convert("RGB"))
    for scene in ("intro", "steps", "screen", "outro"):
        for moment in (0.5, 4.0, 7.5):
            shown = lesson.frame(lesson.starts[scene] + moment)
            source = slide if scene == "intro" else frame_at(lesson.desk.media / f"{scene}.mp4", moment)
            difference = float(np.mean(np.abs(shown.astype(int) - source.astype(int))))
            assert likeness(shown, source) > 0.97, f"{scene} at {moment}"
            assert difference < 3, f"{scene} at {moment}"
            assert shown.max() > 120, f"{scene} at {moment} is dark"


def test_the_phone_clip_stands_upright_between_black_bars(lesson: Produced) -> None:
    clip = lesson.desk.media / "phone.mp4"
    for moment in (1.0, 5.0, 10.5):
        shown = lesson.frame(lesson.starts["phone"] + moment)
        stored = Image.fromarray(frame_at(clip, moment))
        assert stored.size == (960, 540)
        upright = stored.transpose(Image.Transpose.ROTATE_270)
        left = (1280 - 406) // 4 * 2
        picture = shown[:, left : left + 406]
        assert likeness(picture, np.asarray(upright.resize((406, 720)))) > 0.95
        assert likeness(picture, np.asarray(upright.transpose(Image.Transpose.ROTATE_180).resize((406, 720)))) < 0.8
        assert shown[:, : left - 4].max() < 24
        assert shown[:, left + 410 :].max() < 24


def test_text_is_drawn_as_text(lesson: Produced) -> None:
    def bright(frame: Frames) -> int:
        return int(np.count_nonzero(frame.min(axis=2) > 190))

    assert bright(lesson.frame(2.0)[80:430, 90:900]) > 8_000
    editor = [lesson.frame(lesson.starts["screen"] + moment)[110:560, 140:900] for moment in (0.1, 12.0)]
    assert bright(editor[1]) > 10 * bright(editor[0]) + 1_000


def test_the_animation_shows_each_number_when_its_word_is_spoken(lesson: Produced) -> None:
    scene = Steps(narration_of("steps-voice"))

    def lit(moment: float, index: int) -> bool:
        """Whether a cell's upper edge is orange rather than blue."""
        red, _, blue = lesson.frame(lesson.starts["steps"] + moment)[302, 82 + index * 75 + 33].astype(int)
        return bool(red > blue + 40)

    for look in scene.looks:
        assert not lit(look.pointed - 0.1, look.middle), look.verdict
        assert lit(look.pointed + 0.3, look.middle), look.verdict


def test_the_clips_are_as_hostile_as_they_are_meant_to_be() -> None:
    media = CHECKOUT / "examples" / "lesson" / "media"
    with av.open(str(media / "phone.mp4")) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        assert (picture.width, picture.height, picture.average_rate) == (960, 540, phone.RATE)
        assert (sound.rate, sound.channels) == (44100, 1)
        assert abs(next(container.decode(video=0)).rotation) == 90
    with av.open(str(media / "screen.mp4")) as container:
        assert not container.streams.audio
        assert container.streams.video[0].average_rate == 25


def test_the_kept_clips_are_what_the_code_draws_on_the_scripts_of_today() -> None:
    media = CHECKOUT / "examples" / "lesson" / "media"
    assert likeness(np.asarray(Image.open(media / "intro.png").convert("RGB")), np.asarray(title.draw())) > 0.99
    scenes = {
        "steps": Steps(narration_of("steps-voice")),
        "screen": Screen(narration_of("screen-voice")),
        "outro": Outro(narration_of("outro-voice")),
        "phone": phone.Phone(phone.spoken()),
    }
    for name, scene in scenes.items():
        moment = scene.seconds - 1.5
        kept = Image.fromarray(frame_at(media / f"{name}.mp4", moment))
        upright = kept.transpose(Image.Transpose.ROTATE_270) if name == "phone" else kept
        assert likeness(np.asarray(upright), np.asarray(scene.draw(moment))) > 0.97, name


def test_the_code_of_the_lesson_does_what_the_lesson_says() -> None:
    names: dict[str, Any] = {}
    exec(CODE, names)
    search, numbers = names["binary_search"], list(NUMBERS)
    assert repr(eval(CALL, {**names, "numbers": numbers})) == ANSWER
    assert [search(numbers, number) for number in numbers] == list(range(len(numbers)))
    assert search(numbers, 33) is None
    assert [length.bit_length() for length in (1_000, 1_000_000, 1_000_000_000)] == [10, 20, 30]


# Again


def test_a_second_run_says_at_once_that_everything_is_made(lesson: Produced) -> None:
    def state() -> list[tuple[str, int, bytes]]:
        return [
            (path.name, path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(lesson.desk.output.iterdir())
        ]

    before, charged = state(), lesson.desk.charges()
    started = time.monotonic()
    done = lesson.desk.run("produce", str(lesson.desk.document))
    seconds = time.monotonic() - started
    print(f"the second run took {seconds:.2f} s")
    assert done.returncode == 0, done.stderr
    assert "Everything is made already" in done.stdout
    assert (lesson.desk.root / done.stdout.splitlines()[-1]).resolve() == lesson.video.resolve()
    assert seconds < 6
    assert state() == before
    assert lesson.desk.charges() == charged


def test_an_edited_sentence_remakes_what_hangs_on_it_and_reuses_the_rest(lesson: Produced, tmp_path: Path) -> None:
    shutil.copytree(lesson.desk.root, tmp_path / "desk", symlinks=True)
    desk = Desk(tmp_path / "desk")
    script = desk.folder / "scripts" / "intro.txt"
    script.write_text(script.read_text().replace("How do you find one name", "How would you find a name"))
    done = desk.run("produce", str(desk.document))
    assert done.returncode == 0, done.stdout + done.stderr
    assert _named(done.stdout, "changed") == {"intro-script"}
    assert _named(done.stdout, "made again because of it") == {"intro-voice", "intro", "lesson"}
    reused = {"steps-voice", "steps", "screen-voice", "screen", "outro-voice", "outro"}
    assert _named(done.stdout, "reused") >= reused
    for node_id in reused:
        assert desk.node(node_id)["output"] == lesson.desk.node(node_id)["output"], node_id
    assert len(desk.charges()) == len(lesson.desk.charges()) + 1
    correlation, _ = match(decoded(desk.output / "lesson.draft.mp4"), decoded(desk.made("intro-voice")), 0)
    assert correlation >= 0.9
    assert "How would you find a name" in (desk.output / "lesson.draft.srt").read_text().replace("\n", " ")


def _named(summary: str, what: str) -> set[str]:
    line = re.search(rf"^ {what}: (.*)$", summary, re.MULTILINE)
    assert line, summary
    return set(re.split(r", | and ", line[1]))
