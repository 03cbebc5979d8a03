"""Plans, problems and ends of runs as people read them: pinned word for word."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core.action import Plan
from sumesync.core.outcome import Outcome, Trouble
from sumesync.errors import Problem
from sumesync.model import SANDBOX, SUME, EntryKey, Step, Wanted
from sumesync.render import changes, human
from sumesync.render.human import View
from sumesync.render.style import plain
from tests.builders import KINDS, document, entry, examples, fact, file, planned, submission, wanted
from tests.values import (
    HERO,
    HERO_DONE,
    HERO_FAILED,
    HERO_FILES,
    HERO_IN_FLIGHT,
    HERO_PATH,
    HERO_UNKNOWN,
    RED,
    RENAMED,
    TEASER,
    TEASER_DONE,
    TEASER_FILES,
)

EVIL = "\x1b[31m\u202e\x9b2J\u2066\x07"


def view(*specs: Wanted, endpoint: str = SUME, max_jobs: int = 100, verbose: bool = False, name: str = "shop") -> View:
    return View(name, endpoint, {spec.key: spec for spec in specs}, KINDS, max_jobs, plain, verbose)


def test_a_plan_of_most_things() -> None:
    gone = wanted("old/gone.sume.toml", "gone")
    stale = wanted("x/stale.sume.toml", "stale")
    found = planned(
        RED,
        TEASER,
        wanted("a.sume.toml", "new", aspect_ratio="4:5"),
        wanted("b.sume.toml", "new", aspect_ratio="4:5"),
        stale,
        entries=[HERO_DONE, entry(gone, HERO_IN_FLIGHT), entry(stale, HERO_FAILED)],
        facts=[fact(TEASER, replace(HERO_IN_FLIGHT, id="job_t"))],
        files=HERO_FILES,
        documents={"launch/hero.sume.json": document(HERO, HERO_DONE)},
        problems=[Problem("bad.sume.toml", "zzz is not a field of image", "did you mean prompt?", 2, 1)],
    )
    specs = (RED, TEASER, wanted("a.sume.toml", "new", aspect_ratio="4:5"))
    assert (
        human.plan(found, view(*specs))
        == """\
shop at Sume, 6 specs

  ✗ invalid   bad.sume.toml            1 problem
  ! attention x/stale.sume.toml        job_hero failed: content_policy
      sumesync apply --retry-failed x/stale.sume.toml, or change the spec
  + create    a.sume.toml              image 4:5 · new
  ~ update    launch/hero.sume.toml    image · changed: prompt
      prompt: "A cup on a white table" → "A red cup on a white table"
      replaces launch/hero.png
  … resume    launch/teaser.sume.toml  1 job in flight: job_t
  = copy      b.sume.toml              the same request as a.sume.toml: one job serves both (take = 2 asks for another)
  - orphan    old/gone.sume.toml  its spec is gone; its job is collected first
  … collect   job_hero  in flight; no spec asks for it now

bad.sume.toml:2:1: zzz is not a field of image
    did you mean prompt?

Plan: 1 to create, 1 to update, 1 to resume, 1 to copy; 0 unchanged. 2 paid jobs.
1 spec invalid: nothing is submitted (--keep-going: the rest is).
1 spec waiting for your decision.
"""
    )


def test_nothing_to_do_is_said_in_two_lines() -> None:
    found = planned(HERO, TEASER, entries=[HERO_DONE, TEASER_DONE], files={**HERO_FILES, **TEASER_FILES})
    assert human.plan(found, view(HERO, TEASER)) == "shop at Sume, 2 specs\n\nNothing to do: 2 specs up to date.\n"


def test_verbose_shows_what_is_kept() -> None:
    found = planned(TEASER, entries=[TEASER_DONE], files=TEASER_FILES)
    assert (
        human.plan(found, view(TEASER, verbose=True))
        == """\
shop at Sume, 1 spec

  · keep      launch/teaser.sume.toml  video 9:16 6 s · unchanged

