"""The media of jobs: drawn when first asked for, kept for good, and found under signed URLs."""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from sumesync.sandbox.jobs import Job
from sumesync.sandbox.kinds import Piece, words


class Shelf:
    """Media by job and piece. Requests that come together for one of them draw it once."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._held: dict[tuple[str, str], bytes] = {}
        self._guard = threading.Lock()
        self._drawing: dict[tuple[str, str], threading.Lock] = {}
        self.drawn = 0
        """How many pieces were drawn, for tests."""

    def fetch(self, job: Job, piece: Piece) -> bytes:
        place = (job.id, piece.name)
        with self._guard:
            turn = self._drawing.setdefault(place, threading.Lock())
        with turn:
            data = self._load(place)
            if not data:
                data = draw(job, piece)
                self.drawn += 1
                self._keep(place, data)
        return data

    def _load(self, place: tuple[str, str]) -> bytes:
        if self._folder is None:
            return self._held.get(place, b"")
        try:
            return self._folder.joinpath(*place).read_bytes()
        except FileNotFoundError:
            return b""

    def _keep(self, place: tuple[str, str], data: bytes) -> None:
        if self._folder is None:
            self._held[place] = data
            return
        path = self._folder.joinpath(*place)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not synced: after a power cut an empty file is drawn again, as it was.
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        temporary.write_bytes(data)
        temporary.replace(path)


def draw(job: Job, piece: Piece) -> bytes:
    """The file of one piece."""
    from sumesync.sandbox import clips, pictures

    shape = str(job.body.get("aspect_ratio") or "")
    length = f"{piece.seconds:g} s" if piece.seconds else ""
    number = piece.name.partition(".")[0]
    take = f"{job.id}/{number}" if number.isdigit() and number != "1" else job.id
    caption = " · ".join(filter(None, (job.kind, shape, length, take)))
    scene = pictures.Scene(words(job.body), take, caption, piece.size)
    if piece.media_type == "video/mp4":
        return clips.mp4(clips.Clip(scene, piece.seconds, piece.audio))
    if piece.media_type == "image/jpeg":
        return pictures.thumbnail(scene)
    return pictures.png(scene)


class Signer:
    """Paths with an expiry and a signature, as the vendor's storage makes them."""

    def __init__(self, secret: str, now: Callable[[], float], lifetime: float) -> None:
        self._secret = secret.encode("ascii")
        self._now = now
        self._lifetime = lifetime

    def sign(self, path: str, lifetime: float | None = None) -> str:
        """``path`` as it stands in a request, with the query that opens it. A negative lifetime has passed."""
        expires = int(self._now() + (self._lifetime if lifetime is None else lifetime))
        return f"{quote(path, safe='/%')}?X-Sume-Expires={expires}&X-Sume-Signature={self._mark(path, expires)}"

    def opens(self, path: str, query: Mapping[str, str]) -> bool:
        try:
            expires = int(query.get("X-Sume-Expires", ""))
        except ValueError:
            return False
        mark = query.get("X-Sume-Signature", "")
        genuine = hmac.compare_digest(mark.encode("utf-8", "replace"), self._mark(path, expires).encode("ascii"))
        return genuine and self._now() < expires

    def _mark(self, path: str, expires: int) -> str:
        # Of the decoded path: clients write percent-encodings in their own way.
        text = f"{unquote(path)}\n{expires}".encode("utf-8", "replace")
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()
