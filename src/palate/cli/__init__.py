"""The command line: `palate VERB ...`, one small file per verb.

`console` is what the shell runs. `main` answers `--help` and `--version` from a table, without importing anything
heavy, hands everything else to typer, and turns every way a command can end into one exit code and at most
two lines on stderr (see `palate.cli.endings`).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from palate.cli.endings import STOPPED, ending
from palate.cli.verbs import VERBS, help_page, version
from palate.interrupts import ctrl_c_later

__all__ = ["console", "main"]

_COMPLETION = "_PALATE_COMPLETE"  # set by the shell when it asks what may come next


def console() -> NoReturn:
    """Run `main` as a process of its own."""
    code = main()
    if code == STOPPED:
        # Where Ctrl-C fell into an import, CPython would end by the signal, whatever the code: go at once.
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line on `argv` (default: the process's own arguments) and return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = _take_debug(arguments)
    loud = os.environ.get("PALATE_PROGRESS")
    try:
        return ending(lambda: _answer(arguments), debug=debug)
    finally:  # --quiet is of this call alone
        if loud is None:
            os.environ.pop("PALATE_PROGRESS", None)
        else:
            os.environ["PALATE_PROGRESS"] = loud


def _answer(arguments: list[str]) -> int:
    if _COMPLETION in os.environ:
        from palate.cli.parse import complete

        return complete()
    if not arguments or arguments in (["-h"], ["--help"], ["help"]):
        print(help_page())
        return 0
    if arguments[0] == "--version":
        print(version())
        return 0
    if arguments[0] == "help" and arguments[1] in VERBS:  # `palate help run` is `palate run --help`
        arguments = [*arguments[1:], "--help"]
    if arguments[0] == "text":  # large pages for large tensors: torch reads this at its first
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    from palate.cli.parse import parse_and_run  # typer costs 0.1 s: only when a verb was named

    if "--help" not in arguments:
        with (
            ctrl_c_later()
        ):  # Polars panics where its import is interrupted, and nearly every verb imports it
            import polars  # noqa: F401
    return parse_and_run(arguments)


def _take_debug(arguments: list[str]) -> bool:
    """Take `--debug` out wherever it stands: it is added after a failure, at the end of the line."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    if "--debug" not in arguments[:end]:
        return False
    arguments[:end] = [word for word in arguments[:end] if word != "--debug"]
    return True
