"""What was paid for before: the takes of an entry, and a spec's text made to ask for one of them again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sumesync.core.action import Change
from sumesync.core.changes import between
from sumesync.core.kinds import DEFAULT_KIND, Kind
from sumesync.core.metadata import Asked, MetadataFact, clean
from sumesync.core.takes import edited
from sumesync.model import Entry, EntryKey, JobRecord, JobState, Json, Past, Wanted

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_NAMES: Final = ("file", "from", "output", "variant")
"""What a spec says of an input; the metadata add what it was then."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One job that a variant's request, present or past, was paid for as. ``asked``: that request, where the metadata
    have it; ``now``: whether it is what the entry stands for; ``changes``: from it to what is asked for now."""

    key: EntryKey
    job: JobRecord
    past: Past
    now: bool
    asked: Asked | None = None
    changes: tuple[Change, ...] = ()


def takes(entry: Entry, fact: MetadataFact | None, wanted: Wanted | None) -> tuple[Taken, ...]:
    """Every job of ``entry``, the latest request first. Attempts that a person said were none are none."""
    asked = fact.asked if fact else {}
    found = []
    for number, past in enumerate(reversed(entry.pasts)):
        then = asked.get(past.fingerprint)
        other = then is not None and wanted is not None and past.fingerprint != wanted.fingerprint
        differs = between(past.kind, then, wanted) if other and then and wanted else ()
        jobs = (job for job in past.jobs if job.state is not JobState.VOID)
        found += [Taken(entry.key, job, past, number == 0, then, differs) for job in jobs]
    return tuple(found)


def asking_again(data: bytes, wanted: Wanted, taken: Taken, kind: Kind) -> bytes:
    """The spec's bytes ``data``, which ask for ``wanted``, made to ask for what ``taken`` was made of, as far as a
    spec can say it: whoever uses them compares fingerprints. ``kind``: of ``taken``.

    What does not differ stays as it is written. A prompt file gives way to its words.
    """
    assert taken.asked is not None
    then, now = taken.asked, {name: clean(value) for name, value in wanted.request.items()}

    def edit(document: TOMLDocument) -> None:
        if taken.past.kind != wanted.kind:
            if taken.past.kind == DEFAULT_KIND:
                document.pop("kind", None)
            else:
                document["kind"] = taken.past.kind
        if then.take != wanted.take:
            document["take"] = then.take
        for name in sorted({*then.request, *now}, key=lambda name: (name != "prompt", name)):
            if then.request.get(name) != now.get(name):
                _set(document, name, then.request.get(name), kind)

    return edited(data, edit)


def _set(document: TOMLDocument, name: str, value: Json, kind: Kind) -> None:
    """Where it stands, else where it belongs; None: not at all."""
    import tomlkit

    if name == "prompt":
        document.pop("prompt_file", None)
    extra: Any = document.get("extra")
    there = extra is not None and name in extra
    if value is None:
        (extra if there else document).pop(name, None)
    elif there or name not in kind.fields:
        if extra is None:
            document["extra"] = extra = tomlkit.table()
        extra[name] = _spelt(value)
    else:
        document[name] = _spelt(value)


def _spelt(value: Json) -> Any:
    import tomlkit

    if isinstance(value, str) and "\n" in value:
        written = tomlkit.string(value, multiline=True).as_string()
        if not value.startswith("\n"):  # then tomlkit has set the line end that is not part of the text
            written = written.replace('"""', '"""\n', 1)
        return tomlkit.value(written)
    return _named(value)


def _named(value: Json) -> Any:
    """Inputs as a spec names them."""
    if isinstance(value, list):
        return [_named(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    import tomlkit

    is_input = "sha256" in value or "fingerprint" in value
    table = tomlkit.inline_table()
    table.update({key: _named(item) for key, item in value.items() if not is_input or key in _NAMES})
    return table
