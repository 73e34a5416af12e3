"""A talking card: what a stand-in makes of a voice.

A friendly face whose mouth follows the voice, the voice's waveform running underneath, captions, a name, and a small
badge that says DRAFT; the voice is the sound. Face and colours follow from the name, so an avatar always looks the
same. Only the mouth and the waveform are drawn frame by frame, so a card is made several times faster than it plays.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from stand_ins.face import Card, Colours, Pixels, colours_of, mouth, portrait
from video_production.media.profile import Picture, audio_encoder, muxer, video_encoder

__all__ = ["RATE", "SOUND_RATE", "Line", "SoundUnreadable", "decode_sound", "talking_card"]

RATE = Fraction(30)
"""Frames per second; that of a held slide, so that drafts of both can be joined without re-encoding."""
SOUND_RATE = 16_000
"""Samples per second of decoded sound: enough to see a voice."""
FONTS = Path(__file__).resolve().parents[1] / "video_production" / "pipelines" / "fonts"

_DRAWN = 15
"""Frames per second that are drawn; each is shown twice."""
_BARS = 20
"""Bars of the waveform per second of sound."""
_MOUTHS = 9


class SoundUnreadable(ValueError):
    """A sound file can't be decoded; the message says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One caption: `start` and `end` in seconds."""

    start: float
    end: float
    text: str


def decode_sound(path: Path) -> NDArray[np.float32]:
    """The samples of a sound file, mono, `SOUND_RATE` a second, −1 to 1. Raises SoundUnreadable."""
    command = [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-xerror", "-threads", "1", "-i", str(path)),
        *("-map", "0:a:0", "-f", "s16le", "-ac", "1", "-ar", str(SOUND_RATE), "-"),
    ]
    finished = subprocess.run(command, capture_output=True, check=False)
    if finished.returncode != 0 or not finished.stdout:
        said = finished.stderr.decode(errors="replace").strip().splitlines() or ["it holds no sound"]
        raise SoundUnreadable(said[-1])
    return np.frombuffer(finished.stdout, "<i2").astype(np.float32) / np.float32(32768)


def talking_card(
    sound: Path,
    destination: Path,
    *,
    size: tuple[int, int] = (1280, 720),
    name: str = "",
    captions: Sequence[Line] = (),
    backdrop: bytes | None = None,
) -> float:
    """Write a card that speaks `sound` to `destination`, MP4 in the project's own profile; return its seconds.

    `size` is in pixels, even; `name` is written below the face, which follows from it; `backdrop` is a picture file
    (PNG, JPEG) that fills the frame behind the face. The film is as long as the sound, rounded up to a frame. Raises
    SoundUnreadable, ValueError for a backdrop that is no picture, RuntimeError where FFmpeg fails.
    """
    samples = decode_sound(sound)
    card = Card(*size, name, hashlib.sha256(name.encode()).digest())
    frames = max(1, -(-len(samples) * RATE.numerator // (SOUND_RATE * RATE.denominator)))
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="talking-card-") as folder:
        place = Path(folder)
        _still(card, backdrop).save(place / "still.png", compress_level=1)
        (place / "captions.ass").write_text(_subtitles(card, captions), encoding="utf-8")
        still = np.asarray(Image.open(place / "still.png").convert("RGB"))
        pictures = _Moving(card, still, samples)
        _encode(card, place, sound, destination, frames, pictures)
    return float(frames / RATE)


# --- what stands still ----------------------------------------------------------------------------------------------


def _still(card: Card, backdrop: bytes | None) -> Image.Image:
    colours = colours_of(card.digest)
    image = _gradient(card, colours) if backdrop is None else _filled(card, backdrop)
    image = image.convert("RGBA")
    image.alpha_composite(_panel(card, shaded=backdrop is not None))
    face = portrait(card, colours)
    x, y = card.centre
    image.alpha_composite(face, (x - face.width // 2, y - face.height // 2))
    pen = ImageDraw.Draw(image)
    if card.name:
        left, top, width, height = card.wave
        label = _shortened(card.name.replace("_", " "), _font("Bold", card.unit * 0.034), width)
        at = (left + width / 2, top + height + card.unit * 0.03)
        pen.text(at, label, font=_font("Bold", card.unit * 0.034), fill=(255, 255, 255, 215), anchor="mm")
    _badge(card, pen)
    return image.convert("RGB")


def _gradient(card: Card, colours: Colours) -> Image.Image:
    """From the sky down to the ground, with a soft light behind the face."""
    across, down = np.meshgrid(np.arange(card.width), np.arange(card.height))
    x, y = card.centre
    share = (down / card.height)[..., None]
    field = np.array(colours.sky) * (1 - share) + np.array(colours.ground) * share
    light = np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * (card.unit * 0.42) ** 2))[..., None] * 0.55
    field = field * (1 - light) + np.array(colours.halo) * light
    return Image.fromarray(field.astype(np.uint8))


def _filled(card: Card, content: bytes) -> Image.Image:
    try:
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"the picture can't be read: {error}") from error
    return ImageOps.fit(picture, (card.width, card.height), Image.Resampling.LANCZOS)


