"""`trials.jsonl`: what each trial gave, written as soon as it is known, so that a stopped study goes on.

A trial that ended for want of memory or seconds is written, and not found again: its next run may end otherwise.
The first line says what was asked (data, split, evaluation); a study of something else in the same folder is refused.
Only one process writes, whole lines at a time; a last line that was torn by a full disk or a kill is dropped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from pydantic import ValidationError

from palate.atomic import lock
from palate.errors import DataError, PlanError
from palate.evaluation.study import Trial
from palate.experiment.settings import plain

FORMAT = 1


class Journal:
    """Trials by what they fitted: a model's name with all its parameters."""

    def __init__(
        self,
        folder: Path | None,
        question: dict[str, Any],
        *,
        fresh: bool = False,
        outdated: Sequence[str] = (),
    ) -> None:
        """Open the journal of a folder, or make it; without a folder nothing is kept.

        `fresh` drops the trials that are there; files named in `outdated` go too, once the folder is this study's.

        Raises PlanError where the folder holds a study of another `question`, DataError where it cannot be used.
        """
        self._known: dict[str, Trial] = {}
        self._file: TextIO | None = None
        self.found = 0
        """trials that were there already"""
        if folder is None:
            return
        try:
            self._open(folder, {"trials": FORMAT, **plain(question)}, fresh)
            for name in outdated:
                (folder / name).unlink(missing_ok=True)
        except OSError as error:
            self.close()
            raise DataError(
                f"{folder}: cannot be written ({error.strerror}). Give another folder: --out FOLDER."
            ) from None
        except BaseException:
            self.close()
            raise
        self.found = len(self._known)

    def _open(self, folder: Path, question: dict[str, Any], fresh: bool) -> None:
        path = folder / "trials.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        lock(self._file, folder)
        whole = 0 if fresh else self._read(path, question)
        self._file.truncate(whole)
        if not whole:
            self._write(question)

    def find(self, name: str, params: dict[str, Any]) -> Trial | None:
        """Return what a model with these parameters gave, where that is known."""
        return self._known.get(key(name, params))

    def add(self, name: str, params: dict[str, Any], trial: Trial) -> None:
        """Keep a trial; it is on the disk when this returns."""
        if not trial.transient:
            self._known[key(name, params)] = trial
        if self._file is not None:
            self._write({"key": key(name, params), **trial.model_dump(mode="json")})

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        assert self._file is not None
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self, path: Path, question: dict[str, Any]) -> int:
        """Read what is there; return how many bytes of it are whole lines."""
        content = path.read_bytes() if path.exists() else b""
        whole = content.rfind(b"\n") + 1
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                row = json.loads(line)
                if number == 1:
                    _check(row, question, path)
                    continue
                trial = Trial.model_validate(row)
                if not trial.transient:
                    self._known[row["key"]] = trial
            except (ValueError, KeyError, ValidationError, AttributeError):
                raise DataError(
                    f"{path}: line {number} is not what `palate tune` writes. Take it out, or start anew: --fresh."
                ) from None
        return whole


def key(name: str, params: dict[str, Any]) -> str:
    """Return what a model with its parameters is known by, 24 hexadecimal digits."""
    content = json.dumps([name, plain(params)], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:24]


def _check(found: Any, asked: dict[str, Any], path: Path) -> None:
    if not isinstance(found, dict) or "trials" not in found:
        raise ValueError
    for part, value in asked.items():
        if found.get(part) != value:
            raise PlanError(
                f"{path.parent} holds a study of another question ({part}: {_short(found.get(part))}, here "
                f"{_short(value)}). Give another folder (--out), or drop that study: --fresh."
            )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."
