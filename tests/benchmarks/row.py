"""One line of the benchmarks' table: what we took, what a peer or a limit took in the same run, what is promised."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """``ours`` and ``theirs`` are in ``unit``; ``allowed`` is the highest ratio promised, None where none is."""

    what: str
    ours: float
    unit: str
    beside: str
    theirs: float
    allowed: float | None = None

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs

    @property
    def met(self) -> bool:
        return self.allowed is None or self.ratio <= self.allowed


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table, as the README shows it."""
    lines = ["| what | sumesync | beside | ratio | promised |", "|---|---|---|---|---|"]
    for row in rows:
        promised = "" if row.allowed is None else f"{'≤' if row.met else 'MISSED: ≤'} {row.allowed:g}"
        lines.append(
            f"| {row.what} | {row.ours:.3g} {row.unit} | {row.beside}: {row.theirs:.3g} {row.unit} "
            f"| {row.ratio:.2f} | {promised} |"
        )
    return "\n".join(lines) + "\n"
