"""What a plan is likely to cost, and what there is to pay it with: for people, before they agree to anything."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from sumesync.cli import access, wiring
from sumesync.cli.embedded import unborn
from sumesync.cli.options import Common
from sumesync.cli.session import Session
from sumesync.core import cost
from sumesync.core.action import Plan
from sumesync.core.cost import Quote
from sumesync.core.text import printable
from sumesync.errors import SumesyncError
from sumesync.model import SANDBOX

if TYPE_CHECKING:
    from sumesync.answers import Credits

_GLIMPSE_SECONDS = 3.0


def quote(session: Session, plan_: Plan) -> Quote:
    """By what the project remembers: nobody is asked."""
    place, kinds = session.place, session.place.schemas.kinds
    if not plan_.pays:
        return Quote()
    known = cost.prices(session.project, session.state, session.observed, place.endpoint, kinds, session.paid)
    return cost.quote(plan_, session.project, kinds, known)


def with_balance(known: Quote, found: Credits) -> Quote:
    return replace(known, balance=found.remaining, capacity=found.capacity)


def glimpsed(common: Common, session: Session, plan_: Plan, known: Quote) -> Quote:
    """``known`` with the balance, where there is something to pay and a key to ask with. A Sume that does not answer
    at once is no fault of the plan: that is one note."""
    place = session.place
    if not plan_.pays or (place.endpoint != SANDBOX and not access.has_key(common)):
        return known
    if place.endpoint == SANDBOX and (found := unborn(place)):
        return with_balance(known, found)
    answers: list[Credits | str] = []
    # In a thread, for a name server may keep silent longer than any limit of ours.
    asking = threading.Thread(target=lambda: answers.append(_asked(common, session)), daemon=True)
    asking.start()
    asking.join(_GLIMPSE_SECONDS)
    answer = answers[0] if answers else f"no answer within {_GLIMPSE_SECONDS:.0f} s"
    if not isinstance(answer, str):
        return with_balance(known, answer)
    common.talk.say(f"The balance is not shown: {printable(answer, 200)} (--offline does not ask).")
    return known


def _asked(common: Common, session: Session) -> Credits | str:
    try:
        with wiring.connected(common, session.place, _GLIMPSE_SECONDS) as api:
            return api.credits()
    except SumesyncError as error:
        return error.what
