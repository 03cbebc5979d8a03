"""How a sandbox behaves where Sume accounts differ, or where the Sume documentation is silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Idempotency(StrEnum):
    """What the ``Idempotency-Key`` of a POST means."""

    IGNORED = "ignored"
    """The header means nothing: a second POST makes and charges a second job. v1 promises no more."""
    DOCUMENTED = "documented"
    """The OpenAPI document declares the header for every create route, and it is honoured."""


@dataclass(frozen=True)
class Settings:
    """How a sandbox behaves. Only the prices and kinds stand elsewhere (``kinds``)."""

    credits: float = 100_000
    """Given to the account at the beginning; what is left is this less every charge."""
    capacity: int = 4
    """Jobs that run at once; the others are queued."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long a job of a kind runs, where it is not the kind's own time."""
    page_default: int = 20
    page_limit: int = 100
    reads_per_minute: int | None = None
    creates_per_minute: int | None = None
    minute: float = 60.0
    """Seconds that these limits take for one: a test does not wait for real ones."""
    idempotency: Idempotency = Idempotency.IGNORED
    echo_keys: bool = False
    """Whether jobs show the Idempotency-Key that they were made with, as ``idempotency_key``."""
    echo_requests: bool = True
    """Whether jobs show the beginning of their prompt, and results the request. v1 does not say that they do."""
    openapi: bool = True
    """Whether ``/openapi.json`` is there; else 404."""
    url_lifetime: float = 3600
    """Seconds that a media URL is good for."""
    largest_body: int = 1 << 20
    largest_upload: int = 2 << 30
    workspace_id: str = "ws_sandbox"
    """The same for every sandbox: a lock made in a teammate's is not another workspace's."""
    workspace_name: str = "Sandbox"

    def with_published_limits(self) -> Settings:
        """The limits published for the sister APIs: 120 reads and 10 creates a minute."""
        return replace(self, reads_per_minute=120, creates_per_minute=10)
