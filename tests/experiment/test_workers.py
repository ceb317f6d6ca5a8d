"""Processes that measure: what they inherit, and what Ctrl-C does while one is started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from palate.experiment import workers


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_while_a_process_is_started_is_heard_right_after():
    reached = []

    def start() -> None:
        with workers._children(threads=1):
            os.kill(os.getpid(), signal.SIGINT)
            reached.append("the end of the block")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        start()
    assert reached
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_processes_that_are_started_are_deaf_to_ctrl_c():
    asks = "import signal, time; time.sleep(1); print(signal.sigpending())"
    with workers._children(threads=1):
        process = subprocess.Popen([sys.executable, "-c", asks], stdout=subprocess.PIPE, text=True)
    process.send_signal(signal.SIGINT)
    assert "SIGINT" in process.communicate(timeout=30)[0]
    assert process.returncode == 0
