"""What fitting one model of a plan measures, and where it can run."""

from __future__ import annotations

import subprocess
import sys

WITHOUT_RESOURCE = """
import sys
from pathlib import Path
sys.modules["resource"] = None
from palate.experiment import fit
Path.exists = lambda self: False
assert fit.peak_rss_mb() is None
"""


def test_a_system_without_the_resource_module_gives_no_peak_memory() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_RESOURCE], check=True)
