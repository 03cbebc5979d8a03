"""``retake``: the number of another generation of a request, and the spec's text with it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sumesync.core import toml
from sumesync.core.fingerprint import fingerprint
from sumesync.core.paid import Index
from sumesync.errors import LocalStateError
from sumesync.model import Wanted

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


def next_take(wanted: Wanted, paid: Index) -> int:
    """The next number that was never paid for: asking for one that was would bring it back, not make another."""
    take = wanted.take + 1
    while fingerprint(wanted.kind, wanted.request, take, wanted.inputs) in paid:
        take += 1
    return take


def with_take(path: str, data: bytes, take: int) -> bytes:
    """The spec's bytes with this ``take``; comments and layout stay. Raises LocalStateError rather than harm it."""

    def edit(document: TOMLDocument) -> None:
        document["take"] = take

    after = edited(data, edit)
    if toml.parse(path, after.decode("utf-8-sig").replace("\r\n", "\n")).get("take") != take:
        raise LocalStateError(f"{path} cannot be edited safely", f"set take = {take} by hand")
    return after


def edited(data: bytes, edit: Callable[[TOMLDocument], None]) -> bytes:
    """A spec's bytes after ``edit``; comments, layout, line ends and a byte order mark stay."""
    import tomlkit

    document = tomlkit.parse(data.decode("utf-8-sig"))
    edit(document)
    mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    return mark + tomlkit.dumps(document).encode()
