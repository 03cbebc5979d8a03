"""The library of a sandbox: its avatars, its brand, and scenes that every documented filter really filters.

What is here is the same in every sandbox, beside what asset uploads brought (``scenes`` is the one place that lists
them). The answers have the shapes of the Sume documentation for assets; those of avatars and of the brand are made up
of its prose.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn
from urllib.parse import unquote

from sumesync.model import Json
from sumesync.sandbox.answers import Refusal, Request, Response, json_answer
from sumesync.sandbox.avatars import AVATARS, Avatar
from sumesync.sandbox.faults import Effects
from sumesync.sandbox.jobs import Job
from sumesync.sandbox.kinds import Piece
from sumesync.sandbox.uploads import Asset
from sumesync.sandbox.world import World

FOLDER = "/media/library"
SOURCE_TYPES = ("upload", "generated", "social")
SEGMENT_TYPES = ("hook", "product_shot", "demo", "testimonial", "cta")
SORTS = ("relevance", "created_at_desc", "created_at_asc", "duration_desc")
MODES = ("auto", "text")
FILTERS = (
    "q",
    "search_mode",
    "source_type",
    "segment_type",
    "brand",
    "product",
    "tag",
    "keyword",
    "cta_present",
    "min_duration_seconds",
    "max_duration_seconds",
    "created_after",
    "created_before",
    "sort",
    "limit",
    "cursor",
)
LIMIT = 100
_USUAL = 20
_ID = re.compile(rf"{FOLDER}/(?P<id>[^/]+)/(?P<piece>[^/]+)(?:/.*)?", re.DOTALL)
_CLIP, _SOURCE, _THUMBNAIL, _PORTRAIT = "clip.mp4", "source.mp4", "thumbnail.jpg", "portrait.jpg"
_SIZE = (270, 480)

Link = Callable[[str, Effects], str]
"""From a media path to the signed URL that opens it."""
Handler = Callable[[Request, Effects, str], Response]


@dataclass(frozen=True)
class Scene:
    """A part of a video that can be searched for. Times are seconds; the paths are the media host's, "" where there
    is none."""

    id: str
    title: str
    created_at: float
    start: float
    end: float
    media_path: str
    clip_path: str = ""
    source_path: str = ""
    thumbnail_path: str = ""
    source_type: str = "upload"
    segment_type: str = "product_shot"
    brand: str = ""
    product: str = ""
    tags: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    cta_present: bool = False
    summary: str = ""
    transcript: str = ""

    @property
    def seconds(self) -> float:
        return self.end - self.start

    @property
    def text(self) -> str:
        told = (self.title, self.summary, self.transcript, self.brand, self.product, *self.tags, *self.keywords)
        return " ".join(told).casefold()


def _scene(
    number: int, title: str, place: tuple[float, float], types: tuple[str, str], of: tuple[str, str], words: str
) -> Scene:
    """One of the built-in scenes; the first of its words are its tags, the others its keywords."""
    ident = f"asset_{number:04d}"
    folder = f"{FOLDER}/{ident}"
    source_type, segment_type = types
    brand, product = of
    tags, _, keywords = words.partition(" | ")
    asks = segment_type == "cta"
    return Scene(
        id=ident,
        title=title,
        created_at=datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp() + number * 7 * 86_400,
        start=place[0],
        end=place[1],
        media_path=f"{folder}/{_CLIP}",
        clip_path=f"{folder}/{_CLIP}",
        source_path=f"{folder}/{_SOURCE}",
        thumbnail_path=f"{folder}/{_THUMBNAIL}",
        source_type=source_type,
        segment_type=segment_type,
        brand=brand,
        product=product,
        tags=tuple(tags.split()),
        keywords=tuple(keywords.split()),
        cta_present=asks,
        summary=f"{title}, seen close, in soft light.",
        transcript="Get yours today, the link is below." if asks else "",
    )


BUILT_IN: tuple[Scene, ...] = (
    _scene(1, "Serum on marble", (0, 3), ("upload", "product_shot"), ("Lumen", "serum"), "skincare studio | drop"),
    _scene(2, "A drop of serum on skin", (3, 7), ("upload", "demo"), ("Lumen", "serum"), "skincare macro | drop skin"),
    _scene(3, "Morning routine", (0, 9.5), ("social", "hook"), ("Lumen", "cream"), "skincare bathroom | morning"),
    _scene(4, "Cream jar turning", (1, 4), ("generated", "product_shot"), ("Lumen", "cream"), "studio | jar turn"),
    _scene(5, "She has used it for a month", (4, 12), ("social", "testimonial"), ("Lumen", "cream"), "ugc | month"),
    _scene(6, "Order the serum now", (12, 15), ("upload", "cta"), ("Lumen", "serum"), "ugc endcard | order"),
    _scene(7, "Runner at dawn", (0, 6), ("upload", "hook"), ("Stride", "shoe"), "sport outdoor | run dawn"),
    _scene(8, "Sole in slow motion", (6, 8.5), ("generated", "demo"), ("Stride", "shoe"), "sport macro | sole"),
    _scene(9, "Unboxing the shoe", (0, 11), ("social", "testimonial"), ("Stride", "shoe"), "ugc | box"),
    _scene(10, "Free returns, try them", (11, 14), ("upload", "cta"), ("Stride", "shoe"), "endcard | returns"),
    _scene(11, "Coffee pours", (0, 2.5), ("generated", "hook"), ("Mokka", "beans"), "kitchen macro | pour steam"),
    _scene(12, "Beans on a scale", (2.5, 6), ("upload", "product_shot"), ("Mokka", "beans"), "kitchen | scale"),
    _scene(13, "A barista explains", (6, 20), ("upload", "demo"), ("Mokka", "beans"), "kitchen people | grind"),
    _scene(14, "Subscribe for fresh beans", (20, 23), ("social", "cta"), ("Mokka", "beans"), "endcard | subscribe"),
)


def scenes(world: World) -> tuple[Scene, ...]:
    """Every scene that this world has: the built-in ones, and one for each file that was taken in."""
    return (*BUILT_IN, *map(_taken_in, world.assets()))


def _taken_in(asset: Asset) -> Scene:
    """The whole of an upload as one scene. Nobody looked at it, so nothing is told of what is in it or how long it
    lasts."""
    upload = asset.upload
    return Scene(
        id=asset.id,
        title=asset.title or upload.file_name,
        created_at=asset.created_at,
        start=0,
        end=0,
        media_path=upload.path,
        clip_path=upload.path if upload.family == "video" else "",
        source_path=upload.path,
        thumbnail_path=upload.path if upload.family == "image" else "",
        segment_type="",
    )


def piece(path: str) -> tuple[Job, Piece] | None:
    """What is drawn at a path of the library's media; None where nothing is."""
    match = _ID.fullmatch(path)
    if match is None:
        return None
    known: dict[str, tuple[str, float]] = {scene.id: (scene.title, scene.seconds) for scene in BUILT_IN}
    known |= {avatar.id: (avatar.name, 0.0) for avatar in AVATARS} | {"brand": ("Lumen", 0.0)}
    if match["id"] not in known:
        return None
    title, seconds = known[match["id"]]
    pieces = {
        _CLIP: Piece(_CLIP, "video/mp4", _SIZE, min(seconds, 3)),
        _SOURCE: Piece(_SOURCE, "video/mp4", _SIZE, 4),
        _THUMBNAIL: Piece(_THUMBNAIL, "image/jpeg", _SIZE),
    }
    found = pieces.get(match["piece"]) if seconds else None
    if not seconds and match["piece"].endswith(".jpg"):
        found = Piece(match["piece"], "image/jpeg", _SIZE)
    return (_drawn(match["id"], title), found) if found else None


