"""Make the media of the example lesson anew: `python tools/make_lesson_assets.py [--into FOLDER] [scene …]`.

Everything is drawn, spoken and composed here; nothing is recorded. The clips follow the scripts' words, so run it after
a change of examples/lesson/scripts or of the voices in its document.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from array import array
from collections.abc import Callable
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.lesson import music, phone, title
from tools.lesson import outro as outro_scene
from tools.lesson import screen as screen_scene
from tools.lesson import steps as steps_scene
from tools.lesson.encoding import encode, frames_of, run_ffmpeg, write_wav
from tools.lesson.narration import LESSON, narration_of

__all__ = ["SCENES", "main"]


def make_intro(folder: Path) -> None:
    """The title slide, with few colours so that it stays small."""
    picture = title.draw().quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    picture.save(folder / "intro.png", "PNG", optimize=True)


def make_steps(folder: Path) -> None:
    scene = steps_scene.Steps(narration_of("steps-voice"))
    pictures = frames_of(scene.draw, scene.seconds, steps_scene.RATE)
    encode(pictures, steps_scene.RATE, folder / "steps.mp4", house=True)


def make_phone(folder: Path) -> None:
    """A clip as phones store it: lying on its side, with a display matrix that turns it upright."""
    narration = phone.spoken()
    scene = phone.Phone(narration)
    lying = (
        picture.transpose(Image.Transpose.ROTATE_90) for picture in frames_of(scene.draw, scene.seconds, phone.RATE)
    )
    with tempfile.TemporaryDirectory() as work:
        voice, clip = Path(work, "voice.wav"), Path(work, "phone.mp4")
        write_wav(voice, array("h", narration.speech.pcm), narration.speech.sample_rate)
        room = f"anoisesrc=color=brown:amplitude=0.006:seed=7:sample_rate=44100:duration={scene.seconds}"
        spoken = "[1]aresample=44100,volume=5dB,alimiter=limit=0.7:level=false:latency=true,apad[voice]"
        mixed = f"{spoken};[voice][2]amix=inputs=2:normalize=0:duration=shortest[sound]"
        inputs = ("-i", str(voice), "-f", "lavfi", "-i", room, "-filter_complex", mixed)
        sound = (*inputs, "-map", "0:v", "-map", "[sound]", "-c:a", "aac", "-ac", "1", "-b:a", "64k")
        encode(lying, phone.RATE, clip, sound=sound, crf=25)
        # FFmpeg counts counter-clockwise.
        turned = ("-display_rotation", "-90", "-i", str(clip), "-c", "copy", "-map_metadata", "-1")
        run_ffmpeg(*turned, "-fflags", "+bitexact", "-movflags", "+faststart", str(folder / "phone.mp4"))


def make_screen(folder: Path) -> None:
    scene = screen_scene.Screen(narration_of("screen-voice"))
    encode(frames_of(scene.draw, scene.seconds, screen_scene.RATE), screen_scene.RATE, folder / "screen.mp4")


def make_outro(folder: Path) -> None:
    """The bars, with music as the clip's own sound."""
    scene = outro_scene.Outro(narration_of("outro-voice"))
    with tempfile.TemporaryDirectory() as work:
        tune = Path(work, "music.wav")
        write_wav(tune, music.compose(scene.seconds), music.SAMPLE_RATE)
        inputs = ("-i", str(tune), "-map", "0:v", "-map", "1:a")
        sound = (*inputs, "-c:a", "aac", "-ar", "48000", "-ac", "2", "-b:a", "96k")
        pictures = frames_of(scene.draw, scene.seconds, outro_scene.RATE)
        encode(pictures, outro_scene.RATE, folder / "outro.mp4", sound=sound, house=True)


SCENES: dict[str, Callable[[Path], None]] = {
    "intro": make_intro,
    "steps": make_steps,
    "phone": make_phone,
    "screen": make_screen,
    "outro": make_outro,
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Make the media of the example lesson anew.")
    parser.add_argument("scenes", nargs="*", help=f"which of {', '.join(SCENES)} (all when left out)")
    parser.add_argument(
        "--into", type=Path, default=LESSON / "media", help="where to write (the lesson's media folder)"
    )
    options = parser.parse_args(arguments)
    unknown = set(options.scenes) - set(SCENES)
    if unknown:
        parser.error(f"there is no scene {', '.join(sorted(unknown))}; the scenes are {', '.join(SCENES)}")
    options.into.mkdir(parents=True, exist_ok=True)
    for name in options.scenes or SCENES:
        SCENES[name](options.into)
        print(f"{name} is made", flush=True)


if __name__ == "__main__":
    main()
