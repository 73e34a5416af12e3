"""A talking card: what a stand-in makes of a voice.

A friendly face whose mouth follows the voice, the voice's waveform running underneath, captions, a name, and a small
badge that says DRAFT; the voice is the sound. Face and colours follow from the name, so an avatar always looks the
same. Only the mouth and the waveform are drawn frame by frame, so ten minutes are made in about one.
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
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from video_production.media.profile import Picture, audio_encoder, muxer, video_encoder

__all__ = ["RATE", "Line", "SoundUnreadable", "decode_sound", "talking_card"]

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
_SMOOTH = 4
"""Pictures are drawn this many times larger, then reduced: Pillow draws no smooth edges."""
_Pixels = NDArray[np.uint8]


class SoundUnreadable(ValueError):
    """A sound file can't be decoded; the message says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One caption: `start` and `end` in seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class _Card:
    width: int
    height: int
    name: str
    digest: bytes

    @property
    def unit(self) -> int:
        """The shorter side: what everything is measured by."""
        return min(self.width, self.height)

    def part(self, share: float) -> int:
        """A share of the unit, even."""
        return max(2, round(self.unit * share / 2) * 2)

    @property
    def centre(self) -> tuple[int, int]:
        """The middle of the face."""
        return self.width // 4 * 2, self.top + self.part(0.275)

    @property
    def top(self) -> int:
        """Where the face and what belongs to it begin; captions need the lower edge."""
        return round(self.height * 0.44 - self.unit * 0.40)

    @property
    def mouth(self) -> tuple[int, int, int, int]:
        """Left, top, width, height of what is drawn anew for the mouth."""
        x, y = self.centre
        width, height = self.part(0.16), self.part(0.1)
        return (x - width // 2) // 2 * 2, (y + self.part(0.046)) // 2 * 2, width, height

    @property
    def wave(self) -> tuple[int, int, int, int]:
        """Left, top, width, height of the waveform."""
        width, height = min(self.part(0.96), self.width // 2 * 2 - self.part(0.12)), self.part(0.1)
        return (self.width - width) // 4 * 2, (self.top + self.part(0.575)) // 2 * 2, width, height


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
    card = _Card(*size, name, hashlib.sha256(name.encode()).digest())
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


@dataclass(frozen=True, slots=True)
class _Colours:
    """RGB. Chosen so that every combination goes together."""

    sky: tuple[int, int, int]
    ground: tuple[int, int, int]
    halo: tuple[int, int, int]
    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    shirt: tuple[int, int, int]
    accent: tuple[int, int, int]


_GROUNDS = (
    ((26, 58, 92), (14, 30, 52), (58, 110, 150), (255, 196, 92)),
    ((38, 74, 74), (16, 38, 42), (78, 140, 130), (255, 183, 120)),
    ((66, 52, 98), (32, 24, 54), (122, 100, 166), (255, 205, 120)),
    ((92, 54, 62), (48, 24, 34), (162, 102, 104), (255, 214, 130)),
)
_SKINS = ((255, 219, 190), (240, 196, 160), (214, 160, 120), (168, 116, 82), (122, 82, 58))
_HAIRS = ((52, 38, 32), (92, 58, 38), (150, 92, 46), (206, 160, 88), (30, 30, 38), (120, 118, 122))
_SHIRTS = ((232, 106, 88), (92, 160, 128), (86, 128, 196), (226, 168, 72), (150, 110, 180))


def _colours(digest: bytes) -> _Colours:
    sky, ground, halo, accent = _GROUNDS[digest[0] % len(_GROUNDS)]
    return _Colours(
        sky,
        ground,
        halo,
        _SKINS[digest[1] % len(_SKINS)],
        _HAIRS[digest[2] % len(_HAIRS)],
        _SHIRTS[digest[3] % len(_SHIRTS)],
        accent,
    )


def _still(card: _Card, backdrop: bytes | None) -> Image.Image:
    colours = _colours(card.digest)
    image = _gradient(card, colours) if backdrop is None else _filled(card, backdrop)
    image = image.convert("RGBA")
    image.alpha_composite(_panel(card, shaded=backdrop is not None))
    portrait = _portrait(card, colours)
    x, y = card.centre
    image.alpha_composite(portrait, (x - portrait.width // 2, y - portrait.height // 2))
    pen = ImageDraw.Draw(image)
    if card.name:
        left, top, width, height = card.wave
        label = _shortened(card.name.replace("_", " "), _font("Bold", card.unit * 0.034), width)
        at = (left + width / 2, top + height + card.unit * 0.03)
        pen.text(at, label, font=_font("Bold", card.unit * 0.034), fill=(255, 255, 255, 215), anchor="mm")
    _badge(card, pen)
    return image.convert("RGB")


def _gradient(card: _Card, colours: _Colours) -> Image.Image:
    """From the sky down to the ground, with a soft light behind the face."""
    across, down = np.meshgrid(np.arange(card.width), np.arange(card.height))
    x, y = card.centre
    share = (down / card.height)[..., None]
    field = np.array(colours.sky) * (1 - share) + np.array(colours.ground) * share
    light = np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * (card.unit * 0.42) ** 2))[..., None] * 0.55
    field = field * (1 - light) + np.array(colours.halo) * light
    return Image.fromarray(field.astype(np.uint8))


def _filled(card: _Card, content: bytes) -> Image.Image:
    try:
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"the picture can't be read: {error}") from error
    return ImageOps.fit(picture, (card.width, card.height), Image.Resampling.LANCZOS)


def _panel(card: _Card, *, shaded: bool) -> Image.Image:
    """A soft dark pane behind the waveform and the name; without it a bright backdrop would swallow them."""
    pane = Image.new("RGBA", (card.width, card.height))
    left, top, width, height = card.wave
    edge = card.part(0.03)
    box = (left - edge, top - edge // 2, left + width + edge, top + height + card.part(0.062))
    ImageDraw.Draw(pane).rounded_rectangle(box, card.part(0.035), fill=(8, 14, 26, 150 if shaded else 70))
    return pane


def _portrait(card: _Card, colours: _Colours) -> Image.Image:
    """Head and shoulders in a round frame, all but the mouth."""
    size = card.part(0.5)
    large = size * _SMOOTH
    image = Image.new("RGBA", (large, large))
    pen = ImageDraw.Draw(image)

    def oval(x: float, y: float, width: float, height: float, fill: tuple[int, ...], **more: int) -> None:
        """Centre and radii as shares of the unit, seen from the middle of the face."""
        scale = card.unit * _SMOOTH
        at = (large / 2 + x * scale, large / 2 + y * scale)
        box = (at[0] - width * scale, at[1] - height * scale, at[0] + width * scale, at[1] + height * scale)
        if more:
            pen.arc(box, more["start"], more["end"], fill=fill, width=round(0.007 * scale))
        else:
            pen.ellipse(box, fill=fill)

    disc = Image.new("L", (large, large))
    ImageDraw.Draw(disc).ellipse((0, 0, large - 1, large - 1), fill=255)
    pen.ellipse((0, 0, large, large), fill=(*_mixed(colours.halo, (255, 255, 255), 0.22), 255))
    skin, hair, shade = colours.skin, colours.hair, _mixed(colours.skin, (90, 40, 30), 0.16)
    long_hair = card.digest[4] % 2 == 0
    if long_hair:
        oval(0, 0.02, 0.152, 0.18, hair)
        oval(-0.1, 0.12, 0.054, 0.085, hair)
        oval(0.1, 0.12, 0.054, 0.085, hair)
    oval(0, 0.3, 0.185, 0.125, colours.shirt)
    oval(0, 0.158, 0.045, 0.062, shade)
    oval(0, 0.186, 0.045, 0.022, shade)
    if not long_hair:
        oval(-0.127, 0.012, 0.018, 0.027, shade)
        oval(0.127, 0.012, 0.018, 0.027, shade)
    oval(0, 0.0, 0.124, 0.148, skin)
    oval(0, -0.052, 0.13, 0.108, hair)
    oval(0, 0.022, 0.116, 0.121, skin)
    oval(0, 0.034, 0.119, 0.114, skin)
    dark = (44, 34, 40)
    for side in (-1, 1):
        oval(side * 0.047, -0.004, 0.0145, 0.0185, dark)
        oval(side * 0.047 + 0.0045, -0.0095, 0.0048, 0.0058, (255, 255, 255))
        oval(side * 0.047, -0.032, 0.026, 0.018, _mixed(hair, dark, 0.25), start=205, end=335)
        oval(side * 0.077, 0.042, 0.02, 0.013, _mixed(skin, (232, 110, 100), 0.32))
    oval(0, 0.027, 0.011, 0.011, shade, start=20, end=160)
    image.putalpha(Image.composite(image.getchannel("A"), Image.new("L", image.size), disc))
    return image.resize((size, size), Image.Resampling.LANCZOS)


def _mixed(first: tuple[int, ...], second: tuple[int, ...], share: float) -> tuple[int, int, int]:
    red, green, blue = (round(a * (1 - share) + b * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _badge(card: _Card, pen: ImageDraw.ImageDraw) -> None:
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

    def __init__(self, card: _Card, still: _Pixels, samples: NDArray[np.float32]) -> None:
        self._card = card
        self._seconds = len(samples) / SOUND_RATE
        loudness = _loudness(samples, SOUND_RATE // _DRAWN)
        self._open = np.clip(_smoothed(loudness) * (_MOUTHS - 1), 0, _MOUTHS - 1).round().astype(int)
        self._mouths = [_mouth(card, still, step / (_MOUTHS - 1)) for step in range(_MOUTHS)]
        left, top, width, height = card.wave
        self._ground = still[top : top + height, left : left + width]
        self._step = card.part(0.011)
        accent = _colours(card.digest).accent
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


def _mouth(card: _Card, still: _Pixels, openness: float) -> _Pixels:
    """The picture of the mouth region with the mouth open that far, 0 to 1: a smile first, then an oval with teeth."""
    left, top, width, height = card.mouth
    ground = Image.fromarray(still[top : top + height, left : left + width])
    large = ground.resize((width * _SMOOTH, height * _SMOOTH), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(large)
    scale, middle = card.unit * _SMOOTH, width * _SMOOTH / 2
    lip, inside = _mixed(_colours(card.digest).skin, (150, 40, 50), 0.62), (92, 28, 38)
    y = 0.022 * scale
    if openness == 0:
        reach = 0.042 * scale
        box = (middle - reach, y - reach * 1.1, middle + reach, y + reach * 0.75)
        pen.arc(box, 25, 155, fill=lip, width=round(0.0085 * scale))
        return np.asarray(large.resize((width, height), Image.Resampling.LANCZOS))
    wide, tall = (0.046 - 0.010 * openness) * scale, (0.008 + 0.028 * openness) * scale
    y += tall * 0.55
    edge = 0.006 * scale
    pen.ellipse((middle - wide - edge, y - tall - edge, middle + wide + edge, y + tall + edge), fill=lip)
    shape = Image.new("L", large.size)
    ImageDraw.Draw(shape).ellipse((middle - wide, y - tall, middle + wide, y + tall), fill=255)
    hollow = Image.new("RGB", large.size, inside)
    teeth = ImageDraw.Draw(hollow)
    teeth.rectangle((middle - wide, y - tall, middle + wide, y - tall + tall * 0.55), fill=(250, 246, 240))
    teeth.ellipse((middle - wide * 0.6, y + tall * 0.35, middle + wide * 0.6, y + tall * 1.7), fill=(206, 92, 98))
    large.paste(hollow, mask=shape.filter(ImageFilter.GaussianBlur(_SMOOTH / 4)))
    return np.asarray(large.resize((width, height), Image.Resampling.LANCZOS))


# --- captions -------------------------------------------------------------------------------------------------------


def _subtitles(card: _Card, lines: Sequence[Line]) -> str:
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


def _encode(card: _Card, place: Path, sound: Path, destination: Path, frames: int, moving: _Moving) -> None:
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
