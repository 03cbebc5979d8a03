"""``sume.lock``: what is written reads back, what is not changed is not touched, what does not read is refused."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sumesync.core import blocks
from sumesync.core import lock as locks
from sumesync.core.lock import LockFault, LockText
from sumesync.disk import schemas
from sumesync.errors import Exit
from sumesync.model import Entry, EntryKey, JobState, Lock
from tests.builders import LINEAGE, entry, examples, job, lock, past, wanted
from tests.core.strategies import several_entries
from tests.values import HERO, HERO_DONE, HERO_FAILED, HERO_GONE, RED_DONE, TEASER_DONE, WORKSPACE

SANDBOXED = entry(wanted("box.sume.toml"), job("job_box"), endpoint="sandbox")
VARIANT = entry(wanted("launch/hero.sume.toml", variant="tall"), job("job_tall", JobState.ACCEPTED))
ACCEPTED = replace(HERO_DONE, accepted=HERO_DONE.outputs, history=(TEASER_DONE.present, RED_DONE.present))
SAMPLE = lock(RED_DONE, TEASER_DONE, SANDBOXED, VARIANT, workspace=WORKSPACE)


def validator() -> Draft202012Validator:
    return Draft202012Validator(schemas.load("lock"))


def test_the_text_of_a_lock_is_pinned() -> None:
    assert (
        locks.render(lock(HERO_DONE, workspace=WORKSPACE))
        == f"""\
# sume.lock: what sumesync last achieved. Written by sumesync; commit it, do not edit it.
format_version = 1
lineage = "{LINEAGE}"
workspace = "{WORKSPACE}"

[[entry]]
path = "launch/hero.sume.toml"
kind = "image"
fingerprint = "{HERO.fingerprint}"
[[entry.jobs]]
id = "job_hero"
state = "completed"
attempt = 1
[[entry.jobs.outputs]]
index = 1
path = "launch/hero.png"
sha256 = "{HERO_DONE.outputs[0].sha256}"
size = 8
media_type = "image/png"
"""
    )


@given(several_entries)
@settings(max_examples=examples(50))
def test_what_is_written_reads_back_and_conforms_to_the_schema(found: list[Entry]) -> None:
    whole = lock(*found, workspace=WORKSPACE)
    text = locks.render(whole)
    again = locks.read(text).lock
    assert (again.lineage, again.workspace, dict(again.entries)) == (LINEAGE, WORKSPACE, dict(whole.entries))
    assert locks.render(again) == text
    assert list(validator().iter_errors(tomllib.loads(text))) == []


def _told(read: Callable[[str], LockText], text: str) -> LockText | str:
    try:
        return read(text)
    except LockFault as fault:
        return fault.what


SLIPS = [
    '"',
    "[[entry]]\n",
    "\n[[entry]]\n",
    "#",
    '"""',
    "\\",
    "\n",
    " ",
    "entry = 1\n",
    "[x]\n",
    "0",
    "\x00",
    "/..",
    "e1",
]


@given(several_entries, st.data())
@settings(max_examples=examples(100))
def test_block_by_block_is_read_what_is_read_at_once(found: list[Entry], data: st.DataObject) -> None:
    text = locks.render(lock(*found, workspace=WORKSPACE))
    assert locks._block_by_block(text) == locks._whole(text)
    start, length = data.draw(st.integers(0, len(text))), data.draw(st.sampled_from([0, 1, 20]))
    slipped = text[:start] + data.draw(st.sampled_from(SLIPS)) + text[start + length :]
    quick = locks._block_by_block(slipped)
    assert quick is None or quick == _told(locks._whole, slipped)


@pytest.mark.parametrize("each", [HERO_DONE, RED_DONE, TEASER_DONE, ACCEPTED])
def test_an_ordinary_entry_is_read_without_toml(each: Entry) -> None:
    assert blocks.entry(locks._block(each).removeprefix("[[entry]]\n")) == each


