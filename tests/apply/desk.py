"""A whole world in memory for the loop: Sume, the disk and time, each behind its port, all moved by hand.

A ``Fuse`` blows at a chosen effect of a run, before or after it, and then nothing of that run has any effect
any more: what a killed process leaves behind.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from sumesync.answers import (
    Accepted,
    Account,
    Credits,
    JobPage,
    JobResult,
    JobView,
    Order,
    Presigned,
    ScenePage,
    SubmitResult,
    Unclear,
    Uploaded,
)
from sumesync.apply.loop import Loop
from sumesync.apply.recovery import settle_journal
from sumesync.apply.run import Task, Tools
from sumesync.core import lock as locks
from sumesync.core import metadata, paths, placement, request, schedule
from sumesync.core.action import Observed, Plan, Policy
from sumesync.core.budget import Budget
from sumesync.core.fingerprint import fingerprint
from sumesync.core.outcome import Outcome
from sumesync.core.paid import merge
from sumesync.core.plan import plan
from sumesync.core.recover import open_submissions
from sumesync.core.view import Project, State
from sumesync.errors import ApiError, LocalStateError
from sumesync.model import (
    Change,
    Done,
    EntryKey,
    Event,
    Fact,
    FileFact,
    FileKind,
    Input,
    Json,
    LocalInput,
    Lock,
    Pointer,
    Step,
    Submission,
    UpstreamInput,
    Wanted,
)
from sumesync.ports import Part, Source, Workers
from tests.builders import KINDS

LINEAGE = "0" * 32
LASTS = 60.0
"""Seconds for which a signed URL is good."""


read_lock = functools.lru_cache(64)(locks.read)
read_metadata = functools.lru_cache(256)(metadata.read)
"""Pure functions of texts that every look at the same disk would read again."""


class Crash(BaseException):
    """The process is killed here."""


@dataclass
class Fuse:
    """Blows at effect number ``at`` (from 1), ``after`` it or before it. ``log`` names every effect there was."""

    at: int | None = None
    after: bool = False
    log: list[str] = field(default_factory=list)
    blown: bool = False

    def burn(self, name: str, effect: Callable[[], object] = lambda: None) -> None:
        if self.blown:
            raise Crash
        self.log.append(name)
        here = self.at == len(self.log)
        if here and not self.after:
            self.blown = True
            raise Crash
        effect()
        if here:
            self.blown = True
            raise Crash


@dataclass
class HandClock:
    """Time that passes only when somebody waits."""

    at: float = 1_000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def ended(tag: object, task: Callable[[], object]) -> Done:
    try:
        return Done(tag, task())
    except Exception as error:  # noqa: BLE001 - as the real workers: handed to the loop
        return Done(tag, error=error)


@dataclass
class InlineWorkers:
    """Tasks run at once; waiting with nothing to come moves the clock."""

    clock: HandClock
    done: list[Done] = field(default_factory=list)

    @property
    def busy(self) -> int:
        return len(self.done)

    def start(self, tag: object, task: Callable[[], object]) -> None:
        self.done.append(ended(tag, task))

    def next(self, timeout: float | None) -> Done | None:
        if self.done:
            return self.done.pop(0)
        if timeout is None:
            raise AssertionError("the loop would wait for ever")
        self.clock.sleep(timeout)
        return None


@dataclass
class FakeJob:
    id: str
    key: str
    request: bytes
    ends: float
    status: str = "completed"


Behaviour = Callable[["FakeSume", Order, Callable[[], None]], SubmitResult]


def accept(sume: FakeSume, order: Order, hook: Callable[[], None]) -> SubmitResult:
    hook()
    return Accepted((sume.create(order).id,))


def lose_answer(sume: FakeSume, order: Order, hook: Callable[[], None]) -> SubmitResult:
    hook()
    sume.create(order)
    return Unclear("the connection broke while waiting for the answer")


def lose_request(sume: FakeSume, order: Order, hook: Callable[[], None]) -> SubmitResult:
    hook()
    return Unclear("the connection broke while sending")


@dataclass
class FakeSume:
    """Sume, as far as the JobApi port shows it. ``script`` says how the nth submit (from 0) goes."""

    clock: HandClock
    script: Mapping[int, Behaviour] = field(default_factory=dict)
    seconds: float = 5.0
    idempotent: bool = False
    echoes: bool = False
    fuse: Fuse = field(default_factory=Fuse)
    jobs: list[FakeJob] = field(default_factory=list)
    submits: int = 0
    requests: list[str] = field(default_factory=list)
    fates: dict[str, str] = field(default_factory=dict)
    """Words of a prompt -> the terminal status of its jobs."""
    broken: list[ApiError] = field(default_factory=list)
    """Raised by the next downloads, one each."""
    gone: set[str] = field(default_factory=set)
    """Jobs whose results Sume has no more."""
    uploads: dict[str, bytes] = field(default_factory=dict)
    """What was sent whole, by upload id; b"" until it is."""
    presigned: list[tuple[str, str, int, str]] = field(default_factory=list)
    """Name, type, size and purpose of what places were asked for."""
    puts: list[str] = field(default_factory=list)
    unready: list[Exception] = field(default_factory=list)
    """Raised by the next presigns, one each."""
    wrong: list[str] = field(default_factory=list)
    """What a create named that it may not."""
    document: Mapping[str, Json] | None = None
    """What every result is, where it is no media."""

    lagging: int = 0
    """So many of the next pages of the list show none of ours."""
    balance: Callable[[], float | None] = lambda: 100.0
    library: FakeLibrary = field(default_factory=lambda: FakeLibrary())

    origin = "http://127.0.0.1:1/api/v1"

    def create(self, order: Order) -> FakeJob:
        if self.idempotent and (known := next((job for job in self.jobs if job.key == order.key), None)):
            return known
        status = next((fate for words, fate in self.fates.items() if words.encode() in order.body), "completed")
        self.wrong += [url for url in request.urls(json.loads(order.body)) if not self._serves(url)]
        job = FakeJob(f"job_{len(self.jobs) + 1}", order.key, order.body, self.clock.at + self.seconds, status)
        self.jobs.append(job)
        return job

    def _serves(self, url: str) -> bool:
        """Whether a create may name ``url``: a result that was asked for just now, or what was uploaded whole."""
        name, _, at = url.rpartition("/")[2].partition("?at=")
        if name.startswith("up_"):
            return bool(self.uploads.get(name))
        return name not in self.gone and bool(at) and self.clock.at - float(at) <= LASTS

    def presign(self, name: str, media_type: str, size: int, purpose: str) -> Presigned:
        self.fuse.burn("presign")
        self.presigned.append((name, media_type, size, purpose))
        if self.unready:
            raise self.unready.pop(0)
        upload_id = f"up_{len(self.uploads) + 1}"
        self.uploads[upload_id] = b""
        return Presigned(upload_id, f"https://put/{upload_id}?sig=1", {}, f"https://media/{upload_id}")

    def put(self, presigned: Presigned, size: int, read: Callable[[int], bytes]) -> None:
        data = b""
        while len(data) < size:
            chunk = read(min(7, size - len(data)))
            assert chunk, "the client would wait for ever"
            data += chunk

        def whole() -> None:
            self.uploads[presigned.upload_id] = data
            self.puts.append(presigned.upload_id)

        self.fuse.burn("put", whole)

    def scenes(self, query: Mapping[str, str], cursor: str | None = None) -> ScenePage:
        return self.library.scenes(query, cursor)

    def account(self) -> Account:
        return Account("ws_1")

    def credits(self) -> Credits:
        self.requests.append("credits")
        return Credits(self.balance(), 4)

    def declares_idempotency(self, route: str) -> bool:
        return self.idempotent

    def hold(self) -> float:
        return 0.0

    def submit(self, order: Order, before_first_byte: Callable[[], None]) -> SubmitResult:
        self.fuse.burn("connect")
        behaviour = self.script.get(self.submits, accept)
        self.submits += 1
        made: list[SubmitResult] = []
        hooked: list[None] = []

        def hook() -> None:
            before_first_byte()
            hooked.append(None)
            self.fuse.burn("send")

        result = behaviour(self, order, hook)
        made.append(result)
        self.fuse.burn("receive")
        return result

    def _view(self, job: FakeJob) -> JobView:
        over = self.clock.at >= job.ends
        tokens = frozenset({job.key}) if self.echoes else frozenset[str]()
        return JobView(job.id, job.status if over else "running", credits=4.0 if over else None, tokens=tokens)

    def list_jobs(self, cursor: str | None = None, limit: int = 100, *, only: Collection[str] | None = None) -> JobPage:
        self.requests.append("list")
        if self.lagging:
            self.lagging -= 1
            return JobPage(())
        return JobPage(tuple(self._view(job) for job in reversed(self.jobs)))

    def job(self, job_id: str) -> JobView:
        self.requests.append("job")
        for job in self.jobs:
            if job.id == job_id:
                return self._view(job)
        raise ApiError("not found", status=404)

    def result(self, job_id: str, sent: frozenset[str] = frozenset(), *, whole: bool = False) -> JobResult:
        self.requests.append("result")
        if job_id in self.gone:
            raise ApiError("not found", status=404)
        if self.document is not None:
            return JobResult((), document={"job": job_id, **self.document} if whole else {})
        return JobResult((f"https://media/{job_id}?at={self.clock.at}",))

    def download(self, url: str, write: Callable[[bytes], None]) -> str:
        self.requests.append("media")
        if self.broken:
            raise self.broken.pop(0)
        job_id = url.rpartition("/")[2].partition("?")[0]
        job = next(job for job in self.jobs if job.id == job_id)
        write(media_of(job))
        return "image/png"


@dataclass
class FakeLibrary:
    """The scenes that Sume has. ``pages`` of scenes, each with the cursor after it."""

    pages: dict[str | None, ScenePage] = field(default_factory=dict)
    asked: list[tuple[dict[str, str], str | None]] = field(default_factory=list)
    broken: list[ApiError] = field(default_factory=list)
    """Raised by the next searches, one each."""

    def scenes(self, query: Mapping[str, str], cursor: str | None = None) -> ScenePage:
        self.asked.append((dict(query), cursor))
        if self.broken:
            raise self.broken.pop(0)
        return self.pages.get(cursor, ScenePage(()))


def media_of(job: FakeJob) -> bytes:
    head = b"\x00\x00\x00\x18ftypisom" if b"duration" in job.request else b"\x89PNG\r\n\x1a\n"
    return head + job.id.encode() + job.request


@dataclass
class MemoryPart:
    path: Path
    head: bytes = b""
    data: bytes = b""

    def write(self, data: bytes) -> None:
        self.data += data
        self.head = self.data[:4096]

    def finish(self) -> tuple[str, int]:
        return hashlib.sha256(self.data).hexdigest(), len(self.data)

    def discard(self) -> None: ...


@dataclass
class Disk:
    """What survives a crash."""

    lock: str | None = None
    facts: list[Fact] = field(default_factory=list)
    journal: dict[str, Submission] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    uploads: list[tuple[str, Uploaded]] = field(default_factory=list)


@dataclass
class MemoryUploads:
    """The Uploads port over one Disk."""

    disk: Disk
    fuse: Fuse

    def find(self, sha256: str, purpose: str) -> Uploaded | None:
        known: dict[str, Uploaded] = {}
        for step, upload in self.disk.uploads:
            if step == "dropped":
                known.pop(upload.upload_id, None)
            elif step == "whole" and (upload.sha256, upload.purpose) == (sha256, purpose):
                known[upload.upload_id] = upload
        return list(known.values())[-1] if known else None

    def begin(self, sha256: str, purpose: str, upload_id: str) -> None:
        self._add("begun", Uploaded(sha256, purpose, upload_id))

    def record(self, uploaded: Uploaded) -> None:
        self._add("whole", uploaded)

    def drop(self, upload_id: str) -> None:
        self._add("dropped", Uploaded("", "", upload_id))

    def _add(self, step: str, upload: Uploaded) -> None:
        self.fuse.burn(f"upload {step}", lambda: self.disk.uploads.append((step, upload)))


@dataclass
class MemoryStores:
    """Ledger, Journal, LockStore and Media over one Disk, every effect through the fuse."""

    disk: Disk
    fuse: Fuse

    # Ledger
    def list(self) -> tuple[Fact, ...]:
        found: dict[tuple[str, str], Fact] = {}
        for fact in self.disk.facts:
            key = (fact.fingerprint, fact.job.id)
            found[key] = replace(fact, job=merge(found[key].job, fact.job)) if key in found else fact
        return tuple(found.values())

    def record(self, facts: Iterable[Fact]) -> None:
        known = tuple(facts)
        if known:
            self.fuse.burn("ledger", lambda: self.disk.facts.extend(known))

    def claim(self, submission: Submission) -> None:
        other = self.disk.journal.get(submission.key)
        if other is not None and other.step is not Step.INTENT:
            raise LocalStateError("already being paid for")
        self.write(submission)

    # Journal
    def write(self, submission: Submission) -> None:
        self.fuse.burn(f"journal {submission.step}", lambda: self.disk.journal.update({submission.key: submission}))

    def clear(self, *keys: str) -> None:
        for key in keys:
            self.fuse.burn("journal clear", functools.partial(self.disk.journal.pop, key, None))

    # LockStore
    def read(self) -> Lock | None:
        return read_lock(self.disk.lock).lock if self.disk.lock is not None else None

    def create(self, lineage: str, workspace: str | None) -> Lock:
        self.fuse.burn("lock", lambda: setattr(self.disk, "lock", locks.new_text(lineage, workspace)))
        return Lock(lineage, workspace)

    def patch(self, changes: Mapping[EntryKey, Sequence[Change]], lineage: str, workspace: str | None = None) -> None:
        text = self.disk.lock or locks.new_text(lineage, workspace)
        entries = dict(read_lock(text).lock.entries)
        after = {}
        for key, steps in changes.items():
            entry = entries.get(key)
            for step in steps:
                entry = step(entry)
            after[key] = entry
        patched = locks.patch(text, after, workspace)
        self.fuse.burn("lock", lambda: setattr(self.disk, "lock", patched))

    # Media
    def part(self, folder: str) -> Part:
        return MemoryPart(Path(folder))

    def look(self, path: str) -> FileFact | None:
        data = self.disk.files.get(path)
        return None if data is None else FileFact(FileKind.FILE, hashlib.sha256(data).hexdigest(), len(data))

    def open(self, path: str) -> Source:
        if path not in self.disk.files:
            raise LocalStateError(f"cannot read {path}: No such file or directory")
        return io.BytesIO(self.disk.files[path])

    def place(self, part: Part, target: str, expected: FileFact | None) -> bool:
        if self.look(target) != expected:
            return False
        assert isinstance(part, MemoryPart)
        self.fuse.burn("rename", lambda: self.disk.files.update({target: part.data}))
        return True

    def copy(self, source: str, folder: str, sha256: str) -> Part | None:
        data = self.disk.files.get(source)
        if data is None or hashlib.sha256(data).hexdigest() != sha256:
            return None
        return MemoryPart(Path(folder), data[:4096], data)

    def remove(self, path: str, sha256: str) -> bool:
        fact = self.look(path)
        if fact is None or fact.sha256 != sha256:
            return False
        self.fuse.burn("unlink", lambda: self.disk.files.pop(path))
        return True

    def read_text(self, path: str) -> str | None:
        return self.disk.texts.get(path)

    def write_text(self, path: str, text: str) -> None:
        self.fuse.burn("metadata", lambda: self.disk.texts.update({path: text}))

    def remove_text(self, path: str) -> None:
        self.fuse.burn("unlink", lambda: self.disk.texts.pop(path, None))


class JournalView:
    """The Journal port: its ``list`` is another than the ledger's."""

    def __init__(self, stores: MemoryStores) -> None:
        self._stores = stores
        self.write, self.clear = stores.write, stores.clear

    def list(self) -> tuple[Submission, ...]:
        return tuple(self._stores.disk.journal.values())


