from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from video_production.errors import MediaError
from video_production.media.info import AudioTrack, MediaInfo, VideoTrack
from video_production.media.join_plan import JoinPlan, PlannedInput, choose_picture, plan_join

NTSC = Fraction(30000, 1001)
ENTRY = b"\x00\x00\x00\x0cavc1AAAA"
OTHER_ENTRY = b"\x00\x00\x00\x0cavc1BBBB"
SILENT = object()


def clip(
    name: str,
    seconds: Fraction | int = 2,
    *,
    rate: Fraction | int = 30,
    audio: Any = None,
    container: str = "mp4",
    dropped: int = 0,
    **changes: Any,
) -> PlannedInput:
    """A well-made clip; `audio` is a dict of changes to its sound, or SILENT."""
    facts: dict[str, Any] = {
        "codec": "h264",
        "width": 1280,
        "height": 720,
        "frames": round(Fraction(seconds) * rate),
        "frame_rate": Fraction(rate),
        "start": Fraction(0),
        "duration": round(Fraction(seconds) * rate) / Fraction(rate),
        "timescale": 90_000,
        "sample_entry": ENTRY,
    }
    video = VideoTrack(**{**facts, **changes})
    sound: dict[str, Any] = {"codec": "aac", "sample_rate": 48_000, "channels": 2, "start": Fraction(0)}
    sound = {**sound, "duration": video.duration, **(audio if isinstance(audio, dict) else {})}
    track = None if audio is SILENT else AudioTrack(**sound)
    info = MediaInfo(container, 1000, video.duration, video, track, dropped_audio=dropped)  # type: ignore[arg-type]
    return PlannedInput(name, info)


def treatments(plan: JoinPlan) -> list[str]:
    return [clip.treatment for clip in plan.inputs]


def test_a_slide_show_does_not_make_other_clips_jerk() -> None:
    slides = clip("slides.mp4", 60, rate=1)
    assert choose_picture([slides, clip("a.mp4", 2, rate=25)]).frame_rate == 25
    assert choose_picture([slides, clip("b.mp4", 2, rate=10)]).frame_rate == Fraction(24000, 1001)
    assert choose_picture([slides, slides]).frame_rate == 1


def test_clips_of_one_kind_are_copied() -> None:
    plan = plan_join([clip("a.mp4"), clip("b.mp4"), clip("c.mp4")])
    assert treatments(plan) == ["copied"] * 3
    assert plan.method == "reencode-some"
    assert plan.reason == (
        "All pictures fit together, so they were copied without re-encoding and the sound was encoded once."
    )
    assert {clip.why for clip in plan.inputs} == {"copied without re-encoding"}


def test_the_odd_one_out_is_re_encoded_and_told_in_plain_words() -> None:
    phone = clip(
        "phone.mp4",
        rate=NTSC,
        rotation=90,
        width=720,
        height=1280,
        audio={"channels": 1, "sample_rate": 44_100},
    )
    plan = plan_join([clip("intro.mp4"), phone, clip("outro.mp4")])
    assert treatments(plan) == ["copied", "re-encoded", "copied"]
    assert plan.inputs[1].why == "rotated, 29.97 fps, 44.1 kHz, mono → re-encoded"
    assert plan.method == "reencode-some"
    assert plan.reason == (
        "phone.mp4 (rotated, 29.97 fps, 44.1 kHz, mono) was re-encoded to fit the others; "
        "intro.mp4 and outro.mp4 were copied without re-encoding and the sound was encoded once."
    )


def test_a_clip_without_sound_gets_silence_and_keeps_its_picture() -> None:
    plan = plan_join([clip("a.mp4"), clip("screen.mp4", audio=SILENT)])
    assert treatments(plan) == ["copied", "copied"]
    assert plan.inputs[1].why == "no sound → silence added, picture copied without re-encoding"
    assert plan.has_audio


def test_a_clip_without_sound_that_is_re_encoded_says_both() -> None:
    plan = plan_join([clip("a.mp4", 5), clip("screen.mp4", audio=SILENT, width=640, height=360)])
    assert plan.inputs[1].why == "640×360, no sound → re-encoded, silence added"


