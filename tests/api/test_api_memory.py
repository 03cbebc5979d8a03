"""A large file passes through: how much of it is held at once does not depend on its size."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import memory


@pytest.mark.skipif(not memory.MEASURES, reason="this system does not tell a process's own peak of memory")
def test_a_file_is_never_held_whole(tmp_path: Path) -> None:
    """With 300 MB: ``python -m tests.memory``."""
    figures = memory.measure(24, tmp_path)
    assert figures.grown < 8
    assert max(figures.uploaded, figures.downloaded) < memory.MOST
    assert figures.sandbox - figures.sandbox_before < 8 + 8  # and its threads and routes, the first time
