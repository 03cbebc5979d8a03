"""The journal: one small file a submission, replaced durably at each step of the paid request."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from sumesync.disk import atomic
from sumesync.errors import LocalStateError
from sumesync.model import EntryKey, Step, Submission

FORMAT: Final = 1
_SUFFIX: Final = ".json"
_SETTLED: Final = ".settled"
_FIELDS: Final = tuple(field.name for field in fields(Submission))


class LocalJournal:
    """The Journal port on this machine. Safe from several threads: each writes files of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "journal"

    def list(self) -> tuple[Submission, ...]:
        with atomic.explained("read", self._folder):
            try:
                names = sorted(path.name for path in self._folder.iterdir())
            except FileNotFoundError:
                return ()
        return tuple(self._read(self._folder / name) for name in names if name.endswith(_SUFFIX))

    def find(self, key: str) -> Submission | None:
        path = self._path(key)
        return self._read(path) if path.exists() else None

    def write(self, submission: Submission) -> None:
        table = {"format_version": FORMAT, **{name: getattr(submission, name) for name in _FIELDS}}
        table["entry"] = submission.entry._asdict()
        # A line a value, for people; json's own indent is many times slower, and three of these go before each job.
        values = json.dumps(table, separators=(",\n ", ": "))[1:-1]
        atomic.write(self._path(submission.key), f"{{\n {values}\n}}\n".encode())

    def clear(self, *keys: str) -> None:
        if keys:
            atomic.remove(*map(self._path, keys))

    def settle(self, key: str) -> None:
        """Out of the journal, and kept beside it: a person decided, and may come back on it."""
        if self._path(key).exists():
            atomic.rename(self._path(key), self._folder / f"{key}{_SETTLED}")

    def settled(self) -> tuple[Submission, ...]:
        """What a person decided on, as it was before."""
        with atomic.explained("read", self._folder):
            paths = sorted(self._folder.glob(f"*{_SETTLED}"))
        found = (self._read(path) for path in paths if not self._path(path.name.removesuffix(_SETTLED)).exists())
        return tuple(replace(submission, step=Step.UNKNOWN, job_ids=()) for submission in found)

    def forget(self, key: str) -> None:
        """Drop what ``settle`` kept."""
        atomic.remove(self._folder / f"{key}{_SETTLED}")

    def sweep(self) -> None:
        """Remove parts that a killed run left here. The caller holds the mutex: nobody is writing them."""
        with suppress(OSError):
            for name in os.listdir(self._folder):
                if atomic.is_part(name):
                    (self._folder / name).unlink()

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"

    def _read(self, path: Path) -> Submission:
        try:
            with atomic.explained("read", path):
                data = atomic.read(path)
            return _submission(json.loads(data))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise LocalStateError(
                f"{path}: a paid request in progress that cannot be read ({str(error)[:80]})",
                "see at Sume whether its job exists, move the file away, then run: sumesync lock rebuild",
            ) from None


def _submission(table: dict[str, Any]) -> Submission:
    if table.pop("format_version") != FORMAT:
        raise ValueError("a newer format: update sumesync")
    entry = table.pop("entry")
    step = Step(table.pop("step"))
    job_ids = tuple(str(job_id) for job_id in table.pop("job_ids"))
    texts = ("key", "origin", "route", "kind", "fingerprint", "body_sha256", "lineage", "detail")
    if not all(isinstance(table[name], str) for name in texts) or not isinstance(table["attempt"], int):
        raise TypeError("a value of the wrong type")
    return Submission(step=step, entry=EntryKey(str(entry["path"]), str(entry["variant"])), job_ids=job_ids, **table)
