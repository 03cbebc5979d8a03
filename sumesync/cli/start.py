"""``init`` and ``new``: a project and a spec to begin with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from sumesync.cli import options, wiring
from sumesync.cli.options import Common
from sumesync.core import paths
from sumesync.core.decide import quoted
from sumesync.core.kinds import DEFAULT_KIND, PROMPT_FIELDS, Kind
from sumesync.core.text import printable, suggest
from sumesync.disk import atomic, git, schemas, shipped
from sumesync.disk import project as projects
from sumesync.disk.lockfile import LockFile, new_lineage
from sumesync.errors import LocalStateError, UsageError
from sumesync.render import machine

_CONFIG = """\
# This folder is a sumesync project: its *.sume.toml files are specs.
{endpoint}
# Request fields for every spec of a kind; a spec's own fields win. Changing one changes every spec without it.
[defaults.image]
# aspect_ratio = "4:5"

[defaults.video]
# aspect_ratio = "9:16"
# duration = 5

[apply]
max_jobs = 100  # a plan of more paid jobs is refused unless --max-jobs says otherwise
"""
_SANDBOX = 'endpoint = "sandbox"  # a local Sume: no key, no cost. Remove this line to use the real one.\n'
_IN_LFS = """
[media]
store = "lfs"  # a git-lfs pointer counts as the file that it names
"""
_IGNORED = ("# sumesync", "/.sume/", ".sumesync-*.part")
_DRIVER = "sumesync lock merge %O %A %B %P"
_ATTRIBUTES = (
    "# sumesync",
    f"{paths.LOCK_NAME} merge=sumesync linguist-generated text eol=lf",
    f"*{paths.METADATA_SUFFIX} merge=sumesync linguist-generated text eol=lf",
)
_LFS = tuple(f"*{suffix} filter=lfs diff=lfs merge=lfs -text" for suffix in sorted(paths.MEDIA_SUFFIXES))
_ON_BRANCH = (
    """\
    # On merge. "sumesync init --github --apply-on branch" writes the other way: on the branch, before the merge.
    if: github.event_name != 'pull_request' && needs.plan.outputs.work == 'true'
""",
    """\
    # On the branch, so that reviewers see what they merge; what comes from a fork is made after the merge.
    if: >-
      needs.plan.outputs.work == 'true' && (github.event_name != 'pull_request'
      || github.event.pull_request.head.repo.full_name == github.repository)