def _panel(card: Card, *, shaded: bool) -> Image.Image:
    """A soft dark pane behind the waveform and the name; without it a bright backdrop would swallow them."""
    pane = Image.new("RGBA", (card.width, card.height))
    left, top, width, height = card.wave
    edge = card.part(0.03)
    box = (left - edge, top - edge // 2, left + width + edge, top + height + card.part(0.062))
    ImageDraw.Draw(pane).rounded_rectangle(box, card.part(0.035), fill=(8, 14, 26, 150 if shaded else 70))
    return pane


def _badge(card: Card, pen: ImageDraw.ImageDraw) -> None:
    font = _font("Bold", card.unit * 0.026)
    inset, padding = round(card.unit * 0.035), round(card.unit * 0.012)
    right, width = card.width - inset, round(font.getlength("DRAFT"))
    box = (right - width - 2 * padding, inset, right, inset + round(font.size) + padding)
    pen.rounded_rectangle(box, padding, fill=(0, 0, 0, 120))
    pen.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), "DRAFT", font=font, fill=(255, 255, 255, 230), anchor="mm")


def _shortened(text: str, font: ImageFont.FreeTypeFont, room: int) -> str:
    while len(text) > 1 and font.getlength(text) > room:
        text = text[:-2] + "…"
    return text


def _font(weight: str, size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONTS / f"SourceSansPro-{weight}.ttf", max(8, round(size)))


# --- what moves -----------------------------------------------------------------------------------------------------


