"""Every parser of text that somebody else may have written, as a function of bytes: shared by the ordinary tests,
by hypothesis and by atheris.

The one property: a value, or one of the faults that the parser declares, told in one line that is fit to be shown.
Anything else that a target lets out is a finding.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sumesync.answers import Uploaded
from sumesync.api import wire
from sumesync.cli.plan import read_saved
from sumesync.core import contract, lock, metadata, toml
from sumesync.core.config import Config, read_config
from sumesync.core.document import PromptFile
from sumesync.core.inputs import InputFile
from sumesync.core.locate import Locator
from sumesync.core.request import body, urls
from sumesync.core.text import printable, short_urls, without_queries, without_secrets
from sumesync.disk.journal import LocalJournal
from sumesync.disk.ledger import LocalLedger
from sumesync.disk.uploads import LocalUploads
from sumesync.errors import LocalStateError, Problem, SumesyncError, UsageError
from sumesync.model import SUME, Entry, EntryKey, Fact, JobRecord, JobState, Lock, Output, Step, Submission, Wanted
from sumesync.render import human, machine
from sumesync.sandbox import openapi as sandbox_openapi
from sumesync.sandbox.settings import Settings
from tests.builders import SCHEMAS, picture, read, wanted

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).parent / "corpus"
SECRET = "ws_canary_0a1b2c3d4e"
_HOME = tempfile.TemporaryDirectory(prefix="sumesync-fuzz-")
_FOLDER = Path(_HOME.name)


class Finding(AssertionError):
    """What a parser must not do."""


@dataclass(frozen=True)
class Target:
    """``read`` may raise ``faults`` and nothing else. ``cap``: the most bytes that the tool gives it."""

    name: str
    read: Callable[[bytes], object]
    faults: tuple[type[Exception], ...] = ()
    cap: int = 256 << 10
    seeds: Callable[[], Iterator[bytes]] = lambda: iter(())

    def try_out(self, data: bytes) -> None:
        """Raises Finding, or whatever undeclared exception the parser let out."""
        try:
            self.read(data)
        except self.faults as fault:
            _fit(fault)


def _fit(fault: Exception) -> None:
    problems = fault.problems if isinstance(fault, SumesyncError) else ()
    hint = fault.hint if isinstance(fault, SumesyncError) else ""
    for line in (str(fault), hint, *(text for problem in problems for text in (problem.what, problem.hint))):
        _one_line(line)


def _one_line(text: str) -> None:
    """Told as it is, or through ``printable``, it stands on one line and can be written anywhere."""
    if len(text) > 2_000:
        raise Finding(f"a message of {len(text)} characters")
    shown = printable(text, 600)
    if len(shown.splitlines()) > 1 or shown.encode("utf-8", "replace").decode() != shown:
        raise Finding(f"a message that is not one line: {shown!r}")


# --- What a pull request writes ------------------------------------------------------------------------


def spec(data: bytes) -> None:
    """The spec alone, and beside another that it may lead to; every file that it names is there."""
    found = read({"launch/hero.sume.toml": data, "launch/b.sume.toml": _OTHER}, PromptFile(data), _Every())
    _told(found.problems)
    for result in found.wanted:
        body(result.request)
        urls(result.request)
        entry = Entry(result.key, result.fingerprint, result.kind, SUME)
        _reads_back(result, metadata.read(metadata.render(result, entry)))


class _Every(dict[str, InputFile]):
    """Whatever is asked for is a picture."""

    def get(self, key: str, default: object = None) -> InputFile:
        return picture(key)


_OTHER = b'prompt = "B"\nreference_image_urls = [{ from = "hero.sume.toml" }]\n'


def _reads_back(result: Wanted, back: metadata.MetadataFact) -> None:
    if not back.ours or back.take != result.take:
        raise Finding("our own metadata do not read")


def config(data: bytes) -> None:
    settings, problems = read_config("sumesync.toml", data, SCHEMAS)
    _told(problems)
    if problems and settings != Config():
        raise Finding("wrong settings count")


def _told(problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        _one_line(problem.where)
        _one_line(problem.what)
        _one_line(problem.hint)
        if (problem.line or 1) < 1 or (problem.column or 1) < 1:
            raise Finding(f"a place before the first: {problem.where}")
    human.problems(problems, lambda text, **_: text)


def lock_text(data: bytes) -> None:
    text = data.decode("utf-8")
    found = lock.read(text)
    again = lock.read(lock.render(found.lock)).lock
    if again != found.lock:
        raise Finding("a lock that is another one when written and read")
    if lock.read(lock.patch(text, {})).lock != found.lock:
        raise Finding("a patch of nothing changed something")


def metadata_text(data: bytes) -> None:
    fact = metadata.read(data.decode("utf-8", "replace"))
    if fact.entry and not fact.ours:
        raise Finding("an entry of a file that is not ours")


def saved_plan(data: bytes) -> None:
    path = _FOLDER / "plan.json"
    path.write_bytes(data)
    read_saved(path)


def locate(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    found = Locator(text)
    for pointer in ((), ("prompt",), ("meta", "tags", 0), ("extra", "x")):
        found.find(pointer)


def any_text(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    printable(text)
    _one_line(short_urls(text)[:600])
    if without_queries(without_queries(text)) != without_queries(text):
        raise Finding("a query was left")
    if SECRET in without_secrets(f"{text}{SECRET}", [SECRET]):
        raise Finding("a secret was left")


# --- What this machine keeps ----------------------------------------------------------------------------


def journal(data: bytes) -> None:
    folder = _FOLDER / "journal"
    folder.mkdir(exist_ok=True)
    (folder / "x.json").write_bytes(data)
    for submission in LocalJournal(_FOLDER).list():
        json.dumps([submission.key, submission.sent_at, str(submission.entry)])


def ledger(data: bytes) -> None:
    (_FOLDER / "ledger.jsonl").write_bytes(data)
    LocalLedger(_FOLDER, LocalJournal(_FOLDER)).list()


def uploads(data: bytes) -> None:
    (_FOLDER / "uploads.jsonl").write_bytes(data)
    found = LocalUploads(_FOLDER, None).find("a" * 64, "reference_image")
    if found:
        json.dumps([found.upload_id, found.media_url])


# --- What a server says ---------------------------------------------------------------------------------


def answer(data: bytes) -> None:
    """One body for every reader. The first byte chooses the status."""
    status = (200, 202, 301, 400, 402, 404, 409, 429, 500, 599)[data[0] % 10] if data else 200
    whole = wire.Answer(status, {"x-request-id": data[:40].decode("latin-1")}, data[1:])
    told = wire.error_body(whole, [SECRET])
    for text in (told.code, told.message, told.request_id or ""):
        _one_line(text)
    result = wire.submit_result(whole, 1e9, [SECRET])
    _one_line(str(getattr(result, "detail", "") or getattr(result, "message", "")))
    try:
        value = wire.parse(data[1:])
    except wire.Unreadable as fault:
        return _fit(fault)
    for reader in (
        wire.job_ids,
        wire.job_view,
        wire.job_page,
        wire.job_result,
        wire.scene_page,
        wire.scene,
        wire.avatar_page,
        wire.avatar,
        wire.brand,
        wire.read_account,
        wire.read_credits,
        wire.read_presigned,
    ):
        try:
            found = reader(value)
        except wire.Unreadable as fault:
            _fit(fault)
        else:
            machine.line({"found": repr(found)})
    wire.declares_header(value, "/images/generations", "/api/v1")
    return None


def openapi(data: bytes) -> None:
    """The body of ``/openapi.json``, kept, read again, and held against a request."""
    try:
        document = wire.parse(data)
    except wire.Unreadable as fault:
        return _fit(fault)
    wire.declares_header(document, "/images/generations", "/api/v1")
    for finding in contract.differences(document, "/images/generations", {"prompt": "a", "x": [{"y": 1.5}]}, "/api/v1"):
        _one_line(finding.what)
        _one_line(finding.hint)
    try:
        contract.check(document)
        kept = contract.Contract("https://www.sume.so/api/v1", "2026-01-01T00:00:00+00:00", document)
        again = contract.read(contract.render(kept).encode())
    except contract.Unfit as fault:
        return _fit(fault)
    if again != kept:
        raise Finding("a copy that is another one when written and read")
    return None


def kept_copy(data: bytes) -> None:
    contract.read(data)


def retry_after(data: bytes) -> None:
    text = data.decode("latin-1")
    wait = wire.retry_after({"retry-after": text, "date": text[::-1]}, 1e9)
    if wait is not None and not 0 <= wait <= 60:
        raise Finding(f"a wait of {wait} seconds")


# --- Real files to begin with ---------------------------------------------------------------------------


def _specs() -> Iterator[bytes]:
    for path in sorted((ROOT / "example-project").rglob("*.sume.toml")):
        yield path.read_bytes()
    yield b'kind = "video"\nprompt_file = "p.md"\n[output]\ndir = "../x"\nname = "aux"\n[meta]\nwhen = 2026-01-01\n'
    yield b'prompt = "a"\n[extra]\nx = [1, 2.5, {y = true}]\nz.a.b = 0x10\n'


def _configs() -> Iterator[bytes]:
    yield (ROOT / "example-project/sumesync.toml").read_bytes()
    yield b'[defaults.image]\naspect_ratio = "4:5"\n[defaults.video.extra]\nx = 1\n[apply]\nmax_jobs = 3\n'


def _entries() -> Lock:
    output = Output(1, "launch/hero.png", "a" * 64, 12, "image/png")
    job = JobRecord("job_1", JobState.COMPLETED, 1, credits=4, outputs=(output,))
    entry = Entry(EntryKey("launch/hero.sume.toml"), f"v1:{'b' * 64}", "image", SUME, (job,))
    return Lock("0123456789abcdef" * 2, "c" * 64, {entry.key: entry})


def _locks() -> Iterator[bytes]:
    yield lock.render(_entries()).encode()
    yield lock.new_text("0" * 32).encode()


def _metadata() -> Iterator[bytes]:
    yield metadata.render(wanted("launch/hero.sume.toml", "a"), next(iter(_entries().entries.values()))).encode()


def _journals() -> Iterator[bytes]:
    submission = Submission(
        key="k" * 64,
        step=Step.UNKNOWN,
        origin="https://www.sume.so/api/v1",
        route="/images/generations",
        kind="image",
        fingerprint=f"v1:{'b' * 64}",
        entry=EntryKey("hero.sume.toml"),
        attempt=1,
        body_sha256="d" * 64,
        lineage="0" * 32,
    )
    LocalJournal(_FOLDER).write(submission)
    yield (_FOLDER / "journal" / f"{submission.key}.json").read_bytes()
    (_FOLDER / "journal" / f"{submission.key}.json").unlink()


def _ledgers() -> Iterator[bytes]:
    path = _FOLDER / "ledger.jsonl"
    path.unlink(missing_ok=True)
    entry = next(iter(_entries().entries.values()))
    fact = Fact(entry.fingerprint, entry.jobs[0], "image", entry.key, None, "0" * 32, "k" * 64)
    LocalLedger(_FOLDER, LocalJournal(_FOLDER)).record([fact, fact])
    yield path.read_bytes()


def _uploads() -> Iterator[bytes]:
    path = _FOLDER / "uploads.jsonl"
    path.unlink(missing_ok=True)
    known = LocalUploads(_FOLDER, None)
    known.begin("a" * 64, "reference_image", "up_1")
    known.record(Uploaded("a" * 64, "reference_image", "up_1", "https://m.example/up_1"))
    known.drop("up_1")
    yield path.read_bytes()


def _plans() -> Iterator[bytes]:
    yield b'{"format_version": 1, "digest": "x", "options": {"paths": ["a"], "tags": [], "prune": true}}'


def _answers() -> Iterator[bytes]:
    for path in sorted((ROOT / "tests/api/fixtures").glob("*.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            for value in row.values() if isinstance(row, dict) else ():
                if isinstance(value, dict | list):
                    yield b"0" + json.dumps(value).encode()


def _openapi() -> Iterator[bytes]:
    yield json.dumps(sandbox_openapi.document(Settings(), "http://127.0.0.1/api/v1")).encode()
    for row in json.loads((ROOT / "tests/api/fixtures/openapi.json").read_text(encoding="utf-8")):
        yield json.dumps(row["document"]).encode()


def _copies() -> Iterator[bytes]:
    for document in _openapi():
        yield b'{"format_version": 1, "origin": "x", "fetched_at": "y", "document": ' + document + b"}"


def _waits() -> Iterator[bytes]:
    yield from (b"120", b"1.5", b"Fri, 31 Dec 1999 23:59:59 GMT", b"-1", b"1e9")


TARGETS = {
    target.name: target
    for target in (
        Target("spec", spec, cap=toml.MAX_BYTES, seeds=_specs),
        Target("config", config, cap=toml.MAX_BYTES, seeds=_configs),
        Target("lock", lock_text, (lock.LockFault, UnicodeDecodeError), seeds=_locks),
        Target("metadata", metadata_text, seeds=_metadata),
        Target("saved-plan", saved_plan, (UsageError,), seeds=_plans),
        Target("journal", journal, (LocalStateError,), seeds=_journals),
        Target("ledger", ledger, (LocalStateError,), seeds=_ledgers),
        Target("uploads", uploads, (LocalStateError,), seeds=_uploads),
        Target("answer", answer, seeds=_answers),
        Target("openapi", openapi, seeds=_openapi),
        Target("kept-openapi", kept_copy, (contract.Unfit,), seeds=_copies),
        Target("retry-after", retry_after, cap=4096, seeds=_waits),
        Target("locate", locate, cap=32 << 10, seeds=_specs),
        Target("text", any_text, cap=32 << 10, seeds=_specs),
    )
}
