"""What Sume has of an account (scenes, avatars, the brand, jobs) as rows for people and documents for programs. A URL
is private: of each the host and the file name are shown, unless a person asked for ``whole`` ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from sumesync.answers import Avatar, Brand, JobView, Scene
from sumesync.core.echo import text_of
from sumesync.core.text import amount, printable, short_urls
from sumesync.model import Json
from sumesync.render.machine import FORMAT_VERSION, escaped
from sumesync.render.style import Style, plain

SCENES = ("ID", "LENGTH", "CREATED", "MEDIA", "TITLE")
AVATARS = ("ID", "NAME", "CAN")
JOBS = ("ID", "TYPE", "STATUS", "CREATED", "CREDITS", "PROMPT")
_CELL = 60
_VALUE = 300
_ROWS = 200
_ITEMS = 50
_MEDIA = ("clip_url", "media_url", "url")
_GAP = "  "


def masked(value: Json, whole: bool) -> Json:
    """A document with its URLs short."""
    if whole:
        return value
    if isinstance(value, str):
        return short_urls(value)
    if isinstance(value, list):
        return [masked(item, whole) for item in value]
    if isinstance(value, dict):
        return {short_urls(name): masked(item, whole) for name, item in value.items()}
    return value


def scene(item: Scene, whole: bool) -> tuple[str, ...]:
    told = item.document
    start, end = told.get("start_time_seconds"), told.get("end_time_seconds")
    length = f"{end - start:g} s" if isinstance(start, int | float) and isinstance(end, int | float) else "-"
    media = next((url for name in _MEDIA if isinstance(url := told.get(name), str) and url), "")
    return (item.id, length, _short(told.get("created_at"), 40), _url(media, whole), _short(item.title))


def avatar(item: Avatar, _whole: bool) -> tuple[str, ...]:
    return (item.id, _short(item.name), _short(", ".join(word.replace("_", " ") for word in item.abilities), 120))


def job(item: JobView, _whole: bool = False) -> tuple[str, ...]:
    credits_ = "-" if item.credits is None else amount(item.credits)
    asked = _short(text_of(item.asked))
    return (item.id, _short(item.type), item.status or "-", _short(item.created_at, 40), credits_, asked)


def scene_document(item: Scene, whole: bool) -> dict[str, Json]:
    return {"id": item.id, **told(item.document, whole)}


def avatar_document(item: Avatar, whole: bool) -> dict[str, Json]:
    return {
        "id": item.id,
        "name": masked(item.name, whole),
        "abilities": list(item.abilities),
        "told": told(item.document, whole),
    }


def brand_document(item: Brand, whole: bool) -> dict[str, Json]:
    images: list[Json] = [masked(url, whole) for url in item.images]
    return {"name": masked(item.name, whole), "images": images, "told": told(item.document, whole)}


def job_document(item: JobView, _whole: bool = False) -> dict[str, Json]:
    error: Json = None
    if item.error_code or item.error_message:
        error = {"code": item.error_code, "message": short_urls(item.error_message), "request_id": item.request_id}
    return {
        "id": item.id,
        "type": item.type,
        "status": item.status,
        "created_at": item.created_at,
        "credits": item.credits,
        "prompt": short_urls(printable(text_of(item.asked), _VALUE)),
        "error": error,
    }


def lines(document: dict[str, Json]) -> Iterator[tuple[str, str]]:
    """One thing as rows: the name of each value, and the value."""
    left = _ROWS
    for name, value in _flat(document, ""):
        if not left:
            yield "…", "--json tells more"
            return
        left -= 1
        yield name, printable(value, None if "://" in value else _VALUE)


def _flat(value: Json, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for number, item in enumerate(value, 1):
            yield from _flat(item, f"{name}[{number}]")
    elif value is not None and value != "" and value != []:
        yield name, ", ".join(map(_text, value[:_ITEMS])) if isinstance(value, list) else _text(value)


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def told(value: Mapping[str, Json], whole: bool) -> dict[str, Json]:
    found = masked(dict(value), whole)
    return found if isinstance(found, dict) else {}


def _short(value: Json, limit: int = _CELL) -> str:
    return printable(short_urls(value), limit) if isinstance(value, str) and value else "-"


def _url(url: str, whole: bool) -> str:
    return printable(url if whole else short_urls(url)) or "-"


class Columns:
    """A table whose rows come a page at a time: columns keep the width that they once had."""

    def __init__(self, head: tuple[str, ...], style: Style = plain) -> None:
        self._head, self._style = head, style
        self._widths = [len(name) for name in head]
        self._begun = False

    def add(self, rows: Iterable[tuple[str, ...]]) -> str:
        cells = [tuple(printable(cell) for cell in row) for row in rows]
        for row in cells:
            self._widths = [max(width, len(cell)) for width, cell in zip(self._widths, row, strict=True)]
        text = "" if self._begun else self._style(self._line(self._head), bold=True) + "\n"
        self._begun = True
        return text + "".join(f"{self._line(row)}\n" for row in cells)

    def _line(self, row: tuple[str, ...]) -> str:
        return _GAP.join(cell.ljust(width) for cell, width in zip(row, self._widths, strict=True)).rstrip()


class Stream:
    """One JSON document whose list is written as its items arrive, so that a long one is never held."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._begun = False
        self._any = False

    @property
    def begun(self) -> bool:
        return self._begun

    def add(self, items: Iterable[dict[str, Json]]) -> str:
        text = "" if self._begun else f'{{\n  "format_version": {FORMAT_VERSION},\n  {json.dumps(self._name)}: ['
        self._begun = True
        for item in items:
            text += ",\n    " if self._any else "\n    "
            text += escaped(json.dumps(item, ensure_ascii=False))
            self._any = True
        return text

    def end(self, **rest: Json) -> str:
        text = "\n  ]" if self._any else "]"
        for name, value in rest.items():
            text += f",\n  {json.dumps(name)}: {escaped(json.dumps(value, ensure_ascii=False))}"
        return text + "\n}"
