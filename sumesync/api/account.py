"""Readers of ``GET /me`` and ``GET /credits``. The field names of the latter are not documented."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from sumesync.answers import Account, Credits
from sumesync.api.reading import Unreadable, as_list, as_object, number_of, private_texts, shown, snake, text_of, walk
from sumesync.model import Json

# Likely names, the likeliest first; a dict under one of them is looked into by the second list.
_REMAINING = [
    "remaining_credits",
    "credits_remaining",
    "total_remaining",
    "remaining",
    "available_credits",
    "credits_available",
    "credit_balance",
    "balance",
    "available",
    "total_credits",
    "credits",
]
_REMAINING_PARTS = ["total", "remaining", "available", "balance", "amount", "value"]
_CAPACITY = [
    "active_generation_capacity",
    "generation_capacity",
    "max_concurrent_jobs",
    "max_concurrent_generations",
    "max_concurrent",
    "concurrency_limit",
    "max_concurrency",
    "concurrent_limit",
    "concurrency",
    "capacity",
]
_CAPACITY_PARTS = ["limit", "max", "maximum", "total", "capacity", "allowed", "value"]
_ACTIVE = ["active_generations", "active_jobs", "active_count", "running_jobs", "jobs_in_flight", "in_flight"]
_ACTIVE_PARTS = ["active", "in_use", "used", "in_flight", "running", "current"]
_PLAN = ["plan_name", "plan", "tier", "subscription"]
_PLAN_PARTS = ["name", "title", "label", "slug", "tier", "id"]

_PRIVATE = frozenset(
    [
        "id",
        "ids",
        "email",
        "secret",
        "token",
        "password",
        "url",
        "urls",
        "uuid",
        "prefix",
        "key",
        "keys",
        "user",
        "workspace",
        "owner",
        "api_key",
    ]
)
_FIGURES = 100  # as many as a person would read
_PREFIX = re.compile(r"[\x21-\x7e]{1,32}")


def read_account(payload: Json, secrets: Iterable[str] = ()) -> Account:
    """``GET /me``: ``user``, ``workspace`` and ``api_key`` (seen), possibly inside ``data`` (sister).

    Raises Unreadable when it is no object; any field may be missing.
    """
    root = _root(payload, "the answer tells of no account")
    workspace, key = as_object(root.get("workspace")), as_object(root.get("api_key"))
    raw_id = workspace.get("id", root.get("workspace_id", key.get("workspace_id")))
    prefix = text_of(key, "prefix", "key_prefix")
    hidden = (*secrets, *private_texts(payload))
    return Account(
        workspace_id=str(raw_id) if isinstance(raw_id, str | int) and not isinstance(raw_id, bool) else None,
        workspace_name=_name(workspace, hidden, "name", "title", "slug"),
        user_name=_name(as_object(root.get("user")), hidden, "name", "full_name", "display_name", "username"),
        key_prefix=prefix if _PREFIX.fullmatch(prefix) else None,
        scopes=_scopes(key.get("scopes", root.get("scopes")), hidden),
    )


def _root(payload: Json, why: str) -> dict[str, Json]:
    if not isinstance(payload, dict):
        raise Unreadable(why)
    data = payload.get("data")
    return data if isinstance(data, dict) else payload


def _name(source: Mapping[str, Json], hidden: Iterable[str], *names: str) -> str | None:
    return shown(text_of(source, *names), hidden, limit=120) or None


def _scopes(value: Json, hidden: Iterable[str]) -> tuple[str, ...]:
    words = value.replace(",", " ").split() if isinstance(value, str) else as_list(value)
    return tuple(shown(word, hidden, limit=80) for word in words[:_FIGURES] if isinstance(word, str))


def read_credits(payload: Json, secrets: Iterable[str] = ()) -> Credits:
    """``GET /credits``: what is there, under whichever name. Raises Unreadable when it is no object.

    A capacity below 1 is "not told": it would stop every run without a reason that anybody could see.
    """
    root = _root(payload, "the answer tells of no credits")
    hidden = (*secrets, *private_texts(payload))
    objects = list(islice(_objects(root), _FIGURES))
    capacity = _whole(_figure(objects, _CAPACITY, _CAPACITY_PARTS))
    active = _figure(objects, _ACTIVE, [])
    if active is None:
        active = _figure(objects, _CAPACITY, _ACTIVE_PARTS, only_parts=True)
    return Credits(
        remaining=_figure(objects, _REMAINING, _REMAINING_PARTS),
        capacity=capacity if capacity and capacity > 0 else None,
        active=_whole(active),
        plan=_plan(root, hidden),
        figures=dict(_figures(root, hidden)),
    )


def _objects(root: dict[str, Json]) -> Iterator[dict[str, Json]]:
    """The outermost objects, their names spelt one way."""
    yield _snaked(root)
    for path, value in walk(root):
        if isinstance(value, dict) and len(path) <= 3:
            yield _snaked(value)


def _snaked(value: Json) -> dict[str, Json]:
    return {snake(key): item for key, item in as_object(value).items()}


def _figure(
    objects: list[dict[str, Json]], names: list[str], parts: list[str], only_parts: bool = False
) -> float | None:
    """The figure of the first of ``names`` that any object has: outer objects before inner ones."""
    for name in names:
        for place in objects:
            value = place.get(name)
            nested = _snaked(value)
            tries = [number_of(nested.get(part)) for part in parts]
            found = [*([] if only_parts else [number_of(value)]), *tries]
            figure = next((f for f in found if f is not None), None)
            if figure is not None:
                return figure
    return None


def _whole(value: float | None) -> int | None:
    return int(value) if value is not None and value >= 0 else None


def _plan(root: Mapping[str, Json], hidden: Iterable[str]) -> str | None:
    for name in _PLAN:
        value = root.get(name)
        plan = value if isinstance(value, str) else text_of(as_object(value), *_PLAN_PARTS)
        if plan.strip():
            return shown(plan, hidden, limit=80)
    return None


def _figures(root: dict[str, Json], hidden: Iterable[str]) -> Iterator[tuple[str, Json]]:
    count = 0
    for path, value in walk(root, _is_private):
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            continue
        count += 1
        if count > _FIGURES:
            return
        name = shown(".".join(map(str, path)), hidden, limit=120)
        yield name, shown(value, hidden, limit=120) if isinstance(value, str) else value


def _is_private(key: str) -> bool:
    return not _PRIVATE.isdisjoint((snake(key), *snake(key).split("_"))) or snake(key) == "object"
