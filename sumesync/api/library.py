"""Readers of the library: scenes, avatars and the brand. Of their fields few are documented: what is told is kept as a
document, without what an answer itself calls private."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from sumesync.answers import Avatar, AvatarPage, Brand, Scene, ScenePage
from sumesync.api.jobs import page_items
from sumesync.api.reading import Unreadable, as_list, as_object, kept, shown, snake, text_of
from sumesync.core.ids import is_job_id
from sumesync.model import Json

_T = TypeVar("_T")
_ABILITIES = frozenset(
    ["capabilities", "abilities", "features", "supports", "supported", "supported_features", "flags"]
)
_ABLE = re.compile(r"(?:^|_)(?:talking_head|ugc|face_swap|faceswap|lip_sync|ad)(?:_|$)")
_AROUND = re.compile(r"^(?:supports|can|is|has|allows)_|_(?:enabled|supported|capable|ready|available)$")
_MOST_ABILITIES = 40


def scene_page(payload: Json, asked_cursor: str | None = None, secrets: Iterable[str] = ()) -> ScenePage:
    """A page of ``GET /assets``: ``{"object":"list","data":[…],"has_more":…,"next_cursor":…}`` (seen), or a sister
    of it. Items without an id that can be one are left out. Raises Unreadable when there is no list at all."""
    items, cursor = page_items(payload, "assets", asked_cursor)
    return ScenePage(tuple(_readable(items, lambda item: scene(item, secrets=secrets))), cursor)


def scene(payload: Json, asked: str = "", secrets: Iterable[str] = ()) -> Scene:
    """A scene: bare (seen), or within ``data`` or ``asset``. Raises Unreadable when there is none, or another one
    than was asked for."""
    found, ident = _thing(payload, ("asset", "scene"), asked, "scene")
    document = as_object(kept(found, secrets))
    return Scene(ident, shown(text_of(document, "title", "name"), limit=200), document)


def avatar_page(payload: Json, asked_cursor: str | None = None, secrets: Iterable[str] = ()) -> AvatarPage:
    """A page of ``GET /avatars``, in any envelope that a page of scenes may have."""
    items, cursor = page_items(payload, "avatars", asked_cursor)
    return AvatarPage(tuple(_readable(items, lambda item: avatar(item, secrets=secrets))), cursor)


def avatar(payload: Json, asked: str = "", secrets: Iterable[str] = ()) -> Avatar:
    """An avatar: bare, or within ``data`` or ``avatar``; its capability flags (told) in any likely form."""
    found, ident = _thing(payload, ("avatar",), asked, "avatar")
    document = as_object(kept(found, secrets))
    abilities = dict.fromkeys(shown(word, limit=60) for word in _abilities(document))
    name = shown(text_of(document, "name", "display_name", "title"), limit=120)
    return Avatar(ident, name, tuple(abilities)[:_MOST_ABILITIES], document)


def brand(payload: Json, secrets: Iterable[str] = ()) -> Brand:
    """The brand profile with ``images[].reference_url`` (told). Raises Unreadable when it is no object."""
    found = _inner(payload, ("brand", "profile"))
    if not found or "error" in found:
        raise Unreadable("the answer tells of no brand")
    document = as_object(kept(found, secrets))
    images = (text_of(as_object(image), "reference_url", "url") for image in as_list(document.get("images")))
    name = shown(text_of(document, "name", "brand_name", "title"), limit=120)
    return Brand(name, tuple(filter(None, images)), document)


def _readable(items: list[Json], read: Callable[[Json], _T]) -> Iterator[_T]:
    for item in items:
        try:
            yield read(item)
        except Unreadable:
            continue


def _thing(payload: Json, names: tuple[str, ...], asked: str, noun: str) -> tuple[dict[str, Json], str]:
    found = _inner(payload, names)
    told = found.get("id", found.get(f"{names[0]}_id"))
    ident = str(told) if isinstance(told, str | int) and not isinstance(told, bool) else asked
    if not found or "error" in found or not is_job_id(ident):
        raise Unreadable(f"the answer holds no {noun}")
    if asked and ident != asked:
        raise Unreadable(f"the answer is about another {noun} than the one asked for")
    return found, ident


def _inner(payload: Json, names: tuple[str, ...]) -> dict[str, Json]:
    found = as_object(payload)
    for _ in range(3):
        inner = next((found[name] for name in (*names, "data") if isinstance(found.get(name), dict)), None)
        if inner is None or "id" in found:
            return found
        found = as_object(inner)
    return found


def _abilities(found: Mapping[str, Json]) -> Iterator[str]:
    for name, value in found.items():
        plain = snake(name)
        if plain in _ABILITIES:
            yield from _named(value)
        elif value is True and _ABLE.search(plain):
            yield _AROUND.sub("", plain)


def _named(value: Json) -> Iterator[str]:
    """Words of a list, or the names that are true in an object."""
    for item in as_list(value):
        if isinstance(item, str):
            yield item
    for name, told in as_object(value).items():
        if told is True or as_object(told).get("enabled") is True or as_object(told).get("supported") is True:
            yield _AROUND.sub("", snake(name))
