"""The timeline of a splice and the header that states it, for clips of every structure: exact, rising, read back."""

from __future__ import annotations

from array import array
from fractions import Fraction
from itertools import accumulate
from math import floor

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from video_production.media.mp4.boxes import box
from video_production.media.mp4.model import AudioEntry, Edit, Movie, OtherEntry, Samples, Track
from video_production.media.mp4.reader import read_movie
from video_production.media.splice.header import TrackTable, movie_header
from video_production.media.splice.parts import Bytes
from video_production.media.splice.spans import AAC_FRAME, Clip, Unfit, read_clip
from video_production.media.splice.timeline import lay_out_picture, lay_out_sound, starts
from video_production.media.splice.transfer import VirtualFile

_THOROUGH = settings(max_examples=250, deadline=None)
_TIMESCALES = st.one_of(
    st.sampled_from([25, 600, 1000, 12800, 15360, 30000, 44999, 65537, 90000, 999983, 10_000_019, (1 << 31) - 1]),
    st.integers(1, (1 << 31) - 1),
)
_MOVIE_TIMESCALE = 1000
_STEREO = AudioEntry("mp4a", "aac", 48000, 2, 0x40, bytes.fromhex("1190"), b"")


def _track(kind: str, timescale: int, samples: Samples, edits: tuple[Edit, ...]) -> Track:
    entry = _STEREO if kind == "audio" else OtherEntry("")
    return Track(1, kind, 0, timescale, True, 0, False, edits, (entry,), samples)  # type: ignore[arg-type]


def _samples(durations: list[int], composition: list[int] | None, sync: bytes | None) -> Samples:
    times = [0, *accumulate(durations)]
    sizes = [100 + index for index in range(len(durations))]
    offsets = array("Q", [1000, *accumulate(sizes, initial=1000)][1:-1] if sizes else [])
    composed = array("q", composition) if composition is not None else None
    return Samples(array("I", sizes), offsets, array("q", times[:-1]), times[-1], composed, sync, ((0, 0),))