""",
)
_MAY_COMMENT = (
    "      contents: write\n",
    "      contents: write\n      pull-requests: write  # the comment, with the media\n",
)
_ASSUMED = "Not documented: an assumption, like every name that is."
_PROMPT = '""  # What to make, in words'


@click.command()
@click.argument("directory", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--sandbox", "in_sandbox", is_flag=True, help="Make a project that uses the sandbox.")
@click.option("--git", "with_git", is_flag=True, help="Set up git's merges of sume.lock; in a project too, each clone.")
@click.option("--lfs", "with_lfs", is_flag=True, help="With --git: let git-lfs keep the media.")
@click.option("--github", "with_github", is_flag=True, help="Write a workflow: plan in review, apply if approved.")
@click.option(
    "--apply-on",
    type=click.Choice(["merge", "branch"]),
    help="With --github: make media after the merge (unless given), or on the branch, so that reviewers see them.",
)
@options.common
def init(
    common: Common,
    directory: Path,
    in_sandbox: bool,
    with_git: bool,
    with_lfs: bool,
    with_github: bool,
    apply_on: str | None,
) -> None:
    """Make DIRECTORY (this one unless named) a project: sumesync.toml, sume.lock, and lines in .gitignore.

    With --git, .gitattributes says how sume.lock is merged, and this clone's git learns the driver: then
    branches that paid for the same spec merge by themselves. That second half is each clone's own.
    """
    if with_lfs and not with_git:
        raise UsageError("--lfs goes with --git", "sumesync init --git --lfs")
    if apply_on and not with_github:
        raise UsageError("--apply-on goes with --github", f"sumesync init --github --apply-on {apply_on}")
    root = common.folder / directory
    atomic.make_folder(root)
    root = root.resolve()
    home = projects.home(root)
    if with_git and not home.in_git:
        raise UsageError(f"{printable(str(root))} is in no git repository", "run first: git init")
    if home.config.exists() and not (with_git or with_github):
        raise UsageError(f"{printable(str(home.config))} is there already", "this is a project; try: sumesync plan")
    made = [] if home.config.exists() else _make(root, home, in_sandbox, with_lfs)
    made += _set_up_git(root, with_lfs) if with_git else []
    made += _write_workflow(root, apply_on) if with_github else []
    if common.talk.as_json:
        common.talk.out(machine.dump({"root": str(root), "made": made}))
    common.talk.say(f"Set up {printable(str(root))}: {', '.join(made) or 'all of it was there'}.")
    if with_lfs and paths.CONFIG_NAME not in made:
        common.talk.say(f'{paths.CONFIG_NAME} must say so, too: store = "lfs" under [media].')
    common.talk.say("Next: sumesync new image hero, edit hero.sume.toml, then sumesync plan.")


def _make(root: Path, home: projects.Home, in_sandbox: bool, with_lfs: bool) -> list[str]:
    """What a project needs; the names of what was made."""
    made = [paths.CONFIG_NAME]
    locks = LockFile(root)
    if locks.exists():
        locks.read()  # one that cannot be read is told now, not at the first apply
    else:
        locks.create(new_lineage(), None)
        made.append(paths.LOCK_NAME)
    text = _CONFIG.format(endpoint=_SANDBOX if in_sandbox else "") + (_IN_LFS if with_lfs else "")
    atomic.write(home.config, text.encode())
    if _add_lines(root / ".gitignore", _IGNORED):
        made.append(".gitignore")
    return made


def _set_up_git(root: Path, with_lfs: bool) -> list[str]:
    """The merge driver, and which files it is for. The driver's command stands in git's own configuration, which no
    pull request can write; without it git merges as text, and ``lock resolve`` mends what that leaves."""
    lines = [*_ATTRIBUTES, *(_LFS if with_lfs else ())]
    made = [".gitattributes"] if _add_lines(root / ".gitattributes", lines) else []
    if git.configured(root, "merge.sumesync.driver") != _DRIVER:
        git.configure(root, "merge.sumesync.name", "sumesync: keeps what both sides paid for")
        git.configure(root, "merge.sumesync.driver", _DRIVER)
        made.append("the merge driver (in this clone's .git/config)")
    return made


def _write_workflow(root: Path, apply_on: str | None) -> list[str]:
    """The workflow, where GitHub looks for it: at the top of the repository. One that is there stays."""
    folder = projects.folder_in_git(root)
    top = root.parents[folder.count("/")] if folder else root
    path = top / ".github" / "workflows" / "sumesync.yml"
    if path.exists():
        if apply_on:
            there = f"{printable(str(path))} is there already, and stays as it is"
            raise LocalStateError(there, "edit it, or remove it and run this again")
        return []
    text = _workflow(folder, on_branch=apply_on == "branch")
    atomic.make_folder(path.parent)
    atomic.write(path, text.encode())
    return [path.relative_to(top).as_posix()]


def _workflow(folder: str, on_branch: bool) -> str:
    """The shipped workflow. Of a project that is not at the top of its repository the steps say where it is."""
    text = shipped.text(*shipped.WORKFLOW, "the workflow")
    if on_branch:
        text = text.replace(*_ON_BRANCH).replace(*_MAY_COMMENT)
    if folder:
        for mode in ("plan", "apply"):
            text = text.replace(f"mode: {mode}\n", f"mode: {mode}\n          folder: {_toml(folder)}\n")
        text = text.replace("check --allow-pending", f"check --allow-pending -C {quoted(folder)}")
    return text


def _add_lines(path: Path, lines: Sequence[str]) -> bool:
    """Add lines to a file of git's, the first of them a heading; what is there stays."""
    try:
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
    except UnicodeDecodeError:
        raise LocalStateError(f"{path.name} is not text", "mend it, then run this again") from None
    missing = [line for line in lines if line not in before.splitlines()]
    if missing in ([lines[0]], []):
        return False
    gap = "" if not before or before.endswith("\n") else "\n"
    atomic.write(path, (before + gap + "\n".join(missing) + "\n").encode())
    return True


def _complete_kinds(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in schemas.for_specs().kinds if name.startswith(incomplete)]


