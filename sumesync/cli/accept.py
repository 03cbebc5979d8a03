"""``accept``: the media that is there satisfies the spec. Free."""

from __future__ import annotations

import mimetypes
from dataclasses import replace

import click

from sumesync.cli import options, scope, wiring
from sumesync.cli.options import Common
from sumesync.cli.session import Session
from sumesync.core import media, metadata
from sumesync.core.acceptance import missing, satisfied, standing, staying
from sumesync.core.advance import turn_to
from sumesync.core.decide import quoted
from sumesync.core.paid import index
from sumesync.core.text import printable
from sumesync.disk import project as projects
from sumesync.errors import LocalStateError, UsageError
from sumesync.model import FileKind, Output, Wanted
from sumesync.render import machine


@click.command()
@click.argument("specs", nargs=-1, required=True, type=click.Path(), shell_complete=options.complete_specs)
@options.locks
@options.project
@options.common
def accept(common: Common, specs: tuple[str, ...]) -> None:
    """Say that the media that is there satisfies SPECS as they are now. Free.

    For a file that was edited by hand, for a prompt that was changed without wanting a new picture, and for a
    picture that was made elsewhere. From then on the file is yours: sumesync moves it, and never replaces it
    unless you say so. One variant of a spec with a matrix is named SPEC[VARIANT].
    """
    place = wiring.find(common, specs)
    with wiring.holding(common, place.home, "accept"):
        session = wiring.look(place)
        if not session.lock_exists:
            session.locks.create(session.state.lock.lineage, None)
        done = []
        absent = {}
        takers: dict[str, None] = {}
        chosen = [scope.one_wanted(common, session, name) for name in specs]
        paid = index(session.state.lock, session.state.facts, session.state.journal, session.place.endpoint)
        outputs = {wanted.key: _present(session, wanted) for wanted in chosen}
        for wanted in chosen:
            absent[wanted.key] = lost = missing(paid.get(wanted.fingerprint), wanted, outputs[wanted.key])
            kept = tuple(sorted((*outputs[wanted.key], *lost.kept), key=lambda o: o.index))
            takers.update(dict.fromkeys(_record(session, wanted, kept)))
            media_ = [output.path for output in outputs[wanted.key]]
            done.append({**machine.key(wanted.key), "media": media_, "missing": [o.path for o in lost.outputs]})
    if common.talk.as_json:
        common.talk.out(machine.dump({"accepted": done}))
    for wanted in chosen:
        shown = ", ".join(output.path for output in outputs[wanted.key])
        common.talk.say(f"{wanted.key}: satisfied by {printable(shown)}. To commit: sume.lock, metadata and media.")
        if absent[wanted.key].outputs:
            common.talk.warn(f"{wanted.key}: {absent[wanted.key].told(str(wanted.key))}.")
    for path in takers:
        again = f"To make it anew: sumesync retake {printable(quoted(path))}"
        common.talk.say(f"{printable(path)} takes it, and stays as it was made. {again}")


def _present(session: Session, wanted: Wanted) -> tuple[Output, ...]:
    """The media files that stand where this spec's outputs belong; or the result in its metadata."""
    if session.place.schemas.kinds[wanted.kind].document:
        return (_document(session, wanted),)
    names = session.observed.names.get(wanted.folder, frozenset())
    return tuple(_output(session, index, path) for index, path in standing(wanted, names))


def _document(session: Session, wanted: Wanted) -> Output:
    path = metadata.path_of(wanted.key)
    fact = session.observed.metadata.get(path)
    if fact is None or fact.output is None:
        raise UsageError(f"{wanted.key}: there is no result in {printable(path)}", "sumesync apply makes one")
    return replace(fact.output, path=path)


def _output(session: Session, index: int, path: str) -> Output:
    fact = session.media.look(path)
    if fact is None or fact.kind is FileKind.OTHER:
        raise LocalStateError(f"{printable(path)} is not a file that can be accepted", "links and folders cannot")
    known = media.sniff(projects.inside(session.place.home.root, path).read_bytes()[: media.HEAD_BYTES])
    kind = known.name if known else mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Output(index, path, fact.sha256, fact.size, kind)


def _record(session: Session, wanted: Wanted, outputs: tuple[Output, ...]) -> tuple[str, ...]:
    """Write it down: who takes an output of it, and stays as it is."""
    entry = session.state.lock.entries.get(wanted.key)
    now = satisfied(entry, wanted, session.place.endpoint, outputs)
    path = metadata.path_of(wanted.key)
    before = session.observed.metadata.get(path)
    said = before or metadata.MetadataFact(ours=False)
    made = metadata.render(wanted, turn_to(entry, wanted.key, now), said.result, said.asked)
    session.media.write_text(path, made)
    session.locks.patch({wanted.key: [lambda e: turn_to(e, wanted.key, now)]}, session.state.lock.lineage)
    return staying(entry, now, session.project.wanted, session.state.lock)