@dataclass
class Telling:
    events: list[Event] = field(default_factory=list)

    def tell(self, event: Event) -> None:
        self.events.append(event)


def want(path: str, prompt: str, take: int = 1, **fields: Json) -> Wanted:
    """A valid spec. One with a ``duration`` is a video."""
    kind = "video" if "duration" in fields else "image"
    request = {"prompt": prompt, **fields}
    key = EntryKey(path)
    return Wanted(key, kind, take, request, fingerprint(kind, request, take), paths.parent(path), paths.spec_stem(path))


def taking(path: str, prompt: str, *sources: Input, **fields: Json) -> Wanted:
    """A clip made of what ``sources`` say."""
    inputs: dict[Pointer, Input] = {("reference_image_urls", place): it for place, it in enumerate(sources)}
    shown: list[Json] = [
        {"file": it.path} if isinstance(it, LocalInput) else {"from": it.key.path, "output": it.output}
        for it in sources
    ]
    body: dict[str, Json] = {"prompt": prompt, "duration": 5, "reference_image_urls": shown, **fields}
    identity = fingerprint("video", body, 1, inputs)
    return Wanted(EntryKey(path), "video", 1, body, identity, paths.parent(path), paths.spec_stem(path), inputs=inputs)


def output_of(upstream: Wanted, output: int = 1) -> UpstreamInput:
    return UpstreamInput(upstream.key, output, upstream.fingerprint, "reference_image")


