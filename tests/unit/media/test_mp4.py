"""Our reader's numbers are FFmpeg's own numbers, sample by sample."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import pytest

from tests.unit.media.clips import decoded_video_hashes, make_clip, make_tone, run_ffmpeg
from video_production.errors import MediaError
from video_production.media.mp4 import AudioEntry, LocalFile, Movie, VideoEntry, read_movie
from video_production.media.mp4.boxes import box, children
from video_production.media.mp4.timeline import present_picture, present_sound

Maker = Callable[[Path], Path]


def movflags(flags: str) -> tuple[str, str]:
    return ("-movflags", flags)


def two_sounds(path: Path) -> Path:
    tones = ("-f", "lavfi", "-i", "sine=frequency=300:sample_rate=44100", "-f", "lavfi", "-i", "sine=sample_rate=48000")
    picture = ("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25")
    codecs = ("-preset", "ultrafast", "-c:a", "aac", "-t", "1")
    run_ffmpeg(*picture, *tones, "-map", "0", "-map", "1", "-map", "2", *codecs, path)
    return path


def cut_inside_a_group(path: Path) -> Path:
    whole = make_clip(path.with_name("whole.mp4"), seconds=2, bframes=2, gop=20)
    run_ffmpeg("-ss", "0.52", "-i", whole, "-t", "0.8", "-c", "copy", path)
    return path


def varying_rate(path: Path) -> Path:
    slower = "setpts=PTS*if(gt(N\\,10)\\,1.5\\,1)"
    return make_clip(path, bframes=2, extra=("-vf", slower, "-fps_mode", "vfr", "-enc_time_base", "1/1000"))


def with_co64(path: Path) -> Path:
    """Rewrite every `stco` as `co64`; `moov` stands last, so nothing else moves."""
    data = make_clip(path, seconds=0.4).read_bytes()
    at = data.rindex(b"moov") - 4

    def rewritten(kind: str, payload: bytes) -> bytes:
        if kind in ("trak", "mdia", "minf", "stbl"):
            payload = b"".join(rewritten(inner, bytes(body)) for inner, body in children(payload, kind))
        if kind == "stco":
            wide = b"".join(bytes(4) + payload[i : i + 4] for i in range(8, len(payload), 4))
            return box("co64", payload[:8], wide)
        return box(kind, payload)

    moov = b"".join(rewritten(kind, bytes(body)) for kind, body in children(data[at + 8 :], "moov"))
    path.write_bytes(data[:at] + box("moov", moov))
    assert b"co64" in path.read_bytes()
    assert b"stco" not in path.read_bytes()
    return path


def late_sound(path: Path) -> Path:
    whole = make_clip(path.with_name("whole.mp4"), bframes=2)
    run_ffmpeg("-i", whole, "-itsoffset", "0.3", "-i", whole, "-map", "0:v", "-map", "1:a", "-c", "copy", path)
    return path


MAKERS: dict[str, tuple[str, Maker]] = {
    "plain": ("a.mp4", make_clip),
    "B-frames": ("a.mp4", lambda path: make_clip(path, bframes=3, gop=10, rate="30000/1001")),
    "negative composition offsets": (
        "a.mp4",
        lambda path: make_clip(path, bframes=2, extra=movflags("negative_cts_offsets+faststart")),
    ),
    "no edit list": ("a.mp4", lambda path: make_clip(path, bframes=2, extra=("-use_editlist", "0"))),
    "cut inside a group": ("a.mp4", cut_inside_a_group),
    "late sound": ("a.mp4", late_sound),
    "varying frame rate": ("a.mp4", varying_rate),
    "64-bit offsets": ("a.mp4", with_co64),
    "MOV": ("a.mov", lambda path: make_clip(path, rate="24000/1001")),
    "MOV with uncompressed sound": ("a.mov", lambda path: make_clip(path, audio_codec="pcm_s16le")),
    "HEVC": ("a.mp4", lambda path: make_clip(path, codec="libx265", bframes=2, extra=("-tag:v", "hvc1"))),
    "Opus": ("a.mp4", lambda path: make_clip(path, audio_codec="libopus")),
    "mono at 22.05 kHz": ("a.mp4", lambda path: make_clip(path, sample_rate=22050, channels=1)),
    "video only": ("a.mp4", lambda path: make_clip(path, sample_rate=None)),
    "audio only": ("a.m4a", make_tone),
    "two sounds": ("a.mp4", two_sounds),
    "fragmented": ("a.mp4", lambda path: make_clip(path, gop=5, bframes=2, extra=movflags("frag_keyframe+empty_moov"))),
    "fragmented with an edit list": (
        "a.mp4",
        lambda path: make_clip(path, gop=5, bframes=2, extra=movflags("frag_keyframe+delay_moov")),
    ),
    "fragmented, first part in the header": (
        "a.mp4",
        lambda path: make_clip(path, gop=5, extra=movflags("frag_keyframe")),
    ),
    "fragmented for DASH": (
        "a.mp4",
        lambda path: make_clip(path, gop=5, bframes=2, extra=movflags("dash+cmaf+frag_keyframe+default_base_moof")),
    ),
    "a fragment per frame": (
        "a.mp4",
        lambda path: make_clip(path, sample_rate=None, bframes=2, extra=movflags("frag_every_frame+delay_moov")),
    ),
}


@pytest.fixture(params=sorted(MAKERS))
def clip(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    name, make = MAKERS[request.param]
    return make(tmp_path / name)


def read(path: Path) -> Movie:
    with LocalFile(path) as source:
        return read_movie(source)


Rows = list[tuple[int, int, int, int, bool]]


def samples_of_pyav(path: Path, kind: Literal["video", "audio"], stream: int) -> Rows:
    """(pts, dts, offset, size, key) of every sample as FFmpeg's demuxer sees it without the edit list."""
    with av.open(str(path), options={"ignore_editlist": "1"}) as container:
        chosen = container.streams.get({kind: stream})
        return [
            (packet.pts, packet.dts, packet.pos, packet.size, packet.is_keyframe)
            for packet in container.demux(chosen)
            if packet.size
        ]