class _Moving:
    """The mouth and the waveform, one above the other, for each drawn frame."""

    def __init__(self, card: Card, still: Pixels, samples: NDArray[np.float32]) -> None:
        self._card = card
        self._seconds = len(samples) / SOUND_RATE
        loudness = _loudness(samples, SOUND_RATE // _DRAWN)
        self._open = np.clip(_smoothed(loudness) * (_MOUTHS - 1), 0, _MOUTHS - 1).round().astype(int)
        self._mouths = [mouth(card, still, step / (_MOUTHS - 1)) for step in range(_MOUTHS)]
        left, top, width, height = card.wave
        self._ground = still[top : top + height, left : left + width]
        self._step = card.part(0.011)
        accent = colours_of(card.digest).accent
        bars = _loudness(samples, SOUND_RATE // _BARS)
        self._masks = _wave_mask(bars, self._step, width, height)
        self._spoken = np.array(accent, np.float32)
        self._ahead = np.array((255, 255, 255), np.float32) * 0.62 + 50

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a frame of `frames`: the mouth above, the waveform below, both from the left."""
        return self._card.wave[2], self._card.wave[3] + self._card.mouth[3]

    def frames(self) -> Iterator[bytes]:
        """RGB pixels of each drawn frame."""
        _, _, width, height = self._card.wave
        _, _, mouth_width, mouth_height = self._card.mouth
        colours = np.empty((1, width, 3), np.float32)
        colours[:, : width // 2] = self._spoken
        colours[:, width // 2 :] = self._ahead
        canvas = np.zeros((mouth_height + height, width, 3), np.uint8)
        ground = self._ground.astype(np.float32)
        for number in range(len(self._open)):
            canvas[:mouth_height, :mouth_width] = self._mouths[self._open[number]]
            offset = round(number / _DRAWN * _BARS * self._step)
            mask = self._masks[:, offset : offset + width, None]
            canvas[mouth_height:] = ground + (colours - ground) * mask
            yield canvas.tobytes()


def _loudness(samples: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """How loud each window is, 0 to 1, as an ear has it: the loudest hundredth is 1."""
    padded = np.pad(samples, (0, -len(samples) % window)).reshape(-1, window)
    power = np.sqrt((padded**2).mean(axis=1))
    top = float(np.quantile(power, 0.99)) or 1.0
    loudness: NDArray[np.float32] = np.power(np.clip(power / top, 0, 1), 0.7, dtype=np.float32)
    return loudness


def _smoothed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lips don't jump: each value is drawn a little towards its neighbours."""
    padded = np.pad(values, 1, mode="edge")
    mixed: NDArray[np.float32] = 0.2 * padded[:-2] + 0.6 * padded[1:-1] + 0.2 * padded[2:]
    mixed[mixed < 0.12] = 0
    return mixed


def _wave_mask(bars: NDArray[np.float32], step: int, width: int, height: int) -> NDArray[np.float32]:
    """The whole waveform as one long strip of coverage, 0 to 1, with half a width of silence at both ends."""
    thick = max(2, step * 5 // 8)
    strip = np.zeros((height, width + (len(bars) + 2) * step), np.float32)
    middle = (height - 1) / 2
    distance = np.abs(np.arange(height) - middle)
    across = np.arange(thick) - (thick - 1) / 2
    round_ends = np.sqrt(np.maximum((thick / 2) ** 2 - across**2, 0)) - thick / 2
    for number, loud in enumerate(bars):
        reach = thick / 2 + loud * (height / 2 - thick / 2 - 1)
        left = width // 2 + number * step
        strip[:, left : left + thick] = np.clip(reach + round_ends[None, :] - distance[:, None] + 0.5, 0, 1)
    return strip


# --- captions -------------------------------------------------------------------------------------------------------


def _subtitles(card: Card, lines: Sequence[Line]) -> str:
    """The captions as FFmpeg's libass draws them, on a dark pane along the lower edge."""
    size, margin = round(card.unit * 0.052), round(card.unit * 0.045)
    style = (
        f"Style: Caption,Source Sans Pro,{size},&H00FFFFFF,&H00FFFFFF,&H00000000,&H60100A08,0,0,0,0,100,100,0,0,4,"
        f"0,{max(2, size // 4)},2,{margin},{margin},{margin},1"
    )
    events = [
        f"Dialogue: 0,{_clock(line.start)},{_clock(line.end)},Caption,,0,0,0,,{_escaped(line.text)}" for line in lines
    ]
    return "\n".join(
        [
            "[Script Info]",
            "ScriptType: v4.00+",
            "WrapStyle: 0",
            f"PlayResX: {card.width}",
            f"PlayResY: {card.height}",
            "",
            "[V4+ Styles]",
            "Format: Name,Fontname,Fontsize,PrimaryColour,SecondaryColour,OutlineColour,BackColour,Bold,Italic,"
            "Underline,StrikeOut,ScaleX,ScaleY,Spacing,Angle,BorderStyle,Outline,Shadow,Alignment,MarginL,MarginR,"
            "MarginV,Encoding",
            style,
            "",
            "[Events]",
            "Format: Layer,Start,End,Style,Name,MarginL,MarginR,MarginV,Effect,Text",
            *events,
            "",
        ]
    )


def _clock(seconds: float) -> str:
    hundredths = round(seconds * 100)
    return f"{hundredths // 360000}:{hundredths // 6000 % 60:02}:{hundredths // 100 % 60:02}.{hundredths % 100:02}"


def _escaped(text: str) -> str:
    # A word joiner keeps libass from reading a backslash or a brace of the text as its own.
    return text.replace("\\", "\\\u2060").replace("{", "\\{").replace("\n", "\\N")


# --- the film -------------------------------------------------------------------------------------------------------


def _encode(card: Card, place: Path, sound: Path, destination: Path, frames: int, moving: _Moving) -> None:
    wave, mouth = card.wave, card.mouth
    width, height = moving.size
    graph = (
        f"[0:v]{_BT709},loop=loop=-1:size=1,settb=1/{RATE},setpts=N[still];[1:v]{_BT709},split[mouths][waves];"
        f"[mouths]crop={mouth[2]}:{mouth[3]}:0:0[mouth];[waves]crop={wave[2]}:{wave[3]}:0:{mouth[3]}[wave];"
        f"[still][mouth]overlay={mouth[0]}:{mouth[1]}[faced];[faced][wave]overlay={wave[0]}:{wave[1]}[moving];"
        f"[moving]subtitles=captions.ass:fontsdir={FONTS},setsar=1,"
        "setparams=field_mode=prog:range=limited:color_primaries=bt709:color_trc=bt709:colorspace=bt709[v]"
    )
    command = [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-threads", "1"),
        *("-framerate", str(RATE), "-i", "still.png"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(_DRAWN), "-i", "pipe:0"),
        *("-i", str(sound.resolve())),
        *("-filter_complex_threads", "1", "-filter_complex", graph, "-map", "[v]", "-frames:v", str(frames)),
        *("-r", str(RATE), *video_encoder(Picture(card.width, card.height, RATE)), "-threads", "1"),
        *("-map", "2:a:0", "-af", "aresample=48000:ochl=stereo", *audio_encoder()),
        *(*muxer(RATE, draft=True), str(destination.resolve())),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=place) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        feeder = threading.Thread(target=_feed, args=(process.stdin, moving.frames()))
        feeder.start()
        said = process.stderr.read()
        feeder.join()
    if process.returncode != 0:
        raise RuntimeError(f"FFmpeg could not draw the card: {said.decode(errors='replace')}")


def _feed(pipe: object, frames: Iterator[bytes]) -> None:
    """FFmpeg closes its end when it has enough, or when it fails; its exit code tells which."""
    try:
        with pipe:  # type: ignore[attr-defined]
            for frame in frames:
                pipe.write(frame)  # type: ignore[attr-defined]
    except BrokenPipeError:
        pass


_BT709 = "scale=out_color_matrix=bt709:out_range=limited:flags=accurate_rnd+full_chroma_int,format=yuv420p"
