"""The example explainer: four providers make what no camera saw, and the plan says what each of them will cost."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import av
import numpy as np
import pysubs2
import pytest

from stand_ins.charge_book import Charge, ChargeBook
from tests.e2e.lab import CHECKOUT, Lab
from tests.e2e.lesson_sound import decoded, match, onset_near, rms
from tests.unit.media.listening import RATE, Frames, Samples
from video_production.settings import PROVIDERS

CLIPS = ("teacher", "explained", "sunset")
FRAMES_PER_SECOND = 24
BOUGHT = {"question-voice", "teacher", "sunlight", "answer-voice", "sunset"}
CHANGED = {"question-voice", "teacher", "film"}


class Desk(Lab):
    """A user's desk with a copy of the explainer on it."""

    @property
    def document(self) -> Path:
        return self.folder / "pipeline.yaml"

    @property
    def video(self) -> Path:
        return self.folder / "output" / "film.draft.mp4"

    def book(self) -> dict[str, list[Charge]]:
        """What each stand-in has charged so far."""
        return {name: ChargeBook(self.home / "stand-ins" / name / "charge_book.jsonl").rows() for name in PROVIDERS}

    def bill(self) -> dict[str, float]:
        """US dollars by provider."""
        return {name: sum(charge.usd for charge in charges) for name, charges in self.book().items()}

    def told(self, command: str) -> dict[str, Any]:
        """What `plan` or `cost` says about the explainer."""
        done = self.run(command, str(self.document), "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def outputs(self) -> dict[str, dict[str, Any]]:
        """What each node made, by its id."""
        items = self.snapshot().tables["jiki-video-nodes-local"]
        return {item["id"]: item["output"] for item in items if item["pipeline_id"] == self.name and "output" in item}

    def made(self, node_id: str) -> Path:
        output = self.outputs()[node_id]
        return self.home / "s3" / str(output["bucket"]) / str(output["s3_key"])


@dataclass
class Film:
    """The finished film and the plan that came before it. Times are seconds of the film."""

    desk: Desk
    plan: dict[str, Any]
    event: dict[str, Any]

    @cached_property
    def joins(self) -> dict[str, dict[str, Any]]:
        return {join["name"]: join for join in self.event["videos"][0]["joins"]}

    @cached_property
    def frames(self) -> list[Frames]:
        """Every frame that is shown, small and grey: only whether something moves is asked of all."""
        with av.open(str(self.desk.video)) as container:
            shown = container.decode(video=0)
            return [frame.reformat(160, 90, format="gray").to_ndarray().astype(np.uint8) for frame in shown]

    @cached_property
    def sound(self) -> Samples:
        return decoded(self.desk.video)

    def sound_of(self, clip: str) -> Samples:
        join = self.joins[clip]
        return self.sound[round(join["start"] * RATE) : round((join["start"] + join["duration"]) * RATE)]


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Film:
    """The explainer, planned and produced once, also when several workers ask for it."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if hasattr(request.config, "workerinput") else base) / "produced-explainer"
    root.mkdir(exist_ok=True)
    desk, record = Desk(root, name="blue-sky"), root / "first-run.json"
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            shutil.copytree(CHECKOUT / "examples" / "explainer", desk.folder, ignore=shutil.ignore_patterns("output"))
            plan = desk.told("plan")
            code, event = desk.produce("--plan", plan["plan"])
            assert code == 0, event
            record.write_text(json.dumps([plan, event]))
    return Film(desk, *json.loads(record.read_text()))


# Looking and listening


def test_every_frame_of_every_clip_is_there(film: Film) -> None:
    clips = [film.desk.outputs()[clip] for clip in CLIPS]
    assert list(film.joins) == list(CLIPS)
    assert len(film.frames) == film.event["videos"][0]["frames"]
    seconds = len(film.frames) / FRAMES_PER_SECOND
    assert abs(seconds - sum(clip["duration"] for clip in clips)) <= 0.5 / FRAMES_PER_SECOND
    assert film.event["duration"] == pytest.approx(seconds, abs=0.001)
    assert abs(len(film.sound) / RATE - seconds) <= 1024 / RATE


def test_the_picture_moves_in_every_clip(film: Film) -> None:
    for clip in CLIPS:
        first = round(film.joins[clip]["start"] * FRAMES_PER_SECOND)
        shown = film.frames[first + 2 : first + round(film.joins[clip]["duration"] * FRAMES_PER_SECOND) - 2]
        assert float(np.abs(shown[0].astype(int) - shown[-1].astype(int)).mean()) > 1, clip
        assert all(frame.max() > 100 for frame in shown), f"{clip} goes dark"


def test_the_voices_are_heard_where_they_belong_and_runways_clip_is_silent(film: Film) -> None:
    for clip, voice in (("teacher", "question-voice"), ("explained", "answer-voice")):
        correlation, lag = match(film.sound, decoded(film.desk.made(voice)), film.joins[clip]["start"])
        assert correlation >= 0.9, clip
        assert abs(lag) < 0.020, clip
        assert -25 < rms(film.sound_of(clip)) < -10, clip
    assert rms(film.sound_of("sunset")[RATE // 10 :]) < -90


def test_the_captions_are_the_scripts_where_they_are_spoken(film: Film) -> None:
    cues = list(pysubs2.load(str(film.desk.video.with_suffix(".srt"))))
    scripts = [(film.desk.folder / "scripts" / f"{name}.txt").read_text() for name in ("question", "answer")]
    assert " ".join(cue.plaintext for cue in cues).split() == " ".join(scripts).split()
    answer = film.joins["explained"]["start"]
    spoken = " ".join(cue.plaintext for cue in cues if cue.start / 1000 >= answer - 0.01)
    assert spoken.split() == scripts[1].split()
    assert cues[-1].end / 1000 <= film.joins["sunset"]["start"]
    for cue in cues:
        assert all(len(line) <= 42 for line in cue.plaintext.splitlines())
        onset = onset_near(film.sound, cue.start / 1000, -45)
        assert onset is not None, cue.plaintext
        assert abs(onset - cue.start / 1000) <= 0.120, cue.plaintext


def test_whoever_sees_the_film_or_its_file_knows_that_it_is_a_draft(film: Film) -> None:
    with av.open(str(film.desk.video)) as container:
        assert container.metadata["comment"].startswith("DRAFT")
    for clip in CLIPS:
        moment = film.joins[clip]["start"] + film.joins[clip]["duration"] / 2
        corner = _frame_at(film.desk.video, moment)[20:60, 1170:1262].min(axis=2)
        badge, around = corner[6:34, 10:84], corner[:, :4]
        assert int(np.count_nonzero(badge > 180)) > 100, f"no letters in the badge of {clip}"
        assert float(np.median(badge)) < float(np.median(around)), f"no plate under the badge of {clip}"


def test_every_clip_is_a_chapter_with_a_title(film: Film) -> None:
    with av.open(str(film.desk.video)) as container:
        chapters = container.chapters()
    starts = [float(chapter["start"] * (chapter["time_base"] or 0)) for chapter in chapters]
    assert starts == pytest.approx([film.joins[clip]["start"] for clip in CLIPS], abs=0.001)
    titles = ["The teacher", "The answer over the picture", "A red evening"]
    assert [chapter["metadata"]["title"] for chapter in chapters] == titles


# Money


def test_the_plan_of_a_new_film_names_what_each_provider_will_charge(film: Film) -> None:
    assert {node["id"] for node in film.plan["nodes"] if node["buys"]} == BOUGHT
    bill, planned = film.desk.bill(), _planned(film.plan)
    assert set(planned) == set(PROVIDERS)
    for provider, (low, high) in planned.items():
        # How long a voice that nobody has heard yet will speak is known roughly; all else is known exactly.
        assert low <= bill[provider] <= high, provider
        assert provider == "heygen" or low == high, provider
    # The low end is what a fluent reader needs.
    assert film.plan["usd"][0] == pytest.approx(sum(bill.values()), rel=0.05)


def test_the_ledger_says_what_the_charge_books_say(film: Film) -> None:
    cost, books = film.desk.told("cost"), film.desk.book()
    for provider, charges in books.items():
        rows = [row for row in cost["rows"] if row["provider"] == provider]
        assert {row["mode"] for row in rows} == {"draft"}
        assert sum(row["requests"] for row in rows) == len(charges)
        assert sum(row["paid_usd"] for row in rows) == pytest.approx(sum(charge.usd for charge in charges), abs=1e-5)
        quantity = sum(charge.credits if rows[0]["unit"] == "credits" else charge.quantity for charge in charges)
        assert sum(row["quantity"] for row in rows) == pytest.approx(quantity)
    assert sum(len(charges) for charges in books.values()) == len(BOUGHT)
    assert cost["totals"]["draft"]["paid_usd"] == pytest.approx(sum(film.desk.bill().values()), abs=1e-5)
    assert cost["totals"]["draft"]["open_usd"] == 0
    assert cost["totals"]["live"]["requests"] == 0


def test_an_edited_sentence_remakes_what_the_plan_said_at_the_price_it_said(film: Film, tmp_path: Path) -> None:
    shutil.copytree(film.desk.root, tmp_path / "desk", symlinks=True)
    desk = Desk(tmp_path / "desk", name="blue-sky")
    before, outputs = desk.bill(), desk.outputs()
    stale = desk.told("plan")
    assert {node["action"] for node in stale["nodes"]} == {"reuse"}
    script = desk.folder / "scripts" / "question.txt"
    script.write_text(script.read_text().replace("why the sky is blue", "why the whole sky is blue"))

    refused = desk.run("produce", str(desk.document), "--plan", stale["plan"], "--yes")
    assert refused.returncode == 1
    assert re.fullmatch(r"Since plan \S+ something has moved: [^.]+\. Nothing was started\. [^\n]+\n", refused.stderr)
    assert (desk.bill(), desk.outputs()) == (before, outputs)

    plan = desk.told("plan")
    assert {node["id"] for node in plan["nodes"] if node["action"] == "remake"} == CHANGED
    assert {node["id"] for node in plan["nodes"] if node["action"] == "provide"} == {"question"}
    code, event = desk.produce("--plan", plan["plan"], "--yes")
    assert (code, event["status"]) == (0, "completed")
    now = desk.outputs()
    assert {node_id for node_id in now if now[node_id] != outputs[node_id]} == CHANGED | {"question"}

    after = desk.bill()
    grown = {name: after[name] - before[name] for name in PROVIDERS if after[name] > before[name]}
    planned = _planned(plan)
    assert set(grown) == set(planned) == {"elevenlabs", "heygen"}
    for provider, (low, high) in planned.items():
        print(f"{provider}: planned ${low:.5f} to ${high:.5f}, charged ${grown[provider]:.5f}")
        assert low <= grown[provider] * 1.000001, provider
        assert high >= grown[provider] * 0.999999, provider
        assert (low + high) / 2 == pytest.approx(grown[provider], rel=0.05), provider
    assert sum(plan["usd"]) / 2 == pytest.approx(sum(grown.values()), rel=0.05)

    code, event = desk.produce("--yes")
    assert (code, event["unchanged"]) == (0, True)
    assert (desk.bill(), desk.outputs()) == (after, now)
    assert desk.told("cost")["totals"]["draft"]["paid_usd"] == pytest.approx(sum(after.values()), abs=1e-5)

    # What was bought is never bought again: the old sentence costs nothing.
    shutil.copy(film.desk.folder / "scripts" / "question.txt", script)
    back = desk.told("plan")
    assert back["usd"] == [0, 0]
    assert [node["id"] for node in back["nodes"] if node["action"] == "remake"] == ["film"]


def _planned(plan: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """US dollars by provider, at least and at most."""
    buys = [entry for node in plan["nodes"] for entry in node["buys"]]
    return {
        name: (
            sum(entry["usd"] for entry in buys if entry["provider"] == name),
            sum(entry["usd_high"] for entry in buys if entry["provider"] == name),
        )
        for name in sorted({entry["provider"] for entry in buys})
    }


def _frame_at(path: Path, moment: float) -> Frames:
    with av.open(str(path)) as container:
        container.seek(round(moment * 1_000_000))
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= moment:
                return frame.to_ndarray(format="rgb24").astype(np.uint8)
    raise AssertionError(f"nothing is shown at {moment} s")
