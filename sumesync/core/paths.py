"""Paths in our files: POSIX-style, relative to the project, proved to stay inside it. Pure.

Whether a link leads out of the project is for the disk to tell; what a path *says* is decided here,
for all systems at once, so that a project made on Linux can be cloned on Windows and macOS.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from typing import Final

_RESERVED: Final = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
# Most paths: of ASCII letters, digits and ._-, short, in no part hidden, reserved or ending in a dot.
_PLAIN: Final = re.compile(
    r"(?:(?!(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:[./]|\Z))[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?(?:/(?!\Z)|\Z))+",
    re.ASCII,
)
_FORBIDDEN: Final = frozenset('<>:"|?*\\')
# Folders that are a tool's own: git runs what is in .git, GitHub what is in .github.
_PROTECTED: Final = frozenset({".git", ".github", ".sume"})
SPEC_SUFFIX: Final = ".sume.toml"
METADATA_SUFFIX: Final = ".sume.json"
LOCK_NAME: Final = "sume.lock"
CONFIG_NAME: Final = "sumesync.toml"
# A stem is taken by any media file of that name: the result's extension is known only when it is there.
MEDIA_SUFFIXES: Final = frozenset(
    (
        *(".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".heic", ".bmp", ".tif", ".tiff", ".svg"),
        *(".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mp3", ".wav", ".m4a", ".ogg", ".flac"),
    )
)
# NAME_MAX of the usual file systems, in bytes of UTF-8; leaves room for ".part" names of ours.
_LONGEST: Final = 200


def name_fault(name: str) -> str:
    """Why ``name`` cannot be a file or folder name everywhere; "" when it can."""
    if name in ("", ".", ".."):
        return f"{name or 'an empty name'} is not a name"
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in name):
        return "the name holds a control, bidirectional or undecodable character"
    if bad := sorted(_FORBIDDEN.intersection(name)):
        return f"the name holds {' '.join(bad)}, which Windows does not allow"
    if name[-1] in ". " or name[0] == " ":
        return "the name begins with a space or ends in a space or dot, which Windows does not keep"
    if _RESERVED.fullmatch(name):
        return f"Windows reserves the name {name}"
    if len(name.encode()) > _LONGEST:
        return f"the name is longer than {_LONGEST} bytes"
    if folded(name) in _PROTECTED or re.fullmatch(r"git~[0-9]+", name, re.IGNORECASE):
        return f"{name} is a folder of git, GitHub or sumesync itself"
    return ""


def path_fault(path: str) -> str:
    """Why ``path`` (relative to the project) is not one that we would write; "" when it is."""
    if len(path) <= _LONGEST and _PLAIN.fullmatch(path):
        return ""  # what the rest comes to
    return next((fault for part in path.split("/") if (fault := name_fault(part))), "")


def join(folder: str, relative: str) -> tuple[str, str]:
    """``relative``, as a spec in ``folder`` says it, relative to the project: (path, fault).

    The path is "" for the project's root itself and when there is a fault.
    """
    if "\\" in relative:
        return "", "paths are written with /, also on Windows"
    if relative.startswith(("/", "~")) or re.match(r"[A-Za-z]:", relative):
        return "", "the path must be relative to the spec"
    path = posixpath.normpath(posixpath.join(folder, relative))
    if path == ".":
        return "", ""
    if path == ".." or path.startswith("../"):
        return "", "the path leads outside the project"
    fault = path_fault(path)
    return ("" if fault else path), fault


def under(folder: str, name: str) -> str:
    """``name`` in ``folder``; "" is the project's root."""
    return f"{folder}/{name}" if folder else name


def parent(path: str) -> str:
    """The folder of a project path; "" is the root."""
    return path.rpartition("/")[0]


def folded(path: str) -> str:
    """``path`` as a file system that knows neither case nor Unicode forms sees it."""
    if path.isascii():
        return path.lower()  # what the rest comes to, and most paths are
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def suffix_of(path: str) -> str:
    """As ``posixpath.splitext`` has it, in lower case: a name that only begins with dots has none."""
    name = path.rpartition("/")[2]
    stem, dot, suffix = name.rpartition(".")
    return (dot + suffix).lower() if stem.strip(".") else ""


def spec_stem(path: str) -> str:
    """``launch/hero.sume.toml`` -> ``hero``."""
    return path.rpartition("/")[2].removesuffix(SPEC_SUFFIX)
