"""What a run comes to."""

from __future__ import annotations

from dataclasses import dataclass, field

from sumesync.core.budget import Budget
from sumesync.errors import Exit
from sumesync.model import EntryKey, Submission


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that did not work, for the end of the run: what, for whom, and what to do."""

    key: EntryKey | None
    text: str
    hint: str = ""
    status: int | None = None
    """What Sume answered, where its answer is the trouble; 0: it could not be reached."""


@dataclass(slots=True)
class Outcome:
    """What really happened, whatever ended the run. Grows during it."""

    done: list[EntryKey] = field(default_factory=list)
    """Variants whose media and lock entry are as the plan said."""
    bought: list[str] = field(default_factory=list)
    """Ids of the jobs that this run paid for."""
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: list[Trouble] = field(default_factory=list)
    unknown: list[Submission] = field(default_factory=list)
    running: dict[str, EntryKey | None] = field(default_factory=dict)
    """Jobs that still run at Sume, by id."""
    undelivered: list[EntryKey] = field(default_factory=list)
    """Variants whose jobs are done and whose media this run did not come to download."""
    not_begun: list[EntryKey] = field(default_factory=list)
    """Purchases of the plan that were never sent."""
    credits: float | None = None
    """What the jobs that completed in this run cost, as far as Sume told."""
    interrupted: bool = False
    refused: Trouble | None = None
    """Why the run stopped: local state that could not be written, or the budget."""
    budget: Budget | None = None
    """What is left of what it might spend; None: it had no limit."""
    over_budget: bool = False

    def codes(self) -> set[Exit]:
        codes: set[Exit] = set()
        if self.interrupted:
            codes.add(Exit.INTERRUPTED)
        if self.refused:
            codes.add(Exit.REFUSED)
        if self.unknown:
            codes.add(Exit.ATTENTION)
        if self.failed:
            codes.add(Exit.FAILED)
        if self.running or self.undelivered or (self.not_begun and not codes):
            codes.add(Exit.RUNNING)
        return codes
