"""What a media file is, by its first bytes: never by a server's word or a name's ending. Pure.

A small table of our own instead of a library: the ending that it gives is recorded in the lock and must be
the same for ever, and everything that is not in it (an HTML error page saved as .png) must be refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class MediaType:
    """``name`` as in Content-Type, ``suffix`` with its dot."""

    name: str
    suffix: str

    @property
    def family(self) -> str:
        return self.name.split("/")[0]


HEAD_BYTES: Final = 4096
_PNG: Final = MediaType("image/png", ".png")
_JPEG: Final = MediaType("image/jpeg", ".jpg")
_GIF: Final = MediaType("image/gif", ".gif")
_WEBP: Final = MediaType("image/webp", ".webp")
_AVIF: Final = MediaType("image/avif", ".avif")
_HEIC: Final = MediaType("image/heic", ".heic")
_MP4: Final = MediaType("video/mp4", ".mp4")
_MOV: Final = MediaType("video/quicktime", ".mov")
_WEBM: Final = MediaType("video/webm", ".webm")
_MKV: Final = MediaType("video/x-matroska", ".mkv")

_STARTS: Final = (
    (b"\x89PNG\r\n\x1a\n", _PNG),
    (b"\xff\xd8\xff", _JPEG),
    (b"GIF87a", _GIF),
    (b"GIF89a", _GIF),
)
_BRANDS: Final = {b"avif": _AVIF, b"avis": _AVIF, b"heic": _HEIC, b"heix": _HEIC, b"mif1": _HEIC, b"qt  ": _MOV}


def sniff(head: bytes) -> MediaType | None:
    """The type of a file that begins with ``head``; None when it is no media file that we know."""
    for start, found in _STARTS:
        if head.startswith(start):
            return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _WEBP
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], _MP4)
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return _WEBM if b"webm" in head[:64] else _MKV
    return None


_EVERY: Final = (_PNG, _JPEG, _GIF, _WEBP, _AVIF, _HEIC, _MP4, _MOV, _WEBM, _MKV)
_SUFFIXES: Final = {**{known.suffix: known for known in _EVERY}, ".jpeg": _JPEG, ".m4v": _MP4}


def of_suffix(suffix: str) -> MediaType | None:
    """The type that a name's ending promises: only where the bytes are not here (a git-lfs pointer)."""
    return _SUFFIXES.get(suffix.lower())


def describe(head: bytes) -> str:
    """What a file that is no media looks like, for the error message."""
    start = head.lstrip()[:64].lower()
    if not head:
        return "an empty file"
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page"
    if start.startswith((b"{", b"[")):
        return "JSON"
    if start.startswith(b"<"):
        return "XML or markup"
    return "no media file that is known"
