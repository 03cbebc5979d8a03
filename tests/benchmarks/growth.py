"""From a hundred specs to a hundred thousand: a table and a plot of plans beside git, doit, snakemake and dvc.

    python -m tests.benchmarks.growth [--most N] [--svg FILE]

Peers and the plot's library are installed in a throw-away environment by this command, never by the tests. Who would
take longer than ``PATIENCE`` seconds at the next size, or longer than ``READY`` to be made ready, is not asked there.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks import timing, tree

SIZES = (100, 1_000, 10_000, 100_000)
PATIENCE = 60.0
READY = 120.0
PEERS = ("doit", "snakemake", "dvc", "matplotlib")
GIT = "git status"


@dataclass
class Line:
    """One curve: seconds by number of specs."""

    name: str
    points: dict[int, float] = field(default_factory=dict)
    given_up: bool = False


def main() -> None:
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth", description=__doc__)
    reader.add_argument("--most", type=int, default=SIZES[-1], metavar="N", help="no larger projects")
    reader.add_argument("--svg", type=Path, metavar="FILE", help="draw the plot there")
    given = reader.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = _environment(Path(folder))
        lines = {name: Line(name) for name in _commands(python)}
        for number in SIZES:
            if number <= given.most:
                _measure(number, lines, python)
        print(table(list(lines.values())))
        print(f"{_versions(python)}; Python {platform.python_version()}, {platform.system()}")
        if given.svg:
            _draw(list(lines.values()), given.svg, python)


def _environment(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "-q", *PEERS], check=True)
    return python


def _commands(python: Path) -> dict[str, tuple[Callable[[Path], None], Sequence[str]]]:
    """What is timed: how its project is made ready, and the command that finds nothing to do."""
    peers = python.parent
    ours = timing.SUMESYNC
    return {
        GIT: (_nothing, ("git", "status")),
        "sumesync plan": (_looked, (*ours, "plan")),
        "sumesync plan, one spec changed": (_nothing, (*ours, "plan", "--offline")),
        "sumesync plan --no-cache": (_nothing, (*ours, "plan", "--no-cache")),
        "doit": (_doit(peers), (str(peers / "doit"), "-v0")),
        "snakemake -n": (_snakefile, (str(peers / "snakemake"), "-n", "-q", "all", "--cores", "1")),
        "dvc status": (_dvc(peers), (str(peers / "dvc"), "status")),
    }


def _measure(number: int, lines: dict[str, Line], python: Path) -> None:
    root = tree.project(number)
    for name, (ready, command) in _commands(python).items():
        line, known = lines[name], lines[name].points
        if line.given_up or (known and max(known.values()) > PATIENCE / 10):
            continue
        try:
            ready(root)
        except subprocess.TimeoutExpired:
            print(f"{number:>7,} specs  {name:<34} not ready after {READY:.0f} s", file=sys.stderr, flush=True)
            line.given_up = True
            continue
        if "changed" in name:
            known[number] = _one_changed(command, root)
        else:
            runs = 1 if "cache" in name or name in PEERS else 5
            known[number] = timing.medians({name: command}, root, runs)[name]
        print(f"{number:>7,} specs  {name:<34} {known[number]:8.3f} s", file=sys.stderr, flush=True)


def _one_changed(command: Sequence[str], root: Path) -> float:
    spec = next(root.glob("f*/*.sume.toml"))
    text = spec.read_text()
    took = []
    for number in range(3):
        spec.write_text(f'{text}quality = "q{number}"\n' if "[meta]" not in text else f'quality = "q{number}"\n{text}')
        took.append(timing.once(command, root))
    spec.write_text(text)
    return sorted(took)[1]


def _nothing(_root: Path) -> None:
    pass


def _looked(root: Path) -> None:
    timing.once((*timing.SUMESYNC, "plan"), root)


def _doit(peers: Path) -> Callable[[Path], None]:
    def ready(root: Path) -> None:
        (root / "dodo.py").write_text(
            textwrap.dedent("""
            import glob
            def task_make():
                for spec in glob.glob("f*/*.sume.toml"):
                    target = spec.removesuffix(".sume.toml") + ".png"
                    yield {"name": spec, "file_dep": [spec], "targets": [target], "actions": [(lambda: None,)]}
            """)
        )
        timing.once((str(peers / "doit"), "-v0"), root, READY)

    return ready


def _snakefile(root: Path) -> None:
    (root / "Snakefile").write_text(
        textwrap.dedent("""
        STEMS, = glob_wildcards("{stem}.sume.toml")
        rule all:
            input: expand("{stem}.png", stem=STEMS)
        rule make:
            input: "{stem}.sume.toml"
            output: "{stem}.png"
            shell: "false"
        """)
    )


def _dvc(peers: Path) -> Callable[[Path], None]:
    def ready(root: Path) -> None:
        dvc = str(peers / "dvc")
        timing.once((dvc, "init", "-q", "-f"), root, READY)
        tree.git(root, "rm", "-rq", "--cached", "*.png")
        timing.once((dvc, "add", "-q", "--glob", "f*/*.png"), root, READY)

    return ready


def table(lines: list[Line]) -> str:
    """As Markdown; beside each time how often ``git status`` fits into it."""
    sizes = sorted({number for line in lines for number in line.points})
    git = next(line for line in lines if line.name == GIT)
    rows = [f"| | {' | '.join(f'{number:,} specs' for number in sizes)} |", "|---" * (len(sizes) + 1) + "|"]
    for line in lines:
        cells = (_cell(line.points.get(number), git.points.get(number)) for number in sizes)
        rows.append(f"| `{line.name}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def _cell(seconds: float | None, git: float | None) -> str:
    if seconds is None:
        return "–"
    ratio = seconds / git if git else 0.0
    return f"{seconds:.2g} s" + (f" ({ratio:.1f} ×)" if ratio < 10 else f" ({ratio:.0f} ×)")


def _versions(python: Path) -> str:
    said = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], check=True, capture_output=True, text=True
    ).stdout
    known = dict(line.split("==") for line in said.splitlines() if "==" in line)
    git = subprocess.run(["git", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    return ", ".join([git, *(f"{name} {known[name]}" for name in PEERS if name in known and name != "matplotlib")])


def _draw(lines: list[Line], file: Path, python: Path) -> None:
    """By matplotlib, in its own environment."""
    points = [(line.name, sorted(line.points.items())) for line in lines if line.points]
    subprocess.run([python, "-c", _DRAWING, str(file)], input=repr(points), text=True, check=True)


_DRAWING = """
import ast, sys
import matplotlib
matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "growth"
matplotlib.rcParams["svg.fonttype"] = "none"
matplotlib.rcParams["font.family"] = "sans-serif"
from matplotlib import pyplot
lines = ast.literal_eval(sys.stdin.read())
figure, axes = pyplot.subplots(figsize=(9, 4.5))
for name, points in lines:
    ours = name.startswith("sumesync")
    axes.plot(*zip(*points), marker="o", linewidth=2.5 if ours else 1.2, linestyle="-" if ours else "--", label=name)
axes.set(xscale="log", yscale="log", xlabel="specs", ylabel="seconds until it says so")
axes.grid(True, which="major", alpha=0.3)
axes.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
figure.tight_layout()
figure.savefig(sys.argv[1], metadata={"Date": None})
"""


if __name__ == "__main__":
    main()
