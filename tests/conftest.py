"""One hypothesis profile: the same examples in CI every time, no deadlines, no database in the checkout.

``HYPOTHESIS_PROFILE=deep`` looks twenty times longer, at random.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("ci", derandomize=True, deadline=None, database=None, suppress_health_check=_SLOW)
settings.register_profile("local", deadline=None, database=None, suppress_health_check=_SLOW)
settings.load_profile("ci" if os.environ.get("CI") else "local")
