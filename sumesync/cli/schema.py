"""``schema``: the JSON Schemas, for editors and programs."""

from __future__ import annotations

import click

from sumesync.cli import options
from sumesync.cli.options import Common
from sumesync.disk import schemas


@click.command()
@click.argument("name", type=click.Choice(schemas.NAMES), default="spec")
@options.common
def schema(common: Common, name: str) -> None:
    """Print the JSON Schema of specs, or of sumesync.toml (config), sume.lock, metadata or plans.

    For completion in an editor: sumesync schema > spec.schema.json, and in a spec as first line
    #:schema ./spec.schema.json
    """
    common.talk.out(schemas.text(name), newline=False)
