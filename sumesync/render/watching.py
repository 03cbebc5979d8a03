"""A session of watch as it is told: a calm live view on a terminal, plain lines elsewhere, JSON lines for programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sumesync.core.action import Plan
from sumesync.core.text import amount, count, printable
from sumesync.errors import Exit
from sumesync.model import EntryKey, Event
from sumesync.ports import Clock
from sumesync.render import human, machine, progress

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.text import Text


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a session is."""

    specs: int = 0
    running: tuple[EntryKey, ...] = ()
    settling: int = 0
    done: int = 0
    bought: int = 0
    credits: float | None = None
    note: str = ""
    """What it waits for, if that is worth a word."""


def sentence(standing: Standing) -> str:
    """``watching 12 specs · 2 running · 5 done · 3 jobs paid for (12 credits)``"""
    running = f"{len(standing.running)} running" if standing.running else ""
    settling = f"{count(standing.settling, 'change')} settling" if standing.settling else ""
    done = f"{standing.done} done" if standing.done else ""
    head = f"watching {count(standing.specs, 'spec')}"
    return " · ".join(filter(None, (head, settling, running, done, spent(standing), printable(standing.note, 160))))


def spent(standing: Standing) -> str:
    cost = f" ({amount(standing.credits)} credits)" if standing.credits is not None else ""
    return f"{count(standing.bought, 'job')} paid for{cost}" if standing.bought else "nothing paid for"


class View(Protocol):
    """How a session speaks. It is the Progress of every pass, too."""

    def tell(self, event: Event) -> None: ...

    def plan(self, plan: Plan, view: human.View) -> None: ...

    def note(self, what: str, text: str, hint: str = "") -> None:
        """``what`` is a word for programs."""

    def stands(self, standing: Standing) -> None: ...

    def ask(self, question: str) -> None:
        """Put a question, which stands at the end of what is told until ``unask``."""

    def unask(self) -> None:
        """It was answered, or withdrawn."""

    def close(self) -> None: ...


class PlainView:
    """Lines that stay: plans on ``out``, what is wrong on ``warn``, all else on ``say``; a question, without an end of
    line, on ``put``."""

    def __init__(
        self,
        out: Callable[[str], None],
        say: Callable[[str], None],
        warn: Callable[[str], None],
        put: Callable[[str], None],
        shown: progress.Silent | None = None,
    ) -> None:
        self._out, self._say, self._warn, self._put = out, say, warn, put
        self._shown = shown or progress.Lines(self._line)
        self._question = ""

    def _line(self, text: str, wrong: bool = False) -> None:
        """A line of its own, also where a question stands; that is put again below it."""
        if self._question:
            self._put("\n")
        (self._warn if wrong else self._say)(text)
        if self._question:
            self._put(self._question)

    def tell(self, event: Event) -> None:
        self._shown.tell(event)

    def plan(self, plan: Plan, view: human.View) -> None:
        self._out(f"\n{human.news(plan, view)}")

    def note(self, what: str, text: str, hint: str = "") -> None:
        told = printable(text, 600) + (f"\n  {printable(hint, 600)}" if hint else "")
        self._line(told, what in ("error", "guard", "warning"))

    def stands(self, standing: Standing) -> None: ...

    def ask(self, question: str) -> None:
        self._question = question
        self._put(question)

    def unask(self) -> None:
        self._question = ""

    def close(self) -> None:
        if self._question:
            self._put("\n")


class JsonView:
    """Every event as one document a line."""

    def __init__(self, write: Callable[[str], None], put: Callable[[str], None] = lambda _text: None) -> None:
        self._write, self._put = write, put
        self._standing = Standing()

    def tell(self, event: Event) -> None:
        self._write(machine.line(machine.event(event)))

    def plan(self, plan: Plan, view: human.View) -> None:
        self._write(machine.line({"event": "plan", **machine.plan(plan, view.endpoint, view.quote)}))

    def note(self, what: str, text: str, hint: str = "") -> None:
        table: dict[str, Any] = {"event": what, "text": text, **({"hint": hint} if hint else {})}
        if what in ("idle", "watching", "end"):
            table.update(_table(self._standing))
        if what == "end":
            table["exit_code"] = int(Exit.INTERRUPTED)
        self._write(machine.line(table))

    def stands(self, standing: Standing) -> None:
        self._standing = standing

    def ask(self, question: str) -> None:
        self._put(question)

    def unask(self) -> None: ...

    def close(self) -> None: ...


def _table(standing: Standing) -> dict[str, Any]:
    return {
        "specs": standing.specs,
        "running": len(standing.running),
        "done": standing.done,
        "jobs_paid_for": standing.bought,
        "credits": standing.credits,
    }


class LiveSession(progress.LiveView):
    """On a terminal: what runs, and one line of where the session is; what happened scrolls up."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._standing = Standing()
        self._question = ""
        super().__init__(console, 0, clock, per_second=2)

    def plan(self, plan: Plan, view: human.View) -> None:
        from rich.text import Text

        self.print(Text.from_ansi(f"\n{human.news(plan, view)}"))

    def note(self, what: str, text: str, hint: str = "") -> None:
        from rich.text import Text

        mark, look = _NOTES.get(what, ("·", "dim"))
        told = Text.assemble((f"{mark} ", look), printable(text, 600))
        if hint:
            told.append(f"\n  {printable(hint, 600)}", "dim")
        self.print(told)

    def stands(self, standing: Standing) -> None:
        if standing != self._standing:
            self._standing = standing
            self.only(standing.running)
            if not self._question:
                self._live.refresh()

    def ask(self, question: str) -> None:
        """In place of the lines that move: a person types at its end."""
        self._live.stop()
        self._question = question
        self._put(question)

    def unask(self) -> None:
        self._question = ""
        self._put(_LINE_AGAIN)
        self._live.start(refresh=True)

    def close(self) -> None:
        if self._question:
            self._put("\n")
        super().close()

    def print(self, text: Text) -> None:
        if self._question:
            self._put(_LINE_AGAIN)
        super().print(text)
        if self._question:
            self._put(self._question)

    def _put(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()

    def view(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        rows = [table] if (table := self.rows()) is not None else []
        return Group(*rows, Text(sentence(self._standing), style="bold"))


_LINE_AGAIN = "\r\x1b[2K"
"""The line where the cursor is, from its beginning."""
_NOTES = {"idle": ("✓", "green"), "error": ("✗", "red"), "held": ("…", "yellow"), "guard": ("!", "magenta")}
