"""JSON of the Sume Public API v1 as values of the model, and back to nothing: the readers' front door.

Pure and light: no sockets, no third party. Every reader takes what ``parse`` gave and either returns a
value or raises ``Unreadable``; none raises anything else, whatever a stranger sends. In the
docstrings *seen* is documented with an example, *told* in prose only, *sister* true of a sister API.
"""

from __future__ import annotations

from sumesync.api.account import read_account, read_credits
from sumesync.api.answers import (
    Answer,
    ErrorBody,
    Failure,
    error_body,
    failure_of,
    retry_after,
    submit_result,
)
from sumesync.api.jobs import is_job_id, job_ids, job_page, job_view
from sumesync.api.library import avatar, avatar_page, brand, scene, scene_page
from sumesync.api.openapi import declares_header
from sumesync.api.presigned import read_presigned
from sumesync.api.reading import Unreadable, parse, shown
from sumesync.api.results import job_result

__all__ = [
    "Answer",
    "ErrorBody",
    "Failure",
    "Unreadable",
    "avatar",
    "avatar_page",
    "brand",
    "declares_header",
    "error_body",
    "failure_of",
    "is_job_id",
    "job_ids",
    "job_page",
    "job_result",
    "job_view",
    "parse",
    "read_account",
    "read_credits",
    "read_presigned",
    "retry_after",
    "scene",
    "scene_page",
    "shown",
    "submit_result",
]
