"""Damaged and absurd clips: a plan that holds, or a sentence; quickly, in little memory. Most were found by fuzzing."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.cases import Memory, run_case
from tests.fuzz.mutations import mutated
from tests.unit.media.clips import make_clip
from tests.unit.media.test_mp4_hostile import MOST_MEMORY, SLOWEST
from video_production.media.mp4.boxes import box

_SMALL = {"size": (64, 64), "seconds": 0.4}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_clip(tmp_path_factory.mktemp("clip") / "a.mp4", **_SMALL, bframes=2).read_bytes()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A clip without sound or B-frames: all its samples have one duration."""
    folder = tmp_path_factory.mktemp("silent")
    return make_clip(folder / "a.mp4", **_SMALL, sample_rate=None, bframes=0).read_bytes()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def otherwise(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Like `silent`, with other settings of the codec."""
    folder, crf = tmp_path_factory.mktemp("otherwise"), ("-crf", "45")
    return make_clip(folder / "a.mp4", **_SMALL, sample_rate=None, bframes=0, extra=crf).read_bytes()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def fragments(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("fragments")
    return make_clip(folder / "a.mp4", **_SMALL, gop=4, extra=("-movflags", "frag_keyframe")).read_bytes()  # type: ignore[arg-type]


def ends(*files: bytes | Memory) -> str:
    """What comes of these files; they must take little time and memory."""
    given = [each if isinstance(each, Memory) else Memory(f"{n}.mp4", each) for n, each in enumerate(files)]
    begun = time.process_time()
    tracemalloc.start()
    try:
        said = run_case(given)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_MEMORY
    assert time.process_time() - begun < SLOWEST
    return said


def lasting(clip: bytes, timescale: int, ticks: int) -> bytes:
    """The clip with every picture lasting `ticks` of `timescale`; its edit lists become padding."""
    slow = stated(stated(clip, b"mdhd", 12, timescale), b"stts", 12, ticks)
    return slow.replace(b"edts", b"free")


def stated(clip: bytes, kind: bytes, offset: int, value: int) -> bytes:
    """The clip with `value` at `offset` of the payload of its first box of this kind, which is the picture's."""
    at = clip.index(kind) + 4 + offset
    return clip[:at] + value.to_bytes(4, "big") + clip[at + 4 :]


def test_undamaged_clips_are_spliced(clip: bytes, silent: bytes, otherwise: bytes) -> None:
    assert ends(clip, clip).endswith("| spliced | spliced in-band")
    assert ends(silent, otherwise).endswith("encoded with other settings | spliced in-band")


@pytest.mark.parametrize("number", range(8))
def test_damaged_clips_end_in_a_plan_that_holds_or_in_a_sentence(
    clip: bytes, silent: bytes, fragments: bytes, number: int
) -> None:
    random = Random(number)
    seeds = (clip, silent, fragments)
    for _ in range(25):
        damaged = [mutated(random.choice(seeds), random.choice(seeds), random) for _ in range(random.randint(1, 2))]
        run_case([Memory(f"{index}.mp4", data) for index, data in enumerate([*damaged, random.choice(seeds)])])


def test_a_box_type_with_control_characters_does_not_reach_the_terminal(clip: bytes) -> None:
    for old, new in ((b"mp4a", b"\x1b[2J"), (b"avc1", b"\x1b[2J"), (b"avcC", b"\0\0\0\0")):
        ends(clip.replace(old, new), clip)


def test_a_fragment_of_millions_of_empty_samples_takes_no_memory(clip: bytes) -> None:
    at = clip.rindex(b"moov") - 4
    trex = b"".join(box("trex", bytes(4), number.to_bytes(4, "big"), b"\0\0\0\1", bytes(12)) for number in (1, 2))
    tfhd = box("tfhd", (0x20000).to_bytes(4, "big"), (1).to_bytes(4, "big"))
    trun = box("trun", bytes(4), (4_900_000).to_bytes(4, "big"))
    whole = clip[:at] + box("moov", clip[at + 8 :], box("mvex", trex)) + box("moof", box("traf", tfhd, trun))
    assert "it states more than , samples" in ends(whole)


def test_years_of_silence_are_refused(clip: bytes) -> None:
    years = lasting(clip, 1, 10_000_000)
    assert "would last more than  hours" in ends(years, years)


def test_more_silence_than_a_file_can_state_is_refused(clip: bytes) -> None:
    day = lasting(clip, 1, 8000)
    assert "more than ,, pictures and packets of sound" in ends(day, day)


def test_a_picture_longer_than_a_table_can_state_is_refused(silent: bytes) -> None:
    assert "stands too long" in ends(lasting(silent, 90_000, (1 << 31) - 1), lasting(silent, 44_999, 2000))


def test_time_scales_whose_common_multiple_is_beyond_any_number_are_exact(silent: bytes) -> None:
    scales = (999_983, 10_000_019, (1 << 31) - 1, 65_537)
    assert ends(*(lasting(silent, scale, scale // 25) for scale in scales)).endswith("| spliced | spliced in-band")


def test_a_picture_that_lasts_no_time_is_refused(tmp_path: Path) -> None:
    still = make_clip(tmp_path / "a.mp4", size=(64, 64), seconds=0.04, sample_rate=None).read_bytes()
    assert "lasts no time" in ends(lasting(still, 12_800, 0))


def test_an_endless_row_of_empty_units_is_not_walked(silent: bytes) -> None:
    whole = silent + (8 + (1 << 30)).to_bytes(4, "big") + b"free"
    first_sample = stated(stated(whole, b"stsz", 12, 1 << 29), b"stco", 8, len(whole))
    file = Memory("0.mp4", first_sample, 1 << 30)
    assert "begins with a picture that refers to earlier ones" in ends(file)
    assert file.reads < 5000


def test_a_picture_of_four_gigabytes_takes_no_settings(silent: bytes, otherwise: bytes) -> None:
    zeros = 6 << 30
    whole = silent + (1).to_bytes(4, "big") + b"free" + (16 + zeros).to_bytes(8, "big")
    large = Memory("large.mp4", stated(whole, b"stsz", 12, (1 << 32) - 9), zeros)
    assert "too large" in ends(large, otherwise)


def test_settings_in_front_of_an_empty_last_picture_leave_no_empty_range(silent: bytes, otherwise: bytes) -> None:
    at = silent.index(b"stsz") + 12 + 4 * 9
    emptied = silent[: at + 4] + bytes(4) + silent[at + 8 :]
    assert ends(emptied.replace(b"stss", b"free"), otherwise).endswith("spliced in-band")


def test_settings_are_never_put_into_the_middle_of_a_sample(silent: bytes, otherwise: bytes) -> None:
    at = silent.index(b"stco") + 12
    first_chunk = int.from_bytes(silent[at : at + 4], "big")
    two_chunks = box("stco", bytes(4), (2).to_bytes(4, "big"), *((first_chunk + n).to_bytes(4, "big") for n in (0, 9)))
    assert "share bytes" in ends(_rechunked(silent, two_chunks, samples=5), otherwise)


def _rechunked(clip: bytes, stco: bytes, samples: int) -> bytes:
    """A clip whose header comes last, its picture's samples in other chunks; the old tables become padding."""
    stsc = box("stsc", bytes(4), *(number.to_bytes(4, "big") for number in (1, 1, samples, 1)))
    changed = clip.replace(b"stco", b"free").replace(b"stsc", b"free")
    at = changed.index(b"stbl") - 4
    grown = changed[: at + 8] + stsc + stco + changed[at + 8 :]
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        place = grown.index(kind) - 4
        size = int.from_bytes(grown[place : place + 4], "big") + len(stsc) + len(stco)
        grown = grown[:place] + size.to_bytes(4, "big") + grown[place + 4 :]
    return grown
