from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.unit.media.clips import FFMPEG
from tests.unit.media.listening import RATE, heard, seen
from video_production.media.ffmpeg import run_ffmpeg
from video_production.media.info import AudioTrack, VideoTrack
from video_production.media.profile import (
    FRAME_RATES,
    Picture,
    audio_encoder,
    audio_filters,
    display_size,
    is_hdr,
    muxer,
    snap_frame_rate,
    track_timescale,
    video_encoder,
    video_filters,
)

NTSC = Fraction(30000, 1001)
SMALL = Picture(160, 90, Fraction(25))


def video(**changes: Any) -> VideoTrack:
    facts: dict[str, Any] = {
        "codec": "h264",
        "width": 160,
        "height": 90,
        "frames": 5,
        "frame_rate": Fraction(25),
        "start": Fraction(0),
        "duration": Fraction(1, 5),
        "color": (1, 1, 1, False),
    }
    return VideoTrack(**{**facts, **changes})


def encode(path: Path, source: str, track: VideoTrack, target: Picture = SMALL, *, draft: bool = False) -> Path:
    filters = video_filters(track, target)
    outputs = [*video_encoder(target), *muxer(target.frame_rate, draft=draft), str(path)]
    run_ffmpeg(["-f", "lavfi", "-i", source, "-t", "0.2", "-vf", filters, *outputs], ffmpeg=FFMPEG)
    return path


