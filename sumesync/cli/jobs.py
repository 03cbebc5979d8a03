"""``jobs``: the jobs of the workspace, and what they made. Read only, free."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from sumesync.answers import JobResult
from sumesync.cli import options, pages, wiring
from sumesync.cli.library import known_id, show_one
from sumesync.cli.options import Common
from sumesync.cli.pages import Listing
from sumesync.core import media
from sumesync.core.ids import for_name
from sumesync.core.text import in_credits, printable
from sumesync.disk.outputs import OutputFiles
from sumesync.errors import LocalStateError, MediaError, UsageError
from sumesync.ports import JobApi
from sumesync.render import human, library, machine

_JOBS = Listing("jobs", "job", library.JOBS, library.job, library.job_document)
_STATUSES = ("queued", "running", "processing", "completed", "failed", "canceled", "expired")
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}")


@click.group(short_help="Show the jobs of the workspace, and what they made.")
def jobs() -> None:
    """The jobs of the workspace, whoever asked for them."""


@jobs.command("list")
@click.option("--type", "kind", metavar="TYPE", help="Only jobs of this type, as Sume names it: image_generation.")
@click.option("--status", type=click.Choice(_STATUSES), help="Only jobs in this state.")
@pages.options
@options.connects
@options.common
def jobs_list(
    common: Common, kind: str | None, status: str | None, limit: int | None, cursor: str | None, every: bool
) -> None:
    """List the jobs, the newest first. A job that was made a moment ago may be missing."""
    if kind is not None and not _TYPE.fullmatch(kind):
        raise UsageError("--type is not a type of jobs", "such as image_generation; jobs list shows the types")
    start = pages.checked(cursor)
    with wiring.connected(common, wiring.around(common)) as api:

        def page(cursor: str | None) -> tuple[Any, str | None]:
            found = api.list_jobs(cursor, limit or (pages.MOST_ITEMS if every else 20), kind or "", status or "")
            return found.jobs, found.cursor

        pages.show(common, _JOBS, page, start, every, False)


@jobs.command("get")
@click.argument("job_id", metavar="ID")
@options.connects
@options.common
def jobs_get(common: Common, job_id: str) -> None:
    """Show where one job stands."""
    ident = known_id(job_id, "a job id")
    with wiring.connected(common, wiring.around(common)) as api:
        found = api.job(ident)
    show_one(common, library.job_document(found), False)


@jobs.command("result")
@click.argument("job_id", metavar="ID")
@click.option("--download", metavar="DIR", type=click.Path(path_type=Path), help="Download its media into DIR.")
@pages.show_urls
@options.connects
@options.common
def jobs_result(common: Common, job_id: str, download: Path | None, show_urls: bool) -> None:
    """Show what a job made, and with --download fetch it. Free; a file that is there already is never replaced.

    For media that no spec asks for. Those of a spec come back with: sumesync fetch
    """
    ident = known_id(job_id, "a job id")
    with wiring.connected(common, wiring.around(common)) as api:
        found = api.result(ident)
        files = _download(common, api, ident, found, download) if download is not None else []
    say = common.talk.private if show_urls else common.talk.out
    urls = [str(library.masked(url, show_urls)) for url in found.urls]
    if common.talk.as_json:
        document = library.masked(dict(found.document), show_urls)
        told = {"job": ident, "credits": found.credits, "media": urls, "files": files}
        say(machine.dump({**told, "result": document} if document else told))
    else:
        rows = [(str(number), printable(url)) for number, url in enumerate(urls, 1)]
        say(human.table(("", "MEDIA"), rows), newline=False)
        if found.document:
            say(human.table(("", ""), library.lines(library.told(found.document, show_urls))), newline=False)
        if found.credits is not None:
            common.talk.say(f"{in_credits(found.credits)}.")
    if any(not file["path"] for file in files):
        raise LocalStateError(
            "a file of another content has the name of a download; nothing was replaced",
            "name another folder with --download",
        )


def _download(common: Common, api: JobApi, job_id: str, found: JobResult, folder: Path) -> list[dict[str, Any]]:
    """Every media file of a result into ``folder``: what landed, or "" for a name that is taken."""
    if not found.urls:
        raise MediaError(f"the result of {job_id} names no media")
    try:
        full = (common.folder / folder).resolve()
        if full.exists() and not full.is_dir():
            raise UsageError(f"{printable(str(folder))} is not a folder")
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"{printable(str(folder))} cannot be reached: {error}") from None
    into = OutputFiles(full)
    files = []
    for number, url in enumerate(found.urls, 1):
        name, size, kind = _one(api, into, f"{for_name(job_id)}-{number}", url)
        shown = str(folder / name) if name else ""
        files.append({"path": shown, "bytes": size, "media_type": kind.name})
        if name:
            common.talk.say(f"{printable(shown)}: {kind.name}, {size:,} bytes")
    return files


def _one(api: JobApi, into: OutputFiles, stem: str, url: str) -> tuple[str, int, media.MediaType]:
    """One file, whole and of a known type, in its place; "" as name where another file has it."""
    part = into.part("")
    try:
        api.download(url, part.write)
        sha256, size = part.finish()
        kind = media.sniff(part.head)
        if kind is None:
            raise MediaError(f"Sume's media host sent {media.describe(part.head)} instead of the media")
        name = stem + kind.suffix
        if into.place(part, name, None):
            return name, size, kind
        there = into.look(name)
        part.discard()
    except MediaError as error:
        part.discard()
        raise MediaError(error.what, "run it again: it asks Sume for a fresh URL", status=error.status) from None
    except BaseException:
        part.discard()
        raise
    return (name if there is not None and there.sha256 == sha256 else ""), size, kind
