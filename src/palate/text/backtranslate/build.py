"""Documents to examples, one by one: what is done is kept, what fails is named, and the rest goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palate.errors import DataError
from palate.progress import progress
from palate.text.backtranslate.translators import Backtranslator
from palate.text.endpoint import Journal, Unanswered

if TYPE_CHECKING:
    from palate.text.corpus import Document
    from palate.text.suri import Example


@dataclass(frozen=True)
class Failure:
    """A document without an example, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class _Pair:
    main: str
    chosen: tuple[str, ...]
    rejected: tuple[str, ...]


class Build:
    """A job. Loop over it once for its examples, in the order of the documents; the counts are there afterwards."""

    def __init__(
        self, backtranslator: Backtranslator, documents: Sequence[Document], folder: Path | None
    ) -> None:
        self._backtranslator, self._documents, self._folder = backtranslator, documents, folder
        self.kept = 0
        """examples that an earlier run had made"""
        self.made = 0
        """examples that this run made"""
        self.failed: list[Failure] = []

    def __iter__(self) -> Iterator[Example]:
        path = None if self._folder is None else self._folder / "pairs.jsonl"
        journal = Journal(path, {"palate": "backtranslation 1", "by": self._backtranslator.name})
        try:
            known = {str(row.get("document")): _pair(row, path) for row in journal.rows}
            journal.rows.clear()
            yield from self._examples(journal, known)
        finally:
            journal.close()

    def _examples(self, journal: Journal, known: dict[str, _Pair]) -> Iterator[Example]:
        def work(document: Document) -> _Pair:
            return known.get(_digest(document)) or self._pair(document)

        with progress("Back-translating", total=len(self._documents), unit="documents") as advance:
            pairs = self._backtranslator.map(work, self._documents)
            for document, pair in zip(self._documents, pairs, strict=True):
                if isinstance(pair, Unanswered):
                    self.failed.append(Failure(document.id, str(pair)))
                else:
                    digest = _digest(document)
                    if digest in known:
                        self.kept += 1
                    else:
                        journal.add(
                            {
                                "document": digest,
                                "main": pair.main,
                                "chosen": pair.chosen,
                                "rejected": pair.rejected,
                            }
                        )
                        self.made += 1
                    yield _example(document, pair)
                advance(1, f"{len(self.failed)} failed" if self.failed else "")

    def _pair(self, document: Document) -> _Pair:
        instruction = self._backtranslator.instruction(document.text)
        return _Pair(instruction.main, instruction.constraints, self._backtranslator.violated(instruction))

    def words(self) -> str:
        """Say how it went, in a sentence."""
        said = f"{self.made + self.kept:,} of {len(self._documents):,} documents back-translated"
        said += f" ({self.kept:,} of them before)" if self.kept else ""
        return said + (f"; {len(self.failed):,} failed." if self.failed else ".")


def build_with(backtranslator: Backtranslator, documents: Sequence[Document], folder: Path | None) -> Build:
    """Return the job of back-translating documents; looping over it yields Suri examples and does the work.

    What is made stands in `pairs.jsonl` in `folder` before it is yielded, so a job that was stopped or killed goes on
    there. A document that fails is named in `failed`, with its reason, and asked anew in the next run. On Ctrl-C, or
    where the loop is left, nothing more is asked.

    Raises, while it is looped over:
        PlanError: the folder holds the work of another back-translator.
        FetchError: the endpoint cannot be used at all.
        DataError: the folder cannot be used, or the disk is full.
    """
    return Build(backtranslator, documents, folder)


def _digest(document: Document) -> str:
    return hashlib.sha256(document.text.encode()).hexdigest()


def _pair(row: dict[str, Any], path: Path | None) -> _Pair:
    main, chosen, rejected = (row.get(name) for name in ("main", "chosen", "rejected"))
    texts = [main, *chosen, *rejected] if isinstance(chosen, list) and isinstance(rejected, list) else [None]
    if not all(isinstance(one, str) for one in texts) or len(chosen or ()) != len(rejected or ()):
        raise DataError(f"{path}: {str(row)[:80]} is no pair. Take that line out, or give another folder.")
    return _Pair(str(main), tuple(chosen or ()), tuple(rejected or ()))


def _example(document: Document, pair: _Pair) -> Example:
    """Return the row: no rule proves these constraints, so their kind is empty, as in the published set."""
    from palate.text.constraints.kind import Constraint
    from palate.text.constraints.pairing import Contrast
    from palate.text.suri import Example

    contrasts = [
        Contrast(Constraint("", "", "", {}, chosen), Constraint("", "", "", {}, rejected))
        for chosen, rejected in zip(pair.chosen, pair.rejected, strict=True)
    ]
    return Example.of(document, goal=pair.main, contrasts=contrasts)
