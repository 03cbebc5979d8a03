"""The decision table of the design, row by row: one small state, one action with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sumesync.core.action import Change, Plan, Standing, Verb, Why
from sumesync.core.advance import search_record
from sumesync.core.decide import quoted
from sumesync.core.metadata import MetadataFact
from sumesync.core.plan import only
from sumesync.errors import Exit, Problem
from sumesync.model import SANDBOX, Entry, EntryKey, JobState, Step, Wanted
from tests.builders import (
    OTHER,
    action_of,
    document,
    entry,
    fact,
    file,
    job,
    output,
    past,
    planned,
    pointer,
    submission,
    taking,
    wanted,
)
from tests.values import (
    HERO,
    HERO_DONE,
    HERO_FAILED,
    HERO_FILES,
    HERO_GONE,
    HERO_IN_FLIGHT,
    HERO_JOB,
    HERO_PATH,
    HERO_UNKNOWN,
    RED,
    RED_DONE,
    RED_JOB,
    RENAMED,
    RENAMED_PATH,
    TEASER,
    TEASER_DONE,
    TEASER_FILES,
    TEASER_JOB,
    TEASER_PATH,
)

FOREIGN = file("a stranger's picture")
EDITED = file("the hero, retouched")
FILM_PATH = "launch/film.sume.toml"
FILM = taking(HERO, FILM_PATH)
IN_SANDBOX = replace(HERO_DONE, endpoint=SANDBOX)
FAILED = entry(HERO, HERO_FAILED)
GONE = entry(HERO, HERO_GONE)
BLESSED = entry(HERO, HERO_JOB, accepted=(output("launch/hero.png", "by hand"),))
ONLY_BLESSED = entry(HERO, accepted=(output("launch/hero.png", "by hand"),))
TWO_JOBS = entry(
    HERO,
    job("job_1", JobState.COMPLETED, output("launch/hero.png", "one")),
    job("job_2", JobState.COMPLETED, output("launch/hero-2.png", "two", 2)),
)
TWO_FILES = {"launch/hero.png": file("one"), "launch/hero-2.png": file("two")}
BROKEN = Problem(HERO_PATH, "the image has no prompt", "", 1, 1)
ASIDE = wanted(HERO_PATH, "A cup on a white table", folder="clips")
NAMED = wanted(HERO_PATH, "A cup on a white table", stem="poster")
RED_COPY = wanted(RENAMED_PATH, "A red cup on a white table")
BESIDE = entry(HERO, job("job_hero", JobState.COMPLETED, output("launch/hero.job_hero.png", "the hero")))


@dataclass(frozen=True)
class Row:
    """A state, and the action of the variant at ``path``."""

    name: str
    state: dict[str, Any]
    verb: Verb
    why: Why
    pays: int = 0
    jobs: tuple[str, ...] = ()
    hint: str = ""
    path: str = HERO_PATH
    text: str = ""
    changes: tuple[Change, ...] = ()
    attempt: int = 1
    specs: tuple[Any, ...] = (HERO,)
    pending: bool = field(default=True)


SEARCH = wanted("clips.sume.toml", kind="asset-search", q="hands")
PAIR = wanted(HERO_PATH, image_count=2)
PAIR_OUTPUTS = (*HERO_JOB.outputs, output("launch/hero-2.png", "2", 2))
HALF_GONE = entry(PAIR, replace(HERO_GONE, outputs=PAIR_OUTPUTS))
ONLY_BLESSED_PAIR = entry(PAIR, accepted=PAIR_OUTPUTS)
ROWS = [
    # A search is free, and made again when asked for: test_documents.py has its rows
    Row(
        "a search that is asked for again",
        {"entries": [entry(SEARCH, search_record(SEARCH.fingerprint))], "refresh": True},
        Verb.FETCH,
        Why.REFRESH,
        specs=(SEARCH,),
        path="clips.sume.toml",
    ),
    # 1: invalid
    Row("a broken spec", {"problems": [BROKEN]}, Verb.INVALID, Why.INVALID, specs=()),
    Row(
        "a broken spec that was achieved before",
        {"problems": [BROKEN], "entries": [HERO_DONE], "files": HERO_FILES},
        Verb.INVALID,
        Why.INVALID,
        specs=(),
    ),
    Row(
        "two specs with one stem",
        {},
        Verb.INVALID,
        Why.INVALID,
        specs=(HERO, wanted("launch/other.sume.toml", "B", stem="hero")),
    ),
    Row(
        "two stems that differ in case alone",
        {},
        Verb.INVALID,
        Why.INVALID,
        specs=(HERO, wanted("launch/HERO.sume.toml", "B")),
    ),
    Row(
        "two stems that differ in the form of an accent alone",
        {},
        Verb.INVALID,
        Why.INVALID,
        path="caf\u00e9.sume.toml",
        specs=(wanted("caf\u00e9.sume.toml"), wanted("cafe\u0301.sume.toml", "B")),
    ),
    Row(
        "the second output of one is the first of another",
        {},
        Verb.INVALID,
        Why.INVALID,
        specs=(wanted(HERO_PATH, image_count=2), wanted("launch/hero-2.sume.toml", "B")),
    ),
    Row(
        "a clash is told even where all is achieved",
        {"entries": [HERO_DONE], "files": HERO_FILES},
        Verb.INVALID,
        Why.INVALID,
        specs=(HERO, wanted("launch/Hero.sume.toml", "B")),
    ),
    # 2: unknown
    Row(
        "a submit whose outcome is unknown",
        {"journal": [HERO_UNKNOWN]},
        Verb.ATTENTION,
        Why.UNKNOWN,
        hint="sumesync resolve launch/hero.sume.toml",
    ),
    Row(
        "a submit that a live process is sending",
        {"journal": [submission(HERO, Step.SENDING)], "sending": {HERO_UNKNOWN.key: "process 7 (apply)"}},
        Verb.RESUME,
        Why.SENDING,
        hint="wait for that run to end",
        text="being sent by process 7 (apply)",
    ),
    Row(
        "a submit that a live process is sending, and one of an earlier attempt that is unknown",
        {
            "journal": [submission(HERO, Step.UNKNOWN), submission(HERO, Step.SENDING, attempt=2)],
            "sending": {submission(HERO, Step.SENDING, attempt=2).key: "process 7 (apply)"},
        },
        Verb.ATTENTION,
        Why.UNKNOWN,
        hint="sumesync resolve",
    ),
    Row(
        "a submit that was cut off while it was sent",
        {"journal": [submission(HERO, Step.SENDING)]},
        Verb.ATTENTION,
        Why.UNKNOWN,
        hint="sumesync resolve",
    ),
    Row(
        "unknown of another project in the same repository",
        {"journal": [submission(HERO, Step.UNKNOWN, lineage="f" * 32)]},
        Verb.ATTENTION,
        Why.UNKNOWN,
        hint="sumesync resolve",
    ),
    Row(
        "unknown beats what was achieved",
        {"journal": [submission(HERO, Step.UNKNOWN, attempt=2)], "entries": [HERO_DONE], "files": HERO_FILES},
        Verb.ATTENTION,
        Why.UNKNOWN,
    ),
    Row(
        "unknown is not paid for, whatever is asked",
        {
            "journal": [submission(HERO, Step.UNKNOWN, attempt=2)],
            "entries": [FAILED],
            "retry_failed": True,
            "regenerate": frozenset([HERO_PATH]),
        },
        Verb.ATTENTION,
        Why.UNKNOWN,
    ),
    Row(
        "a spec whose path needs quotes",
        {"journal": [submission(wanted("my launch/hero.sume.toml"), Step.UNKNOWN)]},
        Verb.ATTENTION,
        Why.UNKNOWN,
        hint="sumesync resolve 'my launch/hero.sume.toml'",
        path="my launch/hero.sume.toml",
        specs=(wanted("my launch/hero.sume.toml"),),
    ),
    Row("an intent: nothing was sent", {"journal": [submission(HERO, Step.INTENT)]}, Verb.CREATE, Why.NEW, pays=1),
    # 3: in flight
    Row(
        "in flight in the lock",
        {"entries": [entry(HERO, HERO_IN_FLIGHT)]},
        Verb.RESUME,
        Why.IN_FLIGHT,
        jobs=("job_hero",),
        text="1 job in flight: job_hero",
    ),
    Row(
        "in flight in the history",
        {"entries": [entry(RED, RED_JOB, history=(past(HERO, HERO_IN_FLIGHT),))], "files": HERO_FILES},
        Verb.RESUME,
        Why.IN_FLIGHT,
        jobs=("job_hero",),
    ),
    Row(
        "in flight in the ledger",
        {"facts": [fact(HERO, HERO_IN_FLIGHT)]},
        Verb.RESUME,
        Why.IN_FLIGHT,
        jobs=("job_hero",),
    ),
    Row(
        "in flight in the journal",
        {"journal": [submission(HERO, Step.ACCEPTED, "job_hero")]},
        Verb.RESUME,
        Why.IN_FLIGHT,
        jobs=("job_hero",),
    ),
    Row(
        "in flight under another path's entry",
        {"entries": [entry(RENAMED, HERO_IN_FLIGHT)]},
        Verb.RESUME,
        Why.IN_FLIGHT,
        jobs=("job_hero",),
    ),
    Row(
        "one of two in flight: both are taken up",
        {"entries": [entry(HERO, HERO_JOB, job("job_2", JobState.ACCEPTED))]},
        Verb.RESUME,
        Why.IN_FLIGHT,
        jobs=("job_hero", "job_2"),
        text="1 job in flight: job_2",
    ),
    Row(
        "in flight in the lock, ended in the ledger: ended",
        {"entries": [entry(HERO, HERO_IN_FLIGHT)], "facts": [fact(HERO, HERO_JOB)], "files": HERO_FILES},
        Verb.KEEP,
        Why.RECORD,
        jobs=("job_hero",),
    ),
    Row(
        "a second attempt in flight",
        {"entries": [entry(HERO, HERO_FAILED, job("job_2", JobState.ACCEPTED, attempt=2))], "retry_failed": True},
        Verb.RESUME,
        Why.IN_FLIGHT,
        jobs=("job_2",),
    ),
    Row(
        "a job of another project for the same request",
        {"facts": [fact(HERO, HERO_IN_FLIGHT, lineage="f" * 32)]},
        Verb.RESUME,
        Why.IN_FLIGHT,
        jobs=("job_hero",),
    ),
    # 4: keep
    Row(
        "all as it should be",
        {"entries": [HERO_DONE], "files": HERO_FILES},
        Verb.KEEP,
        Why.UNCHANGED,
        jobs=("job_hero",),
        pending=False,
    ),
    Row(
        "git-lfs pointers in the places",
        {"entries": [HERO_DONE], "files": {"launch/hero.png": pointer("the hero")}},
        Verb.KEEP,
        Why.UNCHANGED,
        jobs=("job_hero",),
        pending=False,
    ),
    Row(
        "two outputs in place",
        {"entries": [TWO_JOBS], "files": TWO_FILES},
        Verb.KEEP,
        Why.UNCHANGED,
        jobs=("job_1", "job_2"),
        pending=False,
    ),
    Row(
        "no metadata file",
        {"entries": [HERO_DONE], "files": HERO_FILES, "documents": {"launch/hero.sume.json": None}},
        Verb.KEEP,
        Why.METADATA,
        jobs=("job_hero",),
    ),
    Row(
        "metadata from before [meta] was changed",
        {
            "entries": [HERO_DONE],
            "files": HERO_FILES,
            "documents": {"launch/hero.sume.json": document(replace(HERO, meta={"title": "old"}), HERO_DONE)},
        },
        Verb.KEEP,
        Why.METADATA,
        jobs=("job_hero",),
    ),
    Row(
        "media accepted by hand are in place",
        {"entries": [BLESSED], "files": {"launch/hero.png": file("by hand")}},
        Verb.KEEP,
        Why.UNCHANGED,
        jobs=("job_hero",),
        pending=False,
    ),
    Row(
        "media accepted by hand, no job ever",
        {"entries": [ONLY_BLESSED], "files": {"launch/hero.png": file("by hand")}},
        Verb.KEEP,
        Why.UNCHANGED,
        pending=False,
    ),
    Row(
        "media accepted by hand after the job had failed",
        {"entries": [replace(BLESSED, jobs=(HERO_FAILED,))], "files": {"launch/hero.png": file("by hand")}},
        Verb.KEEP,
        Why.UNCHANGED,
        jobs=("job_hero",),
        pending=False,
    ),
    Row(
        "landed beside a stranger's file, which still stands",
        {"entries": [BESIDE], "files": {"launch/hero.png": FOREIGN, "launch/hero.job_hero.png": file("the hero")}},
        Verb.KEEP,
        Why.UNCHANGED,
        jobs=("job_hero",),
        pending=False,
    ),
    Row(
        "the ledger knows it, the lock was reset",
        {"facts": [fact(HERO, HERO_JOB)], "files": HERO_FILES},
        Verb.KEEP,
        Why.RECORD,
        jobs=("job_hero",),
    ),
    # 5: edited
    Row(
        "edited by hand",
        {"entries": [HERO_DONE], "files": {"launch/hero.png": EDITED}},
        Verb.KEEP,
        Why.EDITED,
        jobs=("job_hero",),
        hint="sumesync fetch --force launch/hero.sume.toml restores ours",
    ),
    Row(
        "one output edited by hand, another missing: fetched, the edit stays",
        {
            "entries": [
                entry(PAIR, replace(HERO_JOB, outputs=(*HERO_JOB.outputs, output("launch/hero-2.png", "2", 2))))
            ],
            "files": {"launch/hero.png": EDITED},
        },
        Verb.FETCH,
        Why.MISSING,
        specs=(PAIR,),
        jobs=("job_hero",),
        text="missing: launch/hero-2.png; edited by hand: launch/hero.png",
        hint="sumesync accept",
    ),
    Row(
        "one output edited by hand, another missing and gone at Sume: a person decides",
        {"entries": [HALF_GONE], "files": {"launch/hero.png": EDITED}},
        Verb.ATTENTION,
        Why.GONE,
        specs=(PAIR,),
        text="missing: launch/hero-2.png; edited by hand: launch/hero.png; Sume no longer has its result",
        hint="sumesync accept launch/hero.sume.toml",
    ),
    Row(
        "one output edited by hand, another gone: to pay again would lose the edit",
        {
            "entries": [HALF_GONE],
            "files": {"launch/hero.png": EDITED},
            "regenerate": frozenset([HERO_PATH]),
        },
        Verb.ATTENTION,
        Why.GONE,
        specs=(PAIR,),
        hint="sumesync apply --replace-edited --regenerate launch/hero.sume.toml",
    ),
    Row(
        "one output edited by hand, another gone: paid for again where both were said",
        {
            "entries": [HALF_GONE],
            "files": {"launch/hero.png": EDITED},
            "regenerate": frozenset([HERO_PATH]),
            "replace_edited": True,
        },
        Verb.UPDATE,
        Why.REGENERATE,
        specs=(PAIR,),
        pays=1,
        attempt=2,
    ),
    Row(
        "one output edited by hand, the result is gone, nothing is missing",
        {
            "entries": [HALF_GONE],
            "files": {"launch/hero.png": EDITED, "launch/hero-2.png": file("2")},
        },
        Verb.KEEP,
        Why.EDITED,
        specs=(PAIR,),
        jobs=("job_hero",),
        text="edited by hand: launch/hero.png",
    ),
    Row(
        "of two accepted files one was edited again, the other is missing: no job made it",
        {"entries": [ONLY_BLESSED_PAIR], "files": {"launch/hero.png": EDITED}},
        Verb.ATTENTION,
        Why.GONE,
        specs=(PAIR,),
        text="no job made it",
        hint="sumesync accept launch/hero.sume.toml",
    ),
    Row(
        "edited by hand: told to keep it with accept",
        {"entries": [HERO_DONE], "files": {"launch/hero.png": EDITED}, "replace_edited": True},
        Verb.KEEP,
        Why.EDITED,
        jobs=("job_hero",),
        hint="sumesync accept launch/hero.sume.toml",
    ),
    Row(
        "a folder where the output was",
        {"entries": [HERO_DONE], "files": {"launch/hero.png": OTHER}},
        Verb.KEEP,
        Why.EDITED,
        jobs=("job_hero",),
    ),
    Row(
        "edited, and [output] moved since: theirs stays where it is",
        {"entries": [HERO_DONE], "files": {"launch/hero.png": EDITED}},
        Verb.KEEP,
        Why.EDITED,
        specs=(ASIDE,),
        jobs=("job_hero",),
        text="edited by hand: launch/hero.png",
    ),
    Row(
        "edited, but ours is asked for back",
        {"entries": [HERO_DONE], "files": {"launch/hero.png": EDITED}, "restore_edited": True},
        Verb.FETCH,
        Why.MISSING,
        jobs=("job_hero",),
    ),
    Row(
        "what was accepted was edited again",
        {"entries": [BLESSED], "files": {"launch/hero.png": EDITED}},
        Verb.KEEP,
        Why.EDITED,
        jobs=("job_hero",),
    ),
    Row(
        "accepted by hand, but ours is asked for back",
        {
            "entries": [BLESSED],
            "files": {"launch/hero.png": file("by hand")},
            "restore_edited": True,
        },
        Verb.FETCH,
        Why.MISSING,
        jobs=("job_hero",),
    ),
    # 6: move and copy
    Row(
        "the spec was renamed",
        {"entries": [HERO_DONE], "files": HERO_FILES},
        Verb.MOVE,
        Why.RENAMED,
        specs=(RENAMED,),
        path=RENAMED_PATH,
        jobs=("job_hero",),
        text="renamed from launch/hero.sume.toml",
    ),
    Row(
        "spec and media were renamed together",
        {"entries": [HERO_DONE], "files": {"launch/banner.png": file("the hero")}},
        Verb.MOVE,
        Why.RENAMED,
        specs=(RENAMED,),
        path=RENAMED_PATH,
        jobs=("job_hero",),
        text="renamed from launch/hero.sume.toml; its media are here already",
    ),
    Row(
        "[output] dir was changed",
        {"entries": [HERO_DONE], "files": HERO_FILES},
        Verb.MOVE,
        Why.RENAMED,
        specs=(ASIDE,),
        jobs=("job_hero",),
        text="its output moves from launch/hero.png",
    ),
    Row(
        "[output] name was changed",
        {"entries": [HERO_DONE], "files": HERO_FILES},
        Verb.MOVE,
        Why.RENAMED,
        specs=(NAMED,),
        jobs=("job_hero",),
    ),
    Row(
        "the stranger's file in the way is gone: ours takes its place",
        {"entries": [BESIDE], "files": {"launch/hero.job_hero.png": file("the hero")}},
        Verb.MOVE,
        Why.RENAMED,
        jobs=("job_hero",),
    ),
    Row(
        "the spec was copied",
        {"entries": [HERO_DONE], "files": HERO_FILES},
        Verb.COPY,
        Why.COPIED,
        specs=(HERO, RENAMED),
        path=RENAMED_PATH,
        jobs=("job_hero",),
        text="the same request as the one of launch/hero.png",
    ),
    Row(
        "the spec was copied and the copy's path had another request",
        {"entries": [HERO_DONE, entry(RED_COPY, RED_JOB)], "files": HERO_FILES},
        Verb.COPY,
        Why.COPIED,
        specs=(HERO, RENAMED),
        path=RENAMED_PATH,
        jobs=("job_hero",),
    ),
    Row(
        "swapped names: each takes the other's place",
        {
            "entries": [
                HERO_DONE,
                entry(RED_COPY, job("job_red", JobState.COMPLETED, output("launch/banner.png", "red"))),
            ],
            "files": {**HERO_FILES, "launch/banner.png": file("red")},
        },
        Verb.MOVE,
        Why.REVERTED,
        specs=(RED, RENAMED),
        path=RENAMED_PATH,
        jobs=("job_hero",),
        text="paid for before; its bytes stand at launch/hero.png",
    ),
    Row(
        "reverted while the old bytes still stand in another folder",
        {
            "entries": [
                entry(
                    RED,
                    RED_JOB,
                    history=(past(HERO, job("job_hero", JobState.COMPLETED, output("old/hero.png", "the hero"))),),
                )
            ],
            "files": {"launch/hero.png": file("the red hero"), "old/hero.png": file("the hero")},
        },
        Verb.MOVE,
        Why.REVERTED,
        jobs=("job_hero",),
        text="paid for before; its bytes stand at old/hero.png",
    ),
    Row(
        "renamed onto a stranger's file: a person decides",
        {"entries": [HERO_DONE], "files": {**HERO_FILES, "launch/banner.png": FOREIGN}},
        Verb.INVALID,
        Why.TAKEN,
        specs=(RENAMED,),
        path=RENAMED_PATH,
    ),
    # 7: fetch and gone
    Row(
        "the output is missing",
        {"entries": [HERO_DONE]},
        Verb.FETCH,
        Why.MISSING,
        jobs=("job_hero",),
        text="missing: launch/hero.png",
    ),
    Row(
        "one of two outputs is missing",
        {"entries": [TWO_JOBS], "files": {"launch/hero.png": file("one")}},
        Verb.FETCH,
        Why.MISSING,
        jobs=("job_1", "job_2"),
        text="missing: launch/hero-2.png",
    ),
    Row(
        "completed, but the run was killed before the download",
        {"entries": [entry(HERO, job("job_hero", JobState.COMPLETED))]},
        Verb.FETCH,
        Why.MISSING,
        jobs=("job_hero",),
    ),
    Row(
        "reverted A -> B -> A: its bytes are gone, its job is not",
        {"entries": [RED_DONE], "files": {"launch/hero.png": file("the red hero")}},
        Verb.FETCH,
        Why.REVERTED,
        jobs=("job_hero",),
    ),
    Row(
        "another branch's lock, the ledger knows the job",
        {"facts": [fact(HERO, HERO_JOB)]},
        Verb.FETCH,
        Why.REVERTED,
        jobs=("job_hero",),
        text="paid for before; downloaded again",
    ),
    Row(
        "renamed, and the media are missing",
        {"entries": [HERO_DONE]},
        Verb.FETCH,
        Why.MISSING,
        specs=(RENAMED,),
        path=RENAMED_PATH,
        jobs=("job_hero",),
    ),
    Row(
        'store = "none": an absent output is no drift',
        {"entries": [HERO_DONE], "store": "none"},
        Verb.KEEP,
        Why.NOT_STORED,
        jobs=("job_hero",),
        pending=False,
    ),
    Row(
        'store = "none": an edited output is told',
        {"entries": [HERO_DONE], "store": "none", "files": {"launch/hero.png": EDITED}},
        Verb.KEEP,
        Why.EDITED,
        jobs=("job_hero",),
    ),
    Row(
        'store = "none": what was never downloaded is fetched',
        {"facts": [fact(HERO, HERO_JOB)], "store": "none"},
        Verb.FETCH,
        Why.REVERTED,
        jobs=("job_hero",),
    ),
    Row(
        "the lock lost the entry, and its metadata know the job",
        {"documents": {"launch/hero.sume.json": document(HERO, HERO_DONE)}},
        Verb.ATTENTION,
        Why.UNRECORDED,
        hint="sumesync lock rebuild",
    ),
    Row(
        "Sume no longer has the result",
        {"entries": [GONE]},
        Verb.ATTENTION,
        Why.GONE,
        hint="sumesync apply --regenerate launch/hero.sume.toml",
    ),
    Row(
        "Sume no longer has the result, but the file is here",
        {"entries": [GONE], "files": HERO_FILES},
        Verb.KEEP,
        Why.UNCHANGED,
        jobs=("job_hero",),
        pending=False,
    ),
    Row(
        "gone, and made again because it was asked for",
        {"entries": [GONE], "regenerate": frozenset([HERO_PATH])},
        Verb.UPDATE,
        Why.REGENERATE,
        pays=1,
        attempt=2,
    ),
    Row(
        "regenerate names another spec",
        {"entries": [GONE], "regenerate": frozenset([RENAMED_PATH])},
        Verb.ATTENTION,
        Why.GONE,
    ),
    Row(
        "regenerate of what is in place buys nothing",
        {"entries": [HERO_DONE], "files": HERO_FILES, "regenerate": frozenset([HERO_PATH])},
        Verb.KEEP,
        Why.UNCHANGED,
        jobs=("job_hero",),
        pending=False,
    ),
    Row(
        "regenerate of what can still be fetched buys nothing",
        {"entries": [HERO_DONE], "regenerate": frozenset([HERO_PATH])},
        Verb.FETCH,
        Why.MISSING,
        jobs=("job_hero",),
    ),
    Row(
        "an accepted file is missing, and no job made it",
        {"entries": [ONLY_BLESSED]},
        Verb.ATTENTION,
        Why.GONE,
        hint="restore the file from git",
        text="the accepted file is missing, and no job made it",
    ),
    # 8: failed
    Row(
        "the job failed",
        {"entries": [FAILED]},
        Verb.ATTENTION,
        Why.FAILED,
        jobs=("job_hero",),
        hint="sumesync apply --retry-failed launch/hero.sume.toml",
        text="job_hero failed: content_policy",
    ),
    Row(
        "the job was canceled",
        {"entries": [entry(HERO, job("j", JobState.CANCELED))]},
        Verb.ATTENTION,
        Why.FAILED,
        jobs=("j",),
    ),
    Row(
        "the job expired",
        {"entries": [entry(HERO, job("j", JobState.EXPIRED))]},
        Verb.ATTENTION,
        Why.FAILED,
        jobs=("j",),
    ),
    Row(
        "the job failed, as the ledger says",
        {"facts": [fact(HERO, HERO_FAILED)]},
        Verb.ATTENTION,
        Why.FAILED,
        jobs=("job_hero",),
    ),
    Row(
        "one of two jobs failed",
        {"entries": [entry(HERO, HERO_JOB, job("j2", JobState.FAILED))], "files": HERO_FILES},
        Verb.ATTENTION,
        Why.FAILED,
        jobs=("j2",),
    ),
    Row(
        "failed, and tried again because it was asked for",
        {"entries": [FAILED], "retry_failed": True},
        Verb.CREATE,
        Why.RETRY,
        pays=1,
        attempt=2,
    ),
    Row(
        "failed twice: the third attempt",
        {"entries": [entry(HERO, HERO_FAILED, job("j2", JobState.EXPIRED, attempt=2))], "retry_failed": True},
        Verb.CREATE,
        Why.RETRY,
        pays=1,
        attempt=3,
    ),
    Row(
        "failed where earlier media stand, and tried again",
        {"entries": [entry(HERO, HERO_FAILED, history=(past(RED, RED_JOB),))], "retry_failed": True},
        Verb.UPDATE,
        Why.RETRY,
        pays=1,
        attempt=2,
    ),
    Row(
        "failed under another name: paid for again only when asked",
        {"entries": [entry(RENAMED, HERO_FAILED)]},
        Verb.ATTENTION,
        Why.FAILED,
        jobs=("job_hero",),
    ),
    Row(
        "failed first, completed then: kept",
        {"entries": [entry(HERO, HERO_FAILED, replace(HERO_JOB, id="j2", attempt=2))], "files": HERO_FILES},
        Verb.KEEP,
        Why.UNCHANGED,
        jobs=("j2",),
        pending=False,
    ),
    Row(
        "failed, asked for again, but a stranger's file is in the place",
        {"entries": [FAILED], "retry_failed": True, "files": {"launch/hero.png": FOREIGN}},
        Verb.INVALID,
        Why.TAKEN,
    ),
    Row(
        "a person said that no job was created: another attempt may be bought",
        {"facts": [fact(HERO, job("void-1", JobState.VOID))]},
        Verb.CREATE,
        Why.NEW,
        pays=1,
        attempt=2,
    ),
    # 9: changed and edited
    Row(
        "changed, and the present output was edited",
        {"entries": [HERO_DONE], "files": {"launch/hero.png": EDITED}},
        Verb.ATTENTION,
        Why.EDITED_CHANGED,
        specs=(RED,),
        hint="sumesync apply --replace-edited launch/hero.sume.toml replaces it",
        text="changed, and launch/hero.png was edited by hand",
    ),
    Row(
        "changed, and the present output was accepted by hand",
        {"entries": [BLESSED], "files": {"launch/hero.png": file("by hand")}},
        Verb.ATTENTION,
        Why.EDITED_CHANGED,
        specs=(RED,),
        hint="sumesync accept launch/hero.sume.toml",
    ),
    Row(
        "changed and edited, and the edit may be replaced",
        {"entries": [HERO_DONE], "files": {"launch/hero.png": EDITED}, "replace_edited": True},
        Verb.UPDATE,
        Why.CHANGED,
        specs=(RED,),
        pays=1,
    ),
    Row(
        "reverted while the present output was edited",
        {"entries": [RED_DONE], "files": {"launch/hero.png": EDITED}},
        Verb.ATTENTION,
        Why.EDITED_CHANGED,
        hint="sumesync accept",
    ),
    Row(
        "changed, and only the lock says that the present output is ours",
        {"entries": [HERO_DONE], "files": HERO_FILES, "committed": {"launch/hero.png": ""}},
        Verb.ATTENTION,
        Why.UNPROVEN,
        specs=(RED,),
        hint="sumesync accept launch/hero.sume.toml keeps it",
        text="sume.lock alone calls it ours",
    ),
    Row(
        "changed, only the lock says that the output is ours, and it may be replaced",
        {
            "entries": [HERO_DONE],
            "files": HERO_FILES,
            "committed": {"launch/hero.png": ""},
            "replace_edited": True,
        },
        Verb.UPDATE,
        Why.CHANGED,
        specs=(RED,),
        pays=1,
    ),
    Row(
        "new, and only the lock says of another spec's output that it is ours",
        {
            "entries": [replace(HERO_DONE, key=EntryKey("x.sume.toml"))],
            "files": HERO_FILES,
            "committed": {"launch/hero.png": ""},
        },
        Verb.INVALID,
        Why.TAKEN,
        specs=(RED,),
    ),
    Row(
        "unchanged, and only the lock says that the output is ours: nobody touches it",
        {"entries": [HERO_DONE], "files": HERO_FILES, "committed": {"launch/hero.png": ""}},
        Verb.KEEP,
        Why.UNCHANGED,
        jobs=("job_hero",),
        pending=False,
    ),
    # 10: update
    Row(
        "changed",
        {
            "entries": [HERO_DONE],
            "files": HERO_FILES,
            "documents": {"launch/hero.sume.json": document(HERO, HERO_DONE)},
        },
        Verb.UPDATE,
        Why.CHANGED,
        specs=(RED,),
        pays=1,
        text="changed: prompt",
        changes=(Change("prompt", "A cup on a white table", "A red cup on a white table"),),
    ),
    Row(
        "another take",
        {
            "entries": [HERO_DONE],
            "files": HERO_FILES,
            "documents": {"launch/hero.sume.json": document(HERO, HERO_DONE)},
        },
        Verb.UPDATE,
        Why.CHANGED,
        specs=(wanted(HERO_PATH, "A cup on a white table", take=2),),
        pays=1,
        changes=(Change("take", 1, 2),),
    ),
    Row(
        "another kind, a field less and a field more",
        {
            "entries": [TEASER_DONE],
            "files": TEASER_FILES,
            "documents": {"launch/teaser.sume.json": document(TEASER, TEASER_DONE)},
        },
        Verb.UPDATE,
        Why.CHANGED,
        path=TEASER_PATH,
        specs=(wanted(TEASER_PATH, "The camera moves in", quality="high", aspect_ratio="9:16"),),
        pays=1,
        changes=(Change("kind", "video", "image"), Change("duration", 6, None), Change("quality", None, "high")),
    ),
    Row(
        "changed, and nothing tells from what",
        {"entries": [HERO_DONE], "files": HERO_FILES},
        Verb.UPDATE,
        Why.CHANGED,
        specs=(RED,),
        pays=1,
        text="changed; what it was before is not recorded here",
    ),
    Row(
        "changed, and the metadata speak of something older",
        {
            "entries": [RED_DONE],
            "files": {"launch/hero.png": file("the red hero")},
            "documents": {"launch/hero.sume.json": document(HERO, HERO_DONE)},
        },
        Verb.UPDATE,
        Why.CHANGED,
        specs=(wanted(HERO_PATH, "A blue cup"),),
        pays=1,
        text="changed; what it was before is not recorded here",
    ),
    Row(
        "changed while its old job runs: the new one is bought, the old one collected",
        {"entries": [entry(HERO, HERO_IN_FLIGHT)]},
        Verb.UPDATE,
        Why.CHANGED,
        specs=(RED,),
        pays=1,
    ),
    Row("changed after its job had failed", {"entries": [FAILED]}, Verb.UPDATE, Why.CHANGED, specs=(RED,), pays=1),
    # 11: create
    Row("new", {}, Verb.CREATE, Why.NEW, pays=1),
    Row(
        "what takes the output of one that must be decided on",
        {"entries": [FAILED]},
        Verb.ATTENTION,
        Why.WAITING,
        hint="sumesync plan launch/hero.sume.toml",
        path=FILM_PATH,
        text="waits for launch/hero.sume.toml, whose output it takes",
        specs=(HERO, FILM),
    ),
    Row(
        "new, among achieved ones",
        {"entries": [TEASER_DONE], "files": TEASER_FILES},
        Verb.CREATE,
        Why.NEW,
        specs=(HERO, TEASER),
        pays=1,
    ),
    Row(
        "achieved in the sandbox only",
        {"entries": [IN_SANDBOX], "files": HERO_FILES},
        Verb.CREATE,
        Why.OTHER_ENDPOINT,
        pays=1,
        text="made in the sandbox only",
    ),
    Row(
        "achieved at Sume only",
        {"entries": [HERO_DONE], "files": HERO_FILES, "endpoint": SANDBOX},
        Verb.CREATE,
        Why.OTHER_ENDPOINT,
        pays=1,
        text="made at Sume only",
    ),
    Row(
        "paid for by another workspace",
        {"facts": [fact(HERO, HERO_JOB, workspace="sha256:b")], "workspace": "sha256:a"},
        Verb.CREATE,
        Why.NEW,
        pays=1,
    ),
    Row(
        "the same request twice in one plan: the second rides on the first",
        {},
        Verb.COPY,
        Why.TWIN,
        specs=(HERO, RENAMED),
        text="the same request as launch/banner.sume.toml: one job serves both (take = 2 asks for another)",
    ),
    Row(
        "the same request twice: the first pays",
        {},
        Verb.CREATE,
        Why.NEW,
        specs=(HERO, RENAMED),
        path=RENAMED_PATH,
        pays=1,
    ),
    Row(
        "a stranger's file in the place",
        {"files": {"launch/hero.png": FOREIGN}},
        Verb.INVALID,
        Why.TAKEN,
        text="launch/hero.png is not ours",
    ),
    Row(
        "a stranger's file with another media ending", {"files": {"launch/hero.webp": FOREIGN}}, Verb.INVALID, Why.TAKEN
    ),
    Row("a stranger's file that differs in case", {"files": {"launch/HERO.PNG": FOREIGN}}, Verb.INVALID, Why.TAKEN),
    Row(
        "a stranger's file in the second place",
        {"files": {"launch/hero-2.png": FOREIGN}},
        Verb.INVALID,
        Why.TAKEN,
        specs=(wanted(HERO_PATH, image_count=2),),
    ),
    Row("a stranger's file of no media ending", {"files": {"launch/hero.txt": FOREIGN}}, Verb.CREATE, Why.NEW, pays=1),
    Row("a stranger's file in another folder", {"files": {"hero.png": FOREIGN}}, Verb.CREATE, Why.NEW, pays=1),
    Row(
        "a stranger's file where the metadata would stand",
        {"documents": {"launch/hero.sume.json": MetadataFact(ours=False)}},
        Verb.INVALID,
        Why.TAKEN,
    ),
    Row(
        "the lock is another branch's: what stands in the place is ours",
        {"facts": [fact(RED, RED_JOB)], "files": {"launch/hero.png": file("the red hero")}},
        Verb.CREATE,
        Why.NEW,
        pays=1,
    ),
]


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
def test_the_decision_table(row: Row) -> None:
    found = planned(*row.specs, **row.state)
    action = action_of(found, row.path)
    assert (action.verb, action.reason.code) == (row.verb, row.why), action.reason.text
    assert action.pays == row.pays
    assert tuple(each.id for each in action.jobs) == row.jobs
    assert row.hint in (action.hint or " ".join(problem.hint for problem in action.problems))
    assert row.text in action.reason.text
    assert action.changes == row.changes
    assert action.attempt == row.attempt
    assert action.pending is row.pending


GONE_FILES = {"launch/hero.png": file("the hero"), "launch/old.png": file("the red hero")}
SWEPT = entry(
    HERO, HERO_JOB, history=(past(RED, job("j", JobState.COMPLETED, output("launch/old.png", "the red hero"))),)
)


@pytest.mark.parametrize(
    ("specs", "entries", "replaces", "removes"),
    [
        ((wanted(HERO_PATH, "new"),), [HERO_DONE], ("launch/hero.png",), ()),
        ((wanted(HERO_PATH, "new", stem="new"),), [HERO_DONE], (), ("launch/hero.png",)),
        ((wanted(HERO_PATH, "new"),), [SWEPT], ("launch/hero.png",), ("launch/old.png",)),
        ((RENAMED,), [HERO_DONE], (), ("launch/hero.png",)),
        ((HERO,), [HERO_DONE], (), ()),
    ],
    ids=["update", "update-elsewhere", "history", "move", "keep"],
)
def test_every_file_that_is_lost_is_told_and_doubted_unless_this_machine_wrote_it(
    specs: tuple[Wanted, ...], entries: list[Entry], replaces: tuple[str, ...], removes: tuple[str, ...]
) -> None:
    found = planned(*specs, entries=entries, files=GONE_FILES)
    (action,) = found.actions
    assert (action.replaces, action.removes) == (replaces, removes)
    lost = set() if action.verb is Verb.MOVE else {*replaces, *removes}  # a move keeps the bytes
    assert found.doubts == lost
    known = [fact(HERO, HERO_JOB), fact(RED, job("j", JobState.COMPLETED, output("launch/old.png", "the red hero")))]
    assert planned(*specs, entries=entries, facts=known, files=GONE_FILES).doubts == frozenset()
    asked = planned(*specs, entries=entries, files=GONE_FILES, committed=dict.fromkeys(lost, ""))
    assert asked.doubts == frozenset()
    assert {path for action in asked.actions for path in action.replaces + action.removes if path in lost} == set()


def test_prune_leaves_what_the_lock_alone_calls_ours() -> None:
    assert planned(entries=[HERO_DONE], files=HERO_FILES).doubts == frozenset()
    assert planned(entries=[HERO_DONE], files=HERO_FILES, prune=True).doubts == {"launch/hero.png"}
    found = planned(entries=[HERO_DONE], files=HERO_FILES, prune=True, committed={"launch/hero.png": ""})
    assert [(orphan.outputs, orphan.unproven) for orphan in found.orphans] == [((), ("launch/hero.png",))]
    assert found.doubts == frozenset()


def test_each_verb_and_each_reason_has_a_row() -> None:
    assert {row.verb for row in ROWS} == set(Verb)
    assert {row.why for row in ROWS} == set(Why)


def _key(path: str) -> EntryKey:
    return EntryKey(path)


def test_clashing_specs_name_each_other() -> None:
    found = planned(HERO, wanted("launch/Hero.sume.toml", "B"))
    told = {action.key.path: action.problems[0].what for action in found.actions}
    assert told[HERO_PATH] == "would write the same files as launch/Hero.sume.toml"
    assert told["launch/Hero.sume.toml"] == "would write the same files as launch/hero.sume.toml"
    assert found.pays == 0
    assert found.codes() >= {Exit.USAGE}


def test_a_rename_takes_the_old_entry_along() -> None:
    found = planned(RENAMED, entries=[HERO_DONE], files=HERO_FILES)
    assert action_of(found, RENAMED_PATH).origin == _key(HERO_PATH)
    assert found.orphans == ()


def test_of_two_copies_of_a_deleted_spec_one_is_the_rename() -> None:
    second = wanted("launch/second.sume.toml", "A cup on a white table")
    found = planned(RENAMED, second, entries=[HERO_DONE], files=HERO_FILES)
    assert [action.origin for action in found.actions] == [_key(HERO_PATH), None]
    assert {action.verb for action in found.actions} <= {Verb.MOVE, Verb.COPY}
    assert found.pays == 0


def test_an_entry_at_the_other_endpoint_is_no_origin_of_a_rename() -> None:
    found = planned(RENAMED, entries=[IN_SANDBOX], files=HERO_FILES)
    assert action_of(found, RENAMED_PATH).origin is None
    assert found.pays == 1


def test_where_outputs_go_is_said_place_by_place() -> None:
    (place,) = action_of(planned(ASIDE, entries=[HERO_DONE], files=HERO_FILES), HERO_PATH).places
    assert (place.target, place.source, place.standing) == ("clips/hero.png", "launch/hero.png", Standing.ELSEWHERE)


def test_a_twin_names_the_spec_that_pays() -> None:
    found = planned(HERO, RENAMED)
    assert action_of(found, HERO_PATH).twin == _key(RENAMED_PATH)
    assert found.pays == 1


def test_two_failed_copies_are_tried_again_once() -> None:
    found = planned(HERO, RENAMED, entries=[FAILED], retry_failed=True)
    assert found.pays == 1
    assert {action.reason.code for action in found.actions} == {Why.RETRY, Why.TWIN}


def test_an_orphan_is_told_with_the_bytes_that_are_ours() -> None:
    found = planned(TEASER, entries=[HERO_DONE, TEASER_DONE], files={**HERO_FILES, **TEASER_FILES})
    (orphan,) = found.orphans
    assert (orphan.key, orphan.outputs, orphan.in_flight) == (_key(HERO_PATH), ("launch/hero.png",), False)
    assert found.codes() == {Exit.PENDING}


@pytest.mark.parametrize(
    ("its", "stands"),
    [
        pytest.param(HERO_DONE, {"launch/hero.png": EDITED}, id="edited by hand"),
        pytest.param(HERO_DONE, {"launch/hero.png": OTHER}, id="a folder or a link"),
        pytest.param(HERO_DONE, {}, id="missing"),
        pytest.param(BLESSED, {"launch/hero.png": file("by hand")}, id="accepted: a person's, not ours"),
    ],
)
def test_an_orphan_does_not_list_what_is_not_ours(its: Any, stands: dict[str, Any]) -> None:
    (orphan,) = planned(entries=[its], files=stands).orphans
    assert orphan.outputs == ()


def test_an_orphan_in_flight_says_so_and_its_job_is_collected() -> None:
    found = planned(entries=[entry(HERO, HERO_IN_FLIGHT)])
    assert [orphan.in_flight for orphan in found.orphans] == [True]
    assert [collect.job.id for collect in found.collects] == ["job_hero"]


def test_an_orphan_with_a_job_in_flight_in_its_history_says_so() -> None:
    found = planned(entries=[entry(RED, RED_JOB, history=(past(HERO, HERO_IN_FLIGHT),))])
    assert [orphan.in_flight for orphan in found.orphans] == [True]


def test_a_broken_spec_is_no_orphan_and_its_job_is_collected() -> None:
    found = planned(entries=[entry(HERO, HERO_IN_FLIGHT)], problems=[BROKEN])
    assert found.orphans == ()
    assert [collect.job.id for collect in found.collects] == ["job_hero"]


def test_the_old_job_of_a_changed_spec_is_collected() -> None:
    found = planned(RED, entries=[entry(HERO, HERO_IN_FLIGHT)])
    assert [(c.job.id, c.fingerprint) for c in found.collects] == [("job_hero", HERO.fingerprint)]


def test_the_job_of_a_spec_that_clashes_is_collected() -> None:
    clash = wanted("launch/Hero.sume.toml", "B")
    found = planned(HERO, clash, entries=[entry(HERO, HERO_IN_FLIGHT)])
    assert action_of(found, HERO_PATH).verb is Verb.INVALID
    assert [collect.job.id for collect in found.collects] == ["job_hero"]


def test_what_is_resumed_is_not_collected_as_well() -> None:
    assert planned(HERO, entries=[entry(HERO, HERO_IN_FLIGHT)]).collects == ()


def test_a_job_of_another_project_is_not_collected() -> None:
    assert planned(facts=[fact(HERO, HERO_IN_FLIGHT, lineage="f" * 32)]).collects == ()


def test_a_job_that_only_the_journal_knows_is_collected() -> None:
    found = planned(journal=[submission(HERO, Step.ACCEPTED, "job_hero")])
    assert [collect.job.id for collect in found.collects] == ["job_hero"]


def test_unknown_payments_of_deleted_specs_stay_in_the_plan() -> None:
    found = planned(TEASER, entries=[TEASER_DONE], files=TEASER_FILES, journal=[HERO_UNKNOWN])
    assert found.unknown == (HERO_UNKNOWN,)
    assert Exit.ATTENTION in found.codes()


def test_unknown_payments_of_another_project_are_not_ours_to_decide() -> None:
    assert planned(journal=[submission(HERO, Step.UNKNOWN, lineage="f" * 32)]).unknown == ()


def test_entries_of_the_other_endpoint_are_counted_and_their_media_named() -> None:
    found = planned(HERO, TEASER, entries=[IN_SANDBOX, TEASER_DONE], files={**HERO_FILES, **TEASER_FILES})
    assert found.other_endpoint == 1
    assert found.replaces_other == ("launch/hero.png",)


def test_in_the_sandbox_what_sume_made_is_named_before_it_is_replaced() -> None:
    found = planned(HERO, entries=[HERO_DONE], files=HERO_FILES, endpoint=SANDBOX)
    assert found.replaces_other == ("launch/hero.png",)


def test_actions_stand_in_the_order_of_their_specs() -> None:
    found = planned(TEASER, HERO, RENAMED)
    assert [action.key.path for action in found.actions] == sorted(action.key.path for action in found.actions)


def test_variants_of_one_spec_are_planned_apart() -> None:
    tall = wanted(HERO_PATH, "A cup", variant="tall", aspect_ratio="9:16")
    wide = wanted(HERO_PATH, "A cup", variant="wide", aspect_ratio="1:1")
    done = entry(tall, job("j", JobState.COMPLETED, output("launch/hero-tall.png", "tall")))
    found = planned(tall, wide, entries=[done], files={"launch/hero-tall.png": file("tall")})
    assert action_of(found, HERO_PATH, "tall").verb is Verb.KEEP
    assert action_of(found, HERO_PATH, "wide").verb is Verb.CREATE
    assert found.orphans == ()


def _three() -> Plan:
    return planned(
        RENAMED,
        TEASER,
        entries=[HERO_DONE, entry(RED_COPY, RED_JOB, path="launch/gone.sume.toml")],
        files=HERO_FILES,
        journal=[submission(wanted("x.sume.toml"), Step.UNKNOWN)],
        config_problems=[Problem("sumesync.toml", "bad")],
    )


CHOICES = [
    ("launch/banner.sume.toml", ["launch/banner.sume.toml"], []),
    ("launch/hero.sume.toml", ["launch/banner.sume.toml"], []),
    ("launch/teaser.sume.toml", ["launch/teaser.sume.toml"], []),
    ("launch/gone.sume.toml", [], ["launch/gone.sume.toml"]),
    ("nothing.sume.toml", [], []),
]


@pytest.mark.parametrize(("path", "actions", "orphans"), CHOICES)
def test_only_narrows_and_keeps_both_ends_of_a_rename(path: str, actions: list[str], orphans: list[str]) -> None:
    whole = _three()
    found = only(whole, lambda key: key.path == path)
    assert [action.key.path for action in found.actions] == actions
    assert [orphan.key.path for orphan in found.orphans] == orphans
    assert (found.unknown, found.problems) == (whole.unknown, whole.problems)


def test_only_the_second_of_two_equal_specs_is_still_bought() -> None:
    """Narrowed to a spec whose twin was to pay, the plan must still get its media made."""

    def chosen(key: EntryKey) -> bool:
        return key.path == HERO_PATH

    found = only(planned(HERO, RENAMED, first=chosen), chosen)
    (action,) = found.actions
    assert (action.verb, action.pays, action.twin) == (Verb.CREATE, 1, None)


def test_problems_come_in_the_order_of_files_and_lines() -> None:
    wrong = [
        Problem("b.sume.toml", "x", "", 1, 1),
        Problem("a.sume.toml", "y", "", 9, 1),
        Problem("a.sume.toml", "z", "", 2, 3),
    ]
    found = planned(problems=wrong, config_problems=[Problem("sumesync.toml", "bad", "", 1, 1)])
    assert [problem.where for problem in found.invalid] == [
        "a.sume.toml:2:3",
        "a.sume.toml:9:1",
        "b.sume.toml:1:1",
        "sumesync.toml:1:1",
    ]
    assert [len(action.problems) for action in found.actions] == [2, 1]


def _codes() -> Iterator[tuple[str, Plan, set[Exit]]]:
    yield "nothing to do", planned(HERO, entries=[HERO_DONE], files=HERO_FILES), set()
    yield "something to pay", planned(HERO), {Exit.PENDING}
    yield "edited by hand", planned(HERO, entries=[HERO_DONE], files={"launch/hero.png": EDITED}), {Exit.PENDING}
    yield (
        "stale metadata",
        planned(HERO, entries=[HERO_DONE], files=HERO_FILES, documents={"launch/hero.sume.json": None}),
        {Exit.PENDING},
    )
    yield "unknown", planned(HERO, journal=[HERO_UNKNOWN]), {Exit.ATTENTION, Exit.PENDING}
    out, sender = [submission(HERO, Step.SENDING)], {HERO_UNKNOWN.key: "process 7 (apply)"}
    yield "being sent", planned(HERO, journal=out, sending=sender), {Exit.PENDING}
    yield "being sent for a spec that is gone", planned(journal=out, sending=sender), set()
    yield "invalid", planned(problems=[BROKEN]), {Exit.USAGE, Exit.PENDING}
    yield "invalid settings", planned(config_problems=[Problem("sumesync.toml", "bad")]), {Exit.USAGE}
    yield "an orphan", planned(entries=[HERO_DONE]), {Exit.PENDING}
    yield "a job to collect", planned(facts=[fact(HERO, HERO_IN_FLIGHT)]), {Exit.PENDING}


@pytest.mark.parametrize(("found", "codes"), [pytest.param(plan, codes, id=name) for name, plan, codes in _codes()])
def test_what_a_check_would_complain_of(found: Plan, codes: set[Exit]) -> None:
    assert found.codes() == codes


def test_work_is_what_apply_would_do() -> None:
    plan = planned(
        HERO, TEASER, wanted("c.sume.toml"), entries=[HERO_DONE, entry(TEASER, TEASER_JOB)], files=HERO_FILES
    )
    assert [(action.key.path, action.verb) for action in plan.work] == [
        ("c.sume.toml", Verb.CREATE),
        (TEASER_PATH, Verb.FETCH),
    ]


def test_a_file_accepted_after_a_failed_job_and_lost_since_cannot_be_fetched() -> None:
    """There is nothing at Sume to fetch: a failed job has no result."""
    failed = replace(BLESSED, jobs=(HERO_FAILED,))
    action = action_of(planned(HERO, entries=[failed]), HERO_PATH)
    assert action.verb is Verb.ATTENTION
    assert action.pays == 0


def test_an_output_that_landed_beside_stays_kept_when_its_spec_is_copied() -> None:
    """The same bytes under two entries: each keeps its own place, whichever stands last in the lock."""
    copy = entry(RENAMED, job("job_hero", JobState.COMPLETED, output("launch/banner.png", "the hero")))
    files = {
        "launch/hero.png": FOREIGN,
        "launch/hero.job_hero.png": file("the hero"),
        "launch/banner.png": file("the hero"),
    }
    for entries in ([BESIDE, copy], [copy, BESIDE]):
        found = planned(HERO, RENAMED, entries=entries, files=files)
        assert {action.key.path: action.verb for action in found.actions} == {
            HERO_PATH: Verb.KEEP,
            RENAMED_PATH: Verb.KEEP,
        }


def test_a_copy_that_was_edited_does_not_hide_that_the_original_is_missing() -> None:
    copy = entry(RENAMED, job("job_hero", JobState.COMPLETED, output("launch/banner.png", "the hero")))
    for entries in ([HERO_DONE, copy], [copy, HERO_DONE]):
        found = planned(HERO, RENAMED, entries=entries, files={"launch/banner.png": EDITED})
        assert action_of(found, HERO_PATH).verb is Verb.FETCH
        assert action_of(found, RENAMED_PATH).reason.code is Why.EDITED


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("a/hero.sume.toml", "a/hero.sume.toml"),
        ("a b.sume.toml[1x1]", "'a b.sume.toml[1x1]'"),
        ("-rf.sume.toml", "./-rf.sume.toml"),
    ],
)
def test_a_path_in_a_hint_is_one_word_and_no_option(path: str, word: str) -> None:
    assert quoted(path) == word
