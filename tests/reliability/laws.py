"""What holds after every fault, whatever it was."""

from __future__ import annotations

import json
import tomllib

from tests.scenarios.stage import Stage


def hold(stage: Stage) -> None:
    """No attempt is charged twice, the lock parses, and every job that was paid for is recorded or was told."""
    keys = [charge.idempotency_key for charge in stage.charges()]
    assert len(keys) == len(set(keys)), "one attempt was charged twice"
    lock = stage.read("sume.lock") if stage.has("sume.lock") else ""
    tomllib.loads(lock)
    journal = json.dumps(stage.journal())
    told = "".join(stage.said)
    unknown = {step["key"] for step in stage.journal() if step["step"] in ("sending", "unknown")}
    lost = [
        charge
        for charge in stage.charges()
        if charge.job_id not in lock + stage.ledger() + journal + told and charge.idempotency_key not in unknown
    ]
    assert not lost, f"paid for and forgotten: {lost}"


def answer(stage: Stage) -> None:
    """A person looks at what Sume really did, and answers what is open."""
    made = {charge.idempotency_key: charge.job_id for charge in stage.charges()}
    for step in stage.journal():
        if step["step"] in ("sending", "unknown"):
            said = ("--adopt", made[step["key"]]) if step["key"] in made else ("--not-created",)
            stage.here("resolve", "--request", step["key"], *said, code=0)


def finish(stage: Stage, *specs: str, charges: int = 1) -> None:
    """One more apply does all that is left, for ``charges`` paid jobs in all; the next has nothing to do."""
    hold(stage)
    stage.here("apply", "--yes", code=0)
    hold(stage)
    assert len(stage.charges()) == charges
    stage.nothing_lost()
    stage.all_there(*specs)
    assert not stage.journal()
    assert not [path for path in stage.tree() if path.endswith(".part")]
    stage.here("plan", "--exit-code", code=0)
