"""Chains: which variant takes another's output, what cannot be, and what a change makes change."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core import chain
from sumesync.core.action import Plan, Verb, Why
from sumesync.core.changes import changes
from sumesync.core.config import Config
from sumesync.core.inputs import MOST_BYTES, InputFile
from sumesync.core.plan import only
from sumesync.core.view import Project
from sumesync.model import Entry, EntryKey, FileFact, JobState, Json, LocalInput, UpstreamInput, Wanted
from tests.builders import action_of, document, entry, examples, file, job, output, past, picture, planned, read, sha

HERO = 'prompt = "A cup"\n'
FILM = 'kind = "video"\nprompt = "It turns"\n'


def film(take: str) -> str:
    return f"{FILM}reference_image_urls = [{take}]\n"


def good(specs: Mapping[str, str], files: Mapping[str, InputFile] | None = None) -> dict[str, Wanted]:
    found = read(specs, files=files)
    assert not found.problems, found.problems
    return {str(wanted.key): wanted for wanted in found.wanted}


# --- What a chain is -----------------------------------------------------------------------------------


def test_an_upstream_stands_in_the_request_as_written_with_what_tells_a_change() -> None:
    found = good({"a/hero.sume.toml": HERO, "b/film.sume.toml": film('{ from = "../a/hero.sume.toml" }')})
    hero, clip = found["a/hero.sume.toml"], found["b/film.sume.toml"]
    assert clip.request["reference_image_urls"] == [
        {"from": "../a/hero.sume.toml", "output": 1, "fingerprint": hero.fingerprint}
    ]
    assert clip.inputs == {("reference_image_urls", 0): UpstreamInput(hero.key, 1, hero.fingerprint, "reference_image")}


def test_a_file_stands_in_the_request_as_written_with_its_hash() -> None:
    found = good({"a/b.sume.toml": film('"https://x.example/1", { file = "../p.png" }')}, {"p.png": picture("p")})
    clip = found["a/b.sume.toml"]
    assert clip.request["reference_image_urls"] == ["https://x.example/1", {"file": "../p.png", "sha256": sha("p")}]
    assert clip.inputs == {
        ("reference_image_urls", 1): LocalInput("p.png", sha("p"), 1, "image/png", "reference_image")
    }


def test_in_extra_an_input_is_a_table_that_can_be_nothing_else() -> None:
    text = (
        'prompt = "A"\n[extra]\n'
        'mask = { file = "m.png" }\nfilm = [{ deep = { from = "f.sume.toml", output = 1 } }]\n'
        'other = { file = "m.png", strength = 1 }\nalso = { from = "x", to = "y" }\nnumber = { file = 3 }\n'
    )
    found = good({"a.sume.toml": text, "f.sume.toml": FILM}, {"m.png": picture("m")})["a.sume.toml"]
    assert {place: (type(given).__name__, given.purpose) for place, given in found.inputs.items()} == {
        ("mask",): ("LocalInput", "reference_image"),
        ("film", 0, "deep"): ("UpstreamInput", "reference_video"),
    }
    assert found.request["other"] == {"file": "m.png", "strength": 1}
    assert found.request["also"] == {"from": "x", "to": "y"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"x.sume.toml": film('{ file = "a.png" }')}, {"sub/y.sume.toml": film('{ file = "../b.png" }')}),
        (
            {"hero.sume.toml": HERO, "x.sume.toml": film('{ from = "hero.sume.toml" }')},
            {"new/h.sume.toml": HERO, "x.sume.toml": film('{ from = "new/h.sume.toml", output = 1 }')},
        ),
        (
            {"hero.sume.toml": HERO, "x.sume.toml": film('{ from = "hero.sume.toml" }')},
            {
                "hero.sume.toml": 'prompt = "A {p}"\n[matrix]\np = ["cup", "jar"]\n',
                "x.sume.toml": film('{ from = "hero.sume.toml", variant = "cup" }'),
            },
        ),
    ],
)
def test_a_path_is_no_part_of_an_identity(before: dict[str, str], after: dict[str, str]) -> None:
    files = {"a.png": picture("p"), "b.png": picture("p")}
    (old,) = (w for w in good(before, files).values() if w.kind == "video")
    (new,) = (w for w in good(after, files).values() if w.kind == "video")
    assert old.fingerprint == new.fingerprint
    assert changes(new, document(old, entry(old, job("job_1")))) == ()


@pytest.mark.parametrize(
    "after",
    [
        {"hero.sume.toml": 'prompt = "Another"\nimage_count = 2\n', "x.sume.toml": film('{ from = "hero.sume.toml" }')},
        {"hero.sume.toml": HERO + "take = 2\n", "x.sume.toml": film('{ from = "hero.sume.toml" }')},
        {
            "hero.sume.toml": HERO + "image_count = 2\n",
            "x.sume.toml": film('{ from = "hero.sume.toml", output = 2 }'),
        },
        {"x.sume.toml": film('"https://x.example/a"')},
        {"x.sume.toml": film('{ file = "a.png" }')},
    ],
)
def test_another_source_is_another_request_and_is_told_as_a_change(after: dict[str, str]) -> None:
    specs = {"hero.sume.toml": HERO + "image_count = 2\n", "x.sume.toml": film('{ from = "hero.sume.toml" }')}
    old = good(specs)["x.sume.toml"]
    new = good(after, {"a.png": picture("p")})["x.sume.toml"]
    assert old.fingerprint != new.fingerprint
    (change,) = changes(new, document(old, entry(old, job("job_1"))))
    assert change.field == "reference_image_urls"


# --- What cannot be ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bad:
    """What a film takes (or its whole text), and its problem."""

    name: str
    take: str
    what: str
    hint: str = ""
    where: str = "x.sume.toml:3:25"
    specs: dict[str, str] = field(default_factory=dict)
    text: str = ""
    file: InputFile | None = None


THREE = 'prompt = "A {p}"\n[matrix]\np = ["a", "b", "c"]\n'
FORMS = 'an https:// URL, { file = "…" } or { from = "….sume.toml", output = 1 }'
BAD = [
    # the union
    Bad("http", '"http://x.example"', 'reference_image_urls[1] is "http://x.example"', FORMS),
    Bad("a number", "3", "reference_image_urls[1] is 3", FORMS),
    Bad("an empty table", "{}", "reference_image_urls[1] is an empty table", FORMS),
    Bad("an unknown key", '{ file = "a.png", x = 1 }', 'reference_image_urls[1] is { file = "a.png", x = 1 }', FORMS),
    Bad("both", '{ file = "a", from = "b" }', 'reference_image_urls[1] is { file = "a", from = "b" }', FORMS),
    Bad("output 0", '{ from = "b", output = 0 }', "reference_image_urls[1]: output is 0", "outputs count from 1"),
    Bad("a file without a name", '{ file = "" }', 'reference_image_urls[1] is { file = "" }', FORMS),
    # files
    Bad("missing", '{ file = "n.png" }', "reference_image_urls[1]: there is no file n.png", "relative to the spec"),
    Bad("outside", '{ file = "../n.png" }', "reference_image_urls[1] is ../n.png: the path leads outside the project"),
    Bad("absolute", '{ file = "/etc/x.png" }',
        "reference_image_urls[1] is /etc/x.png: the path must be relative to the spec"),
    Bad("hidden", '{ file = ".secret/n.png" }', "reference_image_urls[1] is .secret/n.png: it is a hidden file"),
    Bad("git's", '{ file = ".git/config" }', "reference_image_urls[1] is .git/config: .git is a folder of git"),
    Bad("the project", '{ file = "." }', "reference_image_urls[1] is .: it is a folder"),
    Bad("no media", '{ file = "p" }', "reference_image_urls[1]: p is an HTML page", "images: png",
        file=InputFile("0", 9, None, "an HTML page")),
    Bad("a video", '{ file = "p" }', "reference_image_urls[1]: p is video/mp4; it must be an image",
        file=picture("p", ".mp4")),
    Bad("too large", '{ file = "p" }', f"reference_image_urls[1]: p has {MOST_BYTES + 1:,} bytes", "at most",
        file=InputFile("0", MOST_BYTES + 1)),
    Bad("an image for a video", "", "source_video_url: p is image/png; it must be a video", where="x.sume.toml:2:1",
        text='kind = "face-swap"\nsource_video_url = { file = "p" }\navatar_ids = ["a"]\n', file=picture("p")),
    Bad("in [extra]", "", "mask: there is no file m.png", where="x.sume.toml:3:1",
        text='prompt = "A"\n[extra]\nmask = { file = "m.png" }\n'),
    # other specs
    Bad("no spec", '{ from = "hero2.sume.toml" }', "reference_image_urls[1]: there is no spec hero2.sume.toml",
        "did you mean hero.sume.toml?", specs={"hero.sume.toml": HERO}),
    Bad("without its ending", '{ from = "hero" }', "reference_image_urls[1]: there is no spec hero",
        "did you mean hero.sume.toml?", specs={"hero.sume.toml": HERO}),
    Bad("a spec outside", '{ from = "../hero.sume.toml" }',
        "reference_image_urls[1] is ../hero.sume.toml: the path leads outside", "name a spec of the project"),
    Bad("itself", '{ from = "x.sume.toml" }',
        "reference_image_urls[1]: x.sume.toml makes videos; it must be an image"),
    Bad("a film for a picture", '{ from = "f.sume.toml" }',
        "reference_image_urls[1]: f.sume.toml makes videos; it must be an image", specs={"f.sume.toml": FILM}),
    Bad("a document", '{ from = "d.sume.toml" }',
        "reference_image_urls[1]: d.sume.toml makes no media: asset-search gives a document",
        specs={"d.sume.toml": 'kind = "asset-search"\nq = "cup"\n'}),
    Bad("an output too many", '{ from = "hero.sume.toml", output = 2 }',
        "reference_image_urls[1]: hero.sume.toml makes 1 output, not 2", "allowed: 1", specs={"hero.sume.toml": HERO}),
    Bad("an output beyond the count", '{ from = "hero.sume.toml", output = 4 }',
        "reference_image_urls[1]: hero.sume.toml makes 3 outputs, not 4", "allowed: 1 to 3",
        specs={"hero.sume.toml": HERO + "image_count = 3\n"}),
    Bad("which variant", '{ from = "m.sume.toml" }', "reference_image_urls[1]: m.sume.toml has 3 variants",
        "say which: variant = … (a, b, c)", specs={"m.sume.toml": THREE}),
    Bad("no such variant", '{ from = "m.sume.toml", variant = "d" }',
        "reference_image_urls[1]: m.sume.toml has no variant d", "it has: a, b, c", specs={"m.sume.toml": THREE}),
    Bad("a variant of a plain spec", '{ from = "hero.sume.toml", variant = "d" }',
        "reference_image_urls[1]: hero.sume.toml has no variants", "take variant out", specs={"hero.sume.toml": HERO}),
    Bad("an invalid spec", '{ from = "bad.sume.toml" }', "reference_image_urls[1]: bad.sume.toml is invalid",
        "mend it first: bad.sume.toml:2:1", specs={"bad.sume.toml": HERO + "zzz = 1\n"}),
    Bad("a spec that is no TOML", '{ from = "bad.sume.toml" }', "reference_image_urls[1]: bad.sume.toml is invalid",
        "mend it first: bad.sume.toml:1:10", specs={"bad.sume.toml": "prompt = A"}),
    Bad("an invalid spec, further up", '{ from = "b.sume.toml" }', "reference_image_urls[1]: b.sume.toml is invalid",
        "mend it first: bad.sume.toml:2:1",
        specs={"bad.sume.toml": HERO + "zzz = 1\n",
               "b.sume.toml": HERO + 'reference_image_urls = [{ from = "bad.sume.toml" }]\n'}),
    Bad("a file by a detour", '{ file = "./a/../a/n.png" }', "reference_image_urls[1]: there is no file a/n.png"),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_what_cannot_be_is_told_where_what_and_how(bad: Bad) -> None:
    specs = {**bad.specs, "x.sume.toml": bad.text or film(bad.take)}
    found = read(specs, files={"p": bad.file} if bad.file else {})
    (problem,) = (p for p in found.problems if p.path == "x.sume.toml")
    assert problem.where == bad.where
    assert problem.what.startswith(bad.what), problem
    assert bad.hint in problem.hint
    assert "x.sume.toml" not in {wanted.key.path for wanted in found.wanted}


def image(source: str) -> str:
    return f'{HERO}reference_image_urls = [{{ from = "{source}.sume.toml" }}]\n'


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        ({"a": "a"}, {"a": "a.sume.toml -> a.sume.toml"}),
        (
            {"a": "b", "b": "a"},
            {
                "a": "a.sume.toml -> b.sume.toml -> a.sume.toml",
                "b": "b.sume.toml -> a.sume.toml -> b.sume.toml",
            },
        ),
    ],
)
def test_a_cycle_is_told_at_each_of_its_specs(sources: dict[str, str], told: dict[str, str]) -> None:
    found = read({f"{name}.sume.toml": image(source) for name, source in sources.items()})
    assert {problem.path.split(".")[0]: problem.what.split(": ")[1] for problem in found.problems} == told
    assert {problem.where.split(":", 1)[1] for problem in found.problems} == {"2:25"}


def test_what_hangs_on_a_cycle_is_told_of_it_and_what_does_not_is_well() -> None:
    sources = {"a": "b", "b": "a", "c": "b", "d": "c", "f": "e"}
    specs = {f"{name}.sume.toml": image(source) for name, source in sources.items()}
    found = read({**specs, "e.sume.toml": HERO})
    what = {problem.path: problem.what for problem in found.problems}
    assert what["c.sume.toml"] == "reference_image_urls[1]: b.sume.toml is invalid"
    assert what["d.sume.toml"] == "reference_image_urls[1]: c.sume.toml is invalid"
    assert {wanted.key.path for wanted in found.wanted} == {"e.sume.toml", "f.sume.toml"}


def test_a_long_cycle_is_shortened() -> None:
    specs = {f"a{n}.sume.toml": image(f"a{(n + 1) % 1000}") for n in range(1000)}
    found = read(specs)
    assert len(found.problems) == 1000
    assert all("more) -> " in problem.what and len(problem.what) < 400 for problem in found.problems)


def test_variants_of_one_spec_may_take_from_each_other() -> None:
    text = (
        'prompt = "A {p}"\nreference_image_urls = [{ from = "{of}.sume.toml", variant = "{of}" }]\n'
        '[matrix]\np = ["x"]\nof = ["b"]\n'
    )
    found = read({"m.sume.toml": text, "b.sume.toml": 'prompt = "B {b}"\n[matrix]\nb = ["b", "c"]\n'})
    assert not found.problems
    assert found.wanted[0].inputs[("reference_image_urls", 0)] == UpstreamInput(
        EntryKey("b.sume.toml", "b"), 1, found.wanted[1].fingerprint, "reference_image"
    )


DEFAULTS: dict[str, dict[str, Json]] = {"image": {"reference_image_urls": [{"file": "logo.png"}]}}


def test_a_default_names_files_of_the_project_and_is_told_at_the_specs_that_have_it() -> None:
    specs = {"a/x.sume.toml": HERO, "a/own.sume.toml": HERO + 'reference_image_urls = ["https://x.example/a"]\n'}
    found = {w.key.path: w for w in read(specs, files={"logo.png": picture()}, config=Config(defaults=DEFAULTS)).wanted}
    own, x = found["a/own.sume.toml"], found["a/x.sume.toml"]
    assert [given.path for given in x.inputs.values() if isinstance(given, LocalInput)] == ["logo.png"]
    assert own.inputs == {}
    (problem,) = read(specs, config=Config(defaults=DEFAULTS)).problems
    assert (problem.where, problem.what) == ("a/x.sume.toml:1:1", "reference_image_urls[1]: there is no file logo.png")
    assert problem.hint == "[defaults.image] in sumesync.toml names it, relative to the project"


# --- Of any length ---------------------------------------------------------------------------------------


def test_a_chain_of_five_thousand_and_a_fan_of_a_thousand() -> None:
    specs = {f"c{n:04}.sume.toml": image(f"c{n - 1:04}") for n in range(1, 5000)}
    specs |= {f"f{n:04}.sume.toml": image("c0000").replace("A cup", f"{n}") for n in range(1000)}
    specs["c0000.sume.toml"] = HERO
    began = time.thread_time()
    found = read(specs)
    middle = time.thread_time()
    assert not found.problems
    assert chain.depths(found.wanted)[EntryKey("c4999.sume.toml")] == 4999
    plan_ = planned(*found.wanted)
    assert plan_.pays == 6_000
    assert len(only(plan_, lambda key: key.path == "c4999.sume.toml").actions) == 5000
    assert middle - began < 120
    assert time.thread_time() - middle < 120


def test_a_broken_root_is_told_to_the_end_of_a_long_chain() -> None:
    specs = {f"c{n:04}.sume.toml": image(f"c{n - 1:04}") for n in range(1, 2000)}
    found = read({**specs, "c0000.sume.toml": "zzz = 1\n"})
    assert found.wanted == ()
    assert found.problems[-1].hint == "mend it first: c0000.sume.toml:1:1"


# --- The plan ----------------------------------------------------------------------------------------------


def achieved(project: Project) -> list[Entry]:
    return [
        entry(w, job(f"job_{n}", JobState.COMPLETED, output(w.key.path.replace("sume.toml", "png"), str(n))))
        for n, w in enumerate(project.wanted)
    ]


def standing(entries: list[Entry]) -> dict[str, FileFact]:
    return {o.path: file(str(n)) for n, each in enumerate(entries) for o in each.outputs}


def names(plan_: Plan, *verbs: Verb) -> set[str]:
    return {action.key.path.split(".")[0] for action in plan_.of(*verbs)}


LINE = {"a.sume.toml": HERO, "b.sume.toml": image("a"), "c.sume.toml": image("b")}


def test_what_is_new_comes_after_its_upstream() -> None:
    found = planned(*read(LINE).wanted)
    assert [(str(a.key), [str(key) for key in a.after]) for a in found.actions] == [
        ("a.sume.toml", []),
        ("b.sume.toml", ["a.sume.toml"]),
        ("c.sume.toml", ["b.sume.toml"]),
    ]
    assert found.pays == 3


def test_an_upstream_that_is_there_is_not_waited_for() -> None:
    entries = achieved(read(LINE))[:2]
    found = planned(*read(LINE).wanted, entries=entries, files=standing(entries))
    assert (found.pays, action_of(found, "c.sume.toml").after) == (1, ())


@pytest.mark.parametrize(
    ("state", "verb", "after"),
    [
        (JobState.ACCEPTED, Verb.CREATE, ("a.sume.toml",)),
        (JobState.FAILED, Verb.ATTENTION, ()),
        (JobState.GONE, Verb.ATTENTION, ()),
    ],
)
def test_what_takes_from_an_upstream_in_some_state(state: JobState, verb: Verb, after: tuple[str, ...]) -> None:
    a, b, c = read(LINE).wanted
    found = planned(a, b, c, entries=[entry(a, job("job_1", state, output("a.png", "a")))])
    action = action_of(found, "b.sume.toml")
    assert (action.verb, tuple(map(str, action.after))) == (verb, after)
    if verb is Verb.ATTENTION:
        assert (action.reason.code, action.reason.text) == (Why.WAITING, "waits for a.sume.toml, whose output it takes")
        assert action_of(found, "c.sume.toml").reason.text == "waits for b.sume.toml, whose output it takes"
        assert found.pays == 0


def test_an_edited_upstream_that_has_changed_is_waited_for_until_it_is_decided_on() -> None:
    entries = achieved(read(LINE))
    a, b, c = read({**LINE, "a.sume.toml": 'prompt = "Changed"\n'}).wanted
    files = {**standing(entries), "a.png": file("by hand")}
    before = {"b.sume.json": document(read(LINE).wanted[1], entries[1])}
    found = planned(a, b, c, entries=entries, files=files, documents=before)
    assert [action.reason.code for action in found.actions] == [Why.EDITED_CHANGED, Why.WAITING, Why.WAITING]
    (change,) = action_of(found, "b.sume.toml").changes
    assert change.field == "reference_image_urls"


SWAP = 'kind = "face-swap"\navatar_ids = ["avatar_1"]\nsource_video_url = { from = "a.sume.toml" }\n'
CLIP = {"a.sume.toml": 'kind = "video"\nprompt = "A"\n'}


@pytest.mark.parametrize(
    ("specs", "accepted", "there", "verb", "told"),
    [
        pytest.param({"a.sume.toml": HERO, "b.sume.toml": image("a")}, "", "0", Verb.CREATE, [], id="as made"),
        pytest.param(
            {"a.sume.toml": HERO, "b.sume.toml": image("a")}, "", "by hand", Verb.CREATE, [False], id="edited"
        ),
        pytest.param(
            {"a.sume.toml": HERO, "b.sume.toml": image("a")}, "mine", "mine", Verb.CREATE, [True], id="accepted"
        ),
        pytest.param(
            {"a.sume.toml": HERO, "b.sume.toml": image("a")},
            "mine",
            "yet another",
            Verb.ATTENTION,
            [],
            id="edited again",
        ),
        pytest.param(
            {**CLIP, "b.sume.toml": SWAP}, "", "by hand", Verb.ATTENTION, [], id="edited, and the file is sent"
        ),
        pytest.param({**CLIP, "b.sume.toml": SWAP}, "mine", "mine", Verb.CREATE, [True], id="accepted, and it is sent"),
    ],
)
def test_what_a_person_had_in_hand_of_an_upstream_is_told_where_it_is_sent_and_waited_for_where_it_cannot_be(
    specs: dict[str, str], accepted: str, there: str, verb: Verb, told: list[bool]
) -> None:
    project = read(specs)
    made, *_ = achieved(project)
    (its,) = made.outputs
    entries = [replace(made, accepted=(output(its.path, accepted),) if accepted else ())]
    found = planned(*project.wanted, entries=entries, files={its.path: file(there)})
    action = action_of(found, "b.sume.toml")
    assert action.verb is verb
    assert [each.accepted for each in action.handmade] == told
    assert all((each.path, each.of) == (its.path, made.key) for each in action.handmade)


def test_an_upstream_whose_earlier_request_came_back_under_an_edit_is_waited_for() -> None:
    """Its entry does not stand for that request, and cannot before somebody decides."""
    a, b = read({"a.sume.toml": HERO, "b.sume.toml": image("a")}).wanted
    (other,) = read({"a.sume.toml": 'prompt = "Another"\n'}).wanted
    first = past(a, job("job_1", JobState.COMPLETED, output("a.png", "first")))
    now = replace(entry(other, job("job_2", JobState.COMPLETED, output("a.png", "second"))), history=(first,))
    found = planned(a, b, entries=[now], files={"a.png": file("by hand")})
    assert [action.verb for action in found.actions] == [Verb.ATTENTION, Verb.ATTENTION]
    assert action_of(found, "b.sume.toml").reason.code is Why.WAITING


def test_narrowing_brings_in_what_a_chosen_one_needs() -> None:
    specs = {**LINE, "0.sume.toml": HERO, "other.sume.toml": 'prompt = "x"\n'}

    def first(key: EntryKey) -> bool:
        return key.path == "c.sume.toml"

    found = only(planned(*read(specs).wanted, first=first), first)
    assert names(found, Verb.CREATE) == {"a", "b", "c"}
    entries = achieved(read(LINE))[:2]
    found = only(planned(*read(specs).wanted, entries=entries, files=standing(entries)), first)
    assert names(found, *Verb) == {"c"}


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    """Specs by name, each with those that it takes from. The order of their names has nothing to do with it."""
    numbers = draw(st.permutations(range(draw(st.integers(1, 8)))))
    found: dict[str, list[str]] = {}
    for n in numbers:
        found[f"s{n}"] = draw(st.lists(st.sampled_from(sorted(found)), max_size=3)) if found else []
    return {name: found[name] for name in draw(st.permutations(sorted(found)))}


def texts(graph: Mapping[str, list[str]], edited: str = "") -> dict[str, str]:
    specs = {}
    for name, takes in graph.items():
        listed = ", ".join(f'{{ from = "{other}.sume.toml" }}' for other in takes)
        line = f"reference_image_urls = [{listed}]\n" if takes else ""
        prompt = json.dumps(f"{name} again" if name == edited else name)
        specs[f"{name}.sume.toml"] = f"prompt = {prompt}\n{line}"
    return specs


@given(graphs(), st.data())
@settings(max_examples=examples(100))
def test_editing_one_spec_plans_exactly_it_and_what_depends_on_it(
    graph: dict[str, list[str]], data: st.DataObject
) -> None:
    edited = data.draw(st.sampled_from(sorted(graph)))
    changed = {edited}
    for _ in graph:
        changed |= {name for name, takes in graph.items() if changed & set(takes)}
    before = read(texts(graph))
    entries = achieved(before)
    after = read(texts(graph, edited))
    found = planned(*after.wanted, entries=entries, files=standing(entries))
    assert names(found, Verb.UPDATE) == changed
    assert names(found, Verb.KEEP) == set(graph) - changed
    assert found.pays == len(changed)
    for action in found.of(Verb.UPDATE):
        assert {key.path for key in action.after} == {
            f"{other}.sume.toml" for other in graph[action.key.path.split(".")[0]] if other in changed
        }


@given(graphs(), st.data())
@settings(max_examples=examples(50))
def test_a_rename_of_an_upstream_costs_nothing(graph: dict[str, list[str]], data: st.DataObject) -> None:
    moved = data.draw(st.sampled_from(sorted(graph)))
    before = read(texts(graph))
    entries = achieved(before)
    after = {
        path.replace(f"{moved}.", "sub/new."): text.replace(f"{moved}.sume.toml", "sub/new.sume.toml")
        for path, text in texts(graph).items()
    }
    own = after["sub/new.sume.toml"].replace('from = "', 'from = "../')
    found = planned(*read({**after, "sub/new.sume.toml": own}).wanted, entries=entries, files=standing(entries))
    assert found.pays == 0
    assert action_of(found, "sub/new.sume.toml").verb is Verb.MOVE
    assert names(found, Verb.ATTENTION, Verb.INVALID, Verb.CREATE, Verb.UPDATE) == set()


def test_a_take_of_a_chain_is_another_request() -> None:
    """retake computes fingerprints by itself."""
    from sumesync.core.fingerprint import fingerprint
    from sumesync.core.takes import next_take

    clip = read(LINE).wanted[1]
    second = fingerprint(clip.kind, clip.request, 2, clip.inputs)
    entries = [entry(replace(clip, fingerprint=second), job("job_1"))]
    from sumesync.core.paid import index
    from tests.builders import lock

    assert next_take(clip, index(lock(*entries), (), (), "sume")) == 3


def test_what_hangs_on_a_circle_is_told_where_to_mend_it() -> None:
    circle = {"a.sume.toml": image("b"), "b.sume.toml": image("a"), "c.sume.toml": image("a")}
    (told,) = [problem for problem in read(circle).problems if problem.path == "c.sume.toml"]
    assert (told.what, told.hint) == (
        "reference_image_urls[1]: a.sume.toml is invalid",
        "mend it first: a.sume.toml:2:25",
    )
