"""What a run may still begin under ``--max-credits``. Pure: values in, a verdict out; asked before every submit.

A submit whose cost is known reserves it before it starts. One of unknown cost goes alone: nothing else is begun before
what it cost was told, or seen in the balance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from sumesync.core.cost import Estimate
from sumesync.core.text import amount, count
from sumesync.model import Fact, JobRecord

_DUST: Final = 1e-6
"""Sums of prices such as 0.1 are not exact."""


class May(StrEnum):
    """Whether the next submit may start."""

    START = "start"
    WAIT = "wait"
    """Not before something else has ended."""
    READ = "read"
    """Not before the balance was read."""
    STOP = "stop"
    """Not in this run."""


class Stage(StrEnum):
    """Where a submit that was begun stands."""

    SENDING = "sending"
    ACCEPTED = "accepted"
    OVER = "over"
    """Its jobs have ended."""
    DOUBTFUL = "doubtful"
    """Nobody knows what became of it."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One submit. ``price``: what it was expected to cost; ``told``: what Sume said; ``seen``: what
    the balance lost."""

    price: float | None = None
    stage: Stage = Stage.SENDING
    told: float | None = None
    seen: float | None = None
    before: float | None = None
    """The balance before it."""
    waived: bool = False
    """Nobody can tell what it cost, and the person said that so many jobs may be bought all the same."""

    @property
    def cost(self) -> float | None:
        """What to count. What was told counts before what was seen: others may use the same account."""
        return next((each for each in (self.told, self.seen, self.price) if each is not None), None)

    @property
    def open(self) -> bool:
        """Whether what it costs is still to be found out."""
        return self.cost is None and not self.waived


@dataclass(frozen=True, slots=True)
class Verdict:
    """``why``: of STOP, for the person."""

    may: May
    why: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """``limit`` credits for a run. ``blind``: the person also said how many jobs at most, so that jobs may be bought
    whose cost nobody can tell. ``balance``: as last read; None: it could not be. ``fresh``: nothing was begun, and
    nothing came to an end, since."""

    limit: float
    blind: bool = False
    charges: Mapping[str, Charge] = field(default_factory=dict)
    balance: float | None = None
    fresh: bool = False

    @property
    def used(self) -> float:
        return sum(max(charge.cost or 0.0, 0.0) for charge in self.charges.values())

    def ask(self, price: float | None) -> Verdict:
        """Whether a submit that is expected to cost ``price`` (None: unknown) may start now."""
        sending = any(charge.stage is Stage.SENDING for charge in self.charges.values())
        for charge in self.charges.values():
            if charge.open:
                return self._open(charge)
        if price is not None:
            fits = self.used + price <= self.limit + _DUST
            return Verdict(May.START) if fits else self._full(sending, f"the next submit needs {amount(price)}")
        if self.used >= self.limit:
            return self._full(sending, "what the next submit needs is not known")
        if sending:
            return Verdict(May.WAIT)
        if not self.fresh:
            return Verdict(May.READ)
        if self.balance is None and not self.blind:
            return Verdict(May.STOP, f"the balance cannot be read, and what the next submit costs is not known: {_HOW}")
        return Verdict(May.START)

    def _open(self, charge: Charge) -> Verdict:
        if charge.stage is Stage.SENDING or (self.fresh and charge.stage is Stage.ACCEPTED):
            return Verdict(May.WAIT)
        if charge.stage is Stage.DOUBTFUL:
            return Verdict(May.STOP, f"an earlier submit's outcome is unknown, and so is what it cost: {_HOW}")
        if not self.fresh:
            return Verdict(May.READ)
        return Verdict(May.STOP, f"what an earlier submit cost cannot be told: {_HOW}")

    def _full(self, sending: bool, needs: str) -> Verdict:
        """What is under way may yet be refused, and then its share is free again."""
        if sending:
            return Verdict(May.WAIT)
        return Verdict(May.STOP, f"{amount(self.used)} of {amount(self.limit)} credits used; {needs}")

    def begun(self, key: str, price: float | None) -> Budget:
        charge = Charge(price, before=self.balance if self.fresh else None)
        return replace(self, charges={**self.charges, key: charge}, fresh=False)

    def dropped(self, key: str) -> Budget:
        """Nothing was charged for it."""
        return replace(self, charges={name: each for name, each in self.charges.items() if name != key}, fresh=False)

    def accepted(self, key: str, told: float | None = None) -> Budget:
        return self._with(key, replace(self.charges[key], stage=Stage.ACCEPTED, told=told))

    def over(self, key: str, told: float | None = None) -> Budget:
        """Its jobs have ended. ``told``: what they say that they cost, where all do."""
        charge = self.charges[key]
        return self._with(key, replace(charge, stage=Stage.OVER, told=charge.told if told is None else told))

    def doubtful(self, key: str) -> Budget:
        """Its outcome is unknown: it may have cost what was expected. The balance proves nothing, for a charge may show
        late."""
        return self._with(key, replace(self.charges[key], stage=Stage.DOUBTFUL, waived=self.blind))

    def read(self, balance: float | None) -> Budget:
        """The balance was read (None: it cannot be) while nothing was being sent."""
        seen = {key: self._seen(charge, balance) if charge.open else charge for key, charge in self.charges.items()}
        return replace(self, charges=seen, balance=balance, fresh=True)

    def _seen(self, charge: Charge, balance: float | None) -> Charge:
        lost = None if balance is None or charge.before is None else charge.before - balance
        if lost is not None and (lost > 0 or (lost == 0 and charge.stage is Stage.OVER)):
            return replace(charge, seen=lost)  # a charge may show late: before the end, nothing lost says nothing
        return replace(charge, waived=self.blind and charge.stage is Stage.OVER)

    def _with(self, key: str, charge: Charge) -> Budget:
        return replace(self, charges={**self.charges, key: charge}, fresh=False)


def caught_up(budget: Budget, facts: Iterable[Fact], balance: float | None) -> Budget:
    """``budget`` between two runs that share it, with what became of its submits and the balance now."""
    jobs: dict[str, list[JobRecord]] = {}
    for fact in facts:
        if fact.submission in budget.charges:
            jobs.setdefault(fact.submission, []).append(fact.job)
    for key, known in jobs.items():
        if budget.charges[key].stage is not Stage.OVER and not any(job.state.in_flight for job in known):
            told = [job.credits for job in known if job.credits is not None]
            budget = budget.over(key, sum(told) if len(told) == len(known) else None)
    return budget.read(balance)


_HOW: Final = "say how many jobs may be bought all the same: --max-jobs N"


def refusal(total: Estimate, limit: float, blind: bool, readable: bool = True) -> str:
    """Why a plan may not begin at all under ``limit``, by its estimate; "" where it may. ``readable``: whether the
    balance can be read."""
    if total.known > limit + _DUST:
        return f"the plan is likely to cost {amount(total.known)} credits, more than the {amount(limit)} allowed"
    if total.unknown and not readable and not blind:
        return f"what {count(total.unknown, 'job')} will cost is not known, and the balance cannot be read"
    return ""
