"""One hypothesis profile: the same examples in CI every time, no deadlines, no database in the checkout.

``HYPOTHESIS_PROFILE=deep`` takes forty times as many examples, at random.

Temporary folders are in memory where the system has room for them: much of the time would be waiting for the disk, and
no test sees what a disk keeps when the power goes. ``TMPDIR`` names another place; .ci/lower-bounds names a disk.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("ci", derandomize=True, deadline=None, database=None, suppress_health_check=_SLOW)
settings.register_profile("local", deadline=None, database=None, suppress_health_check=_SLOW)
settings.load_profile("ci" if os.environ.get("CI") else "local")

_MEMORY = Path("/dev/shm")
_ROOM = 1 << 30
"""Bytes that must be free in memory; a whole run needs a tenth of it."""
if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM:
    os.environ["TMPDIR"] = str(_MEMORY)
    tempfile.tempdir = None  # it may have been asked for before


def pytest_configure() -> None:
    """Commands under test inherit what the one who runs the tests ignores: a CI in the background ignores Ctrl-C."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)


def pytest_collection_finish() -> None:
    """Thousands of tests and all modules stay until the end: no search for garbage need look at them. Hypothesis makes
    its source of randomness with the first property and asks the collector who holds it: before that can no longer see.
    """
    given(st.none())(lambda _: None)()
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """No search for garbage in the middle of a test. JSON that is nested too deeply for Python is read down to the very
    last stack frame, and what other tests left would be finalized there, with no frame for that: each such object is
    an error that pytest tells of in the test that happens to run. Python looks for garbage between two tests instead.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
