"""mutmut with some faults of our own, and its figures by module and part. See .ci/mutants, which runs this.

mutmut changes values, operators and arguments. It does not leave out a step, swap two, or take one state for another,
and those are the faults that would cost money here.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import libcst as cst
from mutmut.__main__ import SourceFileMutationData, cli
from mutmut.mutation import file_mutation, mutators
from mutmut.stats import status_by_exit_code

STATES = {
    "Step": ("INTENT", "SENDING", "UNKNOWN", "ACCEPTED"),
    "JobState": ("ACCEPTED", "COMPLETED", "FAILED", "CANCELED", "EXPIRED", "GONE", "VOID"),
    "FileKind": ("FILE", "POINTER", "OTHER"),
    "Standing": ("HERE", "ELSEWHERE", "MISSING", "EDITED", "TAKEN"),
}
GOAL = 90


def left_out(node: cst.Expr | cst.Raise) -> Iterator[cst.Pass]:
    """A step that is not taken: a call for its effect, or a raise."""
    if isinstance(node, cst.Raise) or isinstance(node.value, cst.Call):
        yield cst.Pass()


def swapped(node: cst.IndentedBlock) -> Iterator[cst.IndentedBlock]:
    """Two steps, one after the other, in the wrong order."""
    lines = list(node.body)
    for at in range(len(lines) - 1):
        if _is_step(lines[at]) and _is_step(lines[at + 1]):
            yield node.with_changes(body=[*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]])


def _is_step(line: cst.BaseStatement) -> bool:
    if not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
        return False
    return isinstance(line.body[0], cst.Expr) and isinstance(line.body[0].value, cst.Call)


def another_state(node: cst.Attribute) -> Iterator[cst.Attribute]:
    """Each of our states for the next one."""
    if isinstance(node.value, cst.Name) and node.attr.value in (names := STATES.get(node.value.value, ())):
        following = names[(names.index(node.attr.value) + 1) % len(names)]
        yield node.with_changes(attr=cst.Name(following))


def other_way(node: cst.If) -> Iterator[cst.If]:
    """A condition the other way round; mutmut has those with an operator in them."""
    if isinstance(node.test, cst.Name | cst.Attribute | cst.Call | cst.NamedExpr):
        inner = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        yield node.with_changes(test=cst.UnaryOperation(cst.Not(), inner))


def report(modules: dict[str, str]) -> int:
    """The figures of each module and part; 1 where too many faults went unnoticed."""
    parts: dict[str, Counter[str]] = {}
    missed: list[str] = []
    print(f"{'':44}{'mutants':>8}{'killed':>8}{'survived':>9}{'timeouts':>9}{'untested':>9}{'noticed':>10}")
    for module, part in modules.items():
        found = SourceFileMutationData(path=Path(module))
        found.load()
        counts: Counter[str] = Counter()
        for name, code in found.exit_code_by_key.items():
            status = status_by_exit_code[code]
            counts[status] += 1
            if status not in ("killed", "timeout"):
                missed.append(f"{name} ({status})")
        _line(module, counts)
        parts.setdefault(part, Counter()).update(counts)
    for part, counts in parts.items():
        _line(part, counts)
    total = sum(parts.values(), Counter())
    _line("all", total)
    if missed:
        print("\nUnnoticed. To see one, after a run in FOLDER: MUTANTS_DIR=FOLDER .ci/mutants --show NAME")
    print("\n".join(missed))
    return int(any(_share(counts) < GOAL for counts in [*parts.values(), total]))


def _line(name: str, counts: Counter[str]) -> None:
    killed, survived, late = counts["killed"], counts["survived"], counts["timeout"]
    other = counts.total() - killed - survived - late
    print(f"{name:44}{counts.total():8}{killed:8}{survived:9}{late:9}{other:9}{_share(counts):9.1f}%")


def _share(counts: Counter[str]) -> float:
    """A fault that makes a test hang is noticed."""
    return 100 * (counts["killed"] + counts["timeout"]) / max(1, counts.total())


OURS = [
    (cst.Expr, left_out),
    (cst.Raise, left_out),
    (cst.IndentedBlock, swapped),
    (cst.Attribute, another_state),
    (cst.If, other_way),
]
file_mutation.mutation_operators = [*mutators.mutation_operators, *OURS]

if __name__ == "__main__":
    command, *chosen = sys.argv[1:]
    if command == "run":
        listed = (line.split() for line in Path(".ci/proved").read_text(encoding="utf-8").splitlines())
        modules = {line[1]: line[0] for line in listed if len(line) == 2 and line[0] != "tests"}
        if unknown := [module for module in chosen if module not in modules]:
            sys.exit(f"not in .ci/proved: {', '.join(unknown)}")
        names = [module.removesuffix(".py").replace("/", ".") + ".*" for module in chosen]
        cli(["run", "--max-children", "2", *names], standalone_mode=False)
        sys.exit(report({module: part for module, part in modules.items() if module in chosen or not chosen}))
    cli([command, *chosen])
