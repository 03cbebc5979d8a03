"""Media that a plan would send to Sume, and of which only a git-lfs pointer is here: told before anybody agrees."""

from __future__ import annotations

from collections.abc import Iterator

from sumesync.cli import wiring
from sumesync.cli.session import Session
from sumesync.core.action import Plan
from sumesync.core.decide import quoted
from sumesync.core.sending import upload_only, upstream
from sumesync.core.text import count, printable
from sumesync.errors import LocalStateError
from sumesync.model import LocalInput, Wanted


def refuse(session: Session, plan_: Plan) -> None:
    """Raises LocalStateError where a purchase would need a file that is not fetched."""
    if paths := unfetched(session, plan_):
        raise LocalStateError(f"{_what(paths)}; nothing was submitted", _command(paths))


def told(session: Session, plan_: Plan) -> str:
    """What there is to say of it beside a plan; "" where there is nothing."""
    paths = unfetched(session, plan_)
    return f"{_what(paths)}. Before apply, run: {_command(paths)}" if paths else ""


def unfetched(session: Session, plan_: Plan) -> tuple[str, ...]:
    """Files that purchases of ``plan_`` would upload, and that are git-lfs pointers."""
    wanted = {one.key: one for one in session.project.wanted}
    buying = [wanted[action.key] for action in plan_.actions if action.pays and wanted[action.key].inputs]
    if not buying:
        return ()
    known = wiring.uploads(session.place, session.state.lock.workspace)
    files = {(path, sha256, purpose) for one in buying for path, sha256, purpose in _files(session, one)}
    missing = {path for path, sha256, purpose in files if not known.find(sha256, purpose)}
    return tuple(sorted(path for path in missing if _is_pointer(session, path)))


def _files(session: Session, wanted: Wanted) -> Iterator[tuple[str, str, str]]:
    """Path, hash and purpose of what would be uploaded."""
    for pointer, source in wanted.inputs.items():
        if isinstance(source, LocalInput):
            yield source.path, source.sha256, source.purpose
            continue
        made = upstream(source, session.state.lock.entries.get(source.key), session.place.endpoint)
        kind = session.place.schemas.kinds[wanted.kind]
        if made is not None and (made.job is None or upload_only(pointer, kind)):
            yield made.output.path, made.output.sha256, source.purpose


def _is_pointer(session: Session, path: str) -> bool:
    from sumesync.apply.inputs import is_pointer

    try:
        return is_pointer(session.media, path)
    except LocalStateError:
        return False  # what is not there is told where it is needed


def _what(paths: tuple[str, ...]) -> str:
    more = f" and {count(len(paths) - 1, 'other file')}" if len(paths) > 1 else ""
    verb = "are git-lfs pointers, not the files themselves" if more else "is a git-lfs pointer, not the file itself"
    return f"{printable(paths[0])}{more} {verb}"


def _command(paths: tuple[str, ...]) -> str:
    return f"git lfs pull --include {quoted(printable(','.join(paths)))}"