def test_every_sample_is_where_ffmpeg_finds_it(clip: Path) -> None:
    movie = read(clip)
    assert movie.tracks
    for track in movie.tracks:
        if track.kind == "other" or track.samples.packed:
            continue
        samples = track.samples
        ours = [
            (samples.pts(i), samples.dts[i], samples.offsets[i], samples.sizes[i], samples.is_sync(i))
            for i in range(len(samples))
        ]
        theirs = samples_of_pyav(clip, track.kind, track.stream)
        assert len(ours) == len(theirs)
        # So that no sample is decoded after it is presented, FFmpeg shifts decoding times, or in fragments the others.
        depth = -min(0, *samples.composition) if samples.composition is not None else 0
        late = depth if movie.fragmented else 0
        assert [(pts + late, dts + late - depth, *rest) for pts, dts, *rest in ours] == theirs


def test_as_many_frames_are_presented_as_ffmpeg_decodes(clip: Path) -> None:
    movie = read(clip)
    for track in movie.of_kind("video"):
        shown = present_picture(track, movie.timescale)
        assert shown is not None
        assert shown.samples == len(decoded_video_hashes(clip))


def test_frames_begin_and_end_when_ffmpeg_presents_them(clip: Path) -> None:
    movie = read(clip)
    for track in movie.of_kind("video"):
        shown = present_picture(track, movie.timescale)
        assert shown is not None
        with av.open(str(clip)) as container:
            stream = container.streams.video[0]
            times = [frame.pts * stream.time_base for frame in container.decode(stream)]
        late = (
            Fraction(shown.reorder, track.timescale) if movie.fragmented and not track.edits and not shown.start else 0
        )
        assert abs(shown.start + late - times[0]) <= Fraction(1, 1000)
        assert float(times[-1]) < shown.start + late + shown.duration <= float(times[-1]) + 0.2


