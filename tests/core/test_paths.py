"""Paths that a stranger wrote: inside the project, and the same on every system, or not at all."""

from __future__ import annotations

import posixpath
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core.paths import folded, join, name_fault, parent, path_fault, spec_stem, suffix_of, under
from tests.builders import examples

GOOD_NAMES = [
    "hero",
    "hero.png",
    "Héro ☕",
    ".hidden",
    "con-1",
    "auxiliary",
    "com10",
    "gitmodules",
    "a b",
    "a" * 200,
    "git~x",
]
BAD_NAMES = [
    ("", "an empty name is not a name"),
    (".", ". is not a name"),
    ("..", ".. is not a name"),
    ("a\x00b", "control, bidirectional or undecodable"),
    ("a\nb", "control, bidirectional or undecodable"),
    ("a\u202eb", "control, bidirectional or undecodable"),
    ("a\u200bb", "control, bidirectional or undecodable"),
    ("a\ufeff", "control, bidirectional or undecodable"),
    ("a\u2028b", "control, bidirectional or undecodable"),
    ("\udcff", "control, bidirectional or undecodable"),
    ("a:b", "holds :, which Windows does not allow"),
    ("a\\b", "holds \\, which Windows does not allow"),
    ('<a>|"?*', "which Windows does not allow"),
    ("a.", "ends in a space or dot"),
    ("a ", "ends in a space or dot"),
    (" a", "begins with a space"),
    ("con", "Windows reserves the name con"),
    ("NUL.png", "Windows reserves the name NUL.png"),
    ("Com1", "Windows reserves the name Com1"),
    ("lpt¹.x.y", "Windows reserves the name"),
    ("conout$", "Windows reserves the name conout$"),
    ("é" * 101, "longer than 200 bytes"),
    (".git", "a folder of git, GitHub or sumesync itself"),
    (".GIT", "a folder of git, GitHub or sumesync itself"),
    (".GitHub", "a folder of git, GitHub or sumesync itself"),
    (".sume", "a folder of git, GitHub or sumesync itself"),
    ("GIT~1", "a folder of git, GitHub or sumesync itself"),
    ("git~12", "a folder of git, GitHub or sumesync itself"),
]


LETTERS = "aAnNuUxXcCoOmMlLpPrR1¹/._-~$ é\u212a\u017f\n"


@given(
    st.text(LETTERS, max_size=12)
    | st.lists(st.sampled_from([*GOOD_NAMES, *(name for name, _ in BAD_NAMES)])).map("/".join)
)
@settings(max_examples=examples(300))
def test_a_path_is_as_good_as_the_worst_of_its_names(path: str) -> None:
    assert path_fault(path) == next((fault for name in path.split("/") if (fault := name_fault(name))), "")


@given(st.text("aA./é", max_size=8))
@settings(max_examples=examples(200))
def test_what_a_name_ends_in(path: str) -> None:
    assert suffix_of(path) == posixpath.splitext(path)[1].lower()


@given(st.text(max_size=8))
def test_ascii_folds_like_everything_else(path: str) -> None:
    assert folded(path) == unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_ordinary_names_are_fine(name: str) -> None:
    assert name_fault(name) == ""


@pytest.mark.parametrize(("name", "why"), BAD_NAMES)
def test_names_that_cannot_be_everywhere_are_told(name: str, why: str) -> None:
    assert why in name_fault(name)
    assert path_fault(f"a/{name}/b") == name_fault(name)


@pytest.mark.parametrize(
    ("folder", "relative", "path"),
    [
        ("", "a.md", "a.md"),
        ("launch", "a.md", "launch/a.md"),
        ("launch", "../a.md", "a.md"),
        ("launch", "./x/../a.md", "launch/a.md"),
        ("launch", "..", ""),
        ("", ".", ""),
        ("launch", "x/", "launch/x"),
        ("a/b", "../../c", "c"),
    ],
)
def test_a_relative_path_is_the_projects(folder: str, relative: str, path: str) -> None:
    assert join(folder, relative) == (path, "")


@pytest.mark.parametrize(
    ("relative", "why"),
    [
        ("../../x", "leads outside"),
        ("..", ""),
        ("a/../../../x", "leads outside"),
        ("/x", "relative to the spec"),
        ("//server/x", "relative to the spec"),
        ("~/x", "relative to the spec"),
        ("C:x", "relative to the spec"),
        ("c:/x", "relative to the spec"),
        ("a\\..\\..\\x", "written with /"),
        ("../.git/hooks/x", ".git is a folder of git"),
        ("x/.Git/y", ".Git is a folder of git"),
        ("a\x00b", "control"),
    ],
)
def test_what_leads_elsewhere_is_refused(relative: str, why: str) -> None:
    path, fault = join("launch", relative)
    assert path == ""
    assert (why in fault) if why else fault == ""


@given(
    st.lists(st.sampled_from(["a", "..", ".", "", "b c", ".git", "con", "~", "C:", "\\", "x."]), max_size=6),
    st.sampled_from(["", "launch", "a/b"]),
)
@settings(max_examples=examples(200))
def test_no_joined_path_ever_leaves_the_project(parts: list[str], folder: str) -> None:
    path, fault = join(folder, "/".join(parts))
    if path:
        assert fault == ""
        assert path_fault(path) == ""
        assert posixpath.normpath("/root/" + path) == "/root/" + path


@given(st.text(max_size=12))
@settings(max_examples=examples(100))
def test_no_text_makes_it_raise(text: str) -> None:
    path, fault = join("launch", text)
    assert not (path and fault)
    assert isinstance(folded(text), str)


@pytest.mark.parametrize(
    ("one", "other"), [("Hero", "hero"), ("STRASSE", "straße"), ("cafe\u0301", "café"), ("\u212b", "å"), ("ﬁ", "FI")]
)
def test_names_that_one_file_system_takes_for_the_same_are_folded_together(one: str, other: str) -> None:
    assert folded(one) == folded(other)


def test_small_helpers() -> None:
    assert (under("", "x"), under("a", "x")) == ("x", "a/x")
    assert (parent("a/b/c"), parent("c")) == ("a/b", "")
    assert spec_stem("launch/hero.v2.sume.toml") == "hero.v2"
