"""Chains: a variant that takes another's output. Which depend on which, in which order, and what cannot be. Pure.

Everything here takes time with the number of variants and links, and no stack: a chain may be thousands long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from sumesync.core import inputs
from sumesync.core.fingerprint import fingerprint
from sumesync.core.inputs import Ask
from sumesync.core.kinds import Kinds
from sumesync.core.paths import SPEC_SUFFIX
from sumesync.core.text import count, printable, suggest
from sumesync.core.validate import Finding, located
from sumesync.errors import Problem
from sumesync.model import EntryKey, Input, Json, Pointer, UpstreamInput, Wanted

_SHOWN = 10
"""Links of a cycle that are spelt out."""


@dataclass(frozen=True, slots=True)
class Link:
    """An output of another spec that a request takes; ``where`` is its place in the spec."""

    ask: Ask
    where: Pointer

    @property
    def variant(self) -> str | None:
        return self.ask.table.get("variant")

    @property
    def output(self) -> int:
        return int(self.ask.table.get("output", 1))


@dataclass(frozen=True, slots=True)
class Draft:
    """A variant whose upstreams are not known yet: ``wanted`` lacks its links and, where it has any, a fingerprint.
    ``text`` is its spec's, to tell of faults in."""

    wanted: Wanted
    links: tuple[Link, ...] = ()
    text: str = ""

    @property
    def key(self) -> EntryKey:
        return self.wanted.key


def linked(
    drafts: Iterable[Draft], problems: Iterable[Problem], spec_paths: frozenset[str], kinds: Kinds
) -> tuple[tuple[Wanted, ...], tuple[Problem, ...]]:
    """``drafts`` with their upstreams, and every problem: ``problems`` (of specs that are wrong by themselves) and
    those of chains. What depends on a wrong spec is wrong."""
    drafts, problems = tuple(drafts), tuple(problems)
    if not any(draft.links for draft in drafts):
        wrong = {problem.path for problem in problems}
        return tuple([draft.wanted for draft in drafts if draft.wanted.key.path not in wrong]), problems
    graph = _Graph(drafts, problems, spec_paths, kinds)
    graph.connect()
    order = graph.ordered()
    graph.spread()
    done: dict[EntryKey, Wanted] = {}
    broken = graph.broken
    for draft in order:
        if draft.key.path not in broken:
            done[draft.key] = _complete(draft, graph.upstream, done, kinds)
    wanted = tuple(done[draft.key] for draft in graph.drafts if draft.key in done)
    return wanted, tuple(graph.problems())


def depths(wanted: Iterable[Wanted]) -> dict[EntryKey, int]:
    """How far each variant is from those that need no other: upstreams have smaller numbers than what needs them."""
    waiting: dict[EntryKey, int] = {}
    needed_by: dict[EntryKey, list[EntryKey]] = {}
    every = tuple(wanted)
    if not any(one.inputs for one in every):
        return {one.key: 0 for one in every}
    known = {one.key for one in every}
    for one in every:
        needs = upstreams(one) & known
        waiting[one.key] = len(needs)
        for key in needs:
            needed_by.setdefault(key, []).append(one.key)
    found = {key: 0 for key, number in waiting.items() if not number}
    queue = deque(found)
    while queue:
        key = queue.popleft()
        for other in needed_by.get(key, ()):
            found[other] = max(found.get(other, 0), found[key] + 1)
            waiting[other] -= 1
            if not waiting[other]:
                queue.append(other)
    return {one.key: found.get(one.key, 0) for one in every}


def upstreams(wanted: Wanted) -> set[EntryKey]:
    """The variants whose outputs ``wanted`` takes."""
    if not wanted.inputs:
        return set()
    return {given.key for given in wanted.inputs.values() if isinstance(given, UpstreamInput)}


def dependants(wanted: Iterable[Wanted], of: Collection[EntryKey]) -> frozenset[EntryKey]:
    """The variants that take an output of those ``of``, or of one that does."""
    every = tuple(wanted)
    depth = depths(every)
    found = set(of)
    for one in sorted(every, key=lambda one: depth[one.key]):
        if upstreams(one) & found:
            found.add(one.key)
    return frozenset(found.difference(of))


def with_upstreams(chosen: Iterable[EntryKey], needs: Mapping[EntryKey, Iterable[EntryKey]]) -> frozenset[EntryKey]:
    """``chosen``, and all that they need, and all that those need."""
    found = set(chosen)
    queue = deque(found)
    while queue:
        for key in needs.get(queue.popleft(), ()):
            if key not in found:
                found.add(key)
                queue.append(key)
    return frozenset(found)


