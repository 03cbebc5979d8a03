"""What can be made: one entry a kind holds its route, fields, price, media and the shapes of its answers.

The routes and the shapes of some create answers are in the Sume documentation with an example (image) or in prose
(video: ``job_id``; reference analysis: ``required_credits`` and ``job_id``; face swap: several jobs). The names of the
later kinds' fields, prices, times, and the result's keys beyond ``url`` and ``*_url`` are not: they are made up here,
each in another shape, and a client must not lean on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sumesync.model import Json, Request
from sumesync.sandbox import analysis

ASPECT_RATIO = r"[1-9][0-9]{0,2}:[1-9][0-9]{0,2}"
"""The documentation names 1:1, 4:5 and 9:16; others are made as well."""


@dataclass(frozen=True)
class Field:
    """A field of a create body. ``type`` is JSON Schema's; ``urls`` is an array of https URLs, ``strings`` one of
    distinct names, ``uploaded_url`` the media URL of an upload and ``upload_id`` its id. What was uploaded for such a
    field must have been for ``purpose``; avatars that it names must have ``ability``."""

    name: str
    type: str
    required: bool = False
    low: float | None = None
    high: float | None = None
    pattern: str = ""
    choices: tuple[str, ...] = ()
    purpose: str = ""
    ability: str = ""


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
    """Where a job's things stand: signed media URLs by piece name and of uploads by their id, and the job's own
    URL."""

    media: Callable[[str], str]
    upload: Callable[[str], str]
    job: str
    job_id: str


@dataclass(frozen=True)
class Made:
    """A job as the answer of its create tells it."""

    id: str
    status: str
    body: Request
    credits: float


def _whole(body: Request) -> tuple[Request, ...]:
    return (body,)


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
    answer: Callable[[tuple[Made, ...]], dict[str, Json]]
    """What a create answers, from the jobs that it made."""
    result: Callable[[Request, Links], dict[str, Json]]
    """What ``/jobs/{id}/result`` holds beside the job, its credits and the echoed request."""
    parts: Callable[[Request], tuple[Request, ...]] = _whole
    """The body of each job that a request makes."""

    def piece(self, body: Request, name: str) -> Piece | None:
        return next((piece for piece in self.pieces(body) if piece.name == name), None)


def words(body: Request) -> str:
    """What a request says that can be read: to find it by, and to draw."""
    texts = (body.get(name) for name in ("prompt", "script", "title", "url", "upload_id"))
    listed = body.get("avatar_ids")
    found = next((text for text in texts if isinstance(text, str) and text), "")
    return found or (", ".join(map(str, listed)) if isinstance(listed, list) else "")


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
        Field("reference_image_urls", "urls", purpose="reference_image"),
    ),
    seconds=1.0,
    running="running",
    price=lambda body: 4 * _number(body, "image_count", 1),
    pieces=_image_pieces,
    answer=lambda made: {"object": "image_generation", "job": {"id": made[0].id, "status": made[0].status}},
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
        Field("reference_image_urls", "urls", purpose="reference_image"),
    ),
    seconds=3.0,
    running="processing",
    price=_video_price,
    pieces=_video_pieces,
    answer=lambda made: {"object": "video_generation", "job_id": made[0].id, "status": made[0].status},
    result=_video_result,
)


def _ad_pieces(body: Request) -> tuple[Piece, ...]:
    """As long as its script takes to say, where nothing is told."""
    spoken = min(max(len(str(body.get("script") or "").split()) / 2.5, 4), 30)
    return (
        Piece("1.mp4", "video/mp4", _video_size(body), _number(body, "duration", round(spoken)), True),
        Piece("thumbnail.jpg", "image/jpeg", _video_size(body)),
    )


def _ad_result(body: Request, links: Links) -> dict[str, Json]:
    clip = _ad_pieces(body)[0]
    return {
        "object": "ad_video_result",
        "data": {
            "video": {"media_url": links.media(clip.name), "content_type": clip.media_type, "duration": clip.seconds},
            "preview_url": links.media("thumbnail.jpg"),
            "avatar": {"id": body.get("avatar_id"), "avatar_image_url": links.media("thumbnail.jpg")},
        },
    }


def _ad_answer(made: tuple[Made, ...]) -> dict[str, Json]:
    job = made[0]
    return {"data": {"id": job.id, "object": "job", "type": "ad_video", "status": job.status}}


_AD_VIDEO = Kind(
    name="ad-video",
    route="/ads/videos",
    type="ad_video",
    fields=(
        Field("avatar_id", "string", low=1, ability="ugc_ad"),
        Field("script", "string", required=True, low=1),
        Field("reference_image_urls", "urls", purpose="reference_image"),
        Field("aspect_ratio", "string", pattern=ASPECT_RATIO),
        Field("duration", "number", low=1, high=60),
        Field("resolution", "string"),
    ),
    seconds=4.0,
    running="processing",
    price=lambda body: 10 * _ad_pieces(body)[0].seconds,
    pieces=_ad_pieces,
    answer=_ad_answer,
    result=_ad_result,
)


def _swap_answer(made: tuple[Made, ...]) -> dict[str, Json]:
    jobs: list[Json] = [
        {"id": job.id, "object": "job", "status": job.status, "avatar_id": _avatars(job.body)[0]} for job in made
    ]
    return {"object": "face_swap", "jobs": jobs, "required_credits": sum(job.credits for job in made)}


def _avatars(body: Request) -> list[Json]:
    listed = body.get("avatar_ids")
    return listed if isinstance(listed, list) else []


_SWAP_PIECES = (Piece("1.mp4", "video/mp4", (480, 854), 4), Piece("thumbnail.jpg", "image/jpeg", (480, 854)))

_FACE_SWAP = Kind(
    name="face-swap",
    route="/face-swap",
    type="face_swap",
    fields=(
        Field("source_video_url", "uploaded_url", required=True, purpose="face_swap_source_video"),
        Field("avatar_ids", "strings", required=True, low=1, high=100, ability="face_swap"),
    ),
    seconds=3.0,
    running="running",
    price=lambda body: 30.0,
    pieces=lambda body: _SWAP_PIECES,
    answer=_swap_answer,
    result=lambda body, links: {
        "object": "face_swap_result",
        "avatar_id": _avatars(body)[0],
        "source_video_url": body.get("source_video_url"),
        "outputs": [{"url": links.media("1.mp4"), "type": "video", "poster_url": links.media("thumbnail.jpg")}],
    },
    parts=lambda body: tuple({**body, "avatar_ids": [avatar]} for avatar in _avatars(body)),
)

_REFERENCE_ANALYSIS = Kind(
    name="reference-analysis",
    route="/reference-analysis",
    type="reference_analysis",
    fields=(
        Field(
            "url",
            "string",
            required=True,
            pattern=r"https://([a-z0-9-]+\.)*(tiktok|instagram)\.com/[^\s]+",
        ),
    ),
    seconds=2.0,
    running="processing",
    price=lambda body: 5.0,
    pieces=lambda body: tuple(Piece(name, "image/jpeg", (360, 640)) for name in analysis.FRAMES),
    answer=lambda made: {
        "object": "reference_analysis",
        "required_credits": made[0].credits,
        "job_id": made[0].id,
        "status": made[0].status,
    },
    result=lambda body, links: {
        "object": "reference_analysis_result",
        "analysis": analysis.document(str(body.get("url")), links.media),
    },
)


def asset_id(job_id: str) -> str:
    """Of the asset that an ingest job makes."""
    return f"asset_{job_id.removeprefix('job_')}"


def _asset_result(body: Request, links: Links) -> dict[str, Json]:
    """References to what was taken in: no output of the job's own."""
    url = links.upload(str(body.get("upload_id")))
    return {
        "object": "asset_ingest_result",
        "asset_id": asset_id(links.job_id),
        "asset": {
            "id": asset_id(links.job_id),
            "object": "asset",
            "title": body.get("title") or "",
            "media_url": url,
            "source_media_url": url,
        },
        "upload_id": body.get("upload_id"),
        "scenes": 1,
    }


def _asset_answer(made: tuple[Made, ...]) -> dict[str, Json]:
    job = made[0]
    return {"object": "asset", "id": asset_id(job.id), "status": "processing", "job_id": job.id}


INGEST = "asset-upload"
"""The kind whose jobs put an upload into the library."""

_ASSET_UPLOAD = Kind(
    name=INGEST,
    route="/assets",
    type="asset_ingest",
    fields=(
        Field("upload_id", "upload_id", required=True, purpose="asset"),
        Field("title", "string", low=1),
    ),
    seconds=2.0,
    running="running",
    price=lambda body: 1.0,
    pieces=lambda body: (),
    answer=_asset_answer,
    result=_asset_result,
)

KINDS: Mapping[str, Kind] = MappingProxyType(
    {kind.name: kind for kind in (_IMAGE, _VIDEO, _AD_VIDEO, _FACE_SWAP, _REFERENCE_ANALYSIS, _ASSET_UPLOAD)}
)