def test_clips_that_are_all_without_sound_stay_without() -> None:
    plan = plan_join([clip("a.mp4", audio=SILENT), clip("b.mp4", audio=SILENT)])
    assert not plan.has_audio
    assert {clip.why for clip in plan.inputs} == {"copied without re-encoding"}
    assert plan.reason == "All pictures fit together, so they were copied without re-encoding."


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"codec": "hevc", "sample_entry": b"\x00\x00\x00\x0chvc1AAAA"}, "HEVC"),
        ({"container": "other", "sample_entry": b""}, "not in an MP4 file"),
        ({"sample_entry": b"\x00\x00\x00\x0cavc3AAAA"}, "parameters inside the stream"),
        ({"rotation": 180}, "rotated"),
        ({"interlaced": True}, "interlaced"),
        ({"width": 640, "height": 360}, "640×360"),
        ({"width": 960, "pixel_aspect": Fraction(4, 3)}, "non-square pixels"),
        ({"color": (9, 16, 9, False)}, "HDR"),
        ({"constant_rate": False}, "variable frame rate"),
        ({"rate": NTSC}, "29.97 fps"),
        ({"rate": 25}, "25 fps"),
        ({"starts_with_key": False}, "cut inside a group of pictures"),
        ({"start": Fraction(1, 10)}, "picture starts late"),
        ({"sample_entry": OTHER_ENTRY}, "encoded with other settings"),
        ({"duration": Fraction(3)}, "last frame held"),
        ({"audio": {"duration": Fraction(5, 2)}}, "sound 0.5 s longer than the picture, last frame held"),
        ({"width": 1279, "height": 719}, "odd size 1279×719"),
    ],
)
def test_every_difference_leads_to_re_encoding_and_is_named(changes: dict[str, Any], word: str) -> None:
    plan = plan_join([clip("long.mp4", 60), clip("other.mp4", **changes)])
    assert treatments(plan) == ["copied", "re-encoded"]
    assert word in plan.inputs[1].differences
    assert f"other.mp4 ({word}" in plan.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"timescale": 15_360},
        {"start": Fraction(1, 100)},
        {"audio": {"duration": Fraction(2) + Fraction(1024, 48_000)}},
        {"audio": {"duration": Fraction(1)}},
        {"audio": {"start": Fraction(1, 2), "duration": Fraction(3, 2)}},
        {"audio": {"codec": "mp3", "channels": 6, "sample_rate": 22_050}},
        {"reorder": 6000},
    ],
)
def test_differences_that_do_no_harm_leave_the_picture_alone(changes: dict[str, Any]) -> None:
    plan = plan_join([clip("long.mp4", 60), clip("other.mp4", **changes)])
    assert treatments(plan) == ["copied", "copied"]


def test_a_rate_that_its_timescale_can_only_approximate_is_the_house_rate() -> None:
    rough = clip("rough.mp4", rate=Fraction(59 * 1000, 1968), frames=60, duration=Fraction(2002, 1000), timescale=1000)
    plan = plan_join([clip("a.mp4", rate=NTSC), rough])
    assert treatments(plan) == ["copied", "copied"]
    assert plan.picture.frame_rate == NTSC


def test_the_majority_is_counted_in_seconds_and_not_in_clips() -> None:
    small = {"width": 640, "height": 360}
    plan = plan_join([clip("a.mp4", 1, **small), clip("b.mp4", 1, **small), clip("c.mp4", 3)])
    assert (plan.picture.width, plan.picture.height) == (1280, 720)
    assert treatments(plan) == ["re-encoded", "re-encoded", "copied"]


def test_a_tie_goes_to_the_first_input() -> None:
    picture = choose_picture([clip("a.mp4", 2, rate=25), clip("b.mp4", 2, rate=30)])
    assert picture.frame_rate == 25


def test_a_variable_rate_counts_as_the_nearest_house_rate() -> None:
    picture = choose_picture([clip("a.mp4", rate=Fraction("29.4"), constant_rate=False)])
    assert picture.frame_rate == NTSC


def test_a_uniform_uncommon_rate_is_kept_while_it_can_be_copied() -> None:
    plan = plan_join([clip("a.mp4", rate=10), clip("b.mp4", rate=10)])
    assert plan.picture.frame_rate == 10
    assert treatments(plan) == ["copied", "copied"]


def test_where_our_encoder_can_not_match_the_majority_all_is_re_encoded() -> None:
    inputs = [clip("a.mp4", 9), clip("b.mp4", 9), clip("c.mp4", 1, width=640, height=360)]
    plan = plan_join(inputs, encoder_entry=OTHER_ENTRY)
    assert treatments(plan) == ["re-encoded"] * 3
    assert plan.method == "reencode-all"
    assert plan.reason == (
        "No picture could be copied, so all became 1280×720 at 30 fps: a.mp4 (encoded with other settings), "
        "b.mp4 (encoded with other settings) and c.mp4 (640×360)."
    )


