"""An answer as a document that may be committed: URLs without their queries, and nothing private."""

from __future__ import annotations

from collections.abc import Iterable

from sumesync.api.reading import is_private, private_texts, snake
from sumesync.core.text import without_secrets
from sumesync.model import Json

_DEPTH = 48  # far beyond any documented shape, and well within what Python and JSON readers recurse
_TEXT = 200_000  # characters; an hour of speech has a quarter of that
_NAME = 200
_EXACT = 2**53 - 1  # beyond it a number is not the same to every reader of JSON
_OWNERS = frozenset(["user_id", "owner_id", "email", "user_email", "owner_email", "authorization", "cookie"])


def document_of(payload: Json, secrets: Iterable[str] = (), leave_out: frozenset[str] = frozenset()) -> Json:
    """``payload`` without what it calls private (a workspace, a storage's key, a token, a place to upload to, whose it
    is), and without ``leave_out`` at its top and inside ``data`` or ``job``. In its texts and names there is none of
    these, none of ``secrets`` and no URL's query, and each of its texts is one that UTF-8 can hold."""
    hidden = (*secrets, *private_texts(payload))
    return _clean(payload, hidden, (), leave_out)


def _clean(value: Json, hidden: tuple[str, ...], path: tuple[str | int, ...], leave_out: frozenset[str]) -> Json:
    if len(path) > _DEPTH:
        return None
    if isinstance(value, dict):
        return {
            _text(name[:_NAME], hidden): _clean(item, hidden, (*path, name), leave_out)
            for name, item in value.items()
            if not _is_left_out((*path, name), leave_out)
        }
    if isinstance(value, list):
        return [_clean(item, hidden, (*path, index), leave_out) for index, item in enumerate(value)]
    if isinstance(value, str):
        return _text(value[:_TEXT], hidden)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT:
        return str(value)
    return value


def _is_left_out(path: tuple[str | int, ...], leave_out: frozenset[str]) -> bool:
    name = snake(str(path[-1]))
    at_top = all(part in ("data", "job") for part in path[:-1])
    return is_private(path) or name in _OWNERS or (at_top and name in leave_out)


def _text(text: str, hidden: tuple[str, ...]) -> str:
    whole = text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate is no text
    return without_secrets(whole, hidden)
