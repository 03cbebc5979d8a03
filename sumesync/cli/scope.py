"""Which specs a command line means: PATHS, ``--tag``, and the one spec that a verb is about."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from sumesync.cli.options import Common
from sumesync.cli.session import Session
from sumesync.core import paths
from sumesync.core.action import Plan, Policy
from sumesync.core.plan import only
from sumesync.core.text import printable, suggest
from sumesync.errors import UsageError
from sumesync.model import EntryKey, Wanted


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
        inside = not scopes or any(key.path == s or s == "" or key.path.startswith(s + "/") for s in scopes)
        return inside and (not tags or key in tagged)

    return accept


def _scope(common: Common, session: Session, name: str) -> str:
    """A path that a person typed, relative to the project: a spec, a folder, or a spec that the lock knows."""
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
    path = "" if path == "." else path
    known = session.project.spec_paths | {key.path for key in session.state.lock.entries}
    if path in known or any(not path or spec.startswith(path + "/") for spec in known):
        return path
    with_suffix = path + paths.SPEC_SUFFIX
    if with_suffix in known:
        return with_suffix
    raise UsageError(f"there is no spec at {printable(name)}", suggest(path, known))


def narrowed(common: Common, session: Session, policy: Policy, named: tuple[str, ...], tags: tuple[str, ...]) -> Plan:
    """The plan of the whole project, narrowed to what was asked for."""
    accept = chosen(common, session, named, tags)
    return only(session.plan(policy, accept), accept) if accept else session.plan(policy)


def one_spec(common: Common, session: Session, name: str) -> EntryKey:
    """The one spec that a command is about."""
    path = _scope(common, session, name)
    if not path.endswith(paths.SPEC_SUFFIX):
        raise UsageError(f"{printable(name)} is a folder; name one spec")
    return EntryKey(path)


def one_wanted(common: Common, session: Session, name: str) -> Wanted:
    """The one valid variant that ``name`` means, else what is wrong with it."""
    key = one_spec(common, session, name)
    for wanted in session.project.wanted:
        if wanted.key == key:
            return wanted
    problems = tuple(problem for problem in session.project.problems if problem.path == key.path)
    raise UsageError(f"{key} is {'invalid' if problems else 'not there'}", problems=problems)
