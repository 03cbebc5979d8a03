"""The media of a job's result, told apart from the other URLs that stand beside them; and all of it as a document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sumesync.answers import JobResult
from sumesync.api.documents import document_of
from sumesync.api.jobs import cost_of
from sumesync.api.reading import Path, Unreadable, snake, walk
from sumesync.model import Json

_LINKS = frozenset(
    [
        "status_url",
        "result_url",
        "events_url",
        "callback_url",
        "webhook_url",
        "api_url",
        "upload_url",
        "cancel_url",
        "dashboard_url",
        "docs_url",
        "help_url",
        "self_url",
        "next_url",
        "prev_url",
    ]
)
_INPUT_KEYS = frozenset(
    ["request", "input", "inputs", "params", "parameters", "arguments", "references", "sources", "error"]
)
_INPUT_STARTS = ("reference_", "source_", "input_", "request_")
_STAND_INS = frozenset(["thumbnail", "thumbnails", "thumb", "thumbs", "preview", "previews", "poster", "posters"])
# Whole names only: the output of a talking avatar may well be its avatar_video_url.
_AVATARS = frozenset(["avatar", "avatars", "avatar_url", "avatar_urls", "avatar_image_url", "avatar_image_urls"])
_ECHOES = frozenset(["request"])
_URL_LISTS = frozenset(["urls", "outputs", "images", "videos", "media", "files"])


def _is_no_output(key: str) -> bool:
    name = snake(key)
    return (
        name in _LINKS
        or name in _INPUT_KEYS
        or name in _AVATARS
        or name.startswith(_INPUT_STARTS)
        or not _STAND_INS.isdisjoint(name.split("_"))
    )


def job_result(payload: Json, sent: Iterable[str] = (), secrets: Iterable[str] = (), whole: bool = False) -> JobResult:
    """The media URLs of ``GET /jobs/{id}/result`` in document order, each once, and the cost if told.

    They are the values of ``url`` and ``…_url`` (told) and the strings of lists named ``…_urls``, ``urls``,
    ``outputs``, ``images``, ``videos``, ``media`` or ``files`` (tolerated), except links into
    the API, thumbnails and other stand-ins, and inputs that are echoed: by their place, or because the
    URL (with or without its query) is one of ``sent``. A ``download_url`` beside a ``url`` or
    ``media_url`` is another way to the same file. ``whole``: beside them, all that it tells as a document, without the
    echoed request: that is ours, and names places of private uploads. Raises Unreadable when it is no object or list.
    """
    if not isinstance(payload, dict | list):
        raise Unreadable("the answer holds no result")
    echoed = {form for url in sent for form in (url, _bare(url))}
    found = [it for it in _url_values(payload) if it[2] not in echoed and _bare(it[2]) not in echoed]
    mains = {place for place, key, _ in found if key in ("url", "media_url")}
    urls: dict[str, None] = {}
    files: set[tuple[Path, str]] = set()
    for place, key, url in found:
        if (place, _bare(url)) in files or (key == "download_url" and place in mains):
            continue
        files.add((place, _bare(url)))
        urls[url] = None
    told = document_of(payload, secrets, leave_out=_ECHOES) if whole else {}
    return JobResult(tuple(urls), cost_of(payload), told if isinstance(told, dict) else {"data": told})


def _url_values(payload: Json) -> Iterator[tuple[Path, str, str]]:
    """(the path of the object that holds it, its key, the URL); each item of a list is its own object."""
    for path, value in walk(payload, _is_no_output):
        if not isinstance(value, str) or not value.lower().startswith(("https://", "http://")):
            continue
        name = path[-1]
        if isinstance(name, str) and (snake(name) == "url" or snake(name).endswith("_url")):
            yield path[:-1], snake(name), value
        elif isinstance(name, int) and _is_url_list(path[:-1]):
            yield path, "url", value


def _is_url_list(path: Path) -> bool:
    name = snake(str(path[-1])) if path else ""
    return name in _URL_LISTS or name.endswith("_urls")


def _bare(url: str) -> str:
    return re.split(r"[?#]", url, maxsplit=1)[0]
