"""How text is shown: bold and faint where a terminal has them, plain elsewhere (`NO_COLOR`, pipes, files)."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TextIO


def is_terminal(stream: TextIO) -> bool:
    """Return whether somebody watches the stream (`TERM=dumb` counts as nobody)."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def has_colour(stream: TextIO) -> bool:
    """Return whether the stream may carry escape codes; https://no-color.org is respected."""
    return not os.environ.get("NO_COLOR") and is_terminal(stream)


def bold(text: str, stream: TextIO | None = None) -> str:
    """Return the text in bold where the stream (default: stdout) may carry it."""
    return _coded(text, "1", stream)


def faint(text: str, stream: TextIO | None = None) -> str:
    """Return the text in faint where the stream (default: stdout) may carry it."""
    return _coded(text, "2", stream)


def program() -> str:
    """Return how this program is called here: `palate`, or its path where the shell would not find it."""
    from shutil import which

    called = Path(sys.argv[0])
    if called.name != "palate" or which("palate"):
        return "palate"
    return str(called)


def _coded(text: str, code: str, stream: TextIO | None) -> str:
    return f"\033[{code}m{text}\033[0m" if has_colour(stream or sys.stdout) else text
