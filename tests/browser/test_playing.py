"""Spliced videos in a real browser: played to the end, and sought on both sides of every join."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.browser.clips import Frame, make_numbered_clip, numbered_frames, tone_of
from tests.browser.conftest import Browser, save_contact_sheet
from tests.unit.media.clips import FFMPEG
from tests.unit.media.spliced import Spliced, splice
from video_production.media.mp4.source import LocalFile
from video_production.media.splice.engine import Splice, plan_splice, read_candidates
from video_production.media.splice.transfer import write_file

pytestmark = pytest.mark.browser

Maker = Callable[[Path], list[Path]]


def _alike(count: int = 3, **options: object) -> Maker:
    return lambda folder: [
        make_numbered_clip(folder / f"{number}.mp4", number, **options)  # type: ignore[arg-type]
        for number in range(count)
    ]


def _each(*options: dict[str, object]) -> Maker:
    """One clip for each set of options."""
    return lambda folder: [
        make_numbered_clip(folder / f"{number}{each.get('suffix', '.mp4')}", number, **_without_suffix(each))  # type: ignore[arg-type]
        for number, each in enumerate(options)
    ]


def _without_suffix(options: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in options.items() if name != "suffix"}


_SPARSE = ("-vf", "select=not(eq(mod(n\\,7)\\,3))+eq(n\\,0)", "-fps_mode", "vfr")
_GOP = ("-g", "5", "-keyint_min", "5", "-sc_threshold", "0")

CASES: dict[str, Maker] = {
    "plain": _alike(),
    "b-frames": _alike(options=("-bf", "3", "-b_strategy", "0", "-g", "12")),
    "open-groups": _alike(options=("-x264-params", "open-gop=1:keyint=8:bframes=2")),
    "silent-clip-between": _each({}, {"sound": False}, {}),
    "silent-clip-first": _each({"sound": False}, {}),
    "variable-frame-rate": _each(
        {"rate": "30", "options": _SPARSE}, {"rate": "30"}, {"rate": "30", "options": _SPARSE}
    ),
    "other-time-scales": _each(
        {}, {"remux": ("-video_track_timescale", "90000")}, {"remux": ("-video_track_timescale", "44999")}
    ),
    "quicktime-and-fragments": _each(
        {"suffix": ".mov"}, {"options": _GOP, "remux": ("-movflags", "frag_keyframe+delay_moov")}, {"options": _GOP}
    ),
    "sixty-joins": _alike(61, frames=8),
}


def _expected(made: Spliced, clips: list[Path]) -> list[list[tuple[float, Frame]]]:
    """For each clip: when each of its frames is seen in the result."""
    return [
        [(start + seen - float(clip.start), frame) for seen, frame in numbered_frames(path)]
        for start, clip, path in zip(made.starts, made.plan.clips, clips, strict=False)
    ]


def _look(browser: Browser, name: str, made: Spliced, clips: list[Path]) -> None:
    """Play the result; every frame that is shown must be the right one, and every sound in its place."""
    frames = _expected(made, clips)
    (last, ending), end = frames[-1][-1], made.starts[-1]
    wanted: list[tuple[float, Frame]] = [((last + end) / 2, ending)]
    for before, after in pairwise(frames):
        (last, ending), (first, beginning) = before[-1], after[0]
        second = after[1][0] if len(after) > 1 else made.starts[-1]
        wanted.append(((last + first) / 2, ending))
        wanted.append((first + 0.0001, beginning))
        wanted.append(((first + second) / 2, beginning))
    spans = [
        (start + 0.3 * (end - start), end - 0.3 * (end - start), tone_of(number))
        for number, (start, end) in enumerate(pairwise(made.starts))
    ]
    heard = any(clip.sound for clip in made.plan.clips)
    rate = 8 if len(clips) > 10 else 2
    found = browser.examine(made.path, seeks=[time for time, _ in wanted], rate=rate, spans=spans if heard else [])
    save_contact_sheet(name, found["sought"])

    assert found["error"] is None
    assert found["size"] == [320, 180]
    assert abs(found["duration"] - made.starts[-1]) < 1024 / 48000
    for (time, frame), seen in zip(wanted, found["sought"], strict=True):
        assert seen["shown"] == list(frame), (
            f"at {time:.4f} s (clip, frame) {seen['shown']} is shown instead of {frame}"
        )
    played = found["played"]["frames"]
    assert None not in played, "a frame is a mixture"
    assert played == sorted(played), "frames are shown out of order"
    assert set(map(tuple, played)) <= {frame for clip in frames for _, frame in clip}
    assert found["played"]["last"] == list(frames[-1][-1][1])
    if not heard:
        return
    assert found["soundBytes"] > 0
    assert abs(found["listened"]["seconds"] - made.starts[-1]) < 2 * 1024 / 48000
    for clip, sound in zip(made.plan.clips, found["listened"]["heard"], strict=True):
        if clip.sound:
            assert sound["loudness"] > 0.05
            assert sound["tone"] > 0.9, f"{clip.name} sounds like another one"
        else:
            assert sound["loudness"] < 0.001


@pytest.mark.parametrize("case", CASES)
def test_a_splice_plays_to_its_end_and_shows_the_right_frame_on_both_sides_of_every_join(
    browser: Browser, case: str, tmp_path: Path
) -> None:
    clips = CASES[case](tmp_path)
    _look(browser, case, splice(clips, browser.folder / f"{case}.mp4"), clips)


def test_codec_settings_in_the_stream_play(browser: Browser, tmp_path: Path) -> None:
    qualities = ("15", "28", "40")
    clips = [
        make_numbered_clip(tmp_path / f"{number}.mp4", number, options=("-crf", quality, "-bf", "2", *_GOP))
        for number, quality in enumerate(qualities)
    ]
    files = [LocalFile(clip) for clip in clips]
    try:
        candidates = read_candidates([(clip.name, file) for clip, file in zip(clips, files, strict=True)])
        assert isinstance(plan_splice(candidates), list), "these clips need no settings in the stream"
        plan = plan_splice(candidates, inband=True)
        assert isinstance(plan, Splice), plan
        plan.verify(ffmpeg=FFMPEG)
        output = browser.folder / "in-band.mp4"
        write_file(plan.assembly.pieces, files, output)
    finally:
        for file in files:
            file.close()
    _look(browser, "in-band", Spliced(output, tuple(map(float, plan.assembly.starts)), plan), clips)


def test_hevc_plays_where_the_browser_has_a_decoder_for_it(browser: Browser, tmp_path: Path) -> None:
    if not browser.supports('video/mp4; codecs="hvc1.1.6.L93.B0"'):
        pytest.skip(f"Chromium {browser.version} has no HEVC decoder here")
    clips = _alike(codec="libx265", options=("-tag:v", "hvc1"))(tmp_path)
    _look(browser, "hevc", splice(clips, browser.folder / "hevc.mp4"), clips)