@given(several_entries, several_entries)
@settings(max_examples=examples(50))
def test_a_patch_touches_only_what_it_names(before: list[Entry], after: list[Entry]) -> None:
    text = locks.render(lock(*before))
    patched = locks.patch(text, {each.key: each for each in after})
    changed = {each.key for each in after}
    kept = {key: block for key, block in locks.read(text).blocks.items() if key not in changed}
    assert kept.items() <= locks.read(patched).blocks.items()
    assert all(block in patched for block in kept.values())
    assert dict(locks.read(patched).lock.entries) == {**lock(*before).entries, **lock(*after).entries}


@given(several_entries, st.lists(several_entries, max_size=3), st.data())
@settings(max_examples=examples(50))
def test_patch_after_patch_is_known_without_reading_it_again(
    before: list[Entry], steps: list[list[Entry]], data: st.DataObject
) -> None:
    text = locks.render(lock(*before))
    known = locks.read(text)
    for step in steps:
        gone = data.draw(st.lists(st.sampled_from(sorted(known.blocks)), max_size=2)) if known.blocks else []
        changes = {**{each.key: each for each in step}, **dict.fromkeys(gone)}
        text, known = locks.patch(text, changes, WORKSPACE), locks.patched(known, changes, WORKSPACE)
        again = locks.read(text)
        assert known.text == text
        assert (known.lock, list(known.blocks.items())) == (again.lock, list(again.blocks.items()))


def test_an_entry_that_could_not_be_read_again_is_not_written() -> None:
    known = locks.read(locks.render(SAMPLE))
    with pytest.raises(LockFault, match="not a fingerprint"):
        locks.patched(known, {HERO.key: replace(HERO_DONE, fingerprint="v1:0")})


def test_a_patch_keeps_what_another_version_wrote_into_another_block() -> None:
    text = locks.render(SAMPLE)
    foreign = text.replace('path = "box.sume.toml"\n', 'path = "box.sume.toml"\nfuture = [1, 2]  # a note\n')
    patched = locks.patch(foreign, {HERO.key: HERO_DONE})
    assert "future = [1, 2]  # a note\n" in patched
    assert locks.read(patched).lock.entries[HERO.key] == HERO_DONE


@pytest.mark.parametrize("text", [locks.new_text(LINEAGE), locks.render(SAMPLE), locks.render(lock(HERO_DONE))])
def test_a_patch_of_nothing_is_no_change(text: str) -> None:
    assert locks.patch(text, {}) == text
    assert locks.patch(text, {EntryKey("none.sume.toml"): None}) == text
    assert locks.patch(text, locks.read(text).lock.entries) == text


def test_a_removed_entry_leaves_the_others_byte_for_byte() -> None:
    text = locks.render(SAMPLE)
    block = locks.read(text).blocks[SANDBOXED.key]
    assert locks.patch(text, {SANDBOXED.key: None}) == text.replace("\n" + block, "")


def test_the_last_entry_gone_leaves_the_header() -> None:
    assert locks.patch(locks.render(lock(HERO_DONE)), {HERO.key: None}) == locks.new_text(LINEAGE)


def test_a_workspace_is_filled_in_once() -> None:
    first = locks.patch(locks.new_text(LINEAGE), {}, WORKSPACE)
    assert locks.read(first).lock.workspace == WORKSPACE
    assert locks.patch(first, {}, "sha256:" + "b" * 64) == first


def test_entries_stand_in_the_order_of_the_sha256_of_their_path() -> None:
    paths = [f"launch/{name}.sume.toml" for name in "abcdefgh"]
    text = locks.render(lock(*(entry(wanted(path)) for path in paths)))
    found = [table["path"] for table in tomllib.loads(text)["entry"]]
    assert found == sorted(paths, key=lambda path: hashlib.sha256(path.encode()).hexdigest())
    assert found != paths


def test_variants_of_one_spec_stand_together_in_order() -> None:
    variants = [entry(wanted("a.sume.toml", variant=name)) for name in ("tall", "", "wide")]
    found = tomllib.loads(locks.render(lock(*variants)))["entry"]
    assert [table.get("variant", "") for table in found] == ["", "tall", "wide"]


def test_two_branches_that_add_neighbours_seldom_touch_the_same_place() -> None:
    """One blank line stands between entries and none inside: a merge never splits an entry."""
    body = locks.render(SAMPLE).split("\n\n")
    assert len(body) == 1 + len(SAMPLE.entries)
    assert all(part.startswith("[[entry]]\n") for part in body[1:])


