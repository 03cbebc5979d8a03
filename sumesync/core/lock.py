"""``sume.lock``: text to values and back. Pure; the disk reads and replaces the file.

The file is TOML: a header, then one ``[[entry]]`` block an entry, ordered by the sha256 of the path, so that
neighbours in a folder are not neighbours in the lock and branches seldom conflict. ``patch`` keeps
the text of every block that it does not change, and ``patched`` makes a value of what it wrote without reading
the others again.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import tomli
import tomli_w

from sumesync.core import paths
from sumesync.core.blocks import entry as plain_entry
from sumesync.core.blocks import is_of_media
from sumesync.core.ids import is_job_id
from sumesync.errors import LocalStateError
from sumesync.model import SANDBOX, SUME, Entry, EntryKey, JobError, JobRecord, JobState, Lock, Output, Past

FORMAT_VERSION: Final = 1
_BLOCK: Final = "[[entry]]\n"
_NEWLINE: Final = "\n"
_HEADING: Final = "# sume.lock: what sumesync last achieved. Written by sumesync; commit it, do not edit it.\n"
_FINGERPRINT: Final = re.compile(r"v[0-9]+:[0-9a-f]{64}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_STATES: Final = {str(state): state for state in JobState}
_MARKER = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( |$)", re.MULTILINE)
REBUILD_HINT: Final = "restore it from git, or run: sumesync lock rebuild"


class LockFault(LocalStateError):
    """The lock cannot be read. It is left as it is."""


@dataclass(frozen=True, slots=True)
class LockText:
    """A lock as it stands in its file: its value, and the text of each block."""

    lock: Lock
    blocks: Mapping[EntryKey, str]
    in_order: bool = False
    """Whether ``blocks`` are known to stand in the lock's order."""

    @property
    def text(self) -> str:
        """As this version writes it."""
        return "\n".join([_header(self.lock.lineage, self.lock.workspace), *self.blocks.values()])


def new_text(lineage: str, workspace: str | None = None) -> str:
    """A lock without entries: the header alone."""
    return _header(lineage, workspace)


def read(text: str) -> LockText:
    """Raises LockFault, naming the line and the command that mends it."""
    text = text.replace("\r\n", "\n")
    if marker := _MARKER.search(text):
        line = text.count("\n", 0, marker.start()) + 1
        mend = "lock resolve" if marker[1].startswith("<") else "lock rebuild"  # what is torn has no sides
        hint = f"run: sumesync {mend} (it keeps what both sides paid for)"
        raise LockFault(f"{paths.LOCK_NAME}:{line}: merge conflict markers", hint)
    return _block_by_block(text) or _whole(text)


def _whole(text: str) -> LockText:
    try:
        document = tomli.loads(text)
    except (tomli.TOMLDecodeError, RecursionError, ValueError) as error:
        line = getattr(error, "lineno", 1)
        raise LockFault(f"{paths.LOCK_NAME}:{line}: not a lock that reads ({error})"[:200], REBUILD_HINT) from None
    lock = _lock(document)
    return LockText(lock, _blocks(text, lock))


def _block_by_block(text: str) -> LockText | None:
    """What ``_whole`` makes of it, several times as fast; None where it would find a fault, or might. A line that is a
    heading stands in a text of several lines only where what comes before it is no TOML by itself."""
    head, *parts = text.split("\n" + _BLOCK)
    texts: dict[EntryKey, str] = {}
    entries: dict[EntryKey, Entry] = {}
    try:
        document = tomli.loads(head + "\n")
        if "entry" in document:
            return None
        for part in parts:
            if (entry := plain_entry(part)) is None:
                document_of = tomli.loads(_BLOCK + part)
                (table,) = document_of.pop("entry")
                if document_of:
                    return None
                entry = _entry(table, paths.LOCK_NAME)
            entries[entry.key] = entry
            texts[entry.key] = f"{_BLOCK}{part.rstrip(_NEWLINE)}\n"
        empty = _lock(document)
    except (LockFault, tomli.TOMLDecodeError, RecursionError, ValueError):
        return None
    return LockText(replace(empty, entries=entries), texts) if len(entries) == len(parts) else None


def patch(text: str, changes: Mapping[EntryKey, Entry | None], workspace: str | None = None) -> str:
    """``text`` with these entries replaced, added or (None) removed, and nothing else touched.

    ``workspace`` fills the header's digest in where it is still missing.
    """
    return _patched(read(text), changes, workspace).text


def patched(current: LockText, changes: Mapping[EntryKey, Entry | None], workspace: str | None = None) -> LockText:
    """What ``read`` would make of ``patch``: only the blocks that changed are read. Raises LockFault for an entry that
    could not be read again, before anybody has written it."""
    made = _patched(current, changes, workspace)
    entries = dict(made.lock.entries)
    for key in changes:
        if key in made.blocks and made.blocks[key] is not current.blocks.get(key):
            entries[key] = _read_again(made.blocks[key])
    return replace(made, lock=replace(made.lock, entries=entries))


