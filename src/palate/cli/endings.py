"""Every way a command can end: one exit code, and at most two lines on stderr.

```
0    done
1    something Palate did not expect, or a full disk; with --debug, the traceback
2    a plan, a parameter or the command line is wrong
3    the data: a missing file, a wrong column, a bad row, a split that leaves nothing, no network
4    the model was asked for what it cannot give: an unknown user or item, a verb it does not have
5    a saved model is torn, altered or of another version
6    an optional package is missing
130  stopped by Ctrl-C
141  whoever read the output went away (`palate ... | head`)
```
"""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Callable

from palate.cli.style import bold
from palate.errors import PalateError

FAILED, MISUSED, BAD_DATA, STOPPED, READER_GONE = 1, 2, 3, 130, 141


def ending(command: Callable[[], int], *, debug: bool = False) -> int:
    """Run the command; return its exit code, having said in one or two lines why it is not 0."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code = command()
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as stop:
        say("\n".join(["stopped; nothing was left half written", *getattr(stop, "__notes__", [])]))
        return STOPPED
    except BrokenPipeError:
        # What Python still holds for stdout would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except PalateError as error:
        return _failed(error, str(error), error.exit_code, debug)
    except OSError as error:
        return _failed(error, _system_message(error), _system_code(error), debug)
    except MemoryError as error:
        return _failed(error, _memory_message(), FAILED, debug)
    except Exception as error:
        first = str(error).partition("\n")[0]
        message = f"{type(error).__name__}: {first}\nThis is a fault in Palate; --debug shows where."
        return _failed(error, message, FAILED, debug)


def say(message: str) -> None:
    """Write `palate: message` on stderr, first line marked."""
    try:
        print(f"{bold('palate:', sys.stderr)} {message}", file=sys.stderr, flush=True)
    except BrokenPipeError:
        return


def _failed(error: BaseException, message: str, code: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    say(message)
    return code


def _system_message(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno == errno.ENOSPC:
        return (
            f"{where}the disk is full; nothing was left half written. Free some space, or give another --out."
        )
    if error.errno == errno.ENOENT:
        return f"{where}no such file or folder."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{where}no permission to read or write it."
    return f"{where}{error.strerror or error}"


def _system_code(error: OSError) -> int:
    missing = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EEXIST)
    return BAD_DATA if error.errno in missing else FAILED


def _memory_message() -> str:
    return "not enough memory. Raise --min-user and --min-item, or give sar the parameter neighbours."


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    say(f"warning: {message}")
