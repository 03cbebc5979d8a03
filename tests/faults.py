"""The faults that the tool must stand, by number, and which tests prove it.

A test says which by ``@pytest.mark.fault(24, 25)``, on itself or on one of its parameters. tests/test_faults.py holds
the two together. ``python -m tests.faults`` prints the table.

After each of them: at most one job is charged per attempt, the lock parses, every job that was paid for is recorded or
named on the terminal, no secret is anywhere, and a second run finishes the work.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parent

FAULTS: Mapping[int, str] = {
    1: "killed before INTENT is written",
    2: "killed while INTENT is written",
    3: "killed after INTENT is durable",
    4: "killed before connecting",
    5: "killed while connecting",
    6: "killed after SENDING is durable",
    7: "killed in the middle of the request's body",
    8: "killed before the answer is read",
    9: "killed before ACCEPTED is durable",
    10: "killed after ACCEPTED is durable",
    11: "killed in the middle of a write of sume.lock",
    12: "killed before the journal is cleared",
    13: "killed in the middle of a download",
    14: "killed before the media are in their place",
    15: "killed before sume.lock says completed",
    16: "killed again while recovering from each of these",
    17: "no space left, at each write",
    18: "an I/O error, at each fsync",
    19: "a folder that is read-only, at each write",
    20: "the id of a paid job can be saved nowhere",
    21: "the media of a paid job can be written nowhere",
    22: "the wall clock is a day off",
    23: "the wall clock jumps during a run",
    24: "a lock with merge markers",
    25: "a lock that is cut short",
    26: "a lock that is garbage",
    27: "a lock with one key twice",
    28: "a lock of a newer version",
    29: "a lock of another workspace",
    30: "a lock that was deleted while metadata exist",
    31: "a lock that was deleted while the journal has a payment in progress",
    32: "two applies at once",
    33: "watch and apply at once",
    34: "two machines: what one has shared is not paid for by the other (at the same time is not promised)",
    35: "a name that cannot be resolved",
    36: "a connection that is refused",
    37: "TLS that fails, before the request and after it",
    38: "a reset after the request was sent",
    39: "no answer in time",
    40: "500",
    41: "502 after the job was created",
    42: "408",
    43: "429 with a huge Retry-After",
    44: "401 in the middle of a batch",
    45: "402 in the middle of a batch",
    46: "2xx that is HTML",
    47: "2xx without a job id",
    48: "2xx of deeply nested JSON",
    49: "2xx whose job id is a path",
    50: "a listing that lags",
    51: "a cursor that loops",
    52: "two jobs that could be ours",
    53: "a job that Sume does not know",
    54: "a job that never ends",
    55: "a job that fails",
    56: "a media URL that has expired",
    57: "media that break off",
    58: "media of the wrong type",
    59: "HTML in place of a picture",
    60: "an answer that drips",
    61: "an answer that is too large",
    62: "a small answer that unpacks to a huge one",
    63: "a redirect to a private address, or to http",
    64: "file names from the server: ../, absolute, NUL, CON",
    65: "an output that is a symbolic link",
    66: "a target that is swapped during the run",
    67: "escape codes in prompts and errors",
    68: "<script> in prompts and errors",
    69: "Ctrl-C, once and twice",
    70: "SIGTERM",
    71: "a spec that is edited while its job runs",
    72: "git checkout of another branch with jobs in flight",
    73: "git reset --hard with jobs in flight",
    74: "git stash with jobs in flight",
    75: "git clean -fdx with jobs in flight",
    76: "git rebase with jobs in flight",
    77: "a second worktree with jobs in flight",
    78: "a spec that is renamed or deleted with its job in flight",
}

COMING: Mapping[int, str] = {}
"""Faults that no test can prove yet, and why. One that is proved may not stand here."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One ``pytest.mark.fault(...)`` and the test that bears it."""

    test: str
    """``tests/api/test_x.py::test_y``, with ``[id]`` where it is a parameter's."""
    faults: tuple[int, ...]


@functools.cache
def marks(folder: Path = TESTS) -> tuple[Mark, ...]:
    """Every mark in the tests, read from their source."""
    found: list[Mark] = []
    for path in sorted(folder.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.fault(" not in text:
            continue
        found += of_module(ast.parse(text), path.relative_to(folder.parent).as_posix())
    return tuple(found)


def of_module(tree: ast.Module, path: str) -> Iterator[Mark]:
    tables = {
        name.id: node
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for name in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(name, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            used = {name.id for each in node.decorator_list for name in ast.walk(each) if isinstance(name, ast.Name)}
            roots: list[ast.AST] = [*node.decorator_list, *(tables[name] for name in sorted(used & tables.keys()))]
            for root in roots:
                yield from (Mark(f"{path}::{node.name}{case}", numbers) for case, numbers in _below(root))


def _below(root: ast.AST, case: str = "") -> Iterator[tuple[str, tuple[int, ...]]]:
    """Marks below a node, each with the ``id`` of the parameter that it stands at."""
    if isinstance(root, ast.Call):
        named = [key.value.value for key in root.keywords if key.arg == "id" and isinstance(key.value, ast.Constant)]
        case = f"[{named[0]!s}]" if named else case
        if ast.unparse(root.func) == "pytest.mark.fault":
            yield case, tuple(ast.literal_eval(each) for each in root.args)
            return
    for child in ast.iter_child_nodes(root):
        yield from _below(child, case)


def proofs() -> dict[int, list[str]]:
    """The tests of each number that some test names, known or not."""
    found: dict[int, list[str]] = {}
    for mark in marks():
        for number in mark.faults:
            found.setdefault(number, []).append(mark.test)
    return found


def table() -> str:
    """For people: each fault with the tests that prove it."""
    proved = proofs()
    lines: list[str] = []
    for number, text in FAULTS.items():
        lines.append(f"{number:>2}  {text}")
        lines += [f"      {test}" for test in proved.get(number, [])]
        if number not in proved:
            lines.append(f"      -- {COMING.get(number, 'NOT PROVED')}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