@st.composite
def _pictures(draw: st.DrawFn) -> Track:
    """Groups of pictures, each shown in an order of its own; perhaps late, perhaps with longer frames between."""
    timescale = draw(_TIMESCALES)
    frame = max(1, timescale // draw(st.sampled_from([24, 25, 30, 60])))
    shown_at: list[int] = []
    keys: list[int] = []
    for _ in range(draw(st.integers(1, 3))):
        keys.append(len(shown_at))
        others = draw(st.permutations(range(len(shown_at) + 1, len(shown_at) + draw(st.integers(1, 5)))))
        shown_at += [len(shown_at), *others]
    durations = [frame * draw(st.sampled_from([1, 1, 1, 2, 7])) for _ in shown_at]
    decoded = [0, *accumulate(durations)]
    delay = max(decoded[index] - decoded[rank] for index, rank in enumerate(shown_at))
    composition = [decoded[rank] + delay - decoded[index] for index, rank in enumerate(shown_at)]
    late = draw(st.sampled_from([0, 0, 40, 333]))
    edits = (Edit(late, None),) * bool(late) + (Edit(None, delay),)
    sync = bytes(index in keys for index in range(len(shown_at)))
    return _track("video", timescale, _samples(durations, composition, sync), edits)


@st.composite
def _sounds(draw: st.DrawFn) -> Track:
    packets = draw(st.integers(1, 60))
    durations = [AAC_FRAME] * (packets - 1) + [draw(st.integers(1, AAC_FRAME))]
    priming = draw(st.sampled_from([0, 1024, 2112, 5000]))
    heard = draw(st.sampled_from([None, 20, 100, 400]))
    late = draw(st.sampled_from([0, 0, 15, 250]))
    edits = (Edit(late, None),) * bool(late) + (Edit(heard, priming),)
    return _track("audio", 48000, _samples(durations, None, None), edits)


@st.composite
def _clips(draw: st.DrawFn) -> Clip | None:
    """A clip, or None where the product would not splice it."""
    video, audio = draw(_pictures()), draw(st.one_of(st.none(), _sounds()))
    movie = Movie("a.mp4", 1 << 20, _MOVIE_TIMESCALE, False, tuple(track for track in (video, audio) if track))
    try:
        return read_clip("a.mp4", movie, video, audio)
    except Unfit:
        return None


_SEVERAL = st.lists(_clips().filter(lambda clip: clip is not None), min_size=1, max_size=8)


@_THOROUGH
@given(_SEVERAL)
def test_every_frame_is_seen_at_its_clips_beginning_plus_its_own_time(clips: list[Clip]) -> None:
    table = lay_out_picture(clips)
    times = starts(clips)
    assert times == [sum((clip.duration for clip in clips[:index]), Fraction(0)) for index in range(len(clips) + 1)]
    seen = table.dts + table.composition - table.shown + table.late
    for index, (clip, begin) in enumerate(zip(clips, times, strict=False)):
        span = clip.picture
        first = begin + span.start - clip.start
        exact = [first + Fraction(int(time) - span.shown, span.timescale) for time in span.pts]
        placed = seen[table.clip == index].tolist()
        assert placed == [floor(time * table.timescale + Fraction(1, 2)) for time in exact]


@_THOROUGH
@given(_SEVERAL)
def test_decoding_times_rise_and_no_frame_is_due_before_it_is_decoded(clips: list[Clip]) -> None:
    table = lay_out_picture(clips)
    assert int(table.dts[0]) == 0
    assert (np.diff(table.dts, append=table.end) > 0).all()
    rounding = 1 if any(table.timescale % clip.picture.timescale for clip in clips) else 0
    assert int(table.composition.min()) >= -rounding
    assert table.length > 0
    ends = [int(table.dts[i] + table.composition[i]) for i in range(len(table.dts))]
    assert table.shown + table.length >= max(ends), "the last frame lies behind the end of the edit"


@_THOROUGH
@given(_SEVERAL)
def test_sound_begins_within_half_a_packet_of_its_picture_at_every_join(clips: list[Clip]) -> None:
    table = lay_out_sound(clips)
    if table is None:
        assert not any(clip.sound for clip in clips)
        return
    times, at = starts(clips), -table.hidden
    assert table.hidden >= 0
    for run in table.runs:
        assert run.count > 0
        clip = clips[run.clip]
        if not run.silent:
            assert clip.sound is not None
            assert run.first + run.count <= len(clip.sound.sizes)
            begin = (times[run.clip] + clip.sound.start - clip.start) * table.rate
            own = begin - clip.sound.hidden + AAC_FRAME * run.first
            assert abs(at - own) <= AAC_FRAME / 2
        at += AAC_FRAME * run.count
    assert at >= times[-1] * table.rate - AAC_FRAME / 2, "it ends before the picture"


@st.composite
def _tables(draw: st.DrawFn, kind: str) -> TrackTable:
    """Any track that the header can state: samples in any order in the file, side by side or not."""
    count = draw(st.integers(1, 40))
    numbers = st.lists(st.integers(1, 5000), min_size=count, max_size=count)
    sizes = np.array(draw(numbers), np.int64)
    gaps = np.array(draw(st.lists(st.sampled_from([0, 0, 0, 7]), min_size=count, max_size=count)), np.int64)
    offsets = np.cumsum(sizes + gaps) - sizes
    durations = np.array(
        draw(st.lists(st.sampled_from([1, 512, 512, 512, (1 << 31) - 1]), min_size=count, max_size=count))
    )
    composition = sync = None
    if kind == "video":
        shift = st.integers(-(1 << 31), (1 << 31) - 1)
        composition = np.array(draw(st.lists(shift, min_size=count, max_size=count)), np.int64)
        sync = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    return TrackTable(
        kind=kind,  # type: ignore[arg-type]
        timescale=draw(st.sampled_from([600, 12800, 44100, 48000, 90000, 20_000_000])),
        entry=_ENTRIES[kind],
        sizes=sizes,
        offsets=offsets,
        durations=durations,
        composition=composition,
        sync=sync,
        media_time=draw(st.integers(0, 1 << 40)),
        length=draw(st.integers(1, 1 << 40)),
        late=draw(st.sampled_from([0, 5000])) if kind == "video" else 0,
    )


_ENTRIES = {
    "video": box("mp4v", bytes(78)),
    "audio": box("sowt", bytes(6) + b"\0\1" + bytes(8) + b"\0\2\0\x10" + bytes(4) + (48000 << 16).to_bytes(4, "big")),
}


@_THOROUGH
@given(_tables("video"), st.one_of(st.none(), _tables("audio")))
def test_what_the_header_states_is_read_back(video: TrackTable, audio: TrackTable | None) -> None:
    tables = [video, audio] if audio else [video]
    media = max(int((table.offsets + table.sizes).max()) for table in tables)
    head = box("ftyp", b"isom", bytes(4))
    head += movie_header(tables, media_size=media, before=len(head))
    head += (1).to_bytes(4, "big") + b"mdat" + (16 + media).to_bytes(8, "big")
    movie = read_movie(VirtualFile("out.mp4", [Bytes(head), Bytes(bytes(media))], []))
    assert movie.timescale == video.timescale
    for track, table in zip(movie.tracks, tables, strict=True):
        samples = track.samples
        assert (track.kind, track.timescale) == (table.kind, table.timescale)
        assert samples.sizes.tolist() == table.sizes.tolist()
        assert samples.offsets.tolist() == (table.offsets + len(head)).tolist()
        assert [*samples.dts, samples.end] == [0, *np.cumsum(table.durations).tolist()]
        stated = samples.composition.tolist() if samples.composition else [0] * len(samples)
        assert stated == (table.composition.tolist() if table.composition is not None else [0] * len(samples))
        sync = table.sync if table.sync is not None else np.ones(len(samples), bool)
        assert [samples.is_sync(index) for index in range(len(samples))] == sync.tolist()
        assert [edit.media_time for edit in track.edits] == ([None] if table.late else []) + [table.media_time]
