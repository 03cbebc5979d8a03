"""What a paid request takes in: files of the project are uploaded, upstream outputs asked for, and the body is made
of it. In worker threads, before anything of the paid step; whatever fails here, nothing was paid for."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Final

from sumesync.answers import Uploaded
from sumesync.apply.run import Task, Tools
from sumesync.core import request
from sumesync.core.decide import quoted
from sumesync.core.kinds import Kind
from sumesync.core.media import POINTER_MAX, lfs_pointer
from sumesync.core.sending import Made, filled, renamed, upload_only, upstream
from sumesync.core.text import in_bytes, printable
from sumesync.errors import ApiError, LocalStateError, SumesyncError
from sumesync.model import Entry, EntryKey, Input, LocalInput, Pointer, UpstreamInput, Wanted
from sumesync.ports import Media, Source, Uploads

_LASTS: Final = 300.0
"""Seconds for which a signed URL of an upload is used again: it is not remembered beyond the run."""

Entries = Mapping[EntryKey, Entry | None]


class InputError(SumesyncError):
    """An input that cannot be had, however often it is tried."""


class Left(Exception):
    """The run is being stopped: nothing was sent."""


@dataclass(frozen=True, slots=True)
class Body:
    """A request as it will be sent. ``named``: the URLs in it. ``remembered``: the uploads of earlier runs that it
    names, and ``spent`` those that it uses up, by id."""

    data: bytes
    named: frozenset[str] = frozenset()
    remembered: tuple[str, ...] = ()
    spent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Given:
    """What stands for one input in a body."""

    value: str
    remembered: str = ""
    spent: str = ""


@dataclass(slots=True)
class Inputs:
    """The inputs of one run's purchases. Safe from several threads. ``stopped``: whether nothing more may be sent."""

    task: Task
    tools: Tools
    stopped: Callable[[], bool]
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _locks: dict[tuple[str, str], threading.Lock] = field(default_factory=dict)
    _new: dict[tuple[str, str, str], tuple[Uploaded, float]] = field(default_factory=dict)
    """This run's own and when they were whole, by hash, purpose and owner."""
    _ids: set[str] = field(default_factory=set)
    """Those of this run."""
    _told: set[tuple[str, str]] = field(default_factory=set)
    """Files of which somebody was told, by hash and purpose."""
    _owners: dict[str, str] = field(default_factory=dict)
    """An upload that is sent by its id belongs to the one request that finalises it: that one's fingerprint."""

    def body(self, wanted: Wanted, entries: Entries, again: bool = False) -> Body:
        """The body of ``wanted``, its inputs uploaded and asked for. ``again``: an earlier attempt came to nothing,
        so that what earlier runs uploaded is not trusted.

        Raises InputError for what no second try mends, ApiError or MediaError for what one may, Left, and
        LocalStateError where the list of uploads fails.
        """
        kind = self.task.kinds[wanted.kind]
        given = {
            pointer: self._given(source, wanted, kind, pointer, entries, again)
            for pointer, source in wanted.inputs.items()
        }
        body = filled(wanted.request, {pointer: it.value for pointer, it in given.items()}, kind)
        return Body(
            request.body(body),
            request.urls(body),
            tuple(it.remembered for it in given.values() if it.remembered),
            tuple(it.spent for it in given.values() if it.spent),
        )

    def outgoing(self, wanted: Wanted) -> Iterator[str]:
        """The files of the project that ``wanted`` will send, each once in a run, for whoever waits for them."""
        for source in wanted.inputs.values():
            if isinstance(source, LocalInput) and (source.sha256, source.purpose) not in self._told:
                self._told.add((source.sha256, source.purpose))
                with suppress(LocalStateError):  # of the list of uploads; told where it matters
                    if self.tools.uploads.find(source.sha256, source.purpose) is None:
                        yield f"{source.path} ({in_bytes(source.size)})"

    def named(self, wanted: Wanted, entries: Entries) -> frozenset[str]:
        """The URLs that a request of an earlier run named, as far as they can be known still."""
        found = set(request.urls(wanted.request))
        for source in wanted.inputs.values():
            if isinstance(source, LocalInput):
                found |= self._remembered(source.sha256, source.purpose)
            elif made := upstream(source, entries.get(source.key), self._endpoint):
                found |= self._remembered(made.output.sha256, source.purpose)
                if made.job is not None:
                    with suppress(ApiError):
                        found.update(self.tools.api.result(made.job.id, self._echoed(source.key)).urls)
        return frozenset(found)

    def _remembered(self, sha256: str, purpose: str) -> set[str]:
        known = self.tools.uploads.find(sha256, purpose)
        return {known.media_url} if known and known.media_url else set()

    @property
    def _endpoint(self) -> str:
        return self.task.policy.endpoint

    def _given(
        self, source: Input, wanted: Wanted, kind: Kind, pointer: Pointer, entries: Entries, again: bool
    ) -> _Given:
        if self.stopped():
            raise Left
        owner = wanted.fingerprint if renamed(pointer, kind) else ""
        if isinstance(source, LocalInput):
            return self._sent(source, owner, again)
        if upload_only(pointer, kind):
            return self._loaded(source, owner, entries.get(source.key), again)
        return self._upstream(source, entries.get(source.key), again)

    # --- Upstream -----------------------------------------------------------------------------------------

    def _upstream(self, source: UpstreamInput, entry: Entry | None, again: bool) -> _Given:
        """The URL of an upstream's output; its file where Sume has it no more, or a person made it."""
        made = self._made(source, entry)
        if made.job is None:
            return self._sent(_file(made, source), "", again)
        if url := self._asked(source, made.job.id, made.place, made.of):
            return _Given(url)
        try:
            return self._sent(_file(made, source), "", again)
        except InputError as error:
            what = f"Sume no longer has output {source.output} of {printable(source.key.path)}, and {error.what}"
            raise InputError(what, error.hint) from None

    def _loaded(self, source: UpstreamInput, owner: str, entry: Entry | None, again: bool) -> _Given:
        """An upstream's file, uploaded: Sume takes no URL of what it made here."""
        made = self._made(source, entry)
        try:
            return self._sent(_file(made, source), owner, again)
        except InputError as error:
            path = made.output.path
            if made.job is None or self.tools.media.look(path) is not None:
                raise
            what = f"{printable(path)} must be uploaded, and is not here"
            hint = f"load it first, for free: sumesync fetch {quoted(printable(source.key.path))}"
            raise InputError(what, hint) from error

    def _made(self, source: UpstreamInput, entry: Entry | None) -> Made:
        made = upstream(source, entry, self._endpoint)
        if made is None:
            name = printable(source.key.path)
            raise InputError(
                f"{name} has no output {source.output} yet", f"make it first: sumesync apply {quoted(name)}"
            )
        return made

    def _asked(self, source: UpstreamInput, job_id: str, place: int, of: int) -> str:
        """The URL of an upstream's output now; "" where Sume has it no more, or tells of others than were loaded."""
        try:
            urls = self.tools.api.result(job_id, self._echoed(source.key)).urls
        except ApiError as error:
            if error.status in (404, 410):
                return ""
            raise
        return urls[place] if len(urls) == of else ""

    def _echoed(self, key: EntryKey) -> frozenset[str]:
        """URLs that the upstream's own result may echo."""
        wanted = self.task.wanted.get(key)
        if wanted is None:
            return frozenset()
        files = (source for source in wanted.inputs.values() if isinstance(source, LocalInput))
        return request.urls(wanted.request).union(*(self._remembered(it.sha256, it.purpose) for it in files))

    # --- Files --------------------------------------------------------------------------------------------

    def _sent(self, file: LocalInput, owner: str, again: bool) -> _Given:
        """``file`` at Sume: uploaded now, unless it was. The same bytes go out once, whoever waits for them."""
        with self._guard:
            lock = self._locks.setdefault((file.sha256, file.purpose), threading.Lock())
        with lock:
            known = self._known(file, owner, again)
            uploaded = known or self._uploaded(file, owner)
        value = uploaded.upload_id if owner else uploaded.media_url
        if not value:
            raise InputError("Sume does not tell where an upload stands", "name it by an https URL instead")
        earlier = uploaded.upload_id not in self._ids
        return _Given(value, uploaded.upload_id if earlier else "", uploaded.upload_id if owner else "")

    def _known(self, file: LocalInput, owner: str, again: bool) -> Uploaded | None:
        new, at = self._new.get((file.sha256, file.purpose, owner), (None, 0.0))
        if new is not None and self.tools.clock.monotonic() - at < _LASTS:
            return new
        found = self.tools.uploads.find(file.sha256, file.purpose)
        if found is None or not (owner or found.media_url):
            return None
        if again and found.upload_id not in self._ids:
            return None
        if owner and self._owners.setdefault(found.upload_id, owner) != owner:
            return None
        return found

    def _uploaded(self, file: LocalInput, owner: str) -> Uploaded:
        """Send ``file``, durable in the list of uploads before it begins and when it is whole."""
        tools = self.tools
        name = file.path.rpartition("/")[2]
        with closing(self._opened(file)) as source:
            presigned = tools.library.presign(name, file.media_type, file.size, file.purpose)
            if self.stopped():
                raise Left
            tools.uploads.begin(file.sha256, file.purpose, presigned.upload_id)
            tools.library.put(presigned, file.size, _Checked(source, file, self.stopped).read)
        uploaded = Uploaded(file.sha256, file.purpose, presigned.upload_id, presigned.media_url)
        if self.stopped():
            raise Left  # the run may have let go of the project by now: nothing more is written
        tools.uploads.record(uploaded)
        self._new[file.sha256, file.purpose, owner] = (uploaded, tools.clock.monotonic())
        self._ids.add(uploaded.upload_id)
        if owner:
            self._owners[uploaded.upload_id] = owner
        return uploaded

    def _opened(self, file: LocalInput) -> Source:
        """``file``, proved to be no git-lfs pointer."""
        try:
            if is_pointer(self.tools.media, file.path):
                raise unfetched(file.path)
            return self.tools.media.open(file.path)
        except LocalStateError as error:
            raise InputError(error.what, "put it back, then run apply again") from None


