"""``sandbox``: a local Sume, served until it is stopped."""

from __future__ import annotations

from pathlib import Path

import click

from sumesync.cli import options
from sumesync.cli.embedded import SANDBOX_CAPACITY, SANDBOX_CREDITS
from sumesync.cli.options import Common
from sumesync.disk import schemas
from sumesync.host import Stop
from sumesync.render import machine


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of the API; 0: any free one.")
@click.option(
    "--dir", "world", metavar="DIR", type=click.Path(path_type=Path, file_okay=False), help="Keep its world in DIR."
)
@click.option(
    "--credits", "balance", type=click.FloatRange(min=0), default=SANDBOX_CREDITS, help="What the account has."
)
@click.option("--capacity", type=click.IntRange(1, 1000), default=SANDBOX_CAPACITY, help="Jobs that run at once.")
@click.option("--seconds", type=click.FloatRange(0, 3600), help="How long every job takes.")
@click.option("--limits", is_flag=True, help="Enforce 120 reads and 10 creates a minute.")
@click.option(
    "--faults", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Fail as this JSON script says."
)
@options.common
def sandbox(
    common: Common,
    port: int,
    world: Path | None,
    balance: float,
    capacity: int,
    seconds: float | None,
    limits: bool,
    faults: Path | None,
) -> None:
    """Serve the sandbox on this machine, to try things by hand or from another program.

    It prints the two variables to set. Anything that speaks to Sume can speak to it. A project that is
    applied against it takes it for the real thing: use a copy, not your content repository.
    """
    from sumesync.sandbox.script import Script
    from sumesync.sandbox.server import start
    from sumesync.sandbox.settings import Settings
    from sumesync.sandbox.world import World

    times = dict.fromkeys(schemas.for_specs().kinds, seconds) if seconds is not None else {}
    settings = Settings(credits=balance, capacity=capacity, seconds=times)
    settings = settings.with_published_limits() if limits else settings
    script = Script.load(common.folder / faults) if faults else None
    made = World.open(common.folder / world, settings) if world else World(settings)
    stop = Stop()
    with stop.listening(), start(made, port=port, faults=script) as running:
        if common.talk.as_json:
            common.talk.raw(machine.line({"base_url": running.base_url, "key": running.key}))
        else:
            common.talk.raw(f"export SUME_API_BASE_URL={running.base_url}")
            common.talk.raw(f"export SUME_API_KEY={running.key}")
        common.talk.say("The sandbox is serving. Ctrl-C ends it.")
        while not stop():
            running.wait(0.5)
