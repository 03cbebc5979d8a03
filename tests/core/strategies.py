"""Random entries of a lock, for what must hold of all of them."""

from __future__ import annotations

from hypothesis import strategies as st

from sumesync.model import SANDBOX, SUME, Entry, EntryKey, JobError, JobRecord, JobState, Output, Past

_texts = st.text(st.characters(codec="utf-8"), max_size=6)
_digests = st.integers(0, 3).map(lambda n: f"{n:064x}")

outputs = st.builds(
    Output,
    index=st.integers(1, 3),
    path=st.builds(
        "{}/{}.png".format, st.sampled_from(["a", "launch", "[[entry]]"]), st.sampled_from(["x", "y", "é", "#"])
    ),
    sha256=_digests,
    size=st.integers(0, 2**40),
    media_type=st.sampled_from(["image/png", "video/mp4"]),
)
errors = st.builds(JobError, code=_texts, request_id=st.none() | st.just("req_1"))
jobs = st.builds(
    JobRecord,
    id=st.sampled_from(["job_1", "job_2", "J:3", "a.b-c"]),
    state=st.sampled_from([state for state in JobState if state is not JobState.VOID]),
    attempt=st.integers(1, 3),
    credits=st.none() | st.integers(0, 9) | st.floats(0, 9, width=16),
    error=st.none() | errors,
    outputs=st.lists(outputs, max_size=2).map(tuple),
)
_unique_jobs = st.lists(jobs, max_size=3, unique_by=lambda job: job.id).map(
    lambda found: tuple(sorted(found, key=lambda job: job.attempt))
)
pasts = st.builds(
    Past,
    fingerprint=_digests.map("v1:{}".format),
    kind=st.sampled_from(["image", "video"]),
    endpoint=st.sampled_from([SUME, SANDBOX]),
    jobs=_unique_jobs,
    accepted=st.lists(outputs, max_size=1).map(tuple),
)
keys = st.builds(
    EntryKey,
    path=st.builds("{}.sume.toml".format, st.sampled_from(["a", "b", "launch/hero", "é/ö", "x[[entry]]", "q'uo"])),
    variant=st.sampled_from(["", "", "tall"]),
)


def _entry(key: EntryKey, now: Past, history: list[Past]) -> Entry:
    """As sumesync writes it: each request stands once, as the present or in the history."""
    known = {(now.fingerprint, now.endpoint)}
    kept = []
    for past in history:
        if (past.fingerprint, past.endpoint) not in known and (past.jobs or past.accepted):
            known.add((past.fingerprint, past.endpoint))
            kept.append(past)
    return Entry(key, now.fingerprint, now.kind, now.endpoint, now.jobs, now.accepted, tuple(kept))


entries = st.builds(_entry, keys, pasts, st.lists(pasts, max_size=2))
several_entries = st.lists(entries, max_size=3, unique_by=lambda entry: entry.key)
