"""The face of a talking card, drawn from its name, and where everything on the card stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

__all__ = ["Card", "Colours", "Pixels", "colours_of", "mouth", "portrait"]

Pixels = NDArray[np.uint8]
"""Rows, columns, RGB."""
_SMOOTH = 4
"""Pictures are drawn this many times larger, then reduced: Pillow draws no smooth edges."""


@dataclass(frozen=True, slots=True)
class Card:
    """The geometry of a card, in pixels; all of it follows from its size."""

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


@dataclass(frozen=True, slots=True)
class Colours:
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


def colours_of(digest: bytes) -> Colours:
    sky, ground, halo, accent = _GROUNDS[digest[0] % len(_GROUNDS)]
    return Colours(
        sky,
        ground,
        halo,
        _SKINS[digest[1] % len(_SKINS)],
        _HAIRS[digest[2] % len(_HAIRS)],
        _SHIRTS[digest[3] % len(_SHIRTS)],
        accent,
    )


def portrait(card: Card, colours: Colours) -> Image.Image:
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


def mouth(card: Card, still: Pixels, openness: float) -> Pixels:
    """The picture of the mouth region with the mouth open that far, 0 to 1: a smile first, then an oval with teeth."""
    left, top, width, height = card.mouth
    ground = Image.fromarray(still[top : top + height, left : left + width])
    large = ground.resize((width * _SMOOTH, height * _SMOOTH), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(large)
    scale, middle = card.unit * _SMOOTH, width * _SMOOTH / 2
    lip, inside = _mixed(colours_of(card.digest).skin, (150, 40, 50), 0.62), (92, 28, 38)
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