def local(path: str, data: bytes) -> LocalInput:
    return LocalInput(path, hashlib.sha256(data).hexdigest(), len(data), "image/png", "reference_image")


HERO = want("a/hero.sume.toml", "a bottle")
SIDE = want("a/side.sume.toml", "a jar")
CLIP = want("b/clip.sume.toml", "a slow pan", duration=5)


@dataclass
class Desk:
    """One project on one machine, over several runs."""

    specs: list[Wanted]
    clock: HandClock = field(default_factory=HandClock)
    disk: Disk = field(default_factory=Disk)
    sume: FakeSume = field(init=False)
    library: FakeLibrary = field(default_factory=FakeLibrary)
    stopping: bool = False
    ordered: bool = True
    """Whether the plan says what its purchases come after."""
    workers: Callable[[HandClock], Workers] = InlineWorkers
    pace: schedule.Pace = field(default_factory=schedule.Pace)

    def __post_init__(self) -> None:
        self.sume = FakeSume(self.clock, library=self.library)

    def state(self) -> State:
        stores = MemoryStores(self.disk, Fuse())
        facts = stores.list()
        lock = stores.read() or Lock(LINEAGE)
        return State(lock, facts, open_submissions(tuple(self.disk.journal.values()), facts))

    def observed(self) -> Observed:
        stores = MemoryStores(self.disk, Fuse())
        files = {path: fact for path in self.disk.files if (fact := stores.look(path))}
        names: dict[str, set[str]] = {}
        for path in files:
            names.setdefault(paths.parent(path), set()).add(path.rpartition("/")[2])
        known = {path: read_metadata(text) for path, text in self.disk.texts.items()}
        return Observed(
            files | placement.documents(known), {folder: frozenset(found) for folder, found in names.items()}, known
        )

    def plan(self, policy: Policy | None = None) -> Plan:
        project = Project(tuple(self.specs), spec_paths=frozenset(spec.key.path for spec in self.specs))
        return self._in_order(plan(project, self.state(), self.observed(), policy or Policy(), KINDS))

    def _in_order(self, made: Plan) -> Plan:
        """``made``, its purchases after the work of what they take something from."""
        wanted = {spec.key: spec for spec in self.specs}
        work = {action.key for action in made.work}
        actions = []
        for action in made.actions:
            sources = wanted[action.key].inputs.values() if action.pays else ()
            after = {it.key for it in sources if isinstance(it, UpstreamInput)} & work if self.ordered else ()
            actions.append(replace(action, after=tuple(sorted(after))))
        return replace(made, actions=tuple(actions))

    def apply(
        self,
        policy: Policy | None = None,
        fuse: Fuse | None = None,
        *,
        capacity: int = 4,
        wait: bool = True,
        deadline: float | None = None,
        since: float | None = None,
        budget: Budget | None = None,
        prices: Mapping[EntryKey, float] = MappingProxyType({}),
    ) -> tuple[Outcome, Telling]:
        """A run, from the look at the disk to the end. Raises Crash where the fuse blows."""
        fuse = fuse or Fuse()
        policy = policy or Policy()
        stores, telling = MemoryStores(self.disk, fuse), Telling()
        self.sume.fuse = fuse
        tools = Tools(
            self.sume,
            stores,
            JournalView(stores),
            stores,
            stores,
            self.clock,
            self.workers(self.clock),
            telling,
            self.sume,
            MemoryUploads(self.disk, fuse),
        )
        outcome = Outcome()
        state = self.state()
        if self.disk.lock is None:
            stores.create(LINEAGE, None)
        settle_journal(tools, state.facts, state.lock.lineage, self.specs, KINDS)
        state = self.state()
        task = Task(
            plan=self.plan(policy),
            wanted={spec.key: spec for spec in self.specs},
            lock=state.lock,
            facts=state.facts,
            own=placement.ours(state.lock, state.facts, self.observed()),
            kinds=KINDS,
            policy=policy,
            capacity=capacity,
            pace=self.pace,
            wait=wait,
            deadline=deadline,
            since=since,
            stopping=lambda: self.stopping,
            budget=budget,
            prices=prices,
        )
        Loop(task, tools, outcome).run()
        return outcome, telling