@click.command()
@click.argument("kind", shell_complete=_complete_kinds)
@click.argument("path", type=click.Path())
@click.option("--prompt", help="The prompt, instead of a text to replace.")
@options.common
def new(common: Common, kind: str, path: str, prompt: str | None) -> None:
    """Write a spec of KIND at PATH, with its fields as comments.

    PATH is relative to this folder; .sume.toml is added. An existing file is never touched.
    """
    place = wiring.find(common, (str(Path(path).parent),))
    known = place.schemas.kinds.get(kind)
    if known is None:
        close = suggest(kind, place.schemas.kinds)
        raise UsageError(f"{printable(kind)} is not a kind", close or f"kinds: {', '.join(place.schemas.kinds)}")
    named = path if path.endswith(paths.SPEC_SUFFIX) else path + paths.SPEC_SUFFIX
    full = Path(os.path.normpath((common.folder / named).absolute()))
    if place.home.root not in [*full.parents, *full.resolve().parents]:
        raise UsageError(f"{printable(named)} is outside the project {printable(str(place.home.root))}")
    relative = (full if place.home.root in full.parents else full.resolve()).relative_to(place.home.root).as_posix()
    if not paths.spec_stem(relative):
        raise UsageError(f"{printable(named)} has no name", "name it, like: sumesync new image launch/hero")
    if fault := paths.path_fault(relative):
        raise UsageError(f"{printable(named)}: {fault}")
    if full.exists() or full.is_symlink():
        raise LocalStateError(f"{printable(named)} is there already", "edit it, or choose another name")
    if prompt is not None and "prompt" not in known.fields:
        raise UsageError(f"{kind} has no prompt", f"write it without --prompt: sumesync new {kind} {printable(path)}")
    text = template(known, prompt)
    atomic.write(projects.inside(place.home.root, relative), text.encode())
    if common.talk.as_json:
        common.talk.out(machine.dump({"path": relative, "kind": kind}))
    common.talk.say(f"Wrote {relative}. Edit it, then: sumesync plan")


def template(kind: Kind, prompt: str | None) -> str:
    """A spec of ``kind``: what it must have, and every other field as a comment with its rule.

    What only the writer can say stands empty, so that a spec that nobody has edited yet is invalid and costs nothing.
    """
    lines = [f"# {kind.about}"] + ([] if kind.name == DEFAULT_KIND else [f'kind = "{kind.name}"'])
    if "prompt" in kind.fields:
        lines.append(f"prompt = {_toml(prompt) if prompt else _PROMPT}")
    others = [name for name in kind.fields if name not in PROMPT_FIELDS]
    begun = kind.required or (() if "prompt" in kind.fields else others[:1])
    first = [name for name in others if name in begun]
    lines += [f"{name} = {_example(kind.fields[name], asked=not kind.free)}" for name in first]
    lines += [f"# {name} = {_example(kind.fields[name])}" for name in others if name not in begun]
    lines += ["", "# [meta]", '# title = ""', "# tags = []"]
    return "\n".join(lines) + "\n"


def _example(rule: Mapping[str, Any], asked: bool = False) -> str:
    """A value that the rule allows, and the rule. ``asked``: an empty one in its place, where any of ours would be a
    guess; an example that names a file stays, for there is no such file."""
    allowed = rule.get("enum")
    if allowed:
        return f'"{allowed[0]}"'.ljust(8) + "  # " + ", ".join(map(str, allowed))
    low, high = rule.get("minimum", 1), rule.get("maximum")
    said = str(rule.get("description", "")).replace(_ASSUMED, "The name is an assumption.").rstrip(".")
    notes = [said] if said else []
    notes += [f"{low} to {high}"] if high is not None and high < 10**6 else []
    samples = {"integer": low, "number": low, "boolean": True, "array": ["https://…"]}
    value = rule["examples"][0] if "examples" in rule else samples.get(str(rule.get("type")), "…")
    if asked and isinstance(value, str | list):
        notes.append(f"such as {_toml(value)}")
        value = type(value)()
    return _toml(value) + (f"  # {'; '.join(notes)}" if notes else "")


def _toml(value: Any) -> str:
    """A value on one line: tables as TOML's inline ones."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    import tomli_w

    return tomli_w.dumps({"x": value}).strip().removeprefix("x = ")
