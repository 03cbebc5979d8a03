"""All of it: ``python -m tests.crash``. It takes long; ``--list`` shows the parts, ``--only TEXT`` chooses some.

Exit 0: nothing was paid for twice, and nothing was lost, at any boundary.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time

from tests.crash.explore import Figures
from tests.crash.parts import explore, parts


def main() -> int:
    reader = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    reader.add_argument("--only", default="", metavar="TEXT", help="parts whose name holds TEXT")
    reader.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes at once")
    reader.add_argument("--list", action="store_true", help="name the parts and end")
    given = reader.parse_args()
    chosen = [part for part in parts() if given.only in str(part)]
    if given.list:
        print(*chosen, sep="\n")
        return 0
    total, broken, began = Figures(), 0, time.monotonic()
    with multiprocessing.get_context("spawn").Pool(given.jobs) as pool:
        for found in pool.imap_unordered(explore, chosen):
            print(f"{found.part} ({found.seconds:.0f} s)\n  {found.figures}", flush=True)
            total.add(found.figures)
            if found.fault:
                broken += 1
                print(f"BROKEN {found.fault}", flush=True)
    took = time.monotonic() - began
    outcomes = max(len(part.weathers) for part in chosen)
    print(f"\n{len(chosen)} parts in {took / 60:.0f} min, {outcomes} outcomes of the paid request, 2 rounds of kills")
    print(total)
    print(f"{len(total.boundaries) - len(total.left_out)} of {len(total.boundaries)} kinds of boundary killed", end="")
    print(f"; not: {', '.join(sorted(total.left_out))}" if total.left_out else "")
    print(f"{broken} parts are broken" if broken else "nothing is broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
