"""Numbers as answers tell them."""

from __future__ import annotations

import pytest

from sumesync.api.account import read_credits
from sumesync.api.reading import number_of
from sumesync.model import Json


@pytest.mark.parametrize(
    ("told", "read"),
    [
        (4, 4.0),
        (4.5, 4.5),
        (" 12 ", 12.0),
        (True, None),
        (None, None),
        ("four", None),
        (float("inf"), None),
        (float("nan"), None),
        (10**400, None),
        ("9" * 400, None),
        ([4], None),
    ],
)
def test_a_finite_number_or_none(told: Json, read: float | None) -> None:
    assert number_of(told) == read


@pytest.mark.parametrize("much", [float("inf"), 10**400, "9" * 400])
def test_credits_without_end_are_credits_that_nobody_told(much: Json) -> None:
    found = read_credits({"remaining": much, "capacity": much, "active": much})
    assert (found.remaining, found.capacity, found.active) == (None, None, None)
