"""Readers of jobs: their ids, their state, and pages of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from sumesync.answers import JobPage, JobView
from sumesync.api.reading import (
    Unreadable,
    as_list,
    as_object,
    number_of,
    private_texts,
    shown,
    snake,
    text_of,
    walk,
)
from sumesync.core.echo import TEXTS
from sumesync.core.text import without_secrets, without_signed_urls
from sumesync.model import Json

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:\-]{0,199}")
_TOKEN = re.compile(r"[A-Za-z0-9_\-]{16,128}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:\-]{1,128}")
_CURSOR_LIMIT = 2_000

_JOB_STATUSES = frozenset(
    [
        "queued",
        "pending",
        "accepted",
        "created",
        "running",
        "processing",
        "in_progress",
        "completed",
        "failed",
        "canceled",
        "expired",
    ]
)
_NOT_JOBS = frozenset(
    [
        "asset",
        "upload",
        "list",
        "user",
        "workspace",
        "api_key",
        "brand",
        "avatar",
        "error",
        "event",
        "request",
        "file",
    ]
)

_ASKED_LIMIT = 20_000  # of a longer prompt the rest is taken as cut
_WRAPPERS = frozenset(["data", "job"])
_REQUESTS = frozenset(["request", "input", "inputs", "params", "parameters", "body", "payload", "arguments"])

# Names by which a job may tell its cost; undocumented, the likeliest first.
_SPENT = (
    "credits_used",
    "credits_charged",
    "credits_spent",
    "credit_cost",
    "credits_cost",
    "cost_credits",
    "credits",
    "required_credits",
    "cost",
)
_SPENT_BESIDE = tuple(name for name in _SPENT if name != "credits")
"""Beside a job ``credits`` alone may as well be the balance."""
_SPENT_PARTS = ("used", "charged", "spent", "total", "amount", "value", "credits")


def is_job_id(text: str) -> bool:
    """Whether ``text`` is safe as a job id: in a URL, in a file name, on a command line."""
    return _ID.fullmatch(text) is not None and ".." not in text


def request_id_of(*candidates: Json, secrets: Iterable[str] = ()) -> str | None:
    """The first of ``candidates`` that looks like a request id, and holds no secret: it is shown and committed."""
    hidden = tuple(secrets)
    fit = (c for c in candidates if isinstance(c, str) and _REQUEST_ID.fullmatch(c) and without_secrets(c, hidden) == c)
    return next(fit, None)


def job_ids(payload: Json) -> tuple[str, ...]:
    """The ids of the jobs that a create answer tells of, in its order, each once; () when none.

    They stand at ``job.id`` (seen), ``job_id`` (told), ``jobs[].id``, ``job_ids[]`` or ``id``, each
    possibly inside ``data`` (sister), or as those of an ``ingest_job`` (tolerated). A bare ``id`` counts only
    where no other form is found, and only on an object that can be a job: not on ``{"object": "asset", "id": …}``.
    A list envelope tells of no created job: it would be the jobs of the whole workspace.

    Raises Unreadable when any of them is not a possible id (``../x``): of several jobs none may be lost.
    """
    levels = list(_levels(payload))
    ids = [name for level in levels for name in _named(level) if name]
    if not ids:
        ids = [_scalar(level["id"]) for level in levels if _may_be_a_job(level)]
    good = tuple(dict.fromkeys(filter(is_job_id, ids)))
    if len(good) != len(set(ids)):
        raise Unreadable("the answer names a job by something that is not an id", good)
    return good


def _levels(payload: Json) -> Iterator[dict[str, Json]]:
    for _ in range(3):
        if isinstance(payload, list):
            yield from (item for item in payload if isinstance(item, dict))
            return
        if not isinstance(payload, dict) or _is_envelope(payload):
            return
        yield payload
        payload = payload.get("data")


def _is_envelope(value: Mapping[str, Json]) -> bool:
    return value.get("object") == "list" or "has_more" in value or "next_cursor" in value


def _named(level: Mapping[str, Json]) -> Iterator[str]:
    for name in ("job", "ingest_job"):
        yield _id_of(level.get(name))
        yield _scalar(level.get(f"{name}_id"))
    for item in [*as_list(level.get("jobs")), *as_list(level.get("job_ids"))]:
        yield _id_of(item) or "?"  # a job without a name is no id either, and must not be lost


def _id_of(value: Json) -> str:
    if isinstance(value, dict):
        return _scalar(value.get("id")) or _scalar(value.get("job_id"))
    return _scalar(value)


def _scalar(value: Json) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _may_be_a_job(level: Mapping[str, Json]) -> bool:
    if not _scalar(level.get("id")):
        return False
    words = {text_of(level, name).lower() for name in ("object", "type", "kind")}
    if words & _NOT_JOBS:
        return False
    status = text_of(level, "status", "state").lower()
    if level.get("error") and not status:
        return False
    what = text_of(level, "object").lower()
    return not what or what.endswith(("job", "generation")) or status in _JOB_STATUSES


def job_view(payload: Json, asked: str = "", secrets: Iterable[str] = (), echoes: bool = True) -> JobView:
    """A job as ``GET /jobs/{id}`` or an item of a list shows it.

    ``asked`` is the id in the URL: it stands in for an absent one. ``secrets``, and what the answer itself calls
    private, are in none of its texts. ``echoes``: with what it tells of its request. Raises Unreadable when there is no
    job in ``payload``, or another job than the one asked for.
    """
    job = job_object(payload)
    ident = _id_of(job) or asked
    if not job or not is_job_id(ident):
        raise Unreadable("the answer holds no job")
    if asked and ident != asked:
        raise Unreadable("the answer is about another job than the one asked for")
    error = job.get("error")
    details = as_object(error)
    message = error if isinstance(error, str) else text_of(details, "message", "detail", "reason")
    kind = text_of(job, "type", "kind") or text_of(job, "object")
    hidden = (*secrets, *private_texts(payload))
    return JobView(
        id=ident,
        status=shown(text_of(job, "status", "state"), hidden, limit=40),
        type="" if kind == "job" else shown(kind, hidden, limit=60),
        created_at=_moment(job.get("created_at", job.get("created")), hidden),
        credits=cost_of(payload),
        error_code=shown(text_of(details, "code", "type") or text_of(job, "error_code"), hidden, limit=80),
        error_message=shown(message or text_of(job, "error_message", "failure_reason"), hidden),
        request_id=request_id_of(details.get("request_id"), job.get("request_id"), secrets=hidden),
        tokens=_tokens(job) if echoes else frozenset(),
        asked={name: _safe(value, hidden) for name, value in asked_for(payload).items()} if echoes else {},
    )


def _tokens(job: Json) -> frozenset[str]:
    """Whatever in it could be a key that we sent."""
    return frozenset(value for _, value in walk(job) if isinstance(value, str) and _TOKEN.fullmatch(value))


def asked_for(payload: Json) -> dict[str, Json]:
    """What an answer about one job tells of its request: nothing of it is documented. The fields of a table such as
    ``request`` in the job or beside it, and a prompt on the job itself. The table counts more: it is likelier whole."""
    found: dict[str, Json] = {}
    beside: dict[str, Json] = {}
    for path, value in walk(payload):
        *above, name = (snake(key) if isinstance(key, str) else "" for key in path)
        if not isinstance(value, str | int | float) or not set(above) <= _WRAPPERS | _REQUESTS:
            continue
        if _REQUESTS.intersection(above):
            found.setdefault(name, value)
        elif name in TEXTS:
            beside.setdefault(name, value)
    return beside | found


def _safe(value: Json, secrets: Iterable[str]) -> Json:
    return without_secrets(without_signed_urls(value[:_ASKED_LIMIT]), secrets) if isinstance(value, str) else value


def job_object(payload: Json) -> dict[str, Json]:
    """The job itself: bare, or within up to three wrappers named ``job`` or ``data``; {} where it is deeper."""
    for _ in range(4):
        source = as_object(payload)
        if isinstance(source.get("job"), dict):
            payload = source["job"]
        elif isinstance(source.get("data"), dict) and not text_of(source, "status", "state"):
            payload = source["data"]
        else:
            return source
    return {}


def _moment(value: Json, hidden: Iterable[str]) -> str:
    if isinstance(value, bool):
        return ""
    return shown(str(value), hidden, limit=40) if isinstance(value, str | int | float) else ""


def created_cost(payload: Json) -> float | None:
    """The credits that a create answer tells for all of its jobs together; None when it does not.

    They stand beside the jobs, or with each of them. Where both do and differ, the larger figure counts.
    """
    found: list[float | None] = []
    for level in _levels({"data": payload} if isinstance(payload, list) else payload):
        listed = as_list(level.get("jobs")) or as_list(level.get("data"))
        holders = [as_object(item) for item in (listed or [level.get("job")])]
        each = [spent(holder) for holder in holders]
        found.append(sum(figure for figure in each if figure is not None) if None not in each else None)
        found.append(spent(level, _SPENT_BESIDE))
    return max((figure for figure in found if figure is not None), default=None)


def cost_of(payload: Json) -> float | None:
    """The credits that an answer about one job, or its result, tells it to have cost: in the job, or beside it."""
    found = (spent(job_object(payload)), *(spent(level, _SPENT_BESIDE) for level in _levels(payload)))
    return next((figure for figure in found if figure is not None), None)


def spent(source: Mapping[str, Json], names: tuple[str, ...] = _SPENT) -> float | None:
    """The credits that a job or its result tells to have cost, by one of ``names``; None when it does not."""
    holders = (source, as_object(source.get("usage")), as_object(source.get("billing")))
    for holder in filter(None, holders):
        for name in names:
            if (value := holder.get(name)) is None:
                continue
            parts = as_object(value)
            found = [number_of(value), *(number_of(parts.get(part)) for part in _SPENT_PARTS)]
            figure = next((f for f in found if f is not None and f >= 0), None)
            if figure is not None:
                return figure
    return None


def job_page(
    payload: Json,
    asked_cursor: str | None = None,
    secrets: Iterable[str] = (),
    only: Collection[str] | None = None,
) -> JobPage:
    """A page of ``GET /jobs``: ``{"object":"list","data":[…],"has_more":…,"next_cursor":…}`` (seen for
    assets), or its sisters with ``jobs``, ``items``, a bare list, or all of it inside ``data``.

    Items that are no readable job are left out, and where ``only`` says which ids somebody waits for, all others, and
    what those echo of their requests: reading that is a hundred looks at what it may hold. A cursor that leads back to
    the page itself is none. Raises Unreadable when there is no list at all.
    """
    items, cursor = page_items(payload, "jobs", asked_cursor)
    return JobPage(tuple(_views(items, tuple(secrets), only)), cursor)


def page_items(payload: Json, noun: str, asked_cursor: str | None = None) -> tuple[list[Json], str | None]:
    """The items of a list answer and the cursor of its next page, in any of the envelopes of ``job_page``; ``noun``
    ("jobs") is another name that the list may have. Raises Unreadable when there is no list at all."""
    envelopes = [payload, as_object(payload).get("data")]
    for envelope in envelopes:
        items = envelope if isinstance(envelope, list) else _items(as_object(envelope), noun)
        if items is not None:
            cursor = _cursor([as_object(e) for e in envelopes])
            return items, None if cursor == asked_cursor else cursor
    raise Unreadable(f"the answer holds no list of {noun}")


def _items(envelope: Mapping[str, Json], noun: str) -> list[Json] | None:
    lists = (envelope[name] for name in ("data", noun, "items", "results") if isinstance(envelope.get(name), list))
    found = next(lists, None)
    return found if isinstance(found, list) else None


def _views(items: list[Json], secrets: tuple[str, ...], only: Collection[str] | None) -> Iterator[JobView]:
    for item in items:
        if only is not None and _id_of(job_object(item)) not in only:
            continue
        try:
            yield job_view(item, secrets=secrets, echoes=only is None)
        except Unreadable:
            continue


def _cursor(envelopes: list[dict[str, Json]]) -> str | None:
    nested = [as_object(e.get(name)) for e in envelopes for name in ("pagination", "page", "meta", "paging")]
    for place in [*envelopes, *nested]:
        if place.get("has_more") is False:
            return None
        cursor = _scalar(place.get("next_cursor")) or _scalar(place.get("cursor_next"))
        if 0 < len(cursor) <= _CURSOR_LIMIT:
            return cursor
    return None
