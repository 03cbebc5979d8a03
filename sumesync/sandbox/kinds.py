"""What can be made: one entry a kind holds its route, fields, price, media and the shapes of its answers.

The routes and the shapes of the two create answers are in the Sume documentation with an example (image)
or in prose (video: ``job_id``). Prices, times, and the result's keys beyond ``url`` and ``*_url`` are not:
they are made up here, and a client must not lean on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sumesync.model import Json, Request

ASPECT_RATIO = r"[1-9][0-9]{0,2}:[1-9][0-9]{0,2}"
"""The documentation names 1:1, 4:5 and 9:16; others are made as well."""


@dataclass(frozen=True)
class Field:
    """A field of a create body. ``type`` is JSON Schema's; ``urls`` is an array of https URLs."""

    name: str
    type: str
    required: bool = False
    low: float | None = None
    high: float | None = None
    pattern: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Piece:
    """A media file of a result. ``size`` is width x height in pixels; a picture has 0 seconds."""

    name: str
    media_type: str
    size: tuple[int, int]
    seconds: float = 0
    audio: bool = False


@dataclass(frozen=True)
class Links:
    """Where a job's things stand: signed media URLs by piece name, and the job's own URL."""

    media: Callable[[str], str]
    job: str


@dataclass(frozen=True)
class Kind:
    """``seconds`` is how long a job runs, ``running`` the documented word that it shows meanwhile."""

    name: str
    route: str
    type: str
    fields: tuple[Field, ...]
    seconds: float
    running: str
    price: Callable[[Request], float]
    pieces: Callable[[Request], tuple[Piece, ...]]
    answer: Callable[[str, str], dict[str, Json]]
    """From the job's id and status: what a create answers."""
    result: Callable[[Request, Links], dict[str, Json]]
    """What ``/jobs/{id}/result`` holds beside the job, its credits and the echoed request."""

    def piece(self, body: Request, name: str) -> Piece | None:
        return next((piece for piece in self.pieces(body) if piece.name == name), None)


def of(name: str) -> Kind:
    """KeyError for a kind that this sandbox does not know."""
    return KINDS[name]


def by_route(route: str) -> Kind | None:
    return next((kind for kind in KINDS.values() if kind.route == route), None)


def _number(body: Request, name: str, default: float) -> float:
    value = body.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else default


def _ratio(body: Request, default: str) -> tuple[int, int]:
    across, _, down = str(body.get("aspect_ratio") or default).partition(":")
    return int(across), int(down)


def _image_size(body: Request) -> tuple[int, int]:
    """About 0.6 megapixels, never thinner than 1:4."""
    across, down = _ratio(body, "1:1")
    known = {(1, 1): (768, 768), (4, 5): (768, 960), (9, 16): (720, 1280)}
    if (across, down) in known:
        return known[across, down]
    slim = min(max(across / down, 0.25), 4.0) ** 0.5
    return _even(800 * slim), _even(800 / slim)


def _video_size(body: Request) -> tuple[int, int]:
    """The resolution's name is the shorter side; never longer than four times that."""
    across, down = _ratio(body, "9:16")
    short = 720 if body.get("resolution") == "720p" else 480
    long = _even(min(short * max(across, down) / min(across, down), short * 4))
    return (long, short) if across > down else (short, long)


def _even(length: float) -> int:
    return round(length / 2) * 2


def _image_pieces(body: Request) -> tuple[Piece, ...]:
    count = int(_number(body, "image_count", 1))
    size = _image_size(body)
    return (
        *(Piece(f"{number}.png", "image/png", size) for number in range(1, count + 1)),
        Piece("thumbnail.jpg", "image/jpeg", size),
    )


def _image_result(body: Request, links: Links) -> dict[str, Json]:
    images: list[Json] = [
        {
            "url": links.media(piece.name),
            "width": piece.size[0],
            "height": piece.size[1],
            "content_type": piece.media_type,
        }
        for piece in _image_pieces(body)
        if piece.media_type == "image/png"
    ]
    return {"object": "image_result", "images": images, "thumbnail_url": links.media("thumbnail.jpg")}


def _video_pieces(body: Request) -> tuple[Piece, ...]:
    size = _video_size(body)
    seconds = _number(body, "duration", 5)
    return (
        Piece("1.mp4", "video/mp4", size, seconds, body.get("generate_audio") is True),
        Piece("thumbnail.jpg", "image/jpeg", size),
    )


def _video_result(body: Request, links: Links) -> dict[str, Json]:
    clip = _video_pieces(body)[0]
    return {
        "object": "video_result",
        "video_url": links.media(clip.name),
        "thumbnail_url": links.media("thumbnail.jpg"),
        "status_url": links.job,
        "content_type": clip.media_type,
        "duration": clip.seconds,
        "width": clip.size[0],
        "height": clip.size[1],
    }


def _video_price(body: Request) -> float:
    return _number(body, "duration", 5) * (8 if body.get("resolution") == "720p" else 4)


_IMAGE = Kind(
    name="image",
    route="/images/generations",
    type="image_generation",
    fields=(
        Field("prompt", "string", required=True, low=1),
        Field("aspect_ratio", "string", pattern=ASPECT_RATIO),
        Field("image_count", "integer", low=1, high=4),
        Field("resolution", "string"),
        Field("quality", "string"),
        Field("reference_image_urls", "urls"),
    ),
    seconds=1.0,
    running="running",
    price=lambda body: 4 * _number(body, "image_count", 1),
    pieces=_image_pieces,
    answer=lambda job_id, status: {"object": "image_generation", "job": {"id": job_id, "status": status}},
    result=_image_result,
)

_VIDEO = Kind(
    name="video",
    route="/videos/generations",
    type="video_generation",
    fields=(
        Field("prompt", "string", required=True, low=1),
        Field("aspect_ratio", "string", pattern=ASPECT_RATIO),
        Field("duration", "number", low=4, high=15),
        Field("resolution", "string", choices=("480p", "720p")),
        Field("generate_audio", "boolean"),
    ),
    seconds=3.0,
    running="processing",
    price=_video_price,
    pieces=_video_pieces,
    answer=lambda job_id, status: {"object": "video_generation", "job_id": job_id, "status": status},
    result=_video_result,
)

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in (_IMAGE, _VIDEO)})
