"""Every way to end has its exit code and at most two lines; a traceback only when asked."""

from __future__ import annotations

import errno
import subprocess
import sys
import warnings
from collections.abc import Callable

import pytest

from palate import errors
from palate.cli.endings import ending


def failing(error: BaseException) -> Callable[[], int]:
    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.PlanError("a"), 2),
        (errors.DataError("a"), 3),
        (errors.FetchError("a"), 3),
        (errors.SplitError("a"), 3),
        (errors.UnknownId("a"), 4),
        (errors.NotSupported("a"), 4),
        (errors.SavedModelError("a"), 5),
        (errors.MissingExtra("a"), 6),
        (FileNotFoundError(errno.ENOENT, "No such file", "a.csv"), 3),
        (PermissionError(errno.EACCES, "Permission denied", "a.csv"), 3),
        (OSError(errno.ENOSPC, "No space left on device", "a"), 1),
        (OSError(errno.EIO, "Input/output error"), 1),
        (MemoryError(), 1),
        (KeyError("a"), 1),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_exit_codes_and_messages(capsys: pytest.CaptureFixture[str], error: BaseException, code: int):
    assert ending(failing(error)) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("palate: ")
    assert 1 <= len(said.err.splitlines()) <= 2
    assert "Traceback" not in said.err


def test_a_full_disk_says_so(capsys: pytest.CaptureFixture[str]):
    ending(failing(OSError(errno.ENOSPC, "No space left on device", "models/sar")))
    assert "models/sar: the disk is full" in capsys.readouterr().err


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]):
    assert ending(failing(errors.DataError("a")), debug=True) == 3
    assert "Traceback" in capsys.readouterr().err


def test_a_warning_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]):
    def command() -> int:
        warnings.simplefilter("always")
        warnings.warn("3 rows left out", errors.PalateWarning, stacklevel=1)
        return 0

    assert ending(command) == 0
    assert capsys.readouterr().err == "palate: warning: 3 rows left out\n"


def test_whoever_stops_reading_is_not_told_off():
    """`palate ... | head -1`: the reader goes away in the middle of a long answer."""
    talk = "lambda: print('x\\n' * 999999) or 0"
    code = f"import sys; from palate.cli.endings import ending; sys.exit(ending({talk}))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
    assert said == b""
