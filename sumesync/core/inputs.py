"""Media that a request takes from the project: ``{ file = "…" }`` and ``{ from = "…" }``, where they stand in it, and
what a file must be to be sent. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sumesync.core import paths
from sumesync.core.kinds import Kind, Takes
from sumesync.core.media import MediaType
from sumesync.core.text import printable
from sumesync.core.validate import Finding, dotted
from sumesync.model import Json, LocalInput, Pointer

MOST_BYTES: Final = 2 << 30
_ANY: Final = Takes("any", "")
"""Of a field that the schema does not know."""
_PURPOSES: Final = {"image": "reference_image", "video": "reference_video"}


@dataclass(frozen=True, slots=True)
class Ask:
    """A table in a request that stands for media. ``place`` is where in the request; ``path`` the project's path of the
    file or the spec that it names, "" with a ``fault``."""

    place: Pointer
    table: Mapping[str, Any]
    takes: Takes
    path: str
    fault: str = ""

    @property
    def is_file(self) -> bool:
        return "file" in self.table

    @property
    def name(self) -> str:
        return dotted(self.place)

    @property
    def told(self) -> str:
        """What is wrong with the path, as the spec has it: a variant's is not seen there."""
        return f"{self.name} is {printable(self.table['file' if self.is_file else 'from'], 60)}: {self.fault}"


@dataclass(frozen=True, slots=True)
class InputFile:
    """What the disk found where an input points: a file to send, or why it cannot be."""

    sha256: str = ""
    size: int = 0
    media: MediaType | None = None
    looks: str = ""
    """What it looks like where it is no media that we know."""
    fault: str = ""
    hint: str = ""


def asks(request: Mapping[str, Json], folder: str, kind: Kind) -> Iterator[Ask]:
    """Every table of ``request`` that stands for media, its paths relative to ``folder``."""
    for name, value in request.items():
        if name in kind.inputs:
            items = enumerate(value) if isinstance(value, list) else ()
            for place, item in (((name,), value), *(((name, index), item) for index, item in items)):
                if isinstance(item, dict) and _names(item):
                    yield _ask(place, item, kind.inputs[name], folder)
        elif name not in kind.fields:
            yield from _asks_in(value, (name,), folder)


def _asks_in(value: Json, place: Pointer, folder: str) -> Iterator[Ask]:
    """Where the schema knows nothing a table is an input only if it can be nothing else."""
    if isinstance(value, dict):
        if _names(value):
            yield _ask(place, value, _ANY, folder)
            return
        for key, item in value.items():
            yield from _asks_in(item, (*place, key), folder)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _asks_in(item, (*place, index), folder)


def _names(table: Mapping[str, Json]) -> bool:
    """Whether ``table`` is exactly ``{ file }`` or ``{ from, output, variant }``, as far as types go."""
    if set(table) == {"file"}:
        return isinstance(table["file"], str) and bool(table["file"])
    output = table.get("output", 1)
    return (
        "from" in table
        and set(table) <= {"from", "output", "variant"}
        and isinstance(table["from"], str)
        and isinstance(output, int)
        and not isinstance(output, bool)
        and output > 0
        and isinstance(table.get("variant", ""), str)
    )


def _ask(place: Pointer, table: Mapping[str, Any], takes: Takes, folder: str) -> Ask:
    path, fault = paths.join(folder, table["file"] if "file" in table else table["from"])
    if not fault and any(part.startswith(".") for part in path.split("/")):
        fault = "it is a hidden file"  # what is hidden was not meant to be sent
    return Ask(place, table, takes, path, fault or ("" if path else "it is a folder"))


def purpose(takes: Takes, family: str) -> str:
    """What Sume is told that an upload for such a field is for."""
    return takes.purpose or _PURPOSES[family]


def misfit(takes: Takes, family: str) -> str:
    """What must stand there instead of media of ``family``; "" where those fit."""
    return "" if takes.family in ("any", family) else _A[takes.family]


_A: Final = {"image": "an image", "video": "a video"}


def local(ask: Ask, found: InputFile, where: Pointer) -> LocalInput | Finding:
    """The file of ``ask`` as an input, or what is wrong with it, told at ``where``."""
    hint = "the path is relative to the spec, inside the project"
    if ask.fault:
        return Finding(where, ask.told, hint)
    if found.fault:
        return Finding(where, f"{ask.name}: {found.fault}", found.hint or hint)
    shown = printable(ask.path)
    if found.size > MOST_BYTES:
        return Finding(where, f"{ask.name}: {shown} has {found.size:,} bytes", f"at most {MOST_BYTES:,} can be sent")
    if found.media is None:
        known = "images: png, jpg, gif, webp, avif, heic; videos: mp4, mov, webm, mkv"
        return Finding(where, f"{ask.name}: {shown} is {found.looks or 'no media file that is known'}", known)
    if wanted := misfit(ask.takes, found.media.family):
        return Finding(where, f"{ask.name}: {shown} is {found.media.name}; it must be {wanted}", "name another file")
    return LocalInput(ask.path, found.sha256, found.size, found.media.name, purpose(ask.takes, found.media.family))