def _file(made: Made, source: UpstreamInput) -> LocalInput:
    output = made.output
    return LocalInput(output.path, output.sha256, output.size, output.media_type, source.purpose)


def needed(wanted: Wanted, entries: Entries) -> Entries:
    """Those of ``entries`` that ``wanted`` takes something from, as they are now."""
    keys = (source.key for source in wanted.inputs.values() if isinstance(source, UpstreamInput))
    return {key: entries.get(key) for key in keys}


def is_pointer(media: Media, path: str) -> bool:
    """Whether a git-lfs pointer stands at ``path``. Raises LocalStateError where no file does."""
    with closing(media.open(path)) as source:
        return lfs_pointer(source.read(POINTER_MAX + 1)) is not None


def unfetched(path: str) -> InputError:
    shown = printable(path)
    return InputError(f"{shown} is a git-lfs pointer, not the file itself", f"git lfs pull --include {quoted(shown)}")


class _Checked:
    """A file on its way out. Its last bytes go only where all of them are what the plan saw."""

    def __init__(self, source: Source, file: LocalInput, stopped: Callable[[], bool]) -> None:
        self._source, self._file, self._stopped = source, file, stopped
        self._left = file.size
        self._digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        if self._stopped():
            raise Left
        data = self._source.read(min(size, self._left))
        self._digest.update(data)
        self._left -= len(data)
        if (self._left == 0 and not self._same()) or (self._left and not data):
            what = f"{printable(self._file.path)} is not the file any more that it was"
            raise InputError(what, "look at the new plan: sumesync plan")
        return data

    def _same(self) -> bool:
        return self._digest.hexdigest() == self._file.sha256 and not self._source.read(1)


def remembered(wanted: Wanted, kind: Kind, uploads: Uploads) -> bytes | None:
    """The body of ``wanted`` made again without asking anybody; None where an input's URL is not remembered."""
    values: dict[Pointer, str] = {}
    for pointer, source in wanted.inputs.items():
        known = uploads.find(source.sha256, source.purpose) if isinstance(source, LocalInput) else None
        value = known and (known.upload_id if renamed(pointer, kind) else known.media_url)
        if not value:
            return None
        values[pointer] = value
    return request.body(filled(wanted.request, values, kind))