def middle(path: Path) -> list[int]:
    """The colour in the middle of the first frame."""
    frame = seen(path)[0]
    return [int(value) for value in frame[frame.shape[0] // 2, frame.shape[1] // 2]]


@pytest.mark.parametrize("rate", FRAME_RATES)
def test_a_frame_of_every_house_rate_lasts_whole_ticks_of_one_timescale(rate: Fraction) -> None:
    assert track_timescale(rate) == 120_000
    assert (120_000 / rate).denominator == 1


@pytest.mark.parametrize("rate", [Fraction(7), Fraction(25, 2), Fraction(15), Fraction(14985, 1001), Fraction(144)])
def test_a_frame_of_any_other_rate_lasts_whole_ticks_too(rate: Fraction) -> None:
    assert (track_timescale(rate) / rate).denominator == 1
    assert track_timescale(rate) >= 10_000


@pytest.mark.parametrize(
    ("given", "snapped"),
    [("29.97", NTSC), ("29.5", NTSC), ("30.01", 30), ("15", Fraction(24000, 1001)), ("48", 50), ("240", 60)],
)
def test_frame_rates_snap_to_the_nearest_of_the_house(given: str, snapped: Fraction) -> None:
    assert snap_frame_rate(Fraction(given)) == snapped


def test_display_size_is_upright_even_and_in_square_pixels() -> None:
    assert display_size(video(width=1280, height=720, rotation=90)) == (720, 1280)
    assert display_size(video(width=720, height=576, pixel_aspect=Fraction(16, 15))) == (768, 576)
    assert display_size(video(width=321, height=181)) == (322, 182)


def test_the_picture_is_what_the_profile_says(tmp_path: Path) -> None:
    path = encode(tmp_path / "x.mp4", "testsrc2=size=160x90:rate=25", video())
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert (context.width, context.height, stream.average_rate) == (160, 90, 25)
        assert stream.time_base == Fraction(1, 120_000)
        assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (1, 1, 1, 1)
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_key_frames_are_two_seconds_apart_at_most(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    target = Picture(64, 36, Fraction(25))
    filters = video_filters(video(width=64, height=36), target)
    source = ["-f", "lavfi", "-i", "color=gray:size=64x36:rate=25", "-t", "5", "-vf", filters]
    run_ffmpeg([*source, *video_encoder(target), *muxer(target.frame_rate), str(path)], ffmpeg=FFMPEG)
    with av.open(str(path)) as container:
        keys = [float(p.pts * p.time_base) for p in container.demux(video=0) if p.pts is not None and p.is_keyframe]
    assert keys == [0, 2, 4]


def test_the_same_picture_gives_the_same_bytes(tmp_path: Path) -> None:
    source = "testsrc2=size=160x90:rate=25"
    first, second = (encode(tmp_path / name, source, video()).read_bytes() for name in ("a.mp4", "b.mp4"))
    assert first == second


def test_a_smaller_picture_is_padded_with_black_and_not_stretched(tmp_path: Path) -> None:
    path = encode(tmp_path / "x.mp4", "color=white:size=90x90:rate=25", video(width=90, height=90))
    frame = seen(path)[0]
    bright = np.flatnonzero(frame[45, :, 1] > 128)
    assert frame.shape == (90, 160, 3)
    assert frame[:, :30].max() < 8
    assert frame[:, 130:].max() < 8
    assert (len(bright), bright[0]) == (90, 34)


def test_non_square_pixels_are_widened(tmp_path: Path) -> None:
    track = video(width=80, height=90, pixel_aspect=Fraction(2))
    frame = seen(encode(tmp_path / "x.mp4", "color=white:size=80x90:rate=25,setsar=2", track))[0]
    assert frame.min() > 240


NTSC_TO_BT709 = ((0.9395, 0.0502, 0.0103), (0.0178, 0.9658, 0.0164), (-0.0016, -0.0044, 1.0060))
UNCHANGED = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
PAL_TO_BT709 = ((1.0440, -0.0440, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0118, 0.9882))


def in_bt709(color: tuple[int, int, int], primaries: tuple[tuple[float, ...], ...]) -> list[float]:
    """The same colour in BT.709's primaries, by the definition: through linear light and the BT.709 curve."""
    signal = np.array(color) / 255
    linear = np.where(signal < 0.081, signal / 4.5, ((signal + 0.099) / 1.099) ** (1 / 0.45))
    moved = np.clip(np.array(primaries) @ linear, 0, 1)
    return [float(v) for v in 255 * np.where(moved < 0.018, moved * 4.5, 1.099 * moved**0.45 - 0.099)]


@pytest.mark.parametrize(
    ("codes", "primaries"),
    [((5, 6, 5, False), PAL_TO_BT709), ((6, 6, 6, False), NTSC_TO_BT709), (None, UNCHANGED)],
)
def test_bt601_colours_become_the_same_colours_in_bt709(
    tmp_path: Path, codes: tuple[int, int, int, bool] | None, primaries: tuple[tuple[float, ...], ...]
) -> None:
    source = "color=0x50B060:size=160x90:rate=25,format=rgb24,scale=out_color_matrix=bt601:out_range=tv,format=yuv420p"
    made = middle(encode(tmp_path / "x.mp4", source, video(color=codes)))
    assert made == pytest.approx(in_bt709((0x50, 0xB0, 0x60), primaries), abs=5)


def test_untagged_pictures_are_bt709_from_720_lines_on(tmp_path: Path) -> None:
    source = (
        "color=0x20C040:size=1280x720:rate=25,format=rgb24,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"
    )
    track = video(width=1280, height=720, color=None)
    assert middle(encode(tmp_path / "x.mp4", source, track)) == pytest.approx([0x20, 0xC0, 0x40], abs=6)


@pytest.mark.parametrize("color", [(2, 2, 2, True), (6, 6, 6, True), (1, 1, 1, True), None])
@pytest.mark.parametrize("shade", [0, 255])
def test_black_and_white_stay_so_in_full_range(
    tmp_path: Path, color: tuple[int, int, int, bool] | None, shade: int
) -> None:
    source = (
        f"color=0x{shade:02X}{shade:02X}{shade:02X}:size=160x90:rate=25,format=rgb24,scale=out_range=pc,format=yuvj420p"
    )
    track = video(color=color, pixel_format="yuvj420p")
    assert middle(encode(tmp_path / "x.mp4", source, track)) == pytest.approx([shade] * 3, abs=4)


def test_full_range_becomes_limited(tmp_path: Path) -> None:
    source = "color=0x808080:size=160x90:rate=25,format=rgb24,scale=out_color_matrix=bt709:out_range=pc,format=yuvj420p"
    track = video(color=(1, 1, 1, True), pixel_format="yuvj420p")
    assert middle(encode(tmp_path / "x.mp4", source, track)) == pytest.approx([128, 128, 128], abs=4)


def test_rgb_pictures_keep_their_colours(tmp_path: Path) -> None:
    source = "color=0x20C040:size=160x90:rate=25,format=gbrp"
    track = video(color=None, pixel_format="gbrp")
    assert middle(encode(tmp_path / "x.mp4", source, track)) == pytest.approx([0x20, 0xC0, 0x40], abs=6)


def test_transparent_parts_turn_black(tmp_path: Path) -> None:
    source = "color=red@0.0:size=160x90:rate=25,format=rgba"
    assert middle(encode(tmp_path / "x.mp4", source, video(color=None, pixel_format="rgba"))) == [0, 0, 0]


@pytest.mark.parametrize(
    ("transfer", "signal", "low", "high"),
    [
        (16, 0.38, 0.38, 0.48),
        (16, 0.58, 0.80, 0.95),
        (18, 0.38, 0.38, 0.48),
        (18, 0.75, 0.80, 0.95),
        (18, 1.0, 0.93, 1),
    ],
)
def test_hdr_is_tone_mapped_and_not_relabelled(
    tmp_path: Path, transfer: int, signal: float, low: float, high: float
) -> None:
    """ITU-R BT.2408: 18 % grey is 38 % of the signal and about 43 % in SDR; white is 58 % of PQ's and 75 % of HLG's."""
    luma = round(64 + signal * 876)
    source = f"color=black:size=160x90:rate=25,format=yuv420p10le,geq=lum={luma}:cb=512:cr=512,format=yuv420p10le"
    track = video(color=(9, transfer, 9, False), pixel_format="yuv420p10le")
    color = middle(encode(tmp_path / "x.mp4", source, track))
    assert is_hdr(track)
    assert max(color) - min(color) <= 4
    assert low <= color[1] / 255 <= high


def test_interlaced_pictures_become_progressive(tmp_path: Path) -> None:
    source = "testsrc2=size=160x90:rate=50,tinterlace=interleave_top,setfield=tff"
    path = encode(tmp_path / "x.mp4", source, video(interlaced=True))
    with av.open(str(path)) as container:
        assert not any(frame.interlaced_frame for frame in container.decode(video=0))


def sound(path: Path, expression: str, track: AudioTrack, origin: Fraction = Fraction(0)) -> Any:
    source = f"aevalsrc={expression}:s={track.sample_rate}:d=0.5"
    filters = audio_filters(track, origin=origin)
    run_ffmpeg(
        ["-f", "lavfi", "-i", source, "-af", filters, "-f", "f32le", "-ac", "2", str(path)],
        ffmpeg=FFMPEG,
    )
    return np.fromfile(path, "<f4").reshape(-1, 2)


def audio(**changes: Any) -> AudioTrack:
    facts: dict[str, Any] = {"codec": "aac", "sample_rate": 48000, "channels": 2, "start": Fraction(0)}
    return AudioTrack(**{**facts, "duration": Fraction(1, 2), **changes})


def test_mono_goes_to_both_channels_at_unity_gain(tmp_path: Path) -> None:
    samples = sound(tmp_path / "x", "0.5*sin(2*PI*441*t)", audio(channels=1, sample_rate=44100))
    assert len(samples) == RATE // 2
    assert samples.max(axis=0) == pytest.approx([0.5, 0.5], abs=0.005)


def test_more_channels_are_mixed_down_and_limited(tmp_path: Path) -> None:
    samples = sound(tmp_path / "x", "|".join(["0.9*sin(2*PI*441*t)"] * 6), audio(channels=6))
    assert len(samples) == RATE // 2
    assert 0.9 < np.abs(samples).max() <= 0.981


def test_a_quiet_centre_channel_reaches_both_ears_unscaled(tmp_path: Path) -> None:
    samples = sound(tmp_path / "x", "0|0|0.4*sin(2*PI*441*t)|0|0|0:c=5.1", audio(channels=6))
    assert np.abs(samples).max(axis=0) == pytest.approx([0.4 * 0.7071] * 2, abs=0.01)


def test_sound_before_the_origin_is_left_out(tmp_path: Path) -> None:
    samples = sound(tmp_path / "x", "gt(t\\,0.2)|0", audio(), origin=Fraction(1, 10))
    assert len(samples) == pytest.approx(RATE * 0.4, abs=2)
    assert int(np.argmax(samples[:, 0] > 0.5)) == pytest.approx(RATE * 0.1, abs=3)


def test_sound_that_begins_after_the_origin_is_preceded_by_silence(tmp_path: Path) -> None:
    samples = sound(tmp_path / "x", "0.5|0.5", audio(), origin=Fraction(-1, 4))
    assert len(samples) == RATE * 3 // 4
    assert not samples[: RATE // 4 - 1].any()
    assert samples[RATE // 4 + 1, 0] == pytest.approx(0.5)


def test_a_hole_in_the_sound_is_filled(tmp_path: Path) -> None:
    source = "aevalsrc=0.5|0.5:s=48000:d=0.5,asetpts=PTS+gte(T\\,0.25)*0.05/TB"
    filters = audio_filters(audio())
    path = tmp_path / "x"
    run_ffmpeg(["-f", "lavfi", "-i", source, "-af", filters, "-f", "f32le", str(path)], ffmpeg=FFMPEG)
    assert path.stat().st_size // 8 == pytest.approx(RATE * 0.55, abs=64)


def test_the_sound_is_what_the_profile_says(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    source = ["-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=44100:duration=0.5"]
    filters = ["-af", audio_filters(audio(channels=1, sample_rate=44100))]
    run_ffmpeg([*source, *filters, *audio_encoder(), *muxer(Fraction(25)), str(path)], ffmpeg=FFMPEG)
    with av.open(str(path)) as container:
        context = container.streams.audio[0].codec_context
        assert (context.name, context.profile, context.sample_rate) == ("aac", "LC", 48000)
        assert context.layout.name == "stereo"
    assert len(heard(path)) == pytest.approx(RATE // 2, abs=1024)


def test_a_draft_says_so_in_its_metadata_and_nothing_else_does(tmp_path: Path) -> None:
    source = "testsrc2=size=160x90:rate=25"
    for draft in (True, False):
        path = encode(tmp_path / "x.mp4", source, video(), draft=draft)
        with av.open(str(path)) as container:
            comment = container.metadata.get("comment", "")
        assert comment.startswith("DRAFT") is draft
        assert (comment == "") is not draft
