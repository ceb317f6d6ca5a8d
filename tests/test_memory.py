"""Peak memory: what was used is in it, and a system that does not tell is no error."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from palate.memory import peak_mb

WITHOUT_RESOURCE = """
import sys
from pathlib import Path
sys.modules["resource"] = None
from palate import memory
Path.exists = lambda self: False
assert memory.peak_mb() is None
"""


def test_a_system_without_the_resource_module_gives_no_peak_memory() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_RESOURCE], check=True)


def test_what_was_used_is_in_the_peak() -> None:
    before = peak_mb()
    assert before is not None
    np.ones(int((before + 50) * 2**17))  # as many MB of float64, and 50 more, beside what there was
    after = peak_mb()
    assert after is not None
    assert after > before + 40