@dataclass
class _Graph:
    """Drafts, the links between them, and what is found wrong on the way."""

    drafts: tuple[Draft, ...]
    own: tuple[Problem, ...]
    spec_paths: frozenset[str]
    kinds: Kinds
    variants: dict[str, dict[str, Draft]] = field(default_factory=dict)
    upstream: dict[tuple[EntryKey, Pointer], EntryKey] = field(default_factory=dict)
    """Which variant the link at a place of a draft leads to."""
    findings: dict[str, dict[Finding, None]] = field(default_factory=dict)
    """Of specs that are right by themselves, by their path."""
    texts: dict[str, str] = field(default_factory=dict)
    said: dict[str, Problem] = field(default_factory=dict)
    """The first problem of a spec that is wrong by itself."""

    @property
    def broken(self) -> set[str]:
        return {*self.said, *self.findings}

    def connect(self) -> None:
        """Find where each link leads."""
        for problem in self.own:
            self.said.setdefault(problem.path, problem)
        for draft in self.drafts:
            self.variants.setdefault(draft.key.path, {})[draft.key.variant] = draft
            self.texts[draft.key.path] = draft.text
        for draft in self.drafts:
            for link in draft.links:
                found = self._target(draft, link)
                if isinstance(found, Finding):
                    self._tell(draft, found)
                elif found is not None:
                    self.upstream[draft.key, link.ask.place] = found

    def _target(self, draft: Draft, link: Link) -> EntryKey | Finding | None:
        """The variant that ``link`` means, or why it means none; None for one of a wrong spec, told by ``spread``."""
        path, name = link.ask.path, link.ask.name
        shown = printable(path)
        if path in self.said:
            return None
        found = self.variants.get(path)
        if found is None:
            near = next((p for p in (path + SPEC_SUFFIX,) if p in self.spec_paths), "")
            written = str(link.ask.table["from"])
            hint = f"did you mean {written}{SPEC_SUFFIX}?" if near else _near(path, self.spec_paths)
            return Finding(link.where, f"{name}: there is no spec {shown}", hint)
        variant = link.variant
        if variant is None and len(found) > 1:
            names = ", ".join(sorted(found)[:5]) + (", …" if len(found) > 5 else "")
            return Finding(
                link.where, f"{name}: {shown} has {count(len(found), 'variant')}", f"say which: variant = … ({names})"
            )
        variant = next(iter(found)) if variant is None else variant
        if variant not in found:
            if "" in found:
                return Finding(link.where, f"{name}: {shown} has no variants", "take variant out")
            hint = suggest(variant, found) or f"it has: {', '.join(sorted(found)[:10])}"
            return Finding(link.where, f"{name}: {shown} has no variant {printable(variant, 60)}", hint)
        target = found[variant].wanted
        kind = self.kinds[target.kind]
        if kind.media == "none":
            return Finding(
                link.where, f"{name}: {shown} makes no media: {kind.name} gives a document", "name another spec"
            )
        if should := inputs.misfit(link.ask.takes, kind.media):
            return Finding(link.where, f"{name}: {shown} makes {kind.media}s; it must be {should}", "name another spec")
        made = kind.outputs(target.request)
        if link.output > made:
            return Finding(
                link.where,
                f"{name}: {shown} makes {count(made, 'output')}, not {link.output}",
                f"allowed: 1 to {made}" if made > 1 else "allowed: 1",
            )
        return target.key

    def ordered(self) -> list[Draft]:
        """The drafts, upstreams first. Those that go round in a circle are left out, and told."""
        by_key = {draft.key: draft for draft in self.drafts}
        needs = {draft.key: self._needs(draft) for draft in self.drafts}
        needed_by: dict[EntryKey, list[EntryKey]] = {}
        for key, found in needs.items():
            for other in found:
                needed_by.setdefault(other, []).append(key)
        waiting = {key: len(found) for key, found in needs.items()}
        queue = deque(key for key, number in waiting.items() if not number)
        order = []
        while queue:
            key = queue.popleft()
            order.append(by_key[key])
            for other in needed_by.get(key, ()):
                waiting[other] -= 1
                if not waiting[other]:
                    queue.append(other)
        stuck = {key: needs[key] for key, number in waiting.items() if number}
        for cycle in _cycles(stuck):
            self._tell_cycle([by_key[key] for key in cycle])
        return order

    def _needs(self, draft: Draft) -> tuple[EntryKey, ...]:
        found = (self.upstream.get((draft.key, link.ask.place)) for link in draft.links)
        return tuple(dict.fromkeys(key for key in found if key is not None))

    def _tell_cycle(self, cycle: list[Draft]) -> None:
        """At each of its specs, the way round as seen from there."""
        keys = [draft.key for draft in cycle]
        for index, draft in enumerate(cycle):
            around = [*keys[index:], *keys[: index + 1]]
            names = [printable(str(key)) for key in around]
            if len(names) > _SHOWN:
                names = [*names[: _SHOWN - 2], f"… ({len(names) - _SHOWN + 1} more)", names[-1]]
            for link in draft.links:
                if self.upstream.get((draft.key, link.ask.place)) == around[1]:
                    what = f"{link.ask.name} comes back to this spec: {' -> '.join(names)}"
                    self._tell(draft, Finding(link.where, what, "one of them must take something else"))

    def spread(self) -> None:
        """What needs a wrong spec is wrong: told with the first problem of that one."""
        needed_by: dict[str, list[tuple[Draft, Link]]] = {}
        for draft in self.drafts:
            for link in draft.links:
                needed_by.setdefault(link.ask.path, []).append((draft, link))
        queue = deque(sorted(self.broken))
        seen = set(queue)
        where = {path: problem.where for path, problem in self.said.items()}
        # Located only where somebody outside asks: a circle may be thousands long.
        asked = {
            path for path in self.findings if any(draft.key.path not in seen for draft, _ in needed_by.get(path, ()))
        }
        where |= {path: located(path, self.texts[path], tuple(self.findings[path]))[0].where for path in asked}
        while queue:
            path = queue.popleft()
            for draft, link in needed_by.get(path, ()):
                if draft.key.path == path or self._has_told(draft, link):
                    continue
                what = f"{link.ask.name}: {printable(path)} is invalid"
                self._tell(draft, Finding(link.where, what, f"mend it first: {printable(where.get(path, path))}"))
                if draft.key.path not in seen:
                    where[draft.key.path] = where.get(path, path)
                    seen.add(draft.key.path)
                    queue.append(draft.key.path)

    def _has_told(self, draft: Draft, link: Link) -> bool:
        return any(finding.pointer == link.where for finding in self.findings.get(draft.key.path, ()))

    def _tell(self, draft: Draft, finding: Finding) -> None:
        self.findings.setdefault(draft.key.path, {})[finding] = None

    def problems(self) -> Iterator[Problem]:
        yield from self.own
        for path, found in self.findings.items():
            yield from located(path, self.texts[path], tuple(found))


