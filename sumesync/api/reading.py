"""Bytes from the API as JSON values, and small tolerant getters. No sockets, no guesses.

Nothing here raises anything but ``Unreadable`` whatever the bytes are.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from sumesync.core.text import printable, without_secrets, without_signed_urls
from sumesync.model import Json

Path: TypeAlias = "tuple[str | int, ...]"

MESSAGE_LIMIT = 300
"""Characters of any text of the API's that is shown."""
_SANITIZED = 20_000  # of a longer text nothing later is looked at: the regexes stay cheap
_DEPTH = 64  # no documented shape is nested a tenth as deep
_VALUES = 250_000  # a page of a hundred jobs has a few thousand; more would take seconds to walk
_PRIVATE = frozenset(
    [
        "workspace_id",
        "object_key",
        "storage_key",
        "s3_key",
        "api_key",
        "token",
        "access_token",
        "secret",
        "signature",
        "upload_url",
        "presigned_url",
        "signed_url",
    ]
)
_PRIVATE_LIMIT = 4_000
_LONE_URL = re.compile(r"https?://[\x21-\x7e]{1,4000}", re.IGNORECASE)
_INT_DIGITS = 20
_NUMERIC = re.compile(r"-?\d{1,18}(\.\d{1,9})?")
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Unreadable(ValueError):
    """An answer that is not the JSON that it should be. Its text is ours and safe to show.

    ``ids`` are the job ids that could be read although the whole could not.
    """

    def __init__(self, why: str, ids: tuple[str, ...] = ()) -> None:
        super().__init__(why)
        self.ids = ids


def parse(body: bytes) -> Json:
    """The JSON value in ``body`` (UTF-8, a BOM allowed, bad bytes replaced).

    NaN, infinities and numbers beyond any figure of ours become None. An object that gives one key two
    different values is Unreadable: which one counts is anybody's guess. So is nesting too deep to parse, and more
    values than anybody would send.
    """
    if sum(body.count(sign) for sign in (b",", b"[", b"{")) > _VALUES:
        raise Unreadable("the answer holds too many values")
    try:
        value: Json = json.loads(
            body.decode("utf-8-sig", errors="replace"),
            object_pairs_hook=_object,
            parse_constant=lambda _: None,
            parse_float=_finite,
            parse_int=lambda digits: int(digits) if len(digits) <= _INT_DIGITS else None,
        )
    except Unreadable:
        raise
    except RecursionError:
        raise Unreadable("the answer is nested too deeply") from None
    except ValueError:
        raise Unreadable(_not_json(body)) from None
    return value


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made = dict(pairs)
    if len(made) != len(pairs) and any(made[key] != value for key, value in pairs):
        raise Unreadable("the answer gives one field twice")
    return made


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def _not_json(body: bytes) -> str:
    start = body.lstrip()[:1]
    if not start:
        return "the answer is empty"
    return "the answer is HTML, not JSON" if start == b"<" else "the answer is not JSON"


def shown(text: str, secrets: Iterable[str] = (), limit: int = MESSAGE_LIMIT) -> str:
    """``text`` of a stranger's as it may be printed or kept: no secrets, one line, capped."""
    return printable(without_secrets(without_signed_urls(text[:_SANITIZED]), secrets).strip(), limit)


def private_texts(payload: Json) -> tuple[str, ...]:
    """What an answer itself calls a workspace, a key of a storage, a token or a place to upload to: no message that
    stands beside it may quote them."""
    return tuple(
        value
        for path, value in walk(payload)
        if isinstance(value, str) and len(value) <= _PRIVATE_LIMIT and is_private(path)
    )


def is_private(path: Path) -> bool:
    """Whether what stands at ``path`` is private by its own name."""
    name = snake(str(path[-1]))
    if name == "id":
        return len(path) > 1 and snake(str(path[-2])) == "workspace"
    return name in _PRIVATE


def kept(payload: Json, secrets: Iterable[str] = ()) -> Json:
    """``payload`` as a document of ours: without what it calls private itself, its texts without ``secrets``, cut
    where it is deeper or longer than any real one. A text that is a URL and nothing else stays whole: a media URL
    must still open."""
    return _kept(payload, (), (*secrets, *private_texts(payload)))


def _kept(value: Json, path: Path, secrets: tuple[str, ...]) -> Json:
    if isinstance(value, str):
        if _LONE_URL.fullmatch(value):
            return value
        text = value[:_SANITIZED]
        return without_secrets(without_signed_urls(text), secrets)
    if len(path) >= _DEPTH:
        return None
    if isinstance(value, list):
        return [_kept(item, (*path, index), secrets) for index, item in enumerate(value)]
    if isinstance(value, dict):
        names = [name for name in value if not is_private((*path, name))]
        return {shown(name, secrets, 120): _kept(value[name], (*path, name), secrets) for name in names}
    return value


def as_object(value: Json) -> dict[str, Json]:
    """``value`` itself, or an empty object for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def text_of(source: Mapping[str, Json], *names: str) -> str:
    """The first of ``names`` that holds a string with something in it, else ""."""
    for name in names:
        value = source.get(name)
        if isinstance(value, str) and value.strip():
            return value
    return ""


def number_of(value: Json) -> float | None:
    """A finite number, or a string that is one. True is not a number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        bare = value.strip()  # of more than float would take off: U+001E is a space to one and not to the other
        value = float(bare) if _NUMERIC.fullmatch(bare) else None
    try:
        number = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return number if math.isfinite(number) else None


@functools.lru_cache(maxsize=4096)  # the same few names stand in every answer
def snake(name: str) -> str:
    """``mediaUrl`` as ``media_url``: sisters of the API spell fields either way."""
    return _WORD_BREAK.sub("_", name).lower()


def walk(root: Json, skip: Callable[[str], bool] = lambda _: False) -> Iterator[tuple[Path, Json]]:
    """Every value below ``root`` with its path, in document order, not below a key that ``skip`` names.

    Iterative and bounded in depth, so that no document can exhaust the stack.
    """
    stack: list[tuple[Path, Json]] = [((), root)]
    while stack:
        path, value = stack.pop()
        if path:
            yield path, value
        if len(path) >= _DEPTH:
            continue
        if isinstance(value, dict):
            stack += [((*path, key), item) for key, item in reversed(value.items()) if not skip(key)]
        elif isinstance(value, list):
            stack += [((*path, index), value[index]) for index in range(len(value) - 1, -1, -1)]
