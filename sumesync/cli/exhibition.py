"""What a report shows of a project as it is now: its plan, its lock and its media as cards."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from sumesync.cli import status
from sumesync.cli.session import Session
from sumesync.core import metadata, paths
from sumesync.core.action import Action, Orphan, Plan, Verb, Why
from sumesync.core.decide import quoted
from sumesync.core.metadata import MetadataFact
from sumesync.core.text import without_secrets
from sumesync.disk.album import Album, Kept, copy_of
from sumesync.model import Entry, EntryKey, FileKind, Json, Output, Wanted
from sumesync.render.exhibits import Card, JobLine, Shot, Side

_LONGEST = 20_000
"""Characters of a document that the page shows."""


def cards(session: Session, plan_: Plan, made: Album) -> tuple[Card, ...]:
    """A card for every variant, and for every entry whose spec is gone. Their media go into the album."""
    wanted = {variant.key: variant for variant in session.project.wanted}
    found = [_card(session, action, wanted.get(action.key), made) for action in plan_.actions]
    return (*found, *(_orphan(session, orphan, made) for orphan in plan_.orphans))


def _card(session: Session, action: Action, wanted: Wanted | None, made: Album) -> Card:
    entry = session.state.lock.entries.get(action.key)
    state, words = _state(session, action)
    problems = "; ".join(f"{problem.where}: {problem.what}" for problem in action.problems)
    return Card(
        key=str(action.key),
        path=action.key.path,
        title=title_of(action.key, wanted.meta if wanted else {}),
        kind=action.kind,
        state=state,
        words=words,
        now=_side(session, action.key, wanted, entry, made),
        reason=clean(problems or (action.reason.text if action.pending else "")),
        hint=clean(action.hint),
        tags=tuple(map(clean, wanted.tags)) if wanted else (),
        jobs=jobs_of(session, entry),
        cost=cost_of(entry),
    )


def _state(session: Session, action: Action) -> tuple[str, str]:
    """(a word for filters, words for people)."""
    if action.verb is Verb.ATTENTION and action.reason.code is Why.FAILED:
        return "failed", "failed"
    if action.verb is Verb.KEEP and action.edited:
        return "edited", "edited by hand"
    if action.verb is Verb.UPDATE:
        return str(action.verb), "out of date"  # "changed" is said of what was changed since a commit
    return str(action.verb), status.state_of(action, session)


def _orphan(session: Session, orphan: Orphan, made: Album) -> Card:
    entry = session.state.lock.entries[orphan.key]
    return Card(
        key=str(orphan.key),
        path=orphan.key.path,
        title=title_of(orphan.key, {}),
        kind=entry.kind,
        state="gone",
        words="spec is gone",
        now=_side(session, orphan.key, None, entry, made),
        reason="in the lock, but its spec is gone",
        hint="sumesync apply --prune",
        jobs=jobs_of(session, entry),
        cost=cost_of(entry),
    )


def _side(session: Session, key: EntryKey, wanted: Wanted | None, entry: Entry | None, made: Album) -> Side:
    told = session.observed.metadata.get(metadata.path_of(key))
    shots = tuple(_shot(session, key, output, made) for output in standing(entry))
    if wanted is not None:
        return side(wanted.request, wanted.take, shots)
    return side(told.request or {}, told.take, shots) if told and told.ours else Side(shots=shots)


def side(request: Mapping[str, Any], take: int, shots: tuple[Shot, ...]) -> Side:
    """A request as people read it."""
    prompt = request.get("prompt")
    parameters = {clean(name): _value(value) for name, value in request.items() if name != "prompt"}
    if take != 1:
        parameters["take"] = str(take)
    return Side(clean(prompt) if isinstance(prompt, str) else "", parameters, shots)


def _value(value: Json) -> str:
    """A value on a line; media that it takes by their names."""
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return ", ".join(map(_value, value))
    if isinstance(value, dict) and isinstance(file := value.get("file"), str):
        return clean(file)
    if isinstance(value, dict) and isinstance(spec := value.get("from"), str):
        variant = f"[{value['variant']}]" if "variant" in value else ""
        return clean(f"{spec}{variant}, output {value.get('output', 1)}")
    return clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def standing(entry: Entry | None) -> tuple[Output, ...]:
    """The outputs of an entry; those of what it was before while it has none."""
    if entry is None:
        return ()
    earlier = (past.accepted or tuple(o for job in past.jobs for o in job.outputs) for past in reversed(entry.pasts))
    return next((outputs for outputs in earlier if outputs), ())


def _shot(session: Session, key: EntryKey, output: Output, made: Album) -> Shot:
    if output.is_document:
        return document(output, session.observed.metadata.get(output.path), quoted(key.path))
    fact = session.observed.files.get(output.path)
    if fact is None:
        if session.place.config.store == "none":
            return Shot(output.path, note="Media are not kept in git here.", hint=f"sumesync fetch {quoted(key.path)}")
        return Shot(output.path, note="The file is not here.", hint=f"sumesync fetch {quoted(key.path)}")
    if fact.kind is FileKind.POINTER:
        return Shot(output.path, note="Kept in git-lfs, and not here yet.", hint="git lfs pull")
    if fact.kind is FileKind.OTHER:
        return Shot(output.path, note="A folder or a link stands in its place.")
    return shot(output.path, made.keep(copy_of(session.place.home.root, output.path), fact.sha256))


def document(output: Output, told: MetadataFact | None, spec: str) -> Shot:
    """A result that is no file of its own: it stands in the metadata."""
    if told is None or told.result is None:
        return Shot(output.path, note="The result is not here.", hint=f"sumesync fetch {spec}" if spec else "")
    result = {name: value for name, value in told.result.items() if name != "output"}
    text = clean(json.dumps(result, indent=2, ensure_ascii=False))
    return Shot(output.path, text=text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n…")


def shot(path: str, kept: Kept | None) -> Shot:
    if kept is None:
        return Shot(path, note="No picture or film that can be shown; look at the file itself.")
    return Shot(path, kept.file, kept.thumb, kept.family, kept.width, kept.height)


def title_of(key: EntryKey, meta: Mapping[str, Any]) -> str:
    """What people call it, else its name."""
    named = meta.get("title")
    stem = paths.spec_stem(key.path) + (f" [{key.variant}]" if key.variant else "")
    return clean(named.strip()) if isinstance(named, str) and named.strip() else stem


def jobs_of(session: Session, entry: Entry | None) -> tuple[JobLine, ...]:
    return tuple(JobLine(job.id, str(job.state), job.credits) for job in status.jobs_of(entry, session))


def cost_of(entry: Entry | None) -> float | None:
    costs = [job.credits for job in entry.jobs if job.credits is not None] if entry else []
    return sum(costs) if costs else None


def clean(text: str) -> str:
    """Text as it may be published: without a key or the query of a URL."""
    return without_secrets(text, {os.environ.get("SUME_API_KEY", "").strip()})
