"""The project's own sandbox, run inside this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sumesync import __version__
from sumesync.cli.session import Place
from sumesync.disk import project as projects
from sumesync.errors import UsageError
from sumesync.host import SystemClock

if TYPE_CHECKING:
    from sumesync.answers import Credits
    from sumesync.api.client import SumeClient

SANDBOX_CREDITS = 10_000
SANDBOX_CAPACITY = 8


def unborn(place: Place) -> Credits | None:
    """What the account of a sandbox that nobody has used yet will have: looking at a plan does not make one."""
    if (place.home.sandbox / "world.jsonl").exists():
        return None
    from sumesync.answers import Credits

    asked = place.config.sandbox
    return Credits(asked.get("credits", SANDBOX_CREDITS), asked.get("capacity", SANDBOX_CAPACITY))


@contextmanager
def embedded_sandbox(place: Place | None) -> Iterator[SumeClient]:
    from sumesync.api.client import SumeClient
    from sumesync.sandbox.server import embedded
    from sumesync.sandbox.settings import Settings

    if place is None:
        raise UsageError("the sandbox belongs to a project, and there is none here", "make one with: sumesync init")
    projects.make_private(place.home)
    asked = place.config.sandbox
    settings = Settings(
        credits=asked.get("credits", SANDBOX_CREDITS),
        capacity=asked.get("capacity", SANDBOX_CAPACITY),
        seconds=asked.get("seconds", {}),
    )
    with embedded(place.home.sandbox, settings) as running:
        client = SumeClient(running.base_url, running.key, SystemClock(), version=__version__)
        try:
            yield client
        finally:
            client.close()
