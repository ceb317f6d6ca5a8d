"""Settings of all tests: drawn examples are the same in every run, and none is failed for being slow."""

from __future__ import annotations

import os

# Of two threads that share a busy core, one waits for the other after every product of a small network.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import HealthCheck, settings

settings.register_profile(
    "palate",
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
settings.load_profile("palate")
