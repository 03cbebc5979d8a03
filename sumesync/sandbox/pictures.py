"""PNG pictures of a prompt. They are looked at: on the page, in a gallery, in a pull request.

The prompt chooses the colours and the job the composition, so that two prompts differ at a glance and
two takes of one prompt look like relatives.
"""

from __future__ import annotations

import colorsys
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sumesync.sandbox import typeset

if TYPE_CHECKING:
    from PIL.Image import Image

_Colour = tuple[int, int, int]
_WHITE: _Colour = (255, 255, 255)


@dataclass(frozen=True)
class Scene:
    """What a picture shows. ``size`` is width x height in pixels."""

    prompt: str
    job_id: str
    caption: str
    size: tuple[int, int]


def png(scene: Scene) -> bytes:
    """The scene as a PNG file: 8-bit RGB, the same bytes for the same scene."""
    picture = background(scene, scene.size)
    ink = text_mask(scene)
    picture.paste(_WHITE, (0, 0), ink)
    return _saved(picture, "PNG", compress_level=1)


def thumbnail(scene: Scene) -> bytes:
    """The scene as a small JPEG, 256 pixels on its longer side."""
    picture = background(scene, scene.size)
    picture.paste(_WHITE, (0, 0), text_mask(scene))
    picture.thumbnail((256, 256))
    return _saved(picture, "JPEG", quality=80)


def background(scene: Scene, size: tuple[int, int]) -> Image:
    """A soft gradient of the prompt's colours with a few translucent discs, dark enough for white text."""
    from PIL import Image

    chance = _Chance(scene.prompt, scene.job_id)
    hue = _Chance(scene.prompt).unit() + (chance.unit() - 0.5) * 0.1
    turn = (0.12 + 0.1 * chance.unit()) * (1 if chance.below(2) else -1)
    tilt = chance.unit()
    glow = chance.below(9)
    mesh = Image.new("RGB", (3, 3))
    for cell in range(9):
        x, y = cell % 3, cell // 3
        along = (x * tilt + y * (2 - tilt)) / 4
        light = 0.23 + 0.14 * along + 0.05 * chance.unit() + (0.09 if cell == glow else 0)
        mesh.putpixel((x, y), _rgb(hue + turn * along, light, 0.46 + 0.12 * chance.unit()))
    picture = mesh.resize(size, Image.Resampling.BICUBIC)
    for _ in range(3 + chance.below(3)):
        _disc(picture, chance, _rgb(hue + turn * 1.6, 0.82, 0.8))
    return picture


def _disc(picture: Image, chance: _Chance, tint: _Colour) -> None:
    from PIL import Image, ImageDraw

    width, height = picture.size
    radius = max(4, int(min(width, height) * (0.14 + 0.42 * chance.unit())))
    x, y = int(width * chance.unit()), int(height * chance.unit())
    # Drawn at twice the size and halved: Pillow's own circles have jagged edges.
    mask = Image.new("L", (4 * radius, 4 * radius))
    strength = 22 + chance.below(34)
    draw = ImageDraw.Draw(mask)
    if chance.below(3) == 0:
        draw.ellipse((4, 4, 4 * radius - 4, 4 * radius - 4), outline=strength + 30, width=max(4, radius // 8))
    else:
        draw.ellipse((4, 4, 4 * radius - 4, 4 * radius - 4), fill=strength)
    picture.paste(tint, (x - radius, y - radius), mask.reduce(2))


def text_mask(scene: Scene) -> Image:
    """The scene's text, white on black in one channel: prompt above, a rule and the caption below."""
    from PIL import Image, ImageDraw

    width, height = scene.size
    short = min(width, height)
    margin = max(4, round(short * 0.085))
    small = max(8, round(short * 0.029))
    foot = height - margin - small
    inside = max(8, width - 2 * margin)
    mask = Image.new("L", scene.size)
    draw = ImageDraw.Draw(mask)
    block = typeset.fit(
        scene.prompt, inside, max(8, foot - 2 * margin), max(12, round(short * 0.098)), max(9, round(short * 0.027))
    )
    letters = typeset.font(block.face, block.size)
    for number, line in enumerate(block.lines):
        draw.text((margin, margin + number * block.leading), line, fill=245, font=letters)
    draw.rectangle((margin, foot - small, width - margin, foot - small + max(1, short // 480)), fill=110)
    caption = typeset.fit(scene.caption, inside, round(small * 1.3), small, max(6, small // 2))
    draw.text((margin, foot), caption.lines[0], fill=200, font=typeset.font(caption.face, caption.size))
    return mask


def _rgb(hue: float, lightness: float, saturation: float) -> _Colour:
    hue %= 1.0
    # Yellow and green look brighter than blue and red of the same lightness; white text must stand out.
    lightness *= 0.82 if 0.11 < hue < 0.5 else 1.0
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


class _Chance:
    """A stream of numbers that depends on the words alone, on every machine and Python version."""

    def __init__(self, *words: str) -> None:
        self._seed = "\0".join(words).encode("utf-8", "surrogatepass")
        self._stream = self._bytes()

    def _bytes(self) -> Iterator[int]:
        block = hashlib.sha256(self._seed).digest()
        while True:
            yield from block
            block = hashlib.sha256(block).digest()

    def unit(self) -> float:
        """From 0 up to but not including 1."""
        return (next(self._stream) * 256 + next(self._stream)) / 65536

    def below(self, limit: int) -> int:
        return int(self.unit() * limit)


def _saved(picture: Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
