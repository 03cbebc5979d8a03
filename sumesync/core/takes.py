"""``retake``: the number of another generation of a request, and the spec's text with it. Pure."""

from __future__ import annotations

from sumesync.core import toml
from sumesync.core.fingerprint import fingerprint
from sumesync.core.paid import Index
from sumesync.errors import LocalStateError
from sumesync.model import Wanted


def next_take(wanted: Wanted, paid: Index) -> int:
    """The next number that was never paid for: asking for one that was would bring it back, not make another."""
    take = wanted.take + 1
    while fingerprint(wanted.kind, wanted.request, take, wanted.inputs) in paid:
        take += 1
    return take


def with_take(path: str, data: bytes, take: int) -> bytes:
    """The spec's bytes with this ``take``; comments and layout stay. Raises LocalStateError rather than harm it."""
    import tomlkit

    document = tomlkit.parse(data.decode("utf-8-sig"))
    document["take"] = take
    after = tomlkit.dumps(document)
    if toml.parse(path, after.replace("\r\n", "\n")).get("take") != take:
        raise LocalStateError(f"{path} cannot be edited safely", f"set take = {take} by hand")
    mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    return mark + after.encode()
