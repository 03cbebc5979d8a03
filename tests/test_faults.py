"""Each fault that is promised has a test that names it, and no test names one that is not there."""

from __future__ import annotations

import ast

from tests.faults import COMING, FAULTS, Mark, marks, of_module, proofs, table


def test_every_fault_is_proved_by_a_test_or_said_to_come() -> None:
    missing = {number: text for number, text in FAULTS.items() if number not in proofs() and number not in COMING}
    assert not missing, "no test has pytest.mark.fault of these"


def test_what_is_said_to_come_is_not_there_yet() -> None:
    assert not {number: proofs()[number] for number in COMING if number in proofs()}, "take it off COMING"
    assert COMING.keys() <= FAULTS.keys()


def test_no_test_names_a_fault_that_is_not_in_the_list() -> None:
    assert not [mark for mark in marks() if not mark.faults or set(mark.faults) - FAULTS.keys()]


def test_the_list_is_whole() -> None:
    assert list(FAULTS) == list(range(1, 79))
    assert len(set(FAULTS.values())) == len(FAULTS)


def test_the_table_shows_all_of_them() -> None:
    lines = table().splitlines()
    assert [line[4:] for line in lines if not line.startswith("   ")] == list(FAULTS.values())
    assert "NOT PROVED" not in table()


def test_marks_are_found_wherever_they_stand() -> None:
    source = """
CASES = [pytest.param(1, marks=pytest.mark.fault(4), id="four"), pytest.param(2, id="none")]
@pytest.mark.fault(1, 2)
def test_one(): ...
@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.fault(3), id="a")])
def test_two(x): ...
@pytest.mark.parametrize("x", CASES)
def test_three(x): ...
def test_four(x): ...
"""
    assert list(of_module(ast.parse(source), "t.py")) == [
        Mark("t.py::test_one", (1, 2)),
        Mark("t.py::test_two[a]", (3,)),
        Mark("t.py::test_three[four]", (4,)),
    ]