def test_carriage_returns_of_a_checkout_do_not_matter() -> None:
    text = locks.render(SAMPLE)
    crlf = text.replace("\n", "\r\n")
    assert locks.read(crlf).lock == locks.read(text).lock
    assert locks.patch(crlf, {}) == text


def test_every_truncation_reads_or_is_refused() -> None:
    text = locks.render(SAMPLE)
    read = 0
    for length in range(len(text)):
        found = _read_or_refuse(text[:length])
        read += found is not None
        for key, each in found.entries.items() if found else ():
            assert {its.id for its in each.jobs} <= {its.id for its in SAMPLE.entries[key].jobs}
    assert 0 < read < len(text) // 2


def _read_or_refuse(text: str) -> Lock | None:
    try:
        return locks.read(text).lock
    except LockFault as fault:
        told = (fault.code, bool(fault.hint))
    assert told == (Exit.REFUSED, True)
    return None


def changed(old: str, new: str) -> str:
    text = locks.render(SAMPLE)
    assert old in text
    return text.replace(old, new, 1)


SHA = TEASER_DONE.outputs[0].sha256
HINT = "sumesync lock rebuild"
REFUSED = [
    ("nothing", "", "sume.lock does not say its format_version", HINT),
    ("garbage", "\x00\x01 garbage", "sume.lock:1: not a lock that reads", HINT),
    ("another file", "[project]\nname = 1\n", "does not say its format_version", HINT),
    (
        "a newer format",
        changed("format_version = 1", "format_version = 2"),
        "sume.lock has format 2; this sumesync reads up to 1",
        "pip install --upgrade",
    ),
    ("an older format", changed("format_version = 1", "format_version = 0"), "does not say its format_version", HINT),
    (
        "a format that is no number",
        changed("format_version = 1", 'format_version = "1"'),
        "does not say its format_version",
        HINT,
    ),
    (
        "true for a format",
        changed("format_version = 1", "format_version = true"),
        "does not say its format_version",
        HINT,
    ),
    ("no lineage", changed("lineage", "lineag"), "lineage is missing or not text", HINT),
    ("a short lineage", changed(LINEAGE, "abc"), "lineage is not one that sumesync wrote", HINT),
    (
        "merge markers",
        changed("[[entry]]\n", "<<<<<<< HEAD\n[[entry]]\n"),
        "sume.lock:6: merge conflict markers",
        "sumesync lock resolve",
    ),
    ("only the middle marker", changed("[[entry]]\n", "=======\n[[entry]]\n"), "merge conflict markers", HINT),
    ("markers of diff3", changed("[[entry]]\n", "||||||| base\n[[entry]]\n"), "merge conflict markers", HINT),
    (
        "one entry twice",
        locks.render(lock(HERO_DONE)) + "\n" + locks.read(locks.render(lock(HERO_DONE))).blocks[HERO.key],
        "sume.lock has two entries of launch/hero.sume.toml",
        HINT,
    ),
    ("a key twice", changed('kind = "image"', 'kind = "image"\nkind = "image"'), "not a lock that reads", HINT),
    ("no path", changed('path = "box.sume.toml"\n', ""), "path is missing or not text", HINT),
    (
        "a path outside",
        changed('path = "box.sume.toml"', 'path = "../box.sume.toml"'),
        "is not a spec of the project",
        HINT,
    ),
    (
        "an absolute path",
        changed('path = "box.sume.toml"', 'path = "/box.sume.toml"'),
        "is not a spec of the project",
        HINT,
    ),
    (
        "an entry that is no spec",
        changed('path = "box.sume.toml"', 'path = "LICENSE"'),
        "is not a spec of the project",
        HINT,
    ),
    (
        "a variant that leads outside",
        changed('path = "box.sume.toml"', 'path = "box.sume.toml"\nvariant = "/../../x"'),
        "is not a variant",
        HINT,
    ),
    (
        "an output that is no media file",
        changed('path = "launch/teaser.mp4"', 'path = "LICENSE"'),
        "no media file",
        HINT,
    ),
    (
        "an output outside",
        changed('path = "launch/teaser.mp4"', 'path = "../teaser.mp4"'),
        "an output at '../teaser.mp4'",
        HINT,
    ),
    (
        "an output in .git",
        changed('path = "launch/teaser.mp4"', 'path = ".git/hooks/post-checkout"'),
        ".git is a folder of git",
        HINT,
    ),
    ("no fingerprint", changed(SANDBOXED.fingerprint, "v1:abc"), "'v1:abc' is not a fingerprint", HINT),
    ("an unknown endpoint", changed('endpoint = "sandbox"', 'endpoint = "mars"'), "unknown endpoint 'mars'", HINT),
    ("an unknown state", changed('state = "accepted"', 'state = "paused"'), "unknown job state 'paused'", HINT),
    ("a job id with a path", changed('id = "job_box"', 'id = "../x"'), "'../x' is not a job id", HINT),
    ("an attempt that is text", changed("attempt = 1", 'attempt = "1"'), "attempt is missing or not a number", HINT),
    (
        "a request id that is no text",
        locks.render(lock(entry(HERO, HERO_FAILED))).replace('"req_1"', "[1]"),
        "request_id is missing or not text",
        HINT,
    ),
    ("a negative size", changed("size = 10", "size = -10"), "size is missing or not a number", HINT),
    ("no sha256", changed(SHA, SHA[:-1]), "is not a sha256", HINT),
    ("jobs that are no list", changed("[[entry.jobs]]", "[entry.jobs]"), "jobs is not a list of tables", HINT),
    ("entries that are no list", locks.new_text(LINEAGE) + "entry = 3\n", "entry is not a list of tables", HINT),
    ("a number of 5,000 digits", changed("attempt = 1", "attempt = " + "9" * 5000), "not a lock that reads", HINT),
    (
        "a key of 20,000 parts",
        locks.new_text(LINEAGE) + "[" + ".".join(["a"] * 20_000) + "]\nx = [",
        "not a lock that reads",
        HINT,
    ),
]