def _read_again(block: str) -> Entry:
    if (entry := plain_entry(block.removeprefix(_BLOCK))) is not None:
        return entry
    (table,) = tomli.loads(block)["entry"]
    return _entry(table, paths.LOCK_NAME)


def _patched(current: LockText, changes: Mapping[EntryKey, Entry | None], workspace: str | None) -> LockText:
    blocks = dict(current.blocks) if current.in_order else _ordered(current.blocks)
    entries = dict(current.lock.entries)
    new: dict[EntryKey, str] = {}
    for key, entry in changes.items():
        if entry is None:
            blocks.pop(key, None)
            entries.pop(key, None)
        elif entries.get(key) != entry:
            (blocks if key in blocks else new)[key] = _block(entry)
            entries[key] = entry
    lock = replace(current.lock, workspace=current.lock.workspace or workspace, entries=entries)
    return LockText(lock, _inserted(blocks, new) if new else blocks, in_order=True)


def _ordered(blocks: Mapping[EntryKey, str]) -> dict[EntryKey, str]:
    return {key: blocks[key] for key in sorted(blocks, key=_order)}


def _inserted(blocks: dict[EntryKey, str], new: dict[EntryKey, str]) -> dict[EntryKey, str]:
    """``new`` among ``blocks``, which stand in order: the hashes of a few of them are enough to find the places."""
    keys, start = list(blocks), 0
    made: dict[EntryKey, str] = {}
    for key in sorted(new, key=_order):
        place = bisect_left(keys, _order(key), start, key=_order)
        made.update((other, blocks[other]) for other in keys[start:place])
        made[key] = new[key]
        start = place
    made.update((other, blocks[other]) for other in keys[start:])
    return made


def render(lock: Lock) -> str:
    """The text of a whole lock, made anew."""
    return patch(_header(lock.lineage, lock.workspace), lock.entries)


def _order(key: EntryKey) -> tuple[str, str, str]:
    return hashlib.sha256(key.path.encode()).hexdigest(), key.path, key.variant


# --- Writing ---------------------------------------------------------------------------------------


def _header(lineage: str, workspace: str | None) -> str:
    values: dict[str, Any] = {"format_version": FORMAT_VERSION, "lineage": lineage}
    if workspace:
        values["workspace"] = workspace
    return _HEADING + tomli_w.dumps(values)


def _block(entry: Entry) -> str:
    table: dict[str, Any] = {"path": entry.key.path}
    if entry.key.variant:
        table["variant"] = entry.key.variant
    table.update(past_table(entry))
    if entry.history:
        table["history"] = [past_table(past) for past in entry.history]
    lines = tomli_w.dumps({"entry": [table]}).split("\n")
    # One blank line stands between entries and none inside: a merge then never splits an entry.
    return "\n".join(line for line in lines if line) + "\n"


def past_table(past: Past | Entry) -> dict[str, Any]:
    """A request and what was paid for it, as the lock and the metadata write it; of an entry what it is now."""
    table: dict[str, Any] = {"kind": past.kind, "fingerprint": past.fingerprint}
    if past.endpoint != SUME:
        table["endpoint"] = past.endpoint
    if past.jobs:
        table["jobs"] = [job_table(job) for job in past.jobs]
    if past.accepted:
        table["accepted"] = [output_table(output) for output in past.accepted]
    return table


def job_table(job: JobRecord) -> dict[str, Any]:
    """A job as the lock and the ledger write it. What is not set is left out."""
    table: dict[str, Any] = {"id": job.id, "state": str(job.state), "attempt": job.attempt}
    if job.credits is not None:
        table["credits"] = int(job.credits) if float(job.credits).is_integer() else job.credits
    if job.error is not None:
        table["error"] = {"code": job.error.code}
        if job.error.request_id:
            table["error"]["request_id"] = job.error.request_id
    if job.outputs:
        table["outputs"] = [output_table(output) for output in job.outputs]
    return table


def output_table(output: Output) -> dict[str, Any]:
    return {
        "index": output.index,
        "path": output.path,
        "sha256": output.sha256,
        "size": output.size,
        "media_type": output.media_type,
    }


# --- Reading ---------------------------------------------------------------------------------------


def _blocks(text: str, lock: Lock) -> dict[EntryKey, str]:
    """The text of each entry. A line ``[[entry]]`` cannot stand inside a string: ours are on one line."""
    parts = [part.rstrip("\n") + "\n" for part in text.split(_BLOCK)[1:]]
    if len(parts) != len(lock.entries):
        return {key: _block(entry) for key, entry in lock.entries.items()}
    return {key: _BLOCK + part for key, part in zip(lock.entries, parts, strict=True)}


