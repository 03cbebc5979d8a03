"""The key and the origin to connect with. From the command line or the environment, never from the project."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from sumesync.cli.options import Common
from sumesync.cli.session import Place
from sumesync.cli.talk import hide
from sumesync.core.fingerprint import workspace_digest
from sumesync.core.text import printable
from sumesync.errors import LocalStateError, UsageError
from sumesync.model import SANDBOX, Lock

if TYPE_CHECKING:
    from sumesync.ports import JobApi

DEFAULT_URL = "https://www.sume.so/api/v1"


def check_access(common: Common, place: Place) -> None:
    """Whether there is a key and an origin to connect with: told before anybody is asked to agree to anything."""
    if place.endpoint != SANDBOX:
        from sumesync.api.origin import check_origin

        check_origin(configured_url(common))
        api_key(common, place)


def same_workspace(api: JobApi, lock: Lock, endpoint: str) -> str | None:
    """The digest of the key's workspace, as far as Sume tells it. Raises LocalStateError where the project was paid
    for by another one: its jobs would not be there."""
    if endpoint == SANDBOX:
        return None
    account = api.account()
    hide(account.workspace_id)
    digest = workspace_digest(account.workspace_id) if account.workspace_id else None
    if lock.workspace and digest and lock.workspace != digest:
        raise LocalStateError(
            "this project was paid for by another workspace than the key's; nothing was submitted",
            "use that workspace's key; to start anew in this one, begin a new project with: sumesync init",
        )
    return digest


def configured_url(common: Common) -> str:
    """The API's origin: from the command line or the environment, never from the project."""
    return common.base_url or os.environ.get("SUME_API_BASE_URL", "").strip() or DEFAULT_URL


def is_local(common: Common) -> bool:
    """Whether the API is on this machine: a sandbox, which has no limits to mind."""
    from urllib.parse import urlsplit

    return urlsplit(configured_url(common)).hostname in ("127.0.0.1", "localhost", "::1")


def has_key(common: Common) -> bool:
    """Whether there is anything to ask Sume with. Not whether it is right."""
    return common.key_file is not None or bool(os.environ.get("SUME_API_KEY", "").strip())


def api_key(common: Common, place: Place | None) -> str:
    """From SUME_API_KEY or ``--api-key-file``, never from a file of the project."""
    if common.key_file is not None:
        return _key_of_file(common.folder / common.key_file, place)
    key = os.environ.get("SUME_API_KEY", "").strip()
    if not key:
        raise UsageError(
            "there is no API key",
            "set SUME_API_KEY (or --api-key-file FILE); to try it without one: --sandbox",
        )
    return key


def _key_of_file(path: Path, place: Place | None) -> str:
    shown = printable(str(path))
    try:
        full = path.resolve(strict=True)
        if place is not None and place.home.root in full.parents:
            raise UsageError(
                f"{shown} is inside the project: everyone who can clone it would read the key",
                "keep it elsewhere, or set SUME_API_KEY",
            )
        if not stat.S_ISREG(full.stat().st_mode) or full.stat().st_size > 4096:
            raise UsageError(f"{shown} is not a file with a key in it")
        key = full.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{shown} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not key:
        raise UsageError(f"{shown} is empty")
    return key