Nothing to do: 1 spec up to date.
"""
    )


def test_an_edit_by_hand_is_shown_with_both_ways_out() -> None:
    found = planned(HERO, entries=[HERO_DONE], files={"launch/hero.png": file("retouched")})
    assert (
        human.plan(found, view(HERO))
        == """\
shop at Sume, 1 spec

  · keep      launch/hero.sume.toml  edited by hand: launch/hero.png
      sumesync accept launch/hero.sume.toml keeps it; sumesync fetch --force launch/hero.sume.toml restores ours

Nothing to submit; 0 unchanged.
1 spec with media edited by hand, kept as they are; accept them, or fetch --force.
"""
    )


def test_only_orphans() -> None:
    found = planned(entries=[HERO_DONE], files=HERO_FILES)
    assert (
        human.plan(found, view())
        == """\
shop at Sume, 0 specs

  - orphan    launch/hero.sume.toml  its spec is gone; apply --prune drops the entry
      --prune removes launch/hero.png

Nothing to submit; 0 unchanged.
"""
    )


def test_the_sandbox_says_that_it_costs_nothing_and_what_is_worth_nothing_there() -> None:
    found = planned(HERO, entries=[HERO_DONE], files=HERO_FILES, endpoint=SANDBOX)
    assert (
        human.plan(found, view(HERO, endpoint=SANDBOX))
        == """\
shop at sandbox (costs nothing), 1 spec

  + create    launch/hero.sume.toml  image · made at Sume only
      replaces launch/hero.png

