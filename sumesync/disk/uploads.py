"""What was uploaded: one line of JSON a step, appended and fsynced. Beside the ledger, and worth less: without it
the same bytes are sent once more, for nothing."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, Final

from sumesync.answers import Uploaded
from sumesync.disk import atomic
from sumesync.disk.ledger import UPDATE
from sumesync.errors import LocalStateError

FORMAT: Final = 1
NAME: Final = "uploads.jsonl"
_BEGUN: Final = "begun"
_WHOLE: Final = "whole"
_DROPPED: Final = "dropped"
_STEPS: Final = frozenset({_BEGUN, _WHOLE, _DROPPED})


class LocalUploads:
    """The Uploads port on this machine. Safe from several threads; writers hold the project's mutex. What another
    workspace uploaded is not used: this one could not read it."""

    def __init__(self, folder: Path, workspace: str | None) -> None:
        self._path = folder / NAME
        self._workspace = workspace
        self._guard = threading.Lock()
        self._known: dict[str, Uploaded] | None = None
        """By upload id, the latest last."""

    def find(self, sha256: str, purpose: str) -> Uploaded | None:
        with self._guard:
            known = [it for it in self._loaded().values() if (it.sha256, it.purpose) == (sha256, purpose)]
        return known[-1] if known else None

    def begin(self, sha256: str, purpose: str, upload_id: str) -> None:
        self._append(_BEGUN, Uploaded(sha256, purpose, upload_id))

    def record(self, uploaded: Uploaded) -> None:
        self._append(_WHOLE, uploaded)

    def drop(self, upload_id: str) -> None:
        with self._guard:
            known = self._loaded().get(upload_id)
        if known:
            self._append(_DROPPED, known)

    def _append(self, step: str, upload: Uploaded) -> None:
        # What is signed is a secret, and it would not last.
        url = "" if "?" in upload.media_url or "#" in upload.media_url else upload.media_url
        table = {
            "format_version": FORMAT,
            "step": step,
            "sha256": upload.sha256,
            "purpose": upload.purpose,
            "upload_id": upload.upload_id,
            "media_url": url,
            "workspace": self._workspace,
        }
        with self._guard:
            known = self._loaded()
            atomic.append(self._path, (json.dumps(table, ensure_ascii=True) + "\n").encode())
            _apply(known, step, Uploaded(upload.sha256, upload.purpose, upload.upload_id, url))

    def _loaded(self) -> dict[str, Uploaded]:
        if self._known is None:
            self._known = self._read()
        return self._known

    def _read(self) -> dict[str, Uploaded]:
        """What every whole line says. What stands after the last newline was never durable."""
        with atomic.explained("read", self._path):
            try:
                data = atomic.read(self._path)
            except FileNotFoundError:
                return {}
        known: dict[str, Uploaded] = {}
        for number, line in enumerate(data.split(b"\n")[:-1], start=1):
            try:
                step, upload, workspace = _line(line)
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise LocalStateError(
                    f"{self._path}:{number}: not a list of uploads that reads ({str(error)[:80]})",
                    "remove the file: nothing is lost with it, its uploads are made again for free",
                ) from None
            if workspace == self._workspace:
                _apply(known, step, upload)
        return known


def _apply(known: dict[str, Uploaded], step: str, upload: Uploaded) -> None:
    if step != _BEGUN:
        known.pop(upload.upload_id, None)
    if step == _WHOLE:
        known[upload.upload_id] = upload


def _line(line: bytes) -> tuple[str, Uploaded, str | None]:
    table: dict[str, Any] = json.loads(line)
    if table["format_version"] != FORMAT:
        raise LocalStateError(f"the uploads have format {table['format_version']}, newer than this sumesync", UPDATE)
    step, workspace = table["step"], table["workspace"]
    texts = [table[name] for name in ("sha256", "purpose", "upload_id", "media_url")]
    if not all(isinstance(text, str) for text in texts) or not isinstance(workspace, str | None):
        raise TypeError("a value is not text")
    if step not in _STEPS:
        raise ValueError("a step that there is not")
    return step, Uploaded(*texts), workspace