def test_sound_begins_and_ends_when_ffmpeg_decodes_it_give_or_take_its_last_packet(clip: Path) -> None:
    movie = read(clip)
    for track in movie.of_kind("audio"):
        heard = present_sound(track, movie.timescale)
        assert heard is not None
        with av.open(str(clip)) as container:
            stream = container.streams.audio[track.stream]
            frames = [(frame.pts * stream.time_base, frame.samples) for frame in container.decode(stream)]
            rate = stream.rate
        assert heard.start == pytest.approx(float(frames[0][0]), abs=1e-3)
        end = frames[-1][0] + Fraction(frames[-1][1], rate)
        assert 0 <= end - heard.start - heard.duration <= Fraction(1024, rate)


def test_uncompressed_sound_is_kept_by_chunks_not_by_samples(tmp_path: Path) -> None:
    movie = read(make_clip(tmp_path / "a.mov", audio_codec="pcm_s16le"))
    (track,) = movie.of_kind("audio")
    assert track.samples.packed
    assert len(track.samples) < 100
    assert sum(track.samples.sizes) == 48000 * 4
    assert track.samples.end == 48000


TURNED = {0: "null", 90: "transpose=clock", 180: "hflip,vflip", 270: "transpose=cclock"}


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_rotation_and_mirroring_describe_what_ffmpeg_shows(tmp_path: Path, turn: int, flip: bool) -> None:
    upright = make_clip(tmp_path / "upright.mp4", sample_rate=None, seconds=0.2)
    turned = tmp_path / "a.mp4"
    flipped = ("-display_hflip",) if flip else ()
    run_ffmpeg("-display_rotation", str(-turn), *flipped, "-i", upright, "-c", "copy", turned)
    (track,) = read(turned).of_kind("video")
    assert track.mirrored == flip
    if not flip:
        assert track.rotation == turn
    by_hand = tmp_path / "by-hand.nut"
    filters = ("hflip," if track.mirrored else "") + TURNED[track.rotation]
    run_ffmpeg("-i", upright, "-vf", filters, "-c:v", "rawvideo", by_hand)
    assert decoded_video_hashes(turned) == decoded_video_hashes(by_hand)


@pytest.mark.parametrize(
    ("codec", "pixels", "extra"),
    [
        ("libx264", "yuv420p", ()),
        ("libx264", "yuv422p10le", ("-profile:v", "high422")),
        ("libx264", "yuv444p", ()),
        ("libx265", "yuv420p", ("-x265-params", "log-level=none:bframes=4:b-pyramid=1:scaling-list=default")),
        ("libx265", "yuv420p10le", ()),
        ("libx265", "yuv444p12le", ()),
        ("libvpx-vp9", "yuv420p", ()),
        ("prores_ks", "yuv422p10le", ()),
    ],
)
def test_pixel_format_and_colour_are_those_that_ffmpeg_names(
    tmp_path: Path, codec: str, pixels: str, extra: tuple[str, ...]
) -> None:
    color = ("-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv")
    suffix = "mov" if codec == "prores_ks" else "mp4"
    path = make_clip(
        tmp_path / f"a.{suffix}",
        codec=codec,
        pixel_format=pixels,
        seconds=0.2,
        sample_rate=None,
        extra=(*color, *extra),
    )
    (track,) = read(path).of_kind("video")
    assert isinstance(track.entry, VideoEntry)
    with av.open(str(path)) as container:
        theirs = container.streams.video[0].codec_context
        assert track.entry.pixel_format == theirs.pix_fmt == pixels
        assert (track.entry.width, track.entry.height) == (theirs.width, theirs.height)
    assert track.entry.color == (1, 1, 1, False)


def test_colour_of_the_stream_counts_where_the_container_is_silent(tmp_path: Path) -> None:
    parameters = "colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc:range=on"
    extra = ("-x264-params", parameters, "-movflags", "-write_colr")
    (track,) = read(make_clip(tmp_path / "a.mp4", sample_rate=None, seconds=0.2, extra=extra)).of_kind("video")
    assert isinstance(track.entry, VideoEntry)
    assert track.entry.color is not None
    assert track.entry.color[1] == 18


