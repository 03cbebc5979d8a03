"""Progress of a run: a live view on a terminal, one plain line a change elsewhere, JSON lines for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sumesync.core.text import printable
from sumesync.model import EntryKey, Event, News
from sumesync.ports import Clock, Progress
from sumesync.render import machine

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

_WORDS = {
    News.UPLOADING: "uploading",
    News.SUBMITTING: "submitting",
    News.ACCEPTED: "accepted",
    News.STATUS: "",
    News.DOWNLOADING: "downloading",
    News.DONE: "done",
    News.FREE: "",
    News.FAILED: "failed",
    News.UNKNOWN: "sent, outcome unknown:",
    News.NOTE: "",
}
_ENDS = frozenset({News.DONE, News.FAILED, News.UNKNOWN})
_UNDER_WAY = frozenset({News.UPLOADING, News.SUBMITTING, News.ACCEPTED, News.STATUS, News.DOWNLOADING})
_QUIET = frozenset({News.SUBMITTING, News.DOWNLOADING})


def sentence(event: Event) -> str:
    """``launch/hero.sume.toml: accepted job_1``: one event as one plain line."""
    job = f" {event.job_id}" if event.job_id else ""
    text = " ".join(filter(None, (_WORDS[event.news], event.text)))
    if event.news is News.ACCEPTED:  # its text is the word, or the word and what it costs
        text = f"{event.text}," if event.text != _WORDS[News.ACCEPTED] else event.text
    name = f"{printable(str(event.key))}: " if event.key else ""
    return f"{name}{printable(text)}{printable(job)}"


class Silent:
    """``--quiet``: only what failed or is unknown."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def tell(self, event: Event) -> None:
        if event.news in (News.FAILED, News.UNKNOWN):
            self._write(sentence(event))

    def close(self) -> None: ...


class Lasting:
    """What goes on after a run: nothing is closed with it."""

    def __init__(self, other: Progress) -> None:
        self._other = other

    def tell(self, event: Event) -> None:
        self._other.tell(event)

    def close(self) -> None: ...


class Lines:
    """Off a terminal: one plain line per state change, nothing that moves."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def tell(self, event: Event) -> None:
        if event.news not in _QUIET:
            self._write(sentence(event))

    def close(self) -> None: ...


class JsonLines:
    """``--json``: every event, one document a line."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def tell(self, event: Event) -> None:
        self._write(machine.line(machine.event(event)))

    def close(self) -> None: ...


@dataclass(slots=True)
class _Row:
    state: str
    since: float
    job: str = ""


class LiveView:
    """On a terminal: what is under way, each with its state and time, and the counts; what has ended scrolls up."""

    def __init__(self, console: Console, total: int, clock: Clock, per_second: float = 8) -> None:
        from rich.live import Live

        self._console = console
        self._clock = clock
        self._rows: dict[EntryKey, _Row] = {}
        self._total = total
        self._done = 0
        self._failed = 0
        self._began = self._clock.monotonic()
        self._live: Live = Live(
            get_renderable=self.view,
            console=console,
            refresh_per_second=per_second,
            transient=True,
            redirect_stdout=False,
        )
        self._live.start()

    def tell(self, event: Event) -> None:
        from rich.text import Text

        if event.key is not None and event.news in _UNDER_WAY:
            row = self._rows.setdefault(event.key, _Row("", self._clock.monotonic()))
            row.state = event.text if event.news is News.STATUS else _WORDS[event.news]
            row.job = event.job_id or row.job
            return
        took = ""
        if event.key is not None and event.news in _ENDS:
            row_ = self._rows.pop(event.key, None)
            took = f"  {_clock(self._clock.monotonic() - row_.since)}" if row_ else ""
            self._done += event.news is News.DONE
            self._failed += event.news is not News.DONE
        if event.news is News.FREE:
            self._done += 1
        mark, look = _MARKS.get(event.news, ("·", "dim"))
        self.print(Text.assemble((f"{mark} ", look), sentence(event), (took, "dim")))

    def print(self, text: Text) -> None:
        """Above what moves."""
        self._console.print(text, soft_wrap=True)

    def close(self) -> None:
        self._live.stop()

    def view(self) -> Group:
        """What is under way, as a table; the counts on a line of their own below it."""
        from rich.console import Group
        from rich.text import Text

        failed = f", {self._failed} failed" if self._failed else ""
        waiting = max(0, self._total - self._done - self._failed - len(self._rows))
        counts = f"{self._done} of {self._total} done{failed}, {len(self._rows)} under way, {waiting} waiting"
        took = _clock(self._clock.monotonic() - self._began)
        rows = [table] if (table := self.rows()) is not None else []
        return Group(*rows, Text.assemble((counts, "bold"), (f"  {took}", "dim")))

    def only(self, keys: Iterable[EntryKey]) -> None:
        """What is not among ``keys`` is not under way any more, whatever became of it."""
        kept = set(keys)
        self._rows = {key: row for key, row in self._rows.items() if key in kept}

    def rows(self) -> Table | None:
        """What is under way; None when nothing is."""
        return self._table() if self._rows else None

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        room = max(3, self._console.size.height - 4)
        now = self._clock.monotonic()
        for key, row in list(self._rows.items())[:room]:
            name = Text(printable(str(key), 60), no_wrap=True, overflow="ellipsis")
            state = Text(printable(row.state, 24), style="cyan")
            table.add_row(
                Text("⠿", style="cyan"),
                name,
                state,
                Text(_clock(now - row.since), style="dim"),
                Text(row.job, style="dim"),
            )
        hidden = len(self._rows) - room
        if hidden > 0:
            table.add_row("", Text(f"and {hidden:,} more", style="dim"))
        return table


_MARKS = {
    News.DONE: ("✓", "green"),
    News.FREE: ("✓", "green"),
    News.FAILED: ("✗", "red"),
    News.UNKNOWN: ("?", "magenta"),
}


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60}:{whole % 60:02d} min"
