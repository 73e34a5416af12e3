"""Damaged and malicious headers end in one sentence, quickly and in little memory."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.media.clips import make_clip
from video_production.errors import MediaError
from video_production.media.mp4.boxes import box
from video_production.media.mp4.reader import read_movie
from video_production.media.probe import probe_source

SLOWEST = 2.0
"""Seconds of processor time: a sound file of this size takes some milliseconds."""

MOST_MEMORY = 64 << 20


class Memory:
    """A source in memory that also checks what is asked of it."""

    def __init__(self, data: bytes, name: str = "hostile.mp4") -> None:
        self.name = name
        self.data = data
        self.size = len(data)

    def read(self, offset: int, length: int) -> bytes:
        assert offset >= 0
        assert length >= 0
        assert offset + length <= self.size
        return self.data[offset : offset + length]


@pytest.fixture(scope="module", params=["plain", "fragmented", "mov"])
def sound_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("hostile")
    shape = {"seconds": 0.4, "bframes": 2, "size": (64, 64)}
    if request.param == "mov":
        return make_clip(folder / "a.mov", **shape, audio_codec="pcm_s16le").read_bytes()
    flags = "frag_keyframe+delay_moov" if request.param == "fragmented" else "faststart"
    return make_clip(folder / "a.mp4", **shape, gop=4, extra=("-movflags", flags)).read_bytes()


def try_to_read(data: bytes) -> None:
    """Read it; anything but success or a MediaError of one sentence fails the test."""
    begun = time.process_time()
    said = ""
    try:
        probe_source(Memory(data))
    except MediaError as error:
        said = str(error)
    assert not said or "hostile.mp4" in said
    assert "\n" not in said
    assert time.process_time() - begun < SLOWEST


def headers(data: bytes) -> list[int]:
    """The places in `data` that describe media: everything in `moov` and `moof`, and top-level headers."""
    places: list[int] = []
    at = 0
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        places += range(at, at + (size if kind in (b"moov", b"moof") else 8))
        at += max(size, 8)
    return places


INTERESTING = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 0x10000, 0xFFFFFF)
PATIENT = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@PATIENT
@given(data=st.data())
def test_changed_bytes_never_end_in_anything_but_a_sentence(sound_file: bytes, data: st.DataObject) -> None:
    changed = bytearray(sound_file)
    places = headers(sound_file)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.sampled_from(places))
        if data.draw(st.booleans()):
            changed[at] = data.draw(st.integers(0, 255))
        else:
            value = data.draw(st.one_of(st.sampled_from(INTERESTING), st.integers(0, 0xFFFFFFFF)))
            changed[at : at + 4] = value.to_bytes(4, "big")
    try_to_read(bytes(changed[: len(sound_file)]))


@PATIENT
@given(data=st.data())
def test_bytes_cut_out_or_put_in_never_end_in_anything_but_a_sentence(sound_file: bytes, data: st.DataObject) -> None:
    at = data.draw(st.sampled_from(headers(sound_file)))
    length = data.draw(st.integers(0, 64))
    inserted = data.draw(st.binary(max_size=64))
    try_to_read(sound_file[:at] + inserted + sound_file[at + length :])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_in_a_header_never_end_in_anything_but_a_sentence(data: bytes) -> None:
    try_to_read(box("ftyp", b"isom") + box("moov", data))


def replaced(data: bytes, kind: bytes, offset: int, value: int, width: int = 4) -> bytes:
    """Every box of this kind gets `value` at `offset` of its payload."""
    changed, at = bytearray(data), data.find(kind)
    assert at > 0
    while at > 0:
        changed[at + 4 + offset : at + 4 + offset + width] = value.to_bytes(width, "big")
        at = data.find(kind, at + 4)
    return bytes(changed)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_clip(tmp_path_factory.mktemp("plain") / "a.mp4", seconds=0.4, bframes=2).read_bytes()


@pytest.mark.parametrize("kind", [b"stsz", b"stts", b"ctts", b"stsc", b"stco", b"stss", b"elst", b"stsd"])
def test_a_table_that_states_billions_of_entries_takes_no_memory(plain: bytes, kind: bytes) -> None:
    offset = 8 if kind == b"stsz" else 4
    refused_in_little_memory(replaced(plain, kind, offset, 0xFFFFFFFF))


def test_billions_of_samples_of_one_size_take_no_memory(plain: bytes) -> None:
    sized = replaced(plain, b"stsz", 4, 1)
    refused_in_little_memory(replaced(sized, b"stsz", 8, 0xFFFFFFFF))


def test_billions_of_samples_in_a_fragment_take_no_memory(plain: bytes) -> None:
    at = plain.rindex(b"moov") - 4
    ids = b"".join(box("trex", bytes(4), number.to_bytes(4, "big"), bytes(16)) for number in (1, 2))
    moov = box("moov", plain[at + 8 :], box("mvex", ids))
    tfhd = box("tfhd", (0x20000).to_bytes(4, "big"), (1).to_bytes(4, "big"))
    trun = box("trun", bytes(4), (0xFFFFFFFF).to_bytes(4, "big"))
    moof = box("moof", box("traf", tfhd, trun))
    refused_in_little_memory(plain[:at] + moov + moof)


def refused_in_little_memory(data: bytes) -> None:
    begun = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(MediaError, match=r"^hostile\.mp4 "):
            read_movie(Memory(data))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_MEMORY
    assert time.process_time() - begun < SLOWEST


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "neither an MP4 nor a MOV"),
        (b"hello, this is a text file", "neither an MP4 nor a MOV"),
        (box("ftyp", b"isom"), "never finished"),
        (box("ftyp", b"isom") + box("mdat", bytes(100)), "never finished"),
        (box("ftyp", b"heic", bytes(4)) + box("meta", bytes(20)), "still picture"),
        (box("ftyp", b"isom") + b"\0\0\0\x10moov", "cut off"),
        (box("ftyp", b"isom") + b"\0\0\0\4moov", "no box where one belongs"),
        (box("ftyp", b"isom") + box("moov"), "no 'mvhd' box"),
        (box("ftyp", b"isom") + box("moov", box("mvhd", bytes(100)) * 2), "2 'mvhd' boxes"),
        (box("ftyp", b"isom") + box("moov", box("mvhd", bytes(100))), "time scale of 0"),
        (box("ftyp", b"isom") + box("moof"), "before its 'moov'"),
        (box("free") * 100_001, "more than 100,000 boxes"),
    ],
)
def test_each_kind_of_nonsense_has_its_sentence(data: bytes, why: str) -> None:
    with pytest.raises(MediaError, match=why):
        read_movie(Memory(data))


def test_a_file_without_tracks_holds_nothing(tmp_path: Path) -> None:
    mvhd = bytes(12) + (1000).to_bytes(4, "big") + bytes(84)
    with pytest.raises(MediaError, match="neither picture nor sound"):
        probe_source(Memory(box("ftyp", b"isom") + box("moov", box("mvhd", mvhd))))