def test_clips_of_our_own_encoder_are_copied_beside_foreign_ones_even_when_they_are_few() -> None:
    inputs = [clip("foreign.mp4", 9), clip("ours.mp4", 1, sample_entry=OTHER_ENTRY)]
    assert treatments(plan_join(inputs, encoder_entry=OTHER_ENTRY)) == ["re-encoded", "copied"]


def test_foreign_clips_of_one_kind_are_copied_whatever_our_encoder_writes() -> None:
    plan = plan_join([clip("a.mp4"), clip("b.mp4")], encoder_entry=OTHER_ENTRY)
    assert treatments(plan) == ["copied", "copied"]


def test_what_was_found_unsafe_is_re_encoded_with_that_reason() -> None:
    plan = plan_join([clip("a.mp4"), clip("b.mp4")], unsafe={1: "does not start with an independent frame"})
    assert treatments(plan) == ["copied", "re-encoded"]
    assert plan.inputs[1].why == "does not start with an independent frame → re-encoded"


def test_frames_of_a_re_encoded_clip_are_its_duration_times_the_rate() -> None:
    plan = plan_join([clip("a.mp4", 60), clip("b.mp4", rate=NTSC, frames=61, duration=61 / NTSC)])
    assert [clip.frames for clip in plan.inputs] == [1800, round(61 / NTSC * 30)]


def test_sound_longer_than_its_picture_is_given_the_frames_it_needs() -> None:
    plan = plan_join([clip("a.mp4", 60), clip("b.mp4", 2, audio={"duration": Fraction(5, 2)})])
    assert plan.inputs[1].frames == 75


def test_a_late_picture_is_given_the_frames_before_it() -> None:
    late = clip("b.mp4", 2, start=Fraction(1, 2), audio={"start": Fraction(0)})
    plan = plan_join([clip("a.mp4", 60), late])
    assert (plan.inputs[1].origin, plan.inputs[1].frames) == (0, 75)


def test_a_clip_begins_with_its_earliest_track() -> None:
    plan = plan_join([clip("a.mp4", start=Fraction(1), audio={"start": Fraction(1)})])
    assert plan.inputs[0].origin == 1
    assert treatments(plan) == ["copied"]


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=50), st.sampled_from([NTSC, Fraction(25), Fraction(24)]))
def test_the_sound_of_every_clip_begins_within_half_a_sample_of_its_picture(frames: list[int], rate: Fraction) -> None:
    plan = plan_join([clip(f"{number}.mp4", count / rate, rate=rate) for number, count in enumerate(frames)])
    for index in range(len(frames)):
        assert abs(plan.start_sample(index) - plan.start(index) * 48_000) <= Fraction(1, 2)
    assert plan.frames == sum(frames)
    assert abs(plan.start_sample(len(frames)) - plan.duration * 48_000) <= Fraction(1, 2)


def test_a_sound_file_is_refused_with_what_to_use_instead() -> None:
    audio = AudioTrack("mp3", 44_100, 2, Fraction(0), Fraction(2))
    song = PlannedInput("song.mp3", MediaInfo("other", 1, Fraction(2), None, audio))
    with pytest.raises(MediaError, match=r"song\.mp3 has no picture.*mix-audio"):
        plan_join([clip("a.mp4"), song])


@pytest.mark.parametrize("codec", ["png", "mjpeg", "webp"])
def test_a_still_picture_is_refused_with_what_to_use_instead(codec: str) -> None:
    slide = clip("slide.png", rate=25, frames=1, duration=Fraction(1, 25), codec=codec, container="other", audio=SILENT)
    with pytest.raises(MediaError, match=r"slide\.png is a still picture.*mix-audio"):
        plan_join([clip("a.mp4"), slide])


def test_a_picture_track_without_frames_is_refused() -> None:
    with pytest.raises(MediaError, match="holds no frames"):
        plan_join([clip("a.mp4", frames=0)])


def test_dropped_sound_tracks_and_tone_mapping_are_told() -> None:
    plan = plan_join([clip("a.mp4", 60), clip("b.mov", dropped=2), clip("c.mov", color=(9, 18, 9, False))])
    assert plan.warnings == (
        "b.mov: 2 further sound tracks were left out; only the default one is used.",
        "c.mov is HDR; its colours were converted to standard range.",
    )


def test_a_long_list_of_names_is_shortened() -> None:
    plan = plan_join([clip(f"{number}.mp4") for number in range(20)] + [clip("x.mp4", rate=25)])
    assert "6.mp4 and 13 more were copied" in plan.reason
