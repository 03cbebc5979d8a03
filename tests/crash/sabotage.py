"""Steps of the protocol left out on purpose, in a child of the zygote: the searches must find each of them."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from sumesync.answers import Order, SubmitResult
from sumesync.api.client import SumeClient
from sumesync.disk.journal import LocalJournal
from sumesync.model import Step, Submission


def _sync_only(kind: Callable[[int], bool]) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if kind(os.fstat(descriptor).st_mode):
            real(descriptor)

    os.fsync = fsync  # type: ignore[assignment]  # one of ours takes a descriptor only


def _files_are_not_synced() -> None:
    _sync_only(stat.S_ISDIR)


def _folders_are_not_synced() -> None:
    _sync_only(stat.S_ISREG)


def _sending_is_not_written() -> None:
    real = LocalJournal.write

    def write(self: LocalJournal, submission: Submission) -> None:
        if submission.step is not Step.SENDING:
            real(self, submission)

    _put(LocalJournal, "write", write)


def _unknown_is_forgotten() -> None:
    real = LocalJournal.list

    def list_(self: LocalJournal) -> tuple[Submission, ...]:
        return tuple(each for each in real(self) if each.step not in (Step.SENDING, Step.UNKNOWN))

    _put(LocalJournal, "list", list_)
    _put(LocalJournal, "find", lambda self, key: None)


def _sent_again_undocumented() -> None:
    _put(SumeClient, "declares_idempotency", lambda self, route: True)


def _another_key_every_time() -> None:
    real = SumeClient.submit

    def submit(self: SumeClient, order: Order, before_first_byte: Callable[[], None]) -> SubmitResult:
        return real(self, replace(order, key=secrets.token_hex(32)), before_first_byte)

    _put(SumeClient, "submit", submit)


def _put(home: Any, name: str, stand_in: Any) -> None:
    setattr(home, name, stand_in)


SABOTAGES: Final[dict[str, Callable[[], None]]] = {
    "files are not synced": _files_are_not_synced,
    "folders are not synced": _folders_are_not_synced,
    "SENDING is not written": _sending_is_not_written,
    "UNKNOWN is forgotten": _unknown_is_forgotten,
    "sent again, undocumented": _sent_again_undocumented,
    "another key every time": _another_key_every_time,
}
