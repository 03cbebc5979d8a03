"""Job ids: server-controlled text that ends up in URLs and file names. Pure."""

from __future__ import annotations

import re

_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")


def is_job_id(text: str) -> bool:
    """Whether ``text`` can be used as a job id: no path, no query, no control character."""
    return _JOB_ID.fullmatch(text) is not None and ".." not in text


def for_name(job_id: str) -> str:
    """``job_id`` as part of a file name on every system."""
    return job_id.replace(":", "_")
