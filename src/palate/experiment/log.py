"""`log.jsonl`: what a run did and when, one JSON object a line, written as it happens."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any


def now() -> str:
    """Return the time with its zone, in seconds, as ISO text."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


class Log:
    """Appends events to a file; without a file it only tells the listener."""

    def __init__(self, path: Path | None, listener: object = None) -> None:
        self._file = path.open("w", encoding="utf-8") if path else None
        self._listener = listener if callable(listener) else None

    def __call__(self, event: str, **facts: Any) -> None:
        """Write an event with its facts; a step also reaches the listener, in words."""
        if self._file is not None:
            self._file.write(json.dumps({"time": now(), "event": event, **facts}, default=str) + "\n")
            self._file.flush()
        if self._listener is not None and event == "step":
            self._listener(facts["words"])

    def step(self, words: str) -> None:
        """Say what is being done now."""
        self("step", words=words)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
