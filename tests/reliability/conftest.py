"""The stages of the stories, here as well."""

from __future__ import annotations

from tests.api.conftest import certificates
from tests.scenarios.conftest import make, stage

__all__ = ["certificates", "make", "stage"]