Plan: 1 to create; 0 unchanged. 1 paid job.
1 entry of the lock achieved at Sume only: not counted here.
"""
    )


def test_a_rename_and_metadata_to_write() -> None:
    found = planned(
        RENAMED,
        TEASER,
        entries=[HERO_DONE, TEASER_DONE],
        files={**HERO_FILES, **TEASER_FILES},
        documents={"launch/teaser.sume.json": None},
    )
    text = human.plan(found, view(RENAMED, TEASER))
    assert "  → move      launch/banner.sume.toml  renamed from launch/hero.sume.toml\n" in text
    assert "  · keep      launch/teaser.sume.toml  unchanged; its metadata file is out of date\n" in text
    assert text.endswith("Plan: 1 to move, 1 to record; 0 unchanged. Nothing to pay.\n")


def test_a_plan_beyond_the_guard_says_how_to_go_on() -> None:
    specs = [wanted(f"{number}.sume.toml", str(number)) for number in range(3)]
    text = human.plan(planned(*specs), view(*specs, max_jobs=2))
    assert text.endswith("3 paid jobs.\nThat is more than 2 paid jobs: apply needs --max-jobs 3.\n")


def test_a_great_many_of_one_sort_are_folded_unless_asked_for() -> None:
    specs = [wanted(f"{number % 2}/{number:03}.sume.toml", str(number)) for number in range(70)]
    folded = human.plan(planned(*specs), view(*specs))
    assert folded.count(" create ") == 21
    assert "and 50 more in 2 folders (--verbose shows all)" in folded
    assert human.plan(planned(*specs), view(*specs, verbose=True)).count(" create ") == 70


# --- Word diffs ------------------------------------------------------------------------------------

LONG = " ".join(f"w{number}" for number in range(40))
DIFFS = [
    ("on a white table", "on a marble table", "on a [-white-] {+marble+} table"),
    ("on a table", "on a white table", "on a {+white+} table"),
    ("on a white table", "on a table", "on a [-white-] table"),
    ("one", "two", "[-one-] {+two+}"),
    ("", "new", "{+new+}"),
    ("same", "same", "same"),
    ("a\nb", "a\nc", "a [-b-] {+c+}"),
    (f"{LONG} end", f"{LONG} fin", "…  w37 w38 w39 [-end-] {+fin+}"),
    (f"start {LONG}", f"begin {LONG}", "[-start-] {+begin+} w0 w1 w2 …"),
    (f"start {LONG} end", f"begin {LONG} fin", "[-start-] {+begin+} w0 w1 w2 … w37 w38 w39 [-end-] {+fin+}"),
]


@pytest.mark.parametrize(("before", "after", "shown"), DIFFS)
def test_a_changed_prompt_is_shown_word_by_word(before: str, after: str, shown: str) -> None:
    assert changes.words(before, after, plain) == shown.replace("…  ", "… ")


@given(st.text("ab \n\x1b\u202e", max_size=30), st.text("ab \n\x1b\u202e", max_size=30))
@settings(max_examples=examples(80))
def test_a_word_diff_is_one_safe_line(before: str, after: str) -> None:
    found = changes.words(before, after, plain)
    assert found.isprintable()


def test_long_changes_are_word_diffs_and_short_ones_from_to() -> None:
    before = wanted(HERO_PATH, "A clean skincare product photo on a white bathroom counter")
    after = wanted(HERO_PATH, "A clean skincare product photo on a marble bathroom counter", quality="high")
    found = planned(
        after,
        entries=[entry(before, HERO_FAILED)],
        documents={"launch/hero.sume.json": document(before, entry(before, HERO_FAILED))},
    )
    text = human.plan(found, view(after))
    assert "      prompt: A clean skincare product photo on a [-white-] {+marble+} bathroom counter\n" in text
    assert '      quality: (not set) → "high"\n' in text


# --- Problems and ends -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ([{"from": "hero.sume.toml", "output": 1, "fingerprint": "v1:682d60d9898c"}], "[hero.sume.toml (682d60d9)]"),
        ({"from": "a.sume.toml", "output": 2, "variant": "b", "fingerprint": "v1:00"}, "a.sume.toml[b] output 2 (00)"),
        (["https://a/b", {"file": "r/a.png", "sha256": "8368f6cac665"}], '["https://a/b", r/a.png (8368f6ca)]'),
        ({"file": "a.png"}, '{"file": "a.png"}'),
        ({"file": "a\x1b[31m.png", "sha256": "00"}, "a\\x1b[31m.png (00)"),
    ],
)  # fmt: skip
def test_media_that_changed_are_told_by_their_names_and_what_tells_a_change(value: Any, shown: str) -> None:
    assert changes.shown_value(value) == shown


def test_problems_look_like_a_compilers() -> None:
    found = [
        Problem("a.sume.toml", "bad", "do this", 3, 7),
        Problem("b.sume.toml", "worse", "", 3),
        Problem("c.sume.toml", "worst", "", None, 9),
    ]
    assert human.problems(found) == "a.sume.toml:3:7: bad\n    do this\nb.sume.toml:3: worse\nc.sume.toml: worst"
    assert human.problems([]) == ""


KEY = EntryKey(HERO_PATH)
ENDS = [
    (Outcome(), "Done: nothing paid for.\n"),
    (
        Outcome(done=[KEY], bought=["j1"], written=["a.png", "a.sume.json"], credits=12.5),
        "Done: 1 job paid for (12.50 credits), 2 files written.\n"
        "To commit: sume.lock, and the media and *.sume.json files beside the specs.\n",
    ),
    (
        Outcome(removed=["a.png"], done=[KEY]),
        "Done: nothing paid for, 1 file removed.\nremoved a.png\n"
        "To commit: sume.lock, and the media and *.sume.json files beside the specs.\n",
    ),
    (
        Outcome(failed=[Trouble(KEY, "job j1 failed: content_policy", "change the spec"), Trouble(None, "no network")]),
        f"failed {HERO_PATH}: job j1 failed: content_policy\n       change the spec\nfailed no network\n\n"
        "Done: nothing paid for, 2 failed.\n",
    ),
    (
        Outcome(interrupted=True, running={"j2": KEY, "j1": None}, bought=["j1", "j2"]),
        "Interrupted: 2 jobs paid for.\n2 jobs still run (j1, j2). Run apply again to collect.\n",
    ),
    (
        Outcome(refused=Trouble(None, "cannot write x: No space left", "free some space"), not_begun=[KEY]),
        "stopped cannot write x: No space left\n       free some space\n\n"
        "Stopped: nothing paid for.\n1 spec not submitted; nothing was paid for it.\n",
    ),
]


@pytest.mark.parametrize(("result", "text"), ENDS)
def test_how_a_run_ended(result: Outcome, text: str) -> None:
    assert human.outcome(result) == text


def test_an_unknown_payment_names_the_command_that_decides_it() -> None:
    text = human.outcome(Outcome(unknown=[replace(HERO_UNKNOWN, detail="the connection was reset")]))
    assert "the connection was reset" in text
    assert f"sumesync resolve {HERO_PATH}" in text
    assert "Not finished: nothing paid for." in text


def test_of_many_running_jobs_five_are_named() -> None:
    text = human.outcome(Outcome(running={f"j{number}": None for number in range(9)}))
    assert "9 jobs still run (j0, j1, j2, j3, j4, …)." in text


def test_a_table_is_aligned_and_safe() -> None:
    text = human.table(("A", "LONG"), [("xx", "1"), (f"y{EVIL}", "22")])
    assert text.split("\n")[1] == "xx" + " " * (len(text.split("\n")[2]) - 6) + "  1"
    assert safe(text)


# --- Strangers' text -------------------------------------------------------------------------------


def safe(text: str) -> bool:
    return all(line.isprintable() for line in text.rstrip("\n").split("\n"))


def evil_plans() -> list[tuple[str, Plan, View]]:
    path = f"evil{EVIL}.sume.toml"
    new = wanted(path, f"A {EVIL} cup", aspect_ratio=EVIL, resolution=EVIL)
    odd: dict[str, Any] = {f"f{EVIL}": EVIL}
    changed = wanted(HERO_PATH, f"A {EVIL} cup" * 9, **odd)
    broken = Problem(path, f"bad {EVIL}", f"do {EVIL}", 1, 1)
    old = document(wanted(HERO_PATH, f"The {EVIL} cup" * 9), HERO_DONE)
    return [
        ("a name and fields", planned(new), view(new, name=EVIL)),
        (
            "a change",
            planned(changed, entries=[HERO_DONE], files=HERO_FILES, documents={"launch/hero.sume.json": old}),
            view(changed, verbose=True),
        ),
        ("a problem", planned(problems=[broken]), view()),
        ("an orphan", planned(entries=[entry(new)]), view()),
        ("an unknown", planned(new, journal=[submission(new, Step.UNKNOWN)]), view(new)),
        ("a taken place", planned(wanted("a.sume.toml"), files={f"a{EVIL}.png": file("x")}), view()),
    ]


@pytest.mark.parametrize(("found", "how"), [pytest.param(found, how, id=name) for name, found, how in evil_plans()])
def test_nothing_of_a_stranger_reaches_the_terminal_raw(found: Plan, how: View) -> None:
    assert safe(human.plan(found, how))


def test_nothing_of_a_failed_run_reaches_the_terminal_raw() -> None:
    key = EntryKey(f"a{EVIL}.sume.toml")
    bad = wanted(f"b{EVIL}.sume.toml")
    result = Outcome(
        failed=[Trouble(key, f"x{EVIL}", EVIL)],
        unknown=[replace(submission(bad, Step.UNKNOWN), detail=EVIL)],
        refused=Trouble(None, EVIL, EVIL),
    )
    assert safe(human.outcome(result))


def test_a_word_diff_of_a_prompt_as_long_as_may_be_is_cut_short() -> None:
    calls = 0

    def counting(text: str, **_looks: object) -> str:
        nonlocal calls
        calls += 1
        return text

    before = " ".join(f"{number} a" for number in range(3000))
    after = " ".join(f"{number} b" for number in range(3000))
    changes.words(before, after, counting)
    assert calls <= 200