def _lock(document: dict[str, Any]) -> Lock:
    version = document.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise LockFault(
            f"{paths.LOCK_NAME} has format {version}; this sumesync reads up to {FORMAT_VERSION}",
            "update sumesync: pip install --upgrade sumesync",
        )
    where = paths.LOCK_NAME
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise LockFault(f"{where} does not say its format_version", REBUILD_HINT)
    entries: dict[EntryKey, Entry] = {}
    for number, table in enumerate(_tables(document, "entry", where), start=1):
        entry = _entry(table, f"{where}, entry {number}")
        if entry.key in entries:
            raise LockFault(f"{where} has two entries of {entry.key}", REBUILD_HINT)
        entries[entry.key] = entry
    lineage = _text(document, "lineage", where)
    if not re.fullmatch(r"[0-9a-f]{32}", lineage):
        raise LockFault(f"{where}: lineage is not one that sumesync wrote", REBUILD_HINT)
    return Lock(lineage, _text(document, "workspace", where, "") or None, entries)


def _entry(table: dict[str, Any], where: str) -> Entry:
    path = _text(table, "path", where)
    where = f"{paths.LOCK_NAME}: {path!r}"
    variant = _text(table, "variant", where, "")
    if paths.path_fault(path) or not path.endswith(paths.SPEC_SUFFIX):
        raise LockFault(f"{where} is not a spec of the project", REBUILD_HINT)
    if variant and ("/" in variant or paths.name_fault(variant)):
        raise LockFault(f"{where}: {variant[:80]!r} is not a variant", REBUILD_HINT)
    past = read_past(table, where)
    return Entry(
        key=EntryKey(path, variant),
        fingerprint=past.fingerprint,
        kind=past.kind,
        endpoint=past.endpoint,
        jobs=past.jobs,
        accepted=past.accepted,
        history=tuple([read_past(item, where) for item in _tables(table, "history", where)]),
    )


def read_past(table: dict[str, Any], where: str) -> Past:
    """The inverse of ``past_table``. Raises LockFault."""
    fingerprint = _text(table, "fingerprint", where)
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise LockFault(f"{where}: {fingerprint[:80]!r} is not a fingerprint", REBUILD_HINT)
    endpoint = _text(table, "endpoint", where, SUME)
    if endpoint not in (SUME, SANDBOX):
        raise LockFault(f"{where}: unknown endpoint {endpoint[:80]!r}", REBUILD_HINT)
    return Past(
        fingerprint=fingerprint,
        kind=_text(table, "kind", where),
        endpoint=endpoint,
        jobs=tuple([read_job(item, where) for item in _tables(table, "jobs", where)]),
        accepted=tuple([read_output(item, where) for item in _tables(table, "accepted", where)]),
    )


def read_job(table: dict[str, Any], where: str) -> JobRecord:
    """The inverse of ``job_table``. Raises LockFault."""
    state = _text(table, "state", where)
    if state not in _STATES:
        raise LockFault(f"{where}: unknown job state {state[:80]!r}", REBUILD_HINT)
    job_id = _text(table, "id", where)
    if not is_job_id(job_id):
        raise LockFault(f"{where}: {job_id[:80]!r} is not a job id", REBUILD_HINT)
    cost = table.get("credits")
    error = table.get("error")
    return JobRecord(
        id=job_id,
        state=_STATES[state],
        attempt=_number(table, "attempt", where),
        credits=cost if isinstance(cost, int | float) and not isinstance(cost, bool) and abs(cost) < 1e15 else None,
        error=JobError(_text(error, "code", where), _text(error, "request_id", where, "") or None)
        if isinstance(error, dict)
        else None,
        outputs=tuple([read_output(item, where) for item in _tables(table, "outputs", where)]),
    )


def read_output(table: dict[str, Any], where: str) -> Output:
    """The inverse of ``output_table``. Raises LockFault."""
    path, sha256 = _text(table, "path", where), _text(table, "sha256", where)
    if fault := paths.path_fault(path):
        raise LockFault(f"{where}: an output at {path!r}: {fault}", REBUILD_HINT)
    media_type = _text(table, "media_type", where)
    if not is_of_media(path, media_type):
        raise LockFault(f"{where}: an output at {path!r}, which is no media file", REBUILD_HINT)
    if not _SHA256.fullmatch(sha256):
        raise LockFault(f"{where}: {sha256[:80]!r} is not a sha256", REBUILD_HINT)
    return Output(
        index=_number(table, "index", where),
        path=path,
        sha256=sha256,
        size=_number(table, "size", where),
        media_type=media_type,
    )


def _text(table: dict[str, Any], key: str, where: str, default: str | None = None) -> str:
    value = table.get(key, default)
    if not isinstance(value, str):
        raise LockFault(f"{where}: {key} is missing or not text", REBUILD_HINT)
    return value


def _number(table: dict[str, Any], key: str, where: str) -> int:
    value = table.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise LockFault(f"{where}: {key} is missing or not a number", REBUILD_HINT)
    return value


def _tables(table: dict[str, Any], key: str, where: str) -> Iterable[dict[str, Any]]:
    value = table.get(key)
    if value is None and key not in table:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise LockFault(f"{where}: {key} is not a list of tables", REBUILD_HINT)
    return value
