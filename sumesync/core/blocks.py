"""The entries of a lock in the very words in which this version writes them, read without a TOML parser. Pure.

Only for speed: whatever is not in these words, or not valid, is None here, and ``core.lock`` reads it as TOML. A fault
is worded there.
"""

from __future__ import annotations

import re
from typing import Final

from sumesync.core import paths
from sumesync.core.ids import is_job_id
from sumesync.model import DOCUMENT, SANDBOX, SUME, Entry, EntryKey, JobRecord, JobState, Output, Past

_TEXT: Final = r'"([^"\\\x00-\x1f\x7f]*)"'
_NUMBER: Final = r"(0|[1-9][0-9]{0,14})"
_STATES: Final = {str(state): state for state in JobState}
_PRESENT: Final = "entry"
_HISTORY: Final = "entry.history"
_KEY: Final = re.compile(rf"path = {_TEXT}\n(?:variant = {_TEXT}\n)?")
_PAST: Final = re.compile(
    rf'kind = {_TEXT}\nfingerprint = "(v[0-9]+:[0-9a-f]{{64}})"\n(?:endpoint = "({SUME}|{SANDBOX})"\n)?'
)


def _job(table: str) -> re.Pattern[str]:
    credit = rf"(?:credits = {_NUMBER}\n)?"
    return re.compile(
        rf"\[\[{re.escape(table)}\.jobs\]\]\nid = {_TEXT}\nstate = {_TEXT}\nattempt = {_NUMBER}\n{credit}"
    )


def _output(table: str) -> re.Pattern[str]:
    where = rf"index = {_NUMBER}\npath = {_TEXT}\n"
    what = rf'sha256 = "([0-9a-f]{{64}})"\nsize = {_NUMBER}\nmedia_type = {_TEXT}\n'
    return re.compile(rf"\[\[{re.escape(table)}\]\]\n{where}{what}")


_JOBS: Final = {table: _job(table) for table in (_PRESENT, _HISTORY)}
_OUTPUTS: Final = {table: _output(f"{table}.jobs.outputs") for table in (_PRESENT, _HISTORY)}
_ACCEPTED: Final = {table: _output(f"{table}.accepted") for table in (_PRESENT, _HISTORY)}
_HEADING: Final = f"[[{_HISTORY}]]\n"
# Most entries: one job that made one file, and nothing before it.
_ORDINARY: Final = re.compile(f"{_KEY.pattern}{_PAST.pattern}{_JOBS[_PRESENT].pattern}{_OUTPUTS[_PRESENT].pattern}\\n*")


def entry(text: str) -> Entry | None:
    """The entry whose block is ``text``, without its heading; None where TOML has to tell."""
    if (found := _ORDINARY.fullmatch(text)) is not None:
        return _ordinary(*found.groups())
    found = _KEY.match(text)
    if found is None:
        return None
    path, variant = found[1], found[2] or ""
    if not _is_entry(path, variant):
        return None
    told = _past(text, found.end(), _PRESENT)
    history = []
    while told is not None and text.startswith(_HEADING, told[1]):
        present, at = told[0], told[1] + len(_HEADING)
        if (earlier := _past(text, at, _HISTORY)) is None:
            return None
        history.append(earlier[0])
        told = present, earlier[1]
    if told is None or text[told[1] :].strip("\n"):
        return None
    past = told[0]
    key = EntryKey(path, variant)
    return Entry(key, past.fingerprint, past.kind, past.endpoint, past.jobs, past.accepted, tuple(history))


def _ordinary(
    path: str,
    variant: str | None,
    kind: str,
    fingerprint: str,
    endpoint: str | None,
    job_id: str,
    state: str,
    attempt: str,
    credit: str | None,
    *made: str,
) -> Entry | None:
    output = _output_of(*made)
    if output is None or not _is_entry(path, variant or "") or state not in _STATES or not is_job_id(job_id):
        return None
    cost = None if credit is None else int(credit)
    job = JobRecord(job_id, _STATES[state], int(attempt), cost, None, (output,))
    return Entry(EntryKey(path, variant or ""), fingerprint, kind, endpoint or SUME, (job,))


def _is_entry(path: str, variant: str) -> bool:
    if paths.path_fault(path) or not path.endswith(paths.SPEC_SUFFIX):
        return False
    return not variant or not ("/" in variant or paths.name_fault(variant))


def _past(text: str, at: int, table: str) -> tuple[Past, int] | None:
    found = _PAST.match(text, at)
    if found is None:
        return None
    at, jobs = found.end(), []
    while (job := _JOBS[table].match(text, at)) is not None:
        job_id, state, attempt, credit = job.groups()
        if state not in _STATES or not is_job_id(job_id) or (made := _listed(text, job.end(), _OUTPUTS[table])) is None:
            return None
        at = made[1]
        cost = None if credit is None else int(credit)
        jobs.append(JobRecord(job_id, _STATES[state], int(attempt), cost, None, made[0]))
    if (accepted := _listed(text, at, _ACCEPTED[table])) is None:
        return None
    return Past(found[2], found[1], found[3] or SUME, tuple(jobs), accepted[0]), accepted[1]


def _listed(text: str, at: int, pattern: re.Pattern[str]) -> tuple[tuple[Output, ...], int] | None:
    outputs = []
    while (found := pattern.match(text, at)) is not None:
        if (output := _output_of(*found.groups())) is None:
            return None
        outputs.append(output)
        at = found.end()
    return tuple(outputs), at


def _output_of(index: str, path: str, sha256: str, size: str, media_type: str) -> Output | None:
    if paths.path_fault(path) or not is_of_media(path, media_type):
        return None
    return Output(int(index), path, sha256, int(size), media_type)


def is_of_media(path: str, media_type: str) -> bool:
    """Whether a file of this name can be an output of that type. A pull request writes the lock: it must not make a
    licence or a source file "ours" to move or remove."""
    if media_type == DOCUMENT:
        return path.endswith(paths.METADATA_SUFFIX)
    return paths.suffix_of(path) in paths.MEDIA_SUFFIXES