@pytest.mark.parametrize(("text", "what", "hint"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED])
def test_a_lock_that_does_not_read_is_refused_with_what_mends_it(text: str, what: str, hint: str) -> None:
    with pytest.raises(LockFault) as fault:
        locks.read(text)
    assert what in fault.value.what
    assert hint in fault.value.hint
    assert fault.value.code is Exit.REFUSED
    with pytest.raises(LockFault):
        locks.patch(text, {HERO.key: HERO_DONE})


@pytest.mark.parametrize(
    "each", [HERO_DONE, RED_DONE, SANDBOXED, VARIANT, entry(HERO, HERO_FAILED), entry(HERO, HERO_GONE)]
)
def test_each_sort_of_entry_conforms_to_the_schema(each: Entry) -> None:
    document: dict[str, Any] = tomllib.loads(locks.render(lock(each)))
    validator().validate(document)


@pytest.mark.parametrize("cost", ["nan", "inf", "-inf", "true", '"4"', "[4]", "1" + "0" * 400])
def test_credits_that_are_no_number_are_not_told(cost: str) -> None:
    text = locks.render(lock(entry(HERO, job("job_hero", credits_=4)))).replace("credits = 4", f"credits = {cost}")
    assert locks.read(text).lock.entries[HERO.key].jobs[0].credits is None


def test_history_is_kept_in_its_order() -> None:
    pasts = tuple(past(wanted("a.sume.toml", name), job(f"job_{name}")) for name in "cab")
    whole = lock(entry(wanted("a.sume.toml", "now"), history=pasts))
    assert locks.read(locks.render(whole)).lock == whole


def test_a_block_is_found_whatever_its_strings_say() -> None:
    odd = entry(wanted("x[[entry]].sume.toml"), job("job_1"))
    assert locks.read(locks.render(lock(odd, HERO_DONE))).lock == Lock(LINEAGE, None, lock(odd, HERO_DONE).entries)


def test_a_header_on_other_spacing_is_read() -> None:
    text = locks.render(lock(HERO_DONE, TEASER_DONE)).replace("[[entry]]", "[[ entry ]] # ours")
    assert locks.read(text).lock == lock(HERO_DONE, TEASER_DONE)
    assert locks.patch(text, {}) == locks.render(lock(HERO_DONE, TEASER_DONE))
