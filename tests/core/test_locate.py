"""Line and column of what is wrong, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core.locate import Locator, Position
from sumesync.model import Pointer
from tests.builders import examples

TEXT = """\
prompt = "A"
a.b."c d" = 1
inline = { x = 1, y = { z = 2 } }
list = [
  "one",  # a comment
  { k = 1 },
]
[output]
name = "x"
[extra.deep]
'quoted' = 1
[[things]]
n = 1
[[things]]
n = 2
"ö\\u00e9" = 3
"""

PLACES: list[tuple[Pointer, Position | None]] = [
    (("prompt",), (1, 1)),
    (("a", "b", "c d"), (2, 1)),
    (("inline",), (3, 1)),
    (("inline", "x"), (3, 12)),
    (("inline", "y", "z"), (3, 25)),
    (("list", 0), (5, 3)),
    (("list", 1), (6, 3)),
    (("output",), (8, 2)),
    (("output", "name"), (9, 1)),
    (("output", "missing"), (8, 2)),
    (("extra", "deep", "quoted"), (11, 1)),
    (("things", 0, "n"), (13, 1)),
    (("things", 1, "n"), (15, 1)),
    (("things", 1, "öé"), (16, 1)),
    (("nothing",), None),
    ((), None),
]


@pytest.mark.parametrize(("pointer", "place"), PLACES)
def test_each_key_is_found_where_it_stands(pointer: Pointer, place: Position | None) -> None:
    assert Locator(TEXT).find(pointer) == place


def test_columns_count_characters_and_not_bytes() -> None:
    assert Locator('x = { "\U0001f600é" = 1, y = 2 }').find(("x", "y")) == (1, 17)


@given(st.text(st.sampled_from("ab.=[]{}\"',#\n\r\\é\U0001f600\ud800 0"), max_size=40))
@settings(max_examples=examples(150))
def test_no_text_makes_it_raise(text: str) -> None:
    found = Locator(text).find(("a", 0, "b"))
    assert found is None or min(found) >= 1
