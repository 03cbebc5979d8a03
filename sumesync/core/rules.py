"""What a kind asks of a request as a whole, beyond what each field may be by itself: fields that must be there, pairs
in an order, hosts. Declared with the kind in the schema; told where the field stands. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from sumesync.core.kinds import PROMPT_FIELDS, Kind
from sumesync.core.text import printable
from sumesync.core.validate import Finding
from sumesync.model import Json, Pointer

_LIKE_A_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
"""Else the schema has told."""


def whole(table: Mapping[str, Any], request: Mapping[str, Json], kind: Kind) -> Iterator[Finding]:
    """``request`` is what ``table``, a spec, and the project's defaults come to."""
    for name in kind.required:
        if name not in request and name not in PROMPT_FIELDS:
            yield Finding((), f"the {kind.name} has no {name}", f"add {name} = …; sumesync new {kind.name} shows how")
    for name, hosts in kind.hosts.items():
        url = request.get(name)
        if isinstance(url, str) and url.startswith("https://") and not _at(url, hosts):
            shown = printable(url.partition("?")[0], 80)
            yield Finding(_place(name, table), f"{name} is {shown}", f"it must be on {' or '.join(hosts)}")
    for low, high in kind.ordered:
        yield from _ordered(low, high, table, request)
    for name, takes in kind.inputs.items():
        if takes.sent_as and isinstance(request.get(name), str):
            hint = f'{name} = {{ file = "take1.mp4" }} or {{ from = "hero.sume.toml" }}'
            yield Finding(_place(name, table), f"{name} is text; only a file can be uploaded", hint)


def _place(name: str, table: Mapping[str, Any]) -> Pointer:
    """Where a field stands in the spec; its beginning for one that the project's defaults set."""
    extra = table.get("extra")
    if name in table:
        return (name,)
    return ("extra", name) if isinstance(extra, dict) and name in extra else ()


def _at(url: str, hosts: tuple[str, ...]) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return any(host == known or host.endswith(f".{known}") for known in hosts)


def _ordered(low: str, high: str, table: Mapping[str, Any], request: Mapping[str, Json]) -> Iterator[Finding]:
    for name in (low, high):
        if isinstance(value := request.get(name), str) and _LIKE_A_DAY.match(value) and _moment(value) is None:
            what = f"{name} is {printable(value, 40)}, and there is no such day or hour"
            yield Finding(_place(name, table), what, "like 2026-01-31 or 2026-01-31T09:00:00Z")
    first, last = _comparable(request.get(low)), _comparable(request.get(high))
    if first is not None and last is not None and first[0] == last[0] and first[1] > last[1]:
        what = f"{low} is {_shown(request[low])}, beyond {high}, {_shown(request[high])}"
        yield Finding(_place(high, table) or _place(low, table), what, "nothing can be both; turn them round")


def _comparable(value: Json) -> tuple[str, float] | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number", value
    moment = _moment(value) if isinstance(value, str) else None
    return ("moment", moment.timestamp()) if moment else None


def _shown(value: Json) -> str:
    return printable(str(value), 40)


def _moment(text: str) -> datetime.datetime | None:
    """A day counts from its first moment, in UTC."""
    try:
        moment = datetime.datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        moment.timestamp()
    except (ValueError, OverflowError):
        return None
    return moment
