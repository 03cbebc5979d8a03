"""``me`` and ``credits``: the account behind the key."""

from __future__ import annotations

from typing import Any

import click

from sumesync.cli import options, wiring
from sumesync.cli.options import Common
from sumesync.cli.talk import hide
from sumesync.core.text import amount
from sumesync.render import human, machine


@click.command()
@options.connects
@options.common
def me(common: Common) -> None:
    """Show whose key this is: user, workspace, scopes. Never the key, never an id."""
    with wiring.connected(common, wiring.around(common)) as api:
        account = api.account()
    hide(account.workspace_id)
    table: dict[str, Any] = {
        "user": account.user_name,
        "workspace": account.workspace_name,
        "key_prefix": _prefix(account.key_prefix),
        "scopes": list(account.scopes),
    }
    if common.talk.as_json:
        common.talk.out(machine.dump(table))
        return
    rows = [(name.replace("_", " "), _shown(value)) for name, value in table.items()]
    common.talk.out(human.table(("", ""), rows).lstrip("\n"), newline=False)


@click.command()
@options.connects
@options.common
def credits(common: Common) -> None:  # noqa: A001 - the command's name
    """Show the balance, the plan and how many jobs may run at once, as far as Sume tells."""
    with wiring.connected(common, wiring.around(common)) as api:
        found = api.credits()
    if common.talk.as_json:
        document = {
            "remaining": found.remaining,
            "capacity": found.capacity,
            "active": found.active,
            "plan": found.plan,
            "figures": dict(found.figures),
        }
        common.talk.out(machine.dump(document))
        return
    rows = [
        ("remaining", "not told" if found.remaining is None else amount(found.remaining)),
        ("jobs at once", _shown(found.capacity)),
        ("running now", _shown(found.active)),
        ("plan", _shown(found.plan)),
    ]
    common.talk.out(human.table(("", ""), rows).lstrip("\n"), newline=False)


def _prefix(text: str | None) -> str | None:
    """Which sort of key it is: ``sume_live_…``. Not one character of the key itself."""
    return "_".join(text.split("_")[:2]) + "_…" if text and text.startswith("sume_") else None


def _shown(value: Any) -> str:
    if value is None or value == []:
        return "not told"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
