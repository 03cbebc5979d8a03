"""What the paid work of a plan is likely to cost, by what earlier jobs of the same kind and settings cost. Pure.

Only what the project itself remembers counts: jobs of its lock and its ledger, at this endpoint, whose credits Sume
told and whose request is known, from a spec as it is now or from metadata. Sume tells its prices nowhere else.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sumesync.core import paid
from sumesync.core.action import Action, Observed, Plan
from sumesync.core.kinds import Kind, Kinds
from sumesync.core.text import amount, count, in_credits, printable
from sumesync.core.view import Project, State
from sumesync.model import EntryKey, Json, Request

# They say what is made, not how much of it: the same words are hardly ever bought twice, so a price that hung on them
# would never be known again.
_CONTENT: Final = frozenset({"prompt", "negative_prompt", "script", "title", "seed", "avatar_id", "avatar_ids", "url"})
_PLURALS: Final = {"reference-analysis": "reference analyses"}

Settings: TypeAlias = tuple[str, str]
"""A kind, and canonical JSON of the fields of a request that may decide its price."""


@dataclass(frozen=True, slots=True)
class Price:
    """What one job of these settings costs, as earlier ones did. ``what``: those jobs in words."""

    credits: float
    what: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """``known``: credits of the jobs whose price is known; ``unknown``: how many jobs have none. ``basis`` says what
    the former goes by, in words."""

    known: float = 0.0
    unknown: int = 0
    basis: tuple[str, ...] = ()
    priced: int = 0
    """Jobs that ``known`` is for."""

    @property
    def credits(self) -> float | None:
        """Of all its jobs; None where that is not known of every one."""
        return None if self.unknown else self.known


@dataclass(frozen=True, slots=True)
class Quote:
    """A plan's cost, by what is known now. ``balance`` and ``capacity`` are what Sume told; None: not asked, or not
    told."""

    estimates: Mapping[EntryKey, Estimate] = field(default_factory=dict)
    total: Estimate = field(default_factory=Estimate)
    balance: float | None = None
    capacity: int | None = None

    @property
    def short(self) -> bool:
        """Whether what is known of the cost is already more than there is."""
        return self.balance is not None and self.total.known > self.balance


def settings_of(kind: Kind, request: Request) -> Settings:
    """What of a request may decide its price: lengths, sizes, counts, and words such as ``720p``.

    Left out are texts, media that go in (URLs, files, other specs' outputs), seeds, and the list of which every item is
    a job of its own, since prices are a job's. A word that is not known stays: it may be a dearer model.
    """
    kept = {
        name: value
        for name, value in request.items()
        if not (name in _CONTENT or name in kind.inputs or name == kind.jobs_field or _is_content(value))
    }
    if all(type(value) is str for value in kept.values()):
        return kind.name, _worded(tuple(sorted(kept.items())))
    return kind.name, json.dumps(kept, sort_keys=True)


@functools.lru_cache(maxsize=1024)
def _worded(fields: tuple[tuple[str, str], ...]) -> str:
    """The same, for words alone: of thousands of requests few differ in them."""
    return json.dumps(dict(fields))


def _is_content(value: Json) -> bool:
    if isinstance(value, str):
        return "://" in value or len(value.split()) > 1
    if isinstance(value, dict):
        return "file" in value or "from" in value
    return isinstance(value, list) and bool(value) and all(_is_content(item) for item in value)


def prices(
    project: Project, state: State, observed: Observed, endpoint: str, kinds: Kinds, known: paid.Index | None = None
) -> Mapping[Settings, Price]:
    """What a job of each settings cost so far at ``endpoint``: the sandbox's prices mean nothing at Sume. ``known``:
    the index of ``state`` there, where it is made already."""
    known = paid.index(state.lock, state.facts, state.journal, endpoint) if known is None else known
    requests = {wanted.fingerprint: (wanted.kind, wanted.request) for wanted in project.wanted}
    for fact in observed.metadata.values():
        if fact.entry is not None and fact.request is not None:
            requests.setdefault(fact.entry.fingerprint, (fact.entry.kind, fact.request))
    costs: dict[Settings, list[float]] = {}
    for fingerprint, bought in known.items():
        name, request = requests.get(fingerprint, ("", {}))
        told = [job.credits for job in bought.jobs if not job.state.ended_badly and job.credits is not None]
        told = [credits_ for credits_ in told if credits_ >= 0]
        if name in kinds and told:
            costs.setdefault(settings_of(kinds[name], request), []).extend(told)
    return {settings: _price(kinds[settings[0]], settings, told) for settings, told in costs.items()}


def _price(kind: Kind, settings: Settings, told: list[float]) -> Price:
    return Price(_usual(told), _in_words(kind, json.loads(settings[1]), len(told)))


def _usual(told: Iterable[float]) -> float:
    """The median; of two in the middle the dearer. Not the latest: the lock has no times, so nobody knows which that
    was; and one odd price, of a job that was half refunded, does not count."""
    ordered = sorted(told)
    return ordered[len(ordered) // 2]


def _in_words(kind: Kind, settings: Mapping[str, Json], jobs: int) -> str:
    """``3 earlier videos of 9:16, 5 s, 720p``."""
    named = kind.name.replace("-", " ")
    what = count(jobs, f"earlier {named}", f"earlier {_PLURALS.get(kind.name, named + 's')}")
    first = [name for name in kind.shown if name in settings]
    words = [f"{_word(settings[name])}{kind.shown[name]}" for name in first]
    words += [f"{printable(name, 30)} {_word(settings[name])}" for name in settings if name not in kind.shown]
    return f"{what} of {', '.join(words)}" if words else what


def _word(value: Json) -> str:
    return printable(value if isinstance(value, str) else json.dumps(value), 30)


def quote(plan: Plan, project: Project, kinds: Kinds, known: Mapping[Settings, Price]) -> Quote:
    """The estimate of every paying action of ``plan``, and of all together."""
    wanted = {each.key: each for each in project.wanted}
    estimates = {}
    for action in plan.actions:
        if action.pays and action.key in wanted:
            price = known.get(settings_of(kinds[action.kind], wanted[action.key].request))
            estimates[action.key] = _estimate(action, price)
    return Quote(estimates, _total(estimates.values()))


def _estimate(action: Action, price: Price | None) -> Estimate:
    if price is None:
        return Estimate(unknown=action.pays)
    return Estimate(price.credits * action.pays, 0, (f"{amount(price.credits)} a job, as {price.what}",), action.pays)


def _total(estimates: Iterable[Estimate]) -> Estimate:
    each = tuple(estimates)
    basis = tuple(dict.fromkeys(words for one in each for words in one.basis))
    return Estimate(
        sum(one.known for one in each), sum(one.unknown for one in each), basis, sum(one.priced for one in each)
    )


def in_words(estimate: Estimate) -> str:
    """``Cost: about 24 credits for 3 jobs; 1 job of unknown cost.`` "" where there is nothing to pay."""
    parts = [f"about {in_credits(estimate.known)} for {count(estimate.priced, 'job')}"] if estimate.priced else []
    parts += [f"{count(estimate.unknown, 'job')} of unknown cost"] if estimate.unknown else []
    return f"Cost: {'; '.join(parts)}." if parts else ""
