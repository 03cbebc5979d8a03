"""What a branch changes: the variants that two versions of a project ask for differently. Pure."""

from __future__ import annotations

from sumesync.core.view import Project
from sumesync.model import EntryKey, Wanted


def changed(before: Project, now: Project) -> frozenset[EntryKey]:
    """Variants that are new, gone, or asked for otherwise; and specs that are wrong now, and were not so before.

    A default, a prompt file, an input or an upstream that changed counts as the spec does: what is asked for decides.
    """
    then = {wanted.key: _said(wanted) for wanted in before.wanted}
    today = {wanted.key: _said(wanted) for wanted in now.wanted}
    differ = {key for key in {*then, *today} if then.get(key) != today.get(key)}
    known = {(problem.path, problem.what) for problem in before.problems}
    wrong = {EntryKey(p.path) for p in now.problems if (p.path, p.what) not in known}
    return frozenset(differ | wrong)


def _said(wanted: Wanted) -> tuple[object, ...]:
    return wanted.fingerprint, wanted.folder, wanted.stem, dict(wanted.meta)
