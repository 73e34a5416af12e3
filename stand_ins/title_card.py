"""A moving title card: what the film stand-ins make of a prompt.

The prompt stands on slowly drifting colours, or on the picture that the film is to start from. A line along the lower
edge shows how far the film is, a small badge says DRAFT. Colours and sound follow from the prompt, so the same request
gives the same film, and two prompts can be told apart at a glance.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from video_production.media.profile import SAMPLE_RATE, Picture, audio_encoder, muxer, video_encoder

__all__ = ["title_card"]

FONTS = Path(__file__).resolve().parents[1] / "video_production" / "pipelines" / "fonts"
_WHITE = (255, 255, 255, 255)
_SOFT = (255, 255, 255, 190)
_FIELD = (64, 36)
"""The drifting colours are drawn this small, and enlarged by FFmpeg: they have no edges to lose."""
_DRIFT = 0.06
"""How far a backdrop moves during the film, as a part of its width."""


@dataclass(frozen=True, slots=True)
class _Card:
    prompt: str
    label: str
    width: int
    height: int
    seconds: float
    fps: Fraction
    digest: bytes

    @property
    def unit(self) -> int:
        """The shorter side: what sizes of type are measured by."""
        return min(self.width, self.height)

    @property
    def frames(self) -> int:
        return max(1, round(self.seconds * self.fps))

    @property
    def duration(self) -> float:
        """Of the whole number of frames, in seconds."""
        return float(self.frames / self.fps)


def title_card(
    prompt: str,
    destination: Path,
    *,
    size: tuple[int, int] = (1280, 720),
    seconds: float = 8.0,
    fps: Fraction = Fraction(24),
    audio: bool = True,
    label: str = "",
    backdrop: bytes | None = None,
) -> None:
    """Write a card of `prompt` to `destination`, MP4 in the project's own profile, marked as a draft.

    `size` is in pixels, even; `label` is a short line below the prompt; `audio` adds a soft chord; `backdrop` is a
    picture file (PNG, JPEG, WebP) that fills the frame behind the words. Raises ValueError for a backdrop that is no
    picture, RuntimeError where FFmpeg fails.
    """
    digest = hashlib.sha256(prompt.encode()).digest()
    card = _Card(" ".join(prompt.split()), label, *size, seconds, fps, digest)
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="title-card-") as name:
        folder = Path(name)
        _words(card, shaded=backdrop is not None).save(folder / "words.png", compress_level=1)
        if backdrop is None:
            picture = _colour_input(card)
            content = b"".join(_colour_fields(card))
        else:
            _backdrop(card, backdrop).save(folder / "backdrop.png", compress_level=1)
            picture, content = _backdrop_input(card, folder / "backdrop.png"), b""
        sound = []
        if audio:
            (folder / "chord").write_bytes(_chord(card))
            sound = ["-f", "f32le", "-ar", str(SAMPLE_RATE), "-ac", "2", "-i", str(folder / "chord")]
        _encode(card, [*picture, "-i", str(folder / "words.png"), *sound], content, destination, drifts=bool(backdrop))


# --- the words ------------------------------------------------------------------------------------------------------


def _words(card: _Card, *, shaded: bool) -> Image.Image:
    """What stands still: the prompt, the label, the badge; behind them a shade where the ground is a picture."""
    image = Image.new("RGBA", (card.width, card.height))
    margin = round(card.width * 0.08)
    if shaded:
        image.alpha_composite(_shade(card))
    room = card.width - 2 * margin
    lines, font = _fitted(card, room, round(card.height * 0.56))
    step = round(font.size * 1.22)
    top = (card.height - step * len(lines)) // 2 - round(card.unit * 0.015)
    shadow = Image.new("RGBA", image.size)
    for layer, colour in ((shadow, (0, 0, 0, 150)), (image, _WHITE)):
        if layer is image:
            image.alpha_composite(shadow.filter(ImageFilter.GaussianBlur(card.unit / 130)))
        pen = ImageDraw.Draw(layer)
        for number, line in enumerate(lines):
            pen.text((margin, top + number * step), line, font=font, fill=colour)
    pen = ImageDraw.Draw(image)
    bar = top - round(card.unit * 0.05)
    pen.rounded_rectangle(
        (margin, bar, margin + round(card.unit * 0.09), bar + max(2, card.unit // 140)), card.unit // 200, fill=_SOFT
    )
    if card.label:
        below = top + step * len(lines) + round(card.unit * 0.035)
        pen.text((margin, below), card.label, font=_font("Regular", card.unit * 0.032), fill=_SOFT)
    _badge(card, pen)
    return image


def _fitted(card: _Card, room: int, height: int) -> tuple[list[str], ImageFont.FreeTypeFont]:
    """The prompt in the largest type in which it fits, cut short where even the smallest is too large."""
    smallest = card.unit * 0.036
    size = card.unit * 0.1
    while True:
        font = _font("Bold" if size > card.unit * 0.05 else "Regular", size)
        lines = _wrapped(card.prompt or "…", font, room)
        most = max(1, int(height // (font.size * 1.22)))
        if len(lines) <= min(most, 3 if size > card.unit * 0.07 else most):
            return _balanced(lines, font, room), font
        if size <= smallest:
            last = lines[most - 1]
            while last and font.getlength(last + " …") > room:
                last = last.rpartition(" ")[0] or last[:-1]
            return [*lines[: most - 1], last + " …"], font
        size *= 0.92


def _balanced(lines: list[str], font: ImageFont.FreeTypeFont, room: int) -> list[str]:
    """The same lines, none much shorter than the others."""
    for narrower in range(room // 2, room, max(1, room // 40)):
        even = _wrapped(" ".join(lines), font, narrower)
        if len(even) == len(lines):
            return even
    return lines


def _wrapped(text: str, font: ImageFont.FreeTypeFont, room: int) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        for piece in _pieces(word, font, room):
            longer = f"{line} {piece}" if line else piece
            if line and font.getlength(longer) > room:
                lines.append(line)
                line = piece
            else:
                line = longer
    return [*lines, line]


def _pieces(word: str, font: ImageFont.FreeTypeFont, room: int) -> Iterator[str]:
    """A word, in pieces where it is wider than the frame."""
    while len(word) > 1 and font.getlength(word) > room:
        cut = max(1, int(len(word) * room / font.getlength(word)) - 1)
        yield word[:cut]
        word = word[cut:]
    yield word


def _badge(card: _Card, pen: ImageDraw.ImageDraw) -> None:
    font = _font("Bold", card.unit * 0.026)
    inset, padding = round(card.unit * 0.035), round(card.unit * 0.012)
    width = round(font.getlength("DRAFT"))
    right, top = card.width - inset, inset
    box = (right - width - 2 * padding, top, right, top + round(font.size) + padding)
    pen.rounded_rectangle(box, padding, fill=(0, 0, 0, 120))
    pen.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), "DRAFT", font=font, fill=(255, 255, 255, 230), anchor="mm")


def _shade(card: _Card) -> Image.Image:
    """A darkening from the left, so that white words can be read on any picture."""
    strength = np.linspace(185, 70, card.width).astype(np.uint8)
    alpha = Image.fromarray(np.broadcast_to(strength, (card.height, card.width)).copy())
    shade = Image.new("RGBA", (card.width, card.height), (8, 10, 18, 255))
    shade.putalpha(alpha)
    return shade


def _font(weight: str, size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONTS / f"SourceSansPro-{weight}.ttf", max(8, round(size)))


# --- the ground -----------------------------------------------------------------------------------------------------


def _colour_input(card: _Card) -> list[str]:
    width, height = _field_size(card)
    return ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(card.fps), "-i", "pipe:0"]


def _field_size(card: _Card) -> tuple[int, int]:
    return _FIELD if card.width >= card.height else (_FIELD[1], _FIELD[0])


def _colour_fields(card: _Card) -> Iterator[bytes]:
    """Three clouds of colour that wander over a dark ground."""
    width, height = _field_size(card)
    ground, *clouds = _palette(card.digest)
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    for number in range(card.frames):
        angle = 2 * np.pi * float(number / card.fps) / 24
        field = np.broadcast_to(ground, (height, width, 3)).copy()
        for place, colour in enumerate(clouds):
            phase = card.digest[8 + place] / 256 * 2 * np.pi
            x = 0.5 + 0.42 * np.cos(angle * (1 + 0.3 * place) + phase)
            y = 0.5 + 0.38 * np.sin(angle * (1.2 - 0.3 * place) + phase * 1.7)
            weight = np.exp(-((across - x) ** 2 * 1.6 + (down - y) ** 2 * 2.2) / 0.16)[..., None] * 0.85
            field = field * (1 - weight) + colour * weight
        yield np.clip(field, 0, 255).astype(np.uint8).tobytes()


def _palette(digest: bytes) -> list[NDArray[np.float64]]:
    """A dark ground and three clouds; neighbouring hues from green to rose, muted enough for white words."""
    hue = 0.46 + 0.42 * digest[0] / 255
    tones = ((hue, 0.60, 0.20), (hue + 0.03, 0.66, 0.58), (hue + 0.10, 0.58, 0.52), (hue - 0.10, 0.62, 0.44))
    return [_rgb(*tone) for tone in tones]


def _rgb(hue: float, saturation: float, value: float) -> NDArray[np.float64]:
    """HSV, each 0 to 1, to RGB of 0 to 255."""
    offsets = np.array([5.0, 3.0, 1.0])
    ramp = (offsets + hue % 1 * 6) % 6
    return 255 * (value - value * saturation * np.clip(np.minimum(ramp, 4 - ramp), 0, 1))


def _backdrop(card: _Card, content: bytes) -> Image.Image:
    """A picture that fills the frame and a little more, so that it can move."""
    try:
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"the picture can't be read: {error}") from error
    size = (round(card.width * (1 + _DRIFT) / 2) * 2, round(card.height * (1 + _DRIFT) / 2) * 2)
    return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)


def _backdrop_input(card: _Card, path: Path) -> list[str]:
    return ["-loop", "1", "-framerate", str(card.fps), "-i", str(path)]


# --- the sound ------------------------------------------------------------------------------------------------------


def _chord(card: _Card) -> bytes:
    """A soft open chord that swells and fades, as long as the picture: stereo, 32-bit floats."""
    samples = round(card.duration * SAMPLE_RATE)
    time = np.arange(samples, dtype=np.float32) / SAMPLE_RATE
    root = 110.0 * 2 ** ((card.digest[1] % 7) / 12)
    sides = [np.zeros(samples, np.float32), np.zeros(samples, np.float32)]
    for place, ratio in enumerate((1.0, 1.5, 2.0, 2.5198, 3.0)):
        swell = 0.6 + 0.4 * np.sin(2 * np.pi * (0.07 + 0.03 * place) * time + card.digest[2 + place])
        for side, detune in enumerate((-0.15, 0.15)):
            sides[side] += swell * np.sin(2 * np.pi * (root * ratio + detune) * time) / (1.5 + place)
    length = min(1.2, card.duration / 3)
    envelope = np.clip(np.minimum(time, card.duration - time) / length, 0, 1)
    stereo = np.stack(sides, axis=1) * (0.05 * envelope * envelope * (3 - 2 * envelope))[:, None]
    return stereo.astype("<f4").tobytes()


# --- the film -------------------------------------------------------------------------------------------------------


def _encode(card: _Card, inputs: list[str], content: bytes, destination: Path, *, drifts: bool) -> None:
    size = f"{card.width}:{card.height}"
    if drifts:
        shift = f"(t/{card.duration})"
        ground = f"crop={size}:x='(iw-ow)*{shift}':y='(ih-oh)*(1-{shift})',{_BT709}"
    else:
        ground = f"{_BT709},scale={size}:flags=bicubic,noise=c0s=3:c0_seed=1"
    line = max(2, card.unit // 360 * 2)
    graph = (
        f"[0:v]{ground}[ground];[1:v]{_BT709_ALPHA}[words];"
        f"color=c=white@0.75:s={card.width}x{line}:r={card.fps},format=yuva420p[line];"
        f"[ground][words]overlay[worded];[worded][line]overlay=x='-W+W*t/{card.duration}':y=H-h,setsar=1,"
        "setparams=field_mode=prog:range=limited:color_primaries=bt709:color_trc=bt709:colorspace=bt709[v]"
    )
    sound = ["-map", "2:a", *audio_encoder()] if "f32le" in inputs else []
    picture = video_encoder(Picture(card.width, card.height, card.fps))
    command = [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-threads", "1", *inputs),
        *("-filter_complex_threads", "1", "-filter_complex", graph, "-map", "[v]", "-frames:v", str(card.frames)),
        *("-r", str(card.fps), *picture, "-threads", "1", *sound),
        *(*muxer(card.fps, draft=True), str(destination)),
    ]
    finished = subprocess.run(command, input=content, capture_output=True, check=False)
    if finished.returncode != 0:
        raise RuntimeError(f"FFmpeg could not draw the card: {finished.stderr.decode(errors='replace')}")


_BT709 = "scale=out_color_matrix=bt709:out_range=limited:flags=accurate_rnd+full_chroma_int,format=yuv420p"
_BT709_ALPHA = _BT709.replace("yuv420p", "yuva420p")