def test_interlaced_pictures_are_recognised(tmp_path: Path) -> None:
    (track,) = read(make_clip(tmp_path / "a.mp4", extra=("-flags", "+ildct+ilme"), sample_rate=None)).of_kind("video")
    assert isinstance(track.entry, VideoEntry)
    assert track.entry.interlaced


def test_pixels_that_are_not_square_are_recognised(tmp_path: Path) -> None:
    (track,) = read(make_clip(tmp_path / "a.mp4", extra=("-vf", "setsar=4/3"), sample_rate=None)).of_kind("video")
    assert isinstance(track.entry, VideoEntry)
    assert track.entry.pixel_aspect == Fraction(4, 3)


def entry_of(path: Path) -> bytes:
    (track,) = read(path).of_kind("video")
    assert isinstance(track.entry, VideoEntry)
    return track.entry.canonical


def test_entries_are_equal_whatever_container_and_bit_rate(tmp_path: Path) -> None:
    first = entry_of(make_clip(tmp_path / "a.mp4", extra=("-qp", "20")))
    assert entry_of(make_clip(tmp_path / "b.mov", extra=("-qp", "20"), source="testsrc")) == first
    assert (
        entry_of(make_clip(tmp_path / "c.mp4", extra=("-qp", "20", "-movflags", "frag_keyframe+empty_moov"))) == first
    )


def test_entries_differ_when_a_decoder_would_notice(tmp_path: Path) -> None:
    first = entry_of(make_clip(tmp_path / "a.mp4"))
    assert entry_of(make_clip(tmp_path / "b.mp4", size=(320, 184))) != first
    assert entry_of(make_clip(tmp_path / "c.mp4", bframes=2)) != first
    assert entry_of(make_clip(tmp_path / "d.mp4", extra=("-vf", "setsar=4/3"))) != first
    assert entry_of(make_clip(tmp_path / "e.mp4", extra=("-color_primaries", "bt709"))) != first


@pytest.mark.parametrize(("rate", "channels"), [(48000, 2), (44100, 1), (96000, 2), (48000, 6)])
def test_sound_is_described_as_it_decodes(tmp_path: Path, rate: int, channels: int) -> None:
    (track,) = read(make_clip(tmp_path / "a.mp4", sample_rate=rate, channels=channels, seconds=0.2)).of_kind("audio")
    assert isinstance(track.entry, AudioEntry)
    assert (track.entry.codec, track.entry.sample_rate, track.entry.channels) == ("aac", rate, channels)


@pytest.mark.parametrize("keep", [10, 100, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_off_says_so(tmp_path: Path, keep: float) -> None:
    for name, extra in (
        ("end.mp4", ()),
        ("start.mp4", movflags("faststart")),
        ("parts.mp4", movflags("frag_keyframe")),
    ):
        path = make_clip(tmp_path / name, extra=extra, gop=10)
        data = path.read_bytes()
        path.write_bytes(data[: int(keep if keep >= 1 else len(data) * keep)])
        with pytest.raises(MediaError, match=f"^{name} .*(cut off|never finished)"):
            read(path)


def test_an_encrypted_file_is_refused_as_such(tmp_path: Path) -> None:
    key = "0123456789abcdef0123456789abcdef"
    scheme = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key, "-encryption_kid", key)
    path = make_clip(tmp_path / "a.mp4", seconds=0.2, extra=scheme)
    with pytest.raises(MediaError, match="encrypted"):
        read(path)


def test_a_compact_size_table_is_refused_as_such(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", seconds=0.2)
    path.write_bytes(path.read_bytes().replace(b"stsz", b"stz2"))
    with pytest.raises(MediaError, match="stz2"):
        read(path)


def test_media_in_another_file_is_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", seconds=0.2)
    path.write_bytes(path.read_bytes().replace(b"url \0\0\0\1", b"url \0\0\0\0"))
    with pytest.raises(MediaError, match="lies in another file"):
        read(path)


def test_fragments_that_overlap_are_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", seconds=0.4, extra=movflags("frag_every_frame+empty_moov"))
    with pytest.raises(MediaError, match="overlap"):
        read(path)
