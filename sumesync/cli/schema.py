"""``schema``: the JSON Schemas, for editors and programs; and the API's own description, kept."""

from __future__ import annotations

import json

import click

from sumesync.cli import contract, options
from sumesync.cli.options import Common
from sumesync.disk import schemas
from sumesync.render import machine


@click.command()
@click.argument("name", type=click.Choice([*schemas.NAMES, "refresh"]), default="spec")
@options.connects
@options.common
def schema(common: Common, name: str) -> None:
    """Print the JSON Schema of specs, or of sumesync.toml (config), sume.lock, metadata or plans.

    For completion in an editor: sumesync schema > spec.schema.json, and in a spec as first line
    #:schema ./spec.schema.json

    schema refresh fetches the API's own OpenAPI document into .sume/openapi.json. From then on validate, plan and
    apply warn of requests that differ from it, [extra] included. It never makes a request an error. The options of the
    connection are for refresh alone.
    """
    if name == "refresh":
        contract.refresh(common)
    elif common.talk.as_json:
        common.talk.out(machine.dump({"name": name, "schema": schemas.bundled(name)}))
    else:
        common.talk.out(json.dumps(schemas.bundled(name), indent=2, ensure_ascii=False))