def _drawn(ident: str, title: str) -> Job:
    """What the shelf draws for: media belong to jobs there."""
    return Job(
        id=ident,
        number=0,
        kind="asset",
        body={"prompt": title, "aspect_ratio": "9:16"},
        body_sha256="",
        idempotency_key="",
        credits=0,
        created_at=0,
        starts_at=0,
        ends_at=0,
        running_as="",
        ends_as="completed",
    )


class Library:
    """Its routes. ``link`` makes media URLs."""

    def __init__(self, world: World, link: Link) -> None:
        self._world = world
        self._link = link

    @property
    def routes(self) -> list[tuple[str, re.Pattern[str], Handler]]:
        exact: dict[str, Handler] = {
            "/avatars": self._avatars,
            "/brand": self._brand,
            "/brand/current": self._brand,
            "/assets": self._assets,
        }
        return [
            *(("GET", re.compile(re.escape(route)), act) for route, act in exact.items()),
            ("GET", re.compile(r"/avatars/(?P<id>[^/]+)"), self._one_avatar),
            ("GET", re.compile(r"/assets/(?P<id>[^/]+)"), self._one_asset),
        ]

    def _avatars(self, _request: Request, effects: Effects, _: str) -> Response:
        return _listed([self._avatar(avatar, effects) for avatar in AVATARS], None)

    def _one_avatar(self, _request: Request, effects: Effects, ident: str) -> Response:
        found = next((avatar for avatar in AVATARS if avatar.id == unquote(ident)), None)
        if found is None:
            raise Refusal(404, "No such avatar.")
        return json_answer(200, self._avatar(found, effects))

    def _avatar(self, avatar: Avatar, effects: Effects) -> Json:
        return {
            "id": avatar.id,
            "object": "avatar",
            "name": avatar.name,
            "capabilities": {**avatar.capabilities},
            "preview_image_url": self._link(f"{FOLDER}/{avatar.id}/{_PORTRAIT}", effects),
        }

    def _brand(self, _request: Request, effects: Effects, _: str) -> Response:
        images: list[Json] = [
            {"id": name, "reference_url": self._link(f"{FOLDER}/brand/{name}.jpg", effects)}
            for name in ("logo", "bottle", "shelf")
        ]
        profile: dict[str, Json] = {"tone_of_voice": "calm, exact", "colors": ["#0b3d2e", "#f4efe6"]}
        return json_answer(200, {"id": "brand_lumen", "object": "brand", "name": "Lumen", **profile, "images": images})

    def _assets(self, request: Request, effects: Effects, _: str) -> Response:
        query = {**request.query, **({"cursor": ""} if effects.loop else {})}
        found = search(scenes(self._world), query)
        count = int(_number(query, "limit", 1, LIMIT) or _USUAL)
        start = _after(found, query.get("cursor", ""))
        page = found[start : start + count]
        cursor = _cursor(page[-1][0].id) if page and start + count < len(found) else None
        shown = [self._scene(scene, effects, _told(query, score)) for scene, score in page]
        return _listed(shown, "bG9vcA" if effects.loop else cursor)

    def _one_asset(self, _request: Request, effects: Effects, ident: str) -> Response:
        found = next((scene for scene in scenes(self._world) if scene.id == unquote(ident)), None)
        if found is None:
            raise Refusal(404, "No such asset.")
        return json_answer(200, self._scene(found, effects, None))

    def _scene(self, scene: Scene, effects: Effects, hit: Json) -> Json:
        def url(path: str) -> Json:
            return self._link(path, effects) if path else None

        moment = datetime.fromtimestamp(scene.created_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return {
            "id": scene.id,
            "object": "asset",
            "title": scene.title,
            "created_at": moment,
            "source_type": scene.source_type,
            "segment_type": scene.segment_type or None,
            "media_url": url(scene.media_path),
            "clip_url": url(scene.clip_path),
            "source_media_url": url(scene.source_path),
            "thumbnail_url": url(scene.thumbnail_path),
            "start_time_seconds": scene.start,
            "end_time_seconds": scene.end,
            "metadata": {
                "visual_summary": scene.summary,
                "cta_present": scene.cta_present,
                "transcript": scene.transcript,
                "tags": list(scene.tags),
                "keywords": list(scene.keywords),
                "brand": scene.brand,
                "product": scene.product,
            },
            **({"search": hit} if hit else {}),
        }


# --- Searching --------------------------------------------------------------------------------------------


def search(among: Iterable[Scene], query: Mapping[str, str]) -> list[tuple[Scene, float]]:
    """The scenes that fit all filters of ``query``, each with its score, in the order that it asks for. Raises
    Refusal 400 for a filter that there is not, or a value that it does not take."""
    for name in query:
        if name not in FILTERS:
            _wrong(name, "is not a filter")
    _choice(query, "search_mode", MODES)
    words = query.get("q", "").casefold().split()
    found = [(scene, _score(scene, words)) for scene in among if _fits(scene, query)]
    found = [(scene, score) for scene, score in found if score > 0]
    sort = _choice(query, "sort", SORTS) or ("relevance" if words else "created_at_desc")
    found.sort(key=lambda hit: hit[0].id)
    orders: dict[str, Callable[[tuple[Scene, float]], float]] = {
        "relevance": lambda hit: -hit[1],
        "created_at_desc": lambda hit: -hit[0].created_at,
        "created_at_asc": lambda hit: hit[0].created_at,
        "duration_desc": lambda hit: -hit[0].seconds,
    }
    return sorted(found, key=orders[sort])


def _score(scene: Scene, words: list[str]) -> float:
    """1 where every word is there; without words everything fits."""
    return sum(word in scene.text for word in words) / len(words) if words else 1.0


def _fits(scene: Scene, query: Mapping[str, str]) -> bool:
    cta = _choice(query, "cta_present", ("true", "false"))
    shortest = _number(query, "min_duration_seconds", 0, math.inf)
    longest = _number(query, "max_duration_seconds", 0, math.inf)
    after, before = _moment(query, "created_after"), _moment(query, "created_before")
    return (
        all(_same(query, name, (getattr(scene, name),)) for name in ("source_type", "segment_type", "brand", "product"))
        and _same(query, "tag", scene.tags)
        and _same(query, "keyword", scene.keywords)
        and (not cta or scene.cta_present == (cta == "true"))
        and (shortest is None or scene.seconds >= shortest)
        and (longest is None or scene.seconds <= longest)
        and (after is None or scene.created_at > after)
        and (before is None or scene.created_at < before)
    )


def _same(query: Mapping[str, str], name: str, values: Iterable[str]) -> bool:
    wanted = query.get(name, "").casefold()
    return not wanted or wanted in [value.casefold() for value in values]


def _choice(query: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = query.get(name, "")
    if value and value not in choices:
        _wrong(name, f"must be one of {', '.join(choices)}")
    return value


def _number(query: Mapping[str, str], name: str, low: float, high: float) -> float | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high or math.isinf(value):
        _wrong(name, f"must be a number from {low:g}" + ("" if math.isinf(high) else f" to {high:g}"))
    return value


def _moment(query: Mapping[str, str], name: str) -> float | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        _wrong(name, "must be a date or a date and time")


def _wrong(name: str, what: str) -> NoReturn:
    errors: list[Json] = [{"path": name[:60], "message": what}]
    raise Refusal(400, "The query is not valid.", details={"errors": errors})


def _told(query: Mapping[str, str], score: float) -> Json:
    if not query.get("q"):
        return None
    return {"mode": query.get("search_mode") or "auto", "score": round(score, 3), "query": query["q"]}


def _listed(data: list[Json], cursor: str | None) -> Response:
    return json_answer(200, {"object": "list", "data": data, "has_more": cursor is not None, "next_cursor": cursor})


def _cursor(ident: str) -> str:
    return base64.urlsafe_b64encode(f"after:{ident}".encode()).decode().rstrip("=")


def _after(found: list[tuple[Scene, float]], cursor: str) -> int:
    """Where the page behind ``cursor`` begins. Raises Refusal 400 for a cursor that is not ours."""
    if not cursor:
        return 0
    try:
        word, _, ident = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(":")
    except (binascii.Error, ValueError):
        word, ident = "", ""
    places = [place for place, (scene, _) in enumerate(found, 1) if scene.id == ident]
    if word != "after" or not places:
        _wrong("cursor", "not a cursor")
    return places[0]
