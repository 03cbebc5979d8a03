"""Setting a prompt as a block of text: the font that covers it, the size that fits, the line breaks."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_SYSTEM_FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/TTF/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
    "C:/Windows/Fonts/segoeui.ttf",
    "C:/Windows/Fonts/msyh.ttc",
)
_REFERENCE = 64
"""Widths are measured at this size, in pixels, and scaled: one pass over the words serves every size."""
_LEADING = 1.28
_LONGEST = 4000
"""Characters of a prompt that are looked at; no picture holds more."""
_PLAIN = {"\u2014": "-", "\u2013": "-", "\u2212": "-", "\u00d7": "x", "\u00b7": "-", "\u2022": "-", "\u2192": "->"}
"""What stands for signs that Pillow's own font, which holds little more than ASCII, may lack."""
_NOWHERE = "\U0010ffff"


@dataclass(frozen=True)
class Block:
    """Lines of text at ``size`` pixels in the font at ``face`` ("" is Pillow's own)."""

    lines: tuple[str, ...]
    size: int
    face: str

    @property
    def leading(self) -> int:
        return round(self.size * _LEADING)

    @property
    def height(self) -> int:
        return self.leading * len(self.lines)


def font(face: str, size: int) -> FreeTypeFont:
    """Pillow's embedded font for the face "", else the font file."""
    from PIL import ImageFont

    if face:
        return ImageFont.truetype(face, size)
    embedded = ImageFont.load_default(size=size)
    assert isinstance(embedded, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return embedded


def fit(text: str, width: int, height: int, largest: int, smallest: int) -> Block:
    """``text`` as large as it fits in ``width`` x ``height`` pixels; what does not fit at the smallest
    size ends in an ellipsis."""
    face, shown = _covered(_tidy(text))
    words = shown.split() or ["(no prompt)"]
    measure = _measurer(face)
    for size in range(largest, smallest, -2):
        room = height // round(size * _LEADING)
        lines = _broken(words, width * _REFERENCE / size, measure, room)
        if lines is not None and len(lines) <= room:
            return Block(tuple(lines), size, face)
    room = max(1, height // round(smallest * _LEADING))
    lines = _broken(words, width * _REFERENCE / smallest, measure, room, word=0) or []
    if len(lines) > room or len(text) > _LONGEST:
        lines = lines[:room]
        lines[-1] = _ellipsis(lines[-1], width * _REFERENCE / smallest, measure)
    return Block(tuple(lines), smallest, face)


def _tidy(text: str) -> str:
    """Without what has no shape of its own, and without characters that no renderer takes."""
    return "".join(char for char in text[:_LONGEST] if char.isspace() or unicodedata.category(char) not in _SHAPELESS)


_SHAPELESS = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def _covered(text: str) -> tuple[str, str]:
    """The first face that has every character, else the one that has most, and the text with the
    characters that it lacks spelled out."""
    wanted = {char for char in text if not char.isspace()}
    best, most = "", -1
    for face in ("", *_installed()):
        held = sum(_has(face, char) for char in wanted)
        if held > most:
            best, most = face, held
        if held == len(wanted):
            return face, text
    spelled = (char if char.isspace() or _has(best, char) else _spelled(best, char) for char in text)
    return best, "".join(spelled)


@lru_cache
def _installed() -> tuple[str, ...]:
    return tuple(path for path in _SYSTEM_FONTS if Path(path).is_file())


@lru_cache(maxsize=8192)
def _has(face: str, char: str) -> bool:
    """Whether the face has a shape of its own for ``char``: not the one of a character that no font has."""
    if " " < char <= "~":
        return True
    return unicodedata.combining(char) != 0 or _shape(face, char) != _shape(face, _NOWHERE)


def _shape(face: str, char: str) -> bytes:
    mask = font(face, 24).getmask(char)
    return bytes(mask) + bytes(str(mask.size), "ascii")


def _spelled(face: str, char: str) -> str:
    """A letter without its accents, an emoji by its name, anything else by its code point."""
    plain = _PLAIN.get(char) or "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c))
    if plain != char and all(_has(face, c) for c in plain):
        return plain
    name = unicodedata.name(char, "").lower()
    if unicodedata.category(char) in ("So", "Sk") and name:
        return f"[{name}]"
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _measurer(face: str) -> Callable[[str], float]:
    at = font(face, _REFERENCE)
    return lru_cache(maxsize=None)(lambda text: at.getlength(text))


def _broken(
    words: list[str], width: float, measure: Callable[[str], float], room: int, word: int = 20
) -> list[str] | None:
    """Lines no wider than ``width``, at most one more than there is ``room`` for. None where a word of up to
    ``word`` characters is wider; a longer one is no word (Chinese, a URL) and is broken."""
    space = measure(" ")
    lines: list[str] = []
    line, used = "", 0.0
    for each in words:
        wide = measure(each)
        if wide > width and len(each) <= word:
            return None
        for piece in _pieces(each, width, measure) if wide > width else (each,):
            length = measure(piece)
            if line and used + space + length > width:
                lines.append(line)
                line, used = piece, length
            else:
                line, used = (f"{line} {piece}", used + space + length) if line else (piece, length)
        if len(lines) > room:
            return lines[: room + 1]
    return [*lines, line]


def _pieces(word: str, width: float, measure: Callable[[str], float]) -> Iterator[str]:
    """A word that is wider than a line, cut to the line's width."""
    piece, used = "", 0.0
    for char in word:
        length = measure(char)
        if piece and used + length > width * 0.98:
            yield piece
            piece, used = "", 0.0
        piece, used = piece + char, used + length
    yield piece


def _ellipsis(line: str, width: float, measure: Callable[[str], float]) -> str:
    while line and measure(f"{line}…") > width:
        line = line[:-1]
    return f"{line.rstrip(' ,.;:')}…"
