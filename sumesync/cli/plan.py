"""``validate`` and ``plan``: what is wrong, and what apply would do. Offline, without a key."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from sumesync.cli import contract, money, options, pointers, scope, wiring
from sumesync.cli.options import Common
from sumesync.cli.remember import Looked, remembered
from sumesync.cli.session import Session
from sumesync.core import cost
from sumesync.core.action import Plan, Verb
from sumesync.core.cost import Quote
from sumesync.core.locate import Locator
from sumesync.core.paths import METADATA_SUFFIX
from sumesync.core.text import count
from sumesync.core.toml import MAX_BYTES
from sumesync.disk import atomic
from sumesync.disk import project as projects
from sumesync.errors import Exit, LocalStateError, UsageError, first_of
from sumesync.render import human, machine
from sumesync.render.style import plain


@click.command()
@options.some
@options.project
@options.looks
@options.common
@remembered
def validate(common: Common, paths: tuple[str, ...], tags: tuple[str, ...]) -> Looked:
    """Tell everything that is wrong with the specs, all at once, and change nothing.

    Needs no key and no network. Exits 64 when something is wrong.
    """
    session = wiring.look(wiring.find(common, paths, broken=True), without_lock=True, recalling=True)
    plan_ = scope.narrowed(common, session, session.policy(), paths, tags)
    found = plan_.invalid
    talk = common.talk
    warnings = contract.of_all(common, session, plan_)
    if talk.as_json:
        document = {"valid": not found, "specs": len(plan_.actions), "problems": [machine.problem(p) for p in found]}
        talk.out(machine.dump({**document, **contract.as_json(warnings)}))
    elif found:
        talk.out(human.problems(found, talk.style))
    contract.tell(common, warnings)
    if found:
        talk.say(f"\n{count(len(found), 'problem')} in {count(len({p.path for p in found}), 'file')}.")
        return Looked(session, Exit.USAGE)
    talk.say(f"{human.specs(action.key for action in plan_.actions)} valid.")
    return Looked(session)


@click.command()
@options.some
@click.option(
    "--out", "out", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Save the plan for apply."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "github"]),
    default="text",
    help="markdown: a comment for a pull request; github: notes at the specs' lines.",
)
@click.option("--since", metavar="REF", help="Only what this branch changes, from where REF and HEAD part.")
@click.option("--exit-code", is_flag=True, help="Exit 2 when there is anything to do or to decide.")
@click.option("--prune", is_flag=True, help="Plan as apply --prune would.")
@click.option("--refresh", is_flag=True, help="Plan as apply --refresh would.")
@click.option("--keep-going", is_flag=True, help="Plan as apply --keep-going would.")
@click.option("--retry-failed", is_flag=True, help="Plan as apply --retry-failed would.")
@click.option("--replace-edited", is_flag=True, help="Plan as apply --replace-edited would.")
@click.option("--regenerate", "regenerate", multiple=True, metavar="SPEC", help="Plan as apply --regenerate would.")
@click.option("--offline", is_flag=True, help="Do not ask for the balance, although there is a key.")
@options.connects
@options.looks
@options.common
@remembered
def plan(
    common: Common,
    paths: tuple[str, ...],
    tags: tuple[str, ...],
    out: Path | None,
    form: str,
    exit_code: bool,
    offline: bool,
    **asked: Any,
) -> Looked:
    """Show what apply would do, why, and what it would pay for. Pays nothing, changes nothing.

    Needs no key and no network, and is safe on a stranger's pull request. Where there is a key and something to pay,
    it asks for the balance. PATHS are specs or folders.

    \b
    + create   a new request: paid       … resume   a job is under way
    ~ update   a changed request: paid   ↓ fetch    paid for before: downloaded
    ! attention   your decision          → move, = copy   the bytes are here
    """
    session = wiring.look(wiring.find(common, paths), recalling=True)
    given = {**asked, "paths": list(paths), "tags": list(tags)}
    plan_ = replanned(common, session, given)
    quote = money.quote(session, plan_)
    asks = plan_.pays and not offline and (form == "text" or common.talk.as_json)  # the others are for all to read
    if asks:
        quote = money.glimpsed(common, session, plan_, quote)
    read = out is not None or common.talk.as_json  # by a program: else it need not be made
    document = machine.plan(plan_, session.place.endpoint, quote) if read else {}
    if out is not None:
        saved = {**document, "options": given, "digest": machine.digest(document, given)}
        _save(common, out, saved)
    warnings = contract.of_plan(common, session, plan_)
    contract.tell(common, warnings)
    if common.talk.as_json:
        common.talk.out(machine.dump({**document, **contract.as_json(warnings)}))
    elif form == "markdown":
        from sumesync.render import markdown

        common.talk.out(
            markdown.plan(plan_, replace(view(common, session), style=plain), cost.in_words(quote.total)), newline=False
        )
    elif form == "github":
        from sumesync.render import github

        root = session.place.home.root
        common.talk.out(github.plan(plan_, projects.folder_in_git(root), partial(_line_of, root)), newline=False)
    else:
        common.talk.out(human.plan(plan_, view(common, session, quote=quote)), newline=False)
        advise(common, session, plan_, out)
    if missing := pointers.told(session, plan_):
        common.talk.warn(missing)
    seen = None if asks or out is not None else session
    codes = plan_.codes()
    if Exit.USAGE in codes:
        return Looked(seen, Exit.USAGE)
    return Looked(seen, first_of(codes) if exit_code and codes else Exit.DONE)


def _line_of(root: Path, path: str, fields: Sequence[str]) -> int:
    data = projects.read_bytes(root, path, MAX_BYTES) if fields else ""
    found = None if isinstance(data, str) else Locator(data.decode("utf-8", "replace")).first(fields)
    return found[0] if found else 1


def replanned(common: Common, session: Session, asked: dict[str, Any]) -> Plan:
    """The plan for these options; a saved plan is made again from its own."""
    regenerate = frozenset(str(scope.one_spec(common, session, name)) for name in asked.get("regenerate", ()))
    policy = session.policy(
        retry_failed=bool(asked.get("retry_failed")),
        replace_edited=bool(asked.get("replace_edited")),
        keep_going=bool(asked.get("keep_going")),
        prune=bool(asked.get("prune")),
        refresh=bool(asked.get("refresh")),
        regenerate=regenerate,
    )
    paths, tags = tuple(asked.get("paths", ())), tuple(asked.get("tags", ()))
    return scope.narrowed(common, session, policy, paths, tags, asked.get("since"))


def view(common: Common, session: Session, keep_going: bool = False, quote: Quote | None = None) -> human.View:
    return human.View(
        name=session.place.home.root.name,
        endpoint=session.place.endpoint,
        wanted={wanted.key: wanted for wanted in session.project.wanted},
        kinds=session.place.schemas.kinds,
        max_jobs=session.place.config.max_jobs,
        keep_going=keep_going,
        quote=quote or Quote(),
        style=common.talk.style,
        verbose=common.talk.verbose,
    )


def advise(common: Common, session: Session, plan_: Plan, out: Path | None) -> None:
    """The next command, on stderr."""
    if plan_.invalid:
        common.talk.say("Mend the specs, then run plan again.")
    elif plan_.work:
        common.talk.say(f"To do it: sumesync apply{f' {out}' if out else ''}")
    elif not (plan_.actions or session.project.wanted):
        common.talk.say("There are no specs here yet. Write one with: sumesync new image hero")
    elif plan_.of(Verb.ATTENTION):
        common.talk.say("Nothing is done with those until you decide.")


def _is_saved(document: Any) -> bool:
    """Whether a document is a saved plan, with options of the right types."""
    options_ = document.get("options") if isinstance(document, dict) else None
    if not isinstance(options_, dict) or not isinstance(document.get("digest"), str):
        return False
    lists = [options_.get(name, []) for name in ("paths", "tags", "regenerate")]
    right = isinstance(options_.get("since"), str | None)
    return right and all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in lists)


def _save(common: Common, out: Path, saved: dict[str, Any]) -> None:
    """Write a plan. Only in the place of nothing, or of an earlier plan."""
    full = common.folder / out
    if out.suffix != ".json" or out.name.endswith(METADATA_SUFFIX) or ".git" in full.parts:
        raise UsageError(f"{out} is no name for a plan", "name it like plan.json")
    if os.path.lexists(full):
        try:
            read_saved(full)
        except UsageError:
            raise LocalStateError(f"{out} is there already and is no saved plan", "choose another name") from None
    atomic.write(full, (machine.dump(saved) + "\n").encode())


def read_saved(path: Path) -> dict[str, Any]:
    """A saved plan. Raises UsageError when it is none."""
    try:
        if not path.is_file():
            raise OSError(errno.EINVAL, "it is not a file")
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        document = None
    if not _is_saved(document):
        raise UsageError(f"{path} is not a saved plan", "make one with: sumesync plan --out FILE")
    if document.get("format_version") != machine.FORMAT_VERSION:
        raise UsageError(f"{path} was saved by another version of sumesync", "make it again: sumesync plan --out FILE")
    found: dict[str, Any] = document
    return found
