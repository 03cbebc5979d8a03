"""Requests held against the copy that ``schema refresh`` keeps. What differs is told, and changes nothing."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from sumesync.cli import access, wiring
from sumesync.cli.options import Common
from sumesync.cli.session import Place, Session
from sumesync.cli.talk import secrets
from sumesync.core import contract, toml
from sumesync.core.action import Plan
from sumesync.core.contract import Contract, Unfit
from sumesync.core.locate import Locator
from sumesync.core.text import count, printable, without_keys
from sumesync.core.validate import Finding
from sumesync.disk import contract as copies
from sumesync.disk.project import read_bytes
from sumesync.errors import Problem, UsageError
from sumesync.host import SystemClock
from sumesync.model import SANDBOX, EntryKey, Wanted
from sumesync.render import human, machine


def refresh(common: Common) -> None:
    """Fetch the API's OpenAPI document and keep it. What is no such document leaves the copy as it was."""
    place = wiring.find(common)
    with wiring.connected(common, place) as api:
        document = api.openapi()
        origin = SANDBOX if place.endpoint == SANDBOX else api.origin
    now = datetime.datetime.fromtimestamp(SystemClock().now(), datetime.UTC)
    try:
        contract.check(document)
        text = contract.render(Contract(origin, now.isoformat(timespec="seconds"), document))
    except Unfit as error:
        raise UsageError(
            f"what Sume answered for /openapi.json cannot be kept: {error}", "nothing was changed"
        ) from None
    copies.keep(place.home, without_keys(text, secrets()))
    routes = {kind.name: kind.route for kind in place.schemas.kinds.values() if not kind.free}
    missing = [name for name, route in routes.items() if not contract.describes(document, route, _base(origin))]
    if common.talk.as_json:
        told: dict[str, Any] = {"path": copies.path(place.home), "origin": origin, "not_described": missing}
        common.talk.out(machine.dump(told))
        return
    common.talk.say(
        f"Kept in {copies.path(place.home)}; validate, plan and apply now hold requests against it, too.\n"
        f"It describes {len(routes) - len(missing)} of {count(len(routes), 'kind')}"
        + (f"; not {printable(', '.join(missing), 200)}." if missing else ".")
    )


def differences(common: Common, session: Session, wanted: Iterable[Wanted]) -> tuple[Problem, ...]:
    """What of these requests differs from the kept copy, located in their specs; () without a copy of this origin."""
    found = _copy(common, session.place)
    if found is None:
        return ()
    told: dict[Problem, None] = {}
    for one in wanted:
        kind = session.place.schemas.kinds[one.kind]
        if kind.free:
            continue
        body = contract.stood_in(one.request, one.inputs, kind)
        differs = contract.differences(found.document, kind.route, body, _base(found.origin))
        told |= dict.fromkeys(_located(session.place, one, differs)) if differs else {}
    return tuple(told)


def of_plan(common: Common, session: Session, plan_: Plan) -> tuple[Problem, ...]:
    """Those of the requests that a plan would pay for."""
    paying = {action.key for action in plan_.actions if action.pays}
    return differences(common, session, _those(session, paying)) if paying else ()


def of_all(common: Common, session: Session, plan_: Plan) -> tuple[Problem, ...]:
    return differences(common, session, _those(session, {action.key for action in plan_.actions}))


def tell(common: Common, found: tuple[Problem, ...]) -> None:
    """On stderr, for people."""
    for problem in found:
        common.talk.say(
            common.talk.style_err("warning: ", fg="yellow") + human.problems([problem], common.talk.style_err)
        )


def as_json(found: tuple[Problem, ...]) -> dict[str, Any]:
    """For a document of JSON: nothing where there is nothing to tell."""
    return {"warnings": [machine.problem(problem) for problem in found]} if found else {}


def _copy(common: Common, place: Place) -> Contract | None:
    try:
        found = copies.load(place.home)
    except Unfit as error:
        name = printable(copies.path(place.home))
        common.talk.say(f"{name} is not used: {error}. Fetch it anew with: sumesync schema refresh")
        return None
    return found if found is not None and found.origin == _origin(common, place) else None


def _origin(common: Common, place: Place) -> str:
    if place.endpoint == SANDBOX:
        return SANDBOX
    from sumesync.api.origin import check_origin

    try:
        return check_origin(access.configured_url(common))
    except UsageError:
        return ""  # told by what connects


def _base(origin: str) -> str:
    return "/api/v1" if origin == SANDBOX else urlsplit(origin).path


def _those(session: Session, keys: set[EntryKey]) -> list[Wanted]:
    return [wanted for wanted in session.project.wanted if wanted.key in keys]


def _located(place: Place, wanted: Wanted, found: tuple[Finding, ...]) -> Iterator[Problem]:
    data = read_bytes(place.home.root, wanted.key.path, toml.MAX_BYTES)
    locator = Locator(data.decode("utf-8", "replace")) if isinstance(data, bytes) else Locator("")
    variant = f"[{printable(wanted.key.variant, 60)}] " if wanted.key.variant else ""
    for finding in found:
        line, column = locator.find(finding.pointer) or locator.find(("extra", *finding.pointer)) or (None, None)
        yield Problem(wanted.key.path, variant + finding.what, finding.hint, line, column)
