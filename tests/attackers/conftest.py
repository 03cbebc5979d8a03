"""The stages of the stories, for those who attack them."""

from __future__ import annotations

from tests.scenarios.conftest import Maker, make, stage

__all__ = ["Maker", "make", "stage"]
