"""The start of a run: what an earlier one left in the journal is settled, as far as facts allow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sumesync.apply.inputs import remembered
from sumesync.apply.paid import settle
from sumesync.apply.run import Tools
from sumesync.core.kinds import Kinds
from sumesync.core.recover import recover
from sumesync.model import Fact, News, Submission, Wanted
from sumesync.ports import Uploads


@dataclass(frozen=True, slots=True)
class Settled:
    """``changed``: the plan must be made again. ``bought``: jobs whose request was sent once more."""

    changed: bool = False
    bought: tuple[str, ...] = ()


def settle_journal(
    tools: Tools, facts: Iterable[Fact], lineage: str, wanted: Iterable[Wanted], kinds: Kinds
) -> Settled:
    """Accepted jobs go to the ledger before their journal files go. What was never sent is forgotten. Of
    what is unknown only this project's (``lineage``) is asked about, and only requests of ``wanted`` may be sent
    again: those that this run was allowed to pay for."""
    facts, wanted = tuple(facts), tuple(wanted)
    recovery = recover(tools.journal.list(), facts)
    tools.ledger.record(recovery.record)
    for key in recovery.clear:
        tools.journal.clear(key)
    settled = False
    bought: list[str] = []
    for submission in recovery.unknown:
        if submission.lineage == lineage:
            tools.tell(News.NOTE, submission.entry, "an earlier request's outcome is unknown; asking Sume")
            if payment := settle(submission, body_again(submission, wanted, kinds, tools.uploads), tools):
                if payment.recorded:
                    tools.journal.clear(payment.submission.key)
                settled = True
                bought += payment.submission.job_ids if payment.resent else ()
    return Settled(settled or bool(recovery.record), tuple(bought))


def body_again(submission: Submission, wanted: Iterable[Wanted], kinds: Kinds, uploads: Uploads) -> bytes | None:
    """The bytes that were sent, made again from a spec that still asks for them; None where there is none, or where
    they named URLs that are not remembered. Whether they are the same the journal's digest says."""
    for variant in wanted:
        if variant.fingerprint == submission.fingerprint:
            return remembered(variant, kinds[variant.kind], uploads)
    return None
