"""All of them: ``python -m tests.benchmarks``; ``--list`` names them, ``--only TEXT`` chooses some.

Each benchmark is a module of this folder with ``rows() -> Iterator[Row]``. Exit 0: every promise was met.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from tests.benchmarks.row import Row, table

# In the order of the table. What makes this process large comes last: the greatest memory of a command that it starts
# counts from its own.
BENCHMARKS: tuple[str, ...] = (
    "start_up",
    "no_op",
    "cold",
    "requests",
    "throughput",
    "limits",
    "memory",
    "media",
    "watch",
    "lock",
)


def main() -> int:
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    reader.add_argument("--only", default="", metavar="TEXT", help="benchmarks whose name holds TEXT")
    reader.add_argument("--list", action="store_true", help="name the benchmarks and end")
    given = reader.parse_args()
    chosen = [name for name in BENCHMARKS if given.only in name]
    if given.list:
        print(*chosen, sep="\n")
        return 0
    rows: list[Row] = []
    for name in chosen:
        for row in importlib.import_module(f"tests.benchmarks.{name}").rows():
            print(table([row]).splitlines()[-1], file=sys.stderr, flush=True)
            rows.append(row)
    print(table(rows), end="")
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
