"""Small values in one line each. What a test does not name has a default that means nothing."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from sumesync.core import chain, documents, media, metadata, paths, placement
from sumesync.core.action import Action, Observed, Plan, Policy
from sumesync.core.chain import Draft
from sumesync.core.config import Config
from sumesync.core.document import Document, Found, PromptFile, open_spec
from sumesync.core.fingerprint import fingerprint, submission_key
from sumesync.core.inputs import InputFile
from sumesync.core.metadata import MetadataFact
from sumesync.core.paid import index
from sumesync.core.paths import MEDIA_SUFFIXES, suffix_of
from sumesync.core.placement import paths_of_interest, recorded_paths
from sumesync.core.plan import plan
from sumesync.core.spec import resolve
from sumesync.core.view import Project, State
from sumesync.disk import schemas
from sumesync.errors import Problem
from sumesync.model import (
    SUME,
    Entry,
    EntryKey,
    Fact,
    FileFact,
    FileKind,
    Input,
    JobError,
    JobRecord,
    JobState,
    Json,
    Lock,
    Output,
    Past,
    Pointer,
    Step,
    Submission,
    UpstreamInput,
    Wanted,
)

LINEAGE = "0123456789abcdef" * 2
SCHEMAS = schemas.for_specs()
KINDS = SCHEMAS.kinds
OTHER = FileFact(FileKind.OTHER)


def sha(content: str) -> str:
    """The sha256 of ``content``: tests name bytes by what they say."""
    return hashlib.sha256(content.encode()).hexdigest()


def file(content: str) -> FileFact:
    return FileFact(FileKind.FILE, sha(content), len(content))


def pointer(content: str) -> FileFact:
    """A git-lfs pointer to ``content``."""
    return FileFact(FileKind.POINTER, sha(content), len(content))


def wanted(
    path: str,
    prompt: str = "A cup",
    *,
    kind: str = "image",
    take: int = 1,
    variant: str = "",
    folder: str | None = None,
    stem: str | None = None,
    meta: Mapping[str, Json] | None = None,
    **request: Json,
) -> Wanted:
    """A valid spec at ``path``, resolved."""
    whole: dict[str, Json] = {"prompt": prompt, **request} if "prompt" in KINDS[kind].fields else request
    return Wanted(
        key=EntryKey(path, variant),
        kind=kind,
        take=take,
        request=whole,
        fingerprint=fingerprint(kind, whole, take),
        folder=paths.parent(path) if folder is None else folder,
        stem=stem or paths.spec_stem(path),
        meta=meta or {},
    )


def taking(upstream: Wanted, path: str, prompt: str = "It turns", output_: int = 1) -> Wanted:
    """A film at ``path`` that takes an output of ``upstream``."""
    shown: Json = {"from": upstream.key.path, "output": output_, "fingerprint": upstream.fingerprint}
    request: dict[str, Json] = {"prompt": prompt, "reference_image_urls": [shown]}
    given: dict[Pointer, Input] = {
        ("reference_image_urls", 0): UpstreamInput(upstream.key, output_, upstream.fingerprint, "reference_image")
    }
    film = wanted(path, prompt, kind="video")
    return replace(film, request=request, inputs=given, fingerprint=fingerprint("video", request, 1, given))


def output(path: str, content: str, index: int = 1) -> Output:
    return Output(index, path, sha(content), len(content), "image/png")


def job(
    id_: str,
    state: JobState = JobState.COMPLETED,
    *outputs: Output,
    attempt: int = 1,
    credits_: float | None = None,
    error: JobError | None = None,
) -> JobRecord:
    return JobRecord(id_, state, attempt, credits_, error, outputs)


def past(of: Wanted, *jobs: JobRecord, accepted: tuple[Output, ...] = (), endpoint: str = SUME) -> Past:
    return Past(of.fingerprint, of.kind, endpoint, jobs, accepted)


def entry(
    of: Wanted,
    *jobs: JobRecord,
    accepted: tuple[Output, ...] = (),
    history: tuple[Past, ...] = (),
    endpoint: str = SUME,
    path: str | None = None,
) -> Entry:
    """What the lock says of ``of`` (or of the same request at another path)."""
    key = EntryKey(path, of.key.variant) if path else of.key
    return Entry(key, of.fingerprint, of.kind, endpoint, jobs, accepted, history)


def lock(*entries: Entry, workspace: str | None = None, lineage: str = LINEAGE) -> Lock:
    return Lock(lineage, workspace, {each.key: each for each in entries})


def fact(of: Wanted, of_job: JobRecord, *, workspace: str | None = None, lineage: str = LINEAGE) -> Fact:
    """A line of the ledger."""
    written = frozenset(each.sha256 for each in of_job.outputs)
    return Fact(of.fingerprint, of_job, of.kind, of.key, workspace, lineage, written=written)


def submission(
    of: Wanted, step: Step, *job_ids: str, attempt: int = 1, lineage: str = LINEAGE, sent_at: float | None = 5.0
) -> Submission:
    """A paid step in progress."""
    return Submission(
        key=submission_key(lineage, of.fingerprint, attempt),
        step=step,
        origin="https://api.example.com/v1",
        route="/images/generations",
        kind=of.kind,
        entry=of.key,
        fingerprint=of.fingerprint,
        attempt=attempt,
        body_sha256=sha("body"),
        lineage=lineage,
        sent_at=sent_at,
        job_ids=job_ids,
    )


def document(of: Wanted, its: Entry, result: Mapping[str, Json] | None = None) -> MetadataFact:
    """The metadata file that sumesync writes for ``its``, made from ``of``; with a result, where that is a document."""
    return metadata.read(metadata.render(of, its, result))


def held(of: Wanted, result: Mapping[str, Json]) -> Output:
    """What the lock records of a document."""
    return documents.output(metadata.path_of(of.key), result)


def seen(
    specs: Iterable[Wanted],
    state: State,
    files: Mapping[str, FileFact],
    described: Mapping[str, MetadataFact | None] | None = None,
    endpoint: str = SUME,
    committed: Mapping[str, str] | None = None,
) -> Observed:
    """What the disk would answer: facts of the paths that the plan asks about, names of all media. The metadata of
    every entry that is as its spec says are up to date unless ``described`` says otherwise (None: no file)."""
    specs = tuple(specs)
    paid = index(state.lock, state.facts, state.journal, endpoint)
    asked = paths_of_interest(specs, recorded_paths(state.lock), state.facts, paid)
    names: dict[str, frozenset[str]] = {}
    for folder in {spec.folder for spec in specs}:
        inside = (path for path in files if posixpath.dirname(path) == folder and suffix_of(path) in MEDIA_SUFFIXES)
        names[folder] = frozenset(map(posixpath.basename, inside))
    found: dict[str, MetadataFact | None] = {}
    for spec in specs:
        its = state.lock.entries.get(spec.key)
        if its and (its.fingerprint, its.endpoint) == (spec.fingerprint, endpoint):
            found[metadata.path_of(spec.key)] = document(spec, its)
    found.update(described or {})
    there = {path: fact for path, fact in found.items() if fact is not None}
    stand = {path: fact for path, fact in files.items() if path in asked}
    return Observed(stand | placement.documents(there), names, there, committed or {})


def planned(
    *specs: Wanted,
    entries: Iterable[Entry] = (),
    facts: Iterable[Fact] = (),
    journal: Iterable[Submission] = (),
    sending: Mapping[str, str] | None = None,
    files: Mapping[str, FileFact] | None = None,
    documents: Mapping[str, MetadataFact | None] | None = None,
    problems: Iterable[Problem] = (),
    config_problems: Iterable[Problem] = (),
    workspace: str | None = None,
    first: Callable[[EntryKey], bool] = lambda _key: True,
    committed: Mapping[str, str] | None = None,
    **policy: Any,
) -> Plan:
    """The plan of a project with these specs, this lock, this ledger, this journal and these files."""
    asked = Policy(**policy)
    state = State(lock(*entries, workspace=workspace), tuple(facts), tuple(journal), sending or {})
    problems = tuple(problems)
    spec_paths = frozenset({spec.key.path for spec in specs} | {problem.path for problem in problems})
    project = Project(specs, problems, tuple(config_problems), spec_paths)
    observed = seen(specs, state, files or {}, documents, asked.endpoint, committed)
    return plan(project, state, observed, asked, KINDS, first)


def action_of(plan_: Plan, path: str, variant: str = "") -> Action:
    """The one action of a variant; fails when there are none or several."""
    (found,) = (action for action in plan_.actions if action.key == EntryKey(path, variant))
    return found


def read(
    specs: Mapping[str, str | bytes],
    prompts: Mapping[str, PromptFile] | PromptFile | None = None,
    files: Mapping[str, InputFile] | None = None,
    config: Config | None = None,
) -> Project:
    """A project of these texts. ``prompts`` and ``files`` are what the disk finds; one PromptFile stands for all."""
    config = config or Config()
    drafts: list[Draft] = []
    wrong: list[Problem] = []
    for path, text in specs.items():
        opened = open_spec(path, text.encode() if isinstance(text, str) else text, config, SCHEMAS)
        if not isinstance(opened, Document):
            wrong += opened
            continue
        none = PromptFile(fault="there is no file")
        known = {
            name: prompts if isinstance(prompts, PromptFile) else (prompts or {}).get(name, none)
            for name in opened.prompts
        }
        there = {name: (files or {}).get(name, InputFile(fault=f"there is no file {name}")) for name in opened.files}
        for found in resolve(opened, config, SCHEMAS, Found(known, there)):
            if isinstance(found, Draft):
                drafts.append(found)
            else:
                wrong.append(found)
    wanted_, problems = chain.linked(drafts, wrong, frozenset(specs), KINDS)
    return Project(wanted_, problems, (), frozenset(specs))


def picture(content: str = "a picture", suffix: str = ".png") -> InputFile:
    """A file that can be sent; its ending says what it is."""
    return InputFile(sha(content), len(content), media.of_suffix(suffix))


def examples(number: int) -> int:
    """How many examples a property gets: ``number``, halved in the ordinary run, which is to be quick and is random but
    in CI; twenty times as many where HYPOTHESIS_PROFILE=deep asks for it."""
    return number * 20 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else number // 2
