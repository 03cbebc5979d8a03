"""``[matrix]``: which variants a spec has, what each asks for, and every way of getting it wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core import paths
from sumesync.core.config import Config
from sumesync.core.document import PromptFile
from sumesync.core.matrix import slug
from sumesync.core.toml import MAX_BYTES
from sumesync.model import Wanted
from tests.builders import examples, read

PATH = "launch/hero.sume.toml"


def variants(text: str, prompts: dict[str, PromptFile] | None = None, **config: Any) -> dict[str, Wanted]:
    found = read({PATH: text}, prompts, config=Config(**config))
    assert not found.problems, found.problems
    return {wanted.key.variant: wanted for wanted in found.wanted}


def test_there_is_one_for_each_combination_and_axes_come_in_the_order_of_their_names() -> None:
    text = 'prompt = "A {product}"\n[matrix]\nproduct = ["serum", "cream"]\naspect_ratio = ["1:1", "9:16"]\n'
    found = variants(text)
    assert {name: (w.request["aspect_ratio"], w.request["prompt"]) for name, w in found.items()} == {
        "1x1-serum": ("1:1", "A serum"),
        "1x1-cream": ("1:1", "A cream"),
        "9x16-serum": ("9:16", "A serum"),
        "9x16-cream": ("9:16", "A cream"),
    }
    assert len({wanted.fingerprint for wanted in found.values()}) == 4


def test_a_variant_is_the_request_that_a_plain_spec_would_be() -> None:
    found = variants('prompt = "A {product}"\n[matrix]\nproduct = ["serum"]\naspect_ratio = ["1:1"]\n')
    (plain,) = read({"x.sume.toml": 'prompt = "A serum"\naspect_ratio = "1:1"\n'}).wanted
    assert found["1x1-serum"].fingerprint == plain.fingerprint


TEXTS = [
    ("the prompt", 'prompt = "A {p}"', {"prompt": "A serum"}),
    ("twice in one text", 'prompt = "{p} and {p}"', {"prompt": "serum and serum"}),
    ("[extra], at any depth", 'prompt = "A"\n[extra]\na = [{ b = "{p}!" }]', {"prompt": "A", "a": [{"b": "serum!"}]}),
    ("braces of no axis stay", 'prompt = "{p} {q} {} { p } {{p}}"', {"prompt": "serum {q} {} { p } {serum}"}),
    ("a URL", 'prompt = "A"\nreference_image_urls = ["https://x.example/{p}.png"]',
     {"prompt": "A", "reference_image_urls": ["https://x.example/serum.png"]}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "request_"), [row[1:] for row in TEXTS], ids=[row[0] for row in TEXTS])
def test_an_axis_is_named_in_any_text_of_the_request(text: str, request_: dict[str, Any]) -> None:
    head, *rest = text.split("\n[extra]")
    extra = "".join(f"\n[extra]{part}" for part in rest)
    assert variants(f'{head}{extra}\n[matrix]\np = ["serum"]\n')["serum"].request == request_


def test_an_axis_stands_in_defaults_tags_and_places_too() -> None:
    text = (
        'prompt = "A {p}"\n[output]\ndir = "{p}"\nname = "{p}-hero"\n[meta]\ntags = ["{p}"]\n[matrix]\np = ["serum"]\n'
    )
    found = variants(text, defaults={"image": {"quality": "{p}"}})["serum"]
    assert (found.folder, found.stem, found.tags) == ("launch/serum", "serum-hero", ("serum",))
    assert found.request == {"prompt": "A serum", "quality": "serum"}


def test_an_axis_wins_over_a_default() -> None:
    found = variants('prompt = "A"\n[matrix]\nquality = ["high"]\n', defaults={"image": {"quality": "low"}})
    assert found["high"].request["quality"] == "high"


def test_what_an_axis_brings_is_not_filled_in_again() -> None:
    found = variants('prompt = "{a}"\n[matrix]\na = ["{b}"]\nb = ["x"]\nquality = ["{b}"]\n')
    (wanted,) = found.values()
    assert (wanted.request["prompt"], wanted.request["quality"]) == ("{b}", "x")


def test_each_variant_has_its_prompt_file() -> None:
    prompts = {"launch/p/serum.md": PromptFile(b"Serum {size}\n"), "launch/p/cream.md": PromptFile(b"Cream {size}\n")}
    text = 'prompt_file = "p/{product}.md"\n[matrix]\nproduct = ["serum", "cream"]\nsize = [30]\n'
    found = variants(text, prompts)
    assert {name: wanted.request["prompt"] for name, wanted in found.items()} == {
        "serum-30": "Serum 30",
        "cream-30": "Cream 30",
    }


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("1:1", "1x1"), ("a:b", "a-b"), ("A red cup!", "A-red-cup"), ("v1.2_b-c", "v1.2_b-c"), (True, "true"),
        (5, "5"), (5.0, "5"), (0.5, "0.5"), (-1, "-1"), ("x" * 99, "x" * 40), ("Straße", "Straße"), ("../x", "..-x"),
        ("cafe\u0301", "caf\u00e9"), ("a.", "a"), ("???", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_value_in_a_name(value: Any, name: str) -> None:
    assert slug(value) == name


@dataclass(frozen=True)
class Bad:
    """A matrix after one line of prompt, and its one problem."""

    name: str
    matrix: str
    where: str
    what: str
    hint: str = ""
    head: str = 'prompt = "{p}"'
    config: dict[str, Any] = field(default_factory=dict)


BAD = [
    Bad("no table", "matrix = 3", ":2:1", "matrix is a whole number; it must be a table of lists"),
    Bad("empty", "[matrix]", ":2:2", "[matrix] is empty", "or take it out"),
    Bad("an empty list", "[matrix]\np = []", ":3:1", "matrix.p is empty", "list its values"),
    Bad("no list", '[matrix]\np = "serum"', ":3:1", "matrix.p is a string; it must be a list"),
    Bad("twice", '[matrix]\np = ["a", "b", "a"]', ":3:16", "matrix.p[3] is the same as matrix.p[1]", "keep one"),
    Bad("twice, as JSON sees it", "[matrix]\np = [5, 5.0]", ":3:9", "matrix.p[2] is the same as matrix.p[1]"),
    Bad("a table as a value", "[matrix]\np = [{ a = 1 }]", ":3:6", "matrix.p[1] is a table", "values are texts"),
    Bad("a list as a value", "[matrix]\np = [[1]]", ":3:6", "matrix.p[1] is an array"),
    Bad("a date as a value", "[matrix]\np = [2024-01-02]", ":3:6", "matrix.p[1] is a date"),
    Bad("no number", "[matrix]\np = [nan]", ":3:6", "matrix.p[1] is nan, which is not a JSON number"),
    Bad("no name", '[matrix]\np = ["???"]', ":3:6", "matrix.p[1] has no letter or digit to name its file by"),
    Bad("one name", '[matrix]\np = ["A b", "a-B"]', ":3:13", "two variants would have the name a-B", "values differ"),
    Bad("one name of two axes", '[matrix]\np = ["a-b", "a"]\nq = ["c", "b-c"]', ":3:13",
        "two variants would have the name a-b-c", head='prompt = "{p} {q}"'),
    Bad("a name of Windows", '[matrix]\np = ["aux"]', ":2:2", "the variant aux: Windows reserves the name aux"),
    Bad("over the cap", "[matrix]\np = [1, 2, 3]\nq = [1, 2]", ":2:2",
        "[matrix] makes 6 variants; at most 5 are allowed", "max_variants under [apply]", config={"max_variants": 5}),
    Bad("far over the cap", "[matrix]\n" + "".join(f"a{i} = [1,2,3,4,5,6,7,8,9]\n" for i in range(99)), ":2:2",
        "[matrix] makes a million variants or more; at most 100 are allowed"),
    Bad("sumesync's own", "[matrix]\ntake = [1, 2]", ":3:1", "take cannot vary", "sumesync's own"),
    Bad("a kind", '[matrix]\nkind = ["image"]', ":3:1", "kind cannot vary"),
    Bad("no axis", '[matrix]\n"a b" = [1]', ":3:1", "a b is no name for an axis"),
    Bad("said twice", 'aspect_ratio = "1:1"\n[matrix]\naspect_ratio = ["1:1"]', ":4:1",
        "aspect_ratio stands at the top and in [matrix]", "keep one"),
    Bad("said in [extra]", '[extra]\nquality = "x"\n[matrix]\nquality = ["a"]', ":5:1",
        "quality stands in [extra] and in [matrix]", "keep one"),
    Bad("neither a field nor named", "[matrix]\nproduct = [1]", ":3:1",
        "product is not a field of image, and no text of the request names {product}", "write {product} in the prompt"),
    Bad("a field, almost", '[matrix]\naspect_ration = ["1:1"]', ":3:1",
        "aspect_ration is not a field of image, and no text", "did you mean aspect_ratio?"),
    Bad("a name, almost", "[matrix]\nproduct = [1]", ":3:1", "product is not a field of image", "did you mean produkt?",
        head='prompt = "A {produkt}"'),
    Bad("named in [meta] alone", "[meta]\ntitle = '{x}'\n[matrix]\nx = [1]", ":5:1", "x is not a field of image"),
    Bad("a value that the field has not", '[matrix]\naspect_ratio = ["1:1", "2:1"]', ":3:24", 'aspect_ratio is "2:1"',
        'Allowed: "1:1"'),
    Bad("a value of another type", '[matrix]\nimage_count = ["x"]', ":3:16",
        "image_count is a string; it must be a whole number"),
    Bad("a value for a list", '[matrix]\nreference_image_urls = ["https://x.example/a"]', ":3:25",
        "reference_image_urls is a string; it must be an array"),
    Bad("an empty prompt", '[matrix]\nprompt = [" x ", "\\u00a0a", " "]', ":3:29", "matrix.prompt[3] has no letter",
        head="# nothing"),
    Bad("both prompts", '[matrix]\nprompt_file = ["a.md"]', ":3:16", "both prompt and prompt_file"),
    Bad("a fault that all have is told once", 'aspect_ratio = "2:1"\n[matrix]\np = [1, 2, 3]', ":2:1",
        'aspect_ratio is "2:1"'),
    Bad("a wrong matrix and nothing that it would have set", "[matrix]\nprompt = []", ":3:1", "matrix.prompt is empty",
        head="# nothing"),
    Bad("a key", '[matrix]\np = ["sume_live_abcd1234"]', ":3:6", "matrix.p[1] holds an API key"),
    Bad("an identity", '[matrix]\nemail = ["x"]', ":3:1", "matrix.email has no place in a project"),
    Bad("a folder outside", '[output]\ndir = "{p}"\n[matrix]\np = ["../../x"]', ":3:1",
        "output.dir: the path leads outside the project"),
    Bad("a name that is too long", "[matrix]\n" + "".join(f'a{i} = ["{i}{"x" * 39}"]\n' for i in range(5)), ":2:2",
        "the variant ", head='prompt = "{a0}{a1}{a2}{a3}{a4}"'),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_bad_matrix_is_told_where_what_and_how(bad: Bad) -> None:
    found = read({PATH: f"{bad.head}\n{bad.matrix}\n"}, PromptFile(b"A cup"), config=Config(**bad.config))
    assert found.wanted == ()
    problem = found.problems[0]
    assert problem.what.startswith(bad.what), found.problems
    assert problem.where == PATH + bad.where, found.problems
    assert bad.hint in problem.hint


def test_a_matrix_of_the_largest_spec_is_not_spelt_out() -> None:
    """A hostile file must not cost memory or minutes."""
    lists = "".join(f"a{i} = [1, 2]\n" for i in range(15_000))
    text = f'prompt = "x"\n[matrix]\n{lists}'
    assert len(text) < MAX_BYTES
    (problem,) = read({PATH: text}).problems
    assert "at most 100" in problem.what


_values = st.one_of(st.text(max_size=6), st.integers(-9, 9), st.booleans(), st.floats(allow_nan=False, width=16))


@given(st.dictionaries(st.sampled_from("abc"), st.lists(_values, min_size=1, max_size=3), min_size=1))
@settings(max_examples=examples(200))
def test_names_can_be_files_and_differ_or_it_is_told(matrix: dict[str, list[Any]]) -> None:
    import tomli_w

    try:
        text = tomli_w.dumps({"prompt": "{a}{b}{c}", "matrix": matrix})
    except ValueError:
        return
    found = read({PATH: text})
    names = [wanted.key.variant for wanted in found.wanted]
    assert bool(names) is not bool(found.problems)
    assert len({paths.folded(name) for name in names}) == len(names)
    assert not [name for name in names if "/" in name or paths.name_fault(name)]


@given(st.lists(st.sampled_from(["serum", "cream", "soap", "oil"]), min_size=2, max_size=4, unique=True))
def test_a_value_more_leaves_the_others_what_they_are(values: list[str]) -> None:
    def of(some: list[str]) -> dict[str, str]:
        listed = ", ".join(f'"{value}"' for value in some)
        text = f'prompt = "A {{p}}"\n[matrix]\np = [{listed}]\naspect_ratio = ["1:1", "9:16"]\n'
        return {name: wanted.fingerprint for name, wanted in variants(text).items()}

    fewer, more = of(values[:-1]), of(values)
    assert fewer.items() < more.items()
    assert of(values[::-1]) == more
