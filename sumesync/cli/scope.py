"""Which specs a command line means: PATHS, ``--tag``, and the one spec that a verb is about."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sumesync.cli.options import Common
from sumesync.cli.session import Session
from sumesync.core import paths
from sumesync.core.action import Plan, Policy
from sumesync.core.decide import quoted
from sumesync.core.plan import only
from sumesync.core.since import changed
from sumesync.core.text import printable, suggest
from sumesync.errors import UsageError
from sumesync.model import EntryKey, Wanted


@dataclass(frozen=True, slots=True)
class Scope:
    """A spec, one variant of it, or a folder; "" is the project."""

    path: str
    variant: str | None = None

    def __str__(self) -> str:
        return self.path if self.variant is None else str(EntryKey(self.path, self.variant))

    def covers(self, key: EntryKey) -> bool:
        inside = key.path == self.path or not self.path or key.path.startswith(self.path + "/")
        return inside and self.variant in (None, key.variant)


def chosen(
    common: Common, session: Session, named: tuple[str, ...], tags: tuple[str, ...]
) -> Callable[[EntryKey], bool] | None:
    """The variants that PATHS and ``--tag`` ask for; None: all."""
    if not named and not tags:
        return None
    scopes = [_scope(common, session, name) for name in named]
    tagged = {wanted.key for wanted in session.project.wanted if set(tags) & set(wanted.tags)}
    if tags and not tagged:
        known = sorted({tag for wanted in session.project.wanted for tag in wanted.tags})
        hint = suggest(tags[0], known) or f"tags in use: {', '.join(known[:10]) or 'none'}"
        raise UsageError(f"no spec has the tag {printable(', '.join(tags))}", hint)

    def accept(key: EntryKey) -> bool:
        inside = not scopes or any(scope.covers(key) for scope in scopes)
        return inside and (not tags or key in tagged)

    return accept


def _scope(common: Common, session: Session, name: str) -> Scope:
    """What a person typed: a spec, a folder, or a spec that the lock knows; ``SPEC[VARIANT]`` is one variant."""
    path = _inside(common, session, name)
    if (found := _known(session, path)) is not None:
        return Scope(found)
    spec, bracket, variant = name.removesuffix("]").rpartition("[")
    found = _known(session, _inside(common, session, spec)) if bracket and name.endswith("]") and spec else None
    if found is None or not found.endswith(paths.SPEC_SUFFIX):
        known = session.project.spec_paths | {key.path for key in session.state.lock.entries}
        raise UsageError(f"there is no spec at {printable(name)}", suggest(path, known))
    keys = {*session.state.lock.entries, *(wanted.key for wanted in session.project.wanted)}
    variants = sorted(key.variant for key in keys if key.path == found and key.variant)
    if variant not in variants:
        hint = suggest(variant, variants) or (f"it has: {_some(variants)}" if variants else "it has none")
        raise UsageError(f"{printable(found)} has no variant {printable(variant, 60)}", hint)
    return Scope(found, variant)


def _inside(common: Common, session: Session, name: str) -> str:
    """A path that a person typed, relative to the project."""
    root = session.place.home.root
    full = Path(os.path.normpath((common.folder / name).absolute()))
    for base in (root, Path(os.path.normpath(root))):
        if full == base or base in full.parents:
            path = full.relative_to(base).as_posix()
            break
    else:
        resolved = full.resolve()
        if resolved != root and root not in resolved.parents:
            raise UsageError(f"{printable(name)} is outside the project {printable(str(root))}")
        path = resolved.relative_to(root).as_posix()
    return "" if path == "." else path


def _known(session: Session, path: str) -> str | None:
    """``path`` as a spec or a folder of specs, if it is one."""
    known = session.project.spec_paths | {key.path for key in session.state.lock.entries}
    if path in known or any(not path or spec.startswith(path + "/") for spec in known):
        return path
    with_suffix = path + paths.SPEC_SUFFIX
    return with_suffix if with_suffix in known else None


def _some(names: list[str]) -> str:
    return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")


def narrowed(
    common: Common,
    session: Session,
    policy: Policy,
    named: tuple[str, ...],
    tags: tuple[str, ...],
    since: str | None = None,
) -> Plan:
    """The plan of the whole project, narrowed to what was asked for, and to what changed ``since`` a commit."""
    accept = chosen(common, session, named, tags)
    if since is not None:
        keys, asked = _changed_since(session, since), accept

        def accept(key: EntryKey) -> bool:
            return key in keys and (asked is None or asked(key))

    return only(session.plan(policy, accept), accept) if accept else session.plan(policy)


def _changed_since(session: Session, ref: str) -> frozenset[EntryKey]:
    """What the branch asks for otherwise than the commit where it and ``ref`` part."""
    from sumesync.disk import history

    home = session.place.home
    if not home.in_git:
        raise UsageError("--since needs a git repository, and the project is in none")
    base = history.base_of(home.root, ref)
    return changed(history.project_at(home.root, base, session.place.schemas), session.project)


def one_spec(common: Common, session: Session, name: str) -> Scope:
    """The one spec, or the one variant, that a command is about."""
    found = _scope(common, session, name)
    if not found.path.endswith(paths.SPEC_SUFFIX):
        raise UsageError(f"{printable(name)} is a folder; name one spec")
    return found


def variants_of(common: Common, session: Session, name: str) -> tuple[Wanted, ...]:
    """The valid variants that ``name`` means, one or more, else what is wrong with it."""
    scope = one_spec(common, session, name)
    if found := tuple(wanted for wanted in session.project.wanted if scope.covers(wanted.key)):
        return found
    problems = tuple(problem for problem in session.project.problems if problem.path == scope.path)
    raise UsageError(f"{scope} is {'invalid' if problems else 'not there'}", problems=problems)


def one_wanted(common: Common, session: Session, name: str) -> Wanted:
    """The one valid variant that ``name`` means. Of several nobody guesses."""
    found = variants_of(common, session, name)
    if len(found) > 1:
        names = _some(sorted(wanted.key.variant for wanted in found))
        hint = f"say which, such as {quoted(str(found[0].key))}; it has: {names}"
        raise UsageError(f"{found[0].key.path} has {len(found)} variants", hint)
    return found[0]