def _cycles(stuck: Mapping[EntryKey, tuple[EntryKey, ...]]) -> Iterator[list[EntryKey]]:
    """The circles among ``stuck``: variants that are in one or behind one. Each walk goes on to where it has been."""
    done: set[EntryKey] = set()
    for start in stuck:
        walk: dict[EntryKey, int] = {}
        key = start
        while key not in done and key not in walk:
            walk[key] = len(walk)
            key = next(other for other in stuck[key] if other in stuck)
        if key in walk:
            yield [other for other, index in walk.items() if index >= walk[key]]
        done.update(walk)


def _near(path: str, known: frozenset[str]) -> str:
    """Specs with a like name; among thousands looking for one takes longer than it helps."""
    return (suggest(path, known) if len(known) <= 500 else "") or "the path is relative to the spec"


def _complete(
    draft: Draft, upstream: Mapping[tuple[EntryKey, Pointer], EntryKey], done: Mapping[EntryKey, Wanted], kinds: Kinds
) -> Wanted:
    wanted = draft.wanted
    if not draft.links:
        return wanted
    given: dict[Pointer, Input] = dict(wanted.inputs)
    request: Json = dict(wanted.request)
    for link in draft.links:
        other = done[upstream[draft.key, link.ask.place]]
        purpose = inputs.purpose(link.ask.takes, kinds[other.kind].media)
        given[link.ask.place] = UpstreamInput(other.key, link.output, other.fingerprint, purpose)
        shown: dict[str, Json] = {**link.ask.table, "output": link.output, "fingerprint": other.fingerprint}
        request = put(request, link.ask.place, shown)
    assert isinstance(request, dict)
    return replace(
        wanted, request=request, inputs=given, fingerprint=fingerprint(wanted.kind, request, wanted.take, given)
    )


def put(value: Json, place: Pointer, item: Json) -> Json:
    """``value`` with ``item`` at ``place``."""
    if not place:
        return item
    if isinstance(value, dict):
        return {key: put(inner, place[1:], item) if key == place[0] else inner for key, inner in value.items()}
    assert isinstance(value, list)
    return [put(inner, place[1:], item) if index == place[0] else inner for index, inner in enumerate(value)]
