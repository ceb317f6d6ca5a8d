"""Texts judged, constraint by constraint, and what the verdicts are worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from palate.errors import PlanError
from palate.progress import progress
from palate.text.annotate import LABELS, Item, Label
from palate.text.endpoint import Bill, Endpoint, Price
from palate.text.judge.agreement import Agreement, agreement
from palate.text.judge.questions import orders, question, read_choice, read_verdict, requests, stands

UNCALIBRATED = "uncalibrated"


@dataclass(frozen=True)
class Verdict:
    """What the judge says of one constraint of one text."""

    id: str
    constraint: int
    label: str
    reason: str
    quote: str
    void: bool = False
    """the quote does not stand in the text, so the label counts for nothing"""


@dataclass(frozen=True)
class Choice:
    """Which instruction the judge takes for a text's own: the right one in both orders, the other, or now this one."""

    id: str
    outcome: str
    """win, loss or split"""


@dataclass(frozen=True)
class Report:
    """All verdicts, and what they are worth: `calibration` is never empty."""

    model: str
    verdicts: tuple[Verdict, ...]
    choices: tuple[Choice, ...]
    failed: tuple[tuple[str, str], ...]
    """(what, why) of questions without a usable answer"""
    calibration: Agreement | str
    """agreement with people, or the word "uncalibrated\""""
    bill: Bill

    def counts(self) -> dict[str, int]:
        """Return how many verdicts there are of each label, and how many void."""
        found = Counter("void" if one.void else one.label for one in self.verdicts)
        return {name: found[name] for name in (*LABELS, "void")}

    def satisfied(self) -> float | None:
        """Return the share of Yes among verdicts that count; None where none does."""
        counts = self.counts()
        valid = sum(counts[name] for name in LABELS)
        return counts["Yes"] / valid if valid else None

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        choices = Counter(one.outcome for one in self.choices)
        return {
            "model": self.model,
            "calibration": asdict(self.calibration)
            if isinstance(self.calibration, Agreement)
            else UNCALIBRATED,
            "verdicts": self.counts(),
            "satisfied": self.satisfied(),
            "pairs": {name: choices[name] for name in ("win", "loss", "split")} if self.choices else None,
            "failed": [{"what": what, "why": why} for what, why in self.failed],
            "bill": asdict(self.bill),
        }

    def words(self) -> str:
        """Say the outcome and, always, what it is worth."""
        if isinstance(self.calibration, Agreement):
            worth = self.calibration.words()
        else:
            worth = (
                f"{UNCALIBRATED}: no people's labels stand beside these, so they say what {self.model} thinks, and not"
                " what is so."
            )
        share = self.satisfied()
        return f"{'no verdict counts' if share is None else f'{share:.0%} satisfied'}; {worth}"


class Judge:
    """A model behind an address, asked about one thing at a time."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Ask `endpoint`, which bounds threads, tokens and money and keeps every answer."""
        self._endpoint = endpoint

    def verdict(self, item: Item, place: int) -> Verdict:
        """Return whether the text meets its constraint at `place`. Raises Unanswered where the model fails."""
        label, reason, quote = self._endpoint.ask(question(item, place), read_verdict)
        void = not (stands(quote, item.text) or (label == "No" and not quote.strip()))
        return Verdict(item.id, place, label, reason, quote, void)

    def choice(self, item: Item) -> Choice:
        """Return which instruction the model takes for the text's own. Raises Unanswered where the model fails."""
        right = [
            self._endpoint.ask(one, read_choice) == place for place, one in enumerate(orders(item), start=1)
        ]
        return Choice(item.id, "win" if all(right) else "split" if any(right) else "loss")

    def price(self, items: Iterable[Item], *, pairs: bool = False) -> Price:
        """Return what is still to be paid for the items at most, bad answers apart. Nothing is sent."""
        return self._endpoint.price(asked for one in items for asked in requests(one, pairs=pairs))

    def judge(self, items: Sequence[Item], *, labels: Sequence[Label] = (), pairs: bool = False) -> Report:
        """Judge every constraint of every item and, for `pairs`, right against violated instructions.

        Raises PlanError where pairs are asked for and no item has one.
        """
        if pairs and not any(one.corrupted for one in items):
            raise PlanError(
                "pairs need violated constraints, and no row has cons_rejected. Leave the pairs out."
            )
        tasks: list[tuple[str, Callable[[], Verdict | Choice]]] = []
        for one in items:
            tasks += [
                (f"{one.id}, constraint {n}", partial(self.verdict, one, n))
                for n in range(len(one.constraints))
            ]
            if pairs and one.corrupted:
                tasks.append((f"{one.id}, pair", partial(self.choice, one)))
        verdicts: list[Verdict] = []
        choices: list[Choice] = []
        failed: list[tuple[str, str]] = []
        with progress("Judging", total=len(tasks), unit="questions") as advance:
            done = self._endpoint.map(lambda task: task[1](), tasks)
            for (what, _), made in zip(tasks, done, strict=True):
                if isinstance(made, Verdict):
                    verdicts.append(made)
                elif isinstance(made, Choice):
                    choices.append(made)
                else:
                    failed.append((what, str(made)))
                advance(1, f"{len(failed)} failed" if failed else "")
        said = {(one.id, one.constraint): one.label for one in verdicts if not one.void}
        calibration = agreement(said, labels) or UNCALIBRATED
        return Report(
            self._endpoint.model,
            tuple(verdicts),
            tuple(choices),
            tuple(failed),
            calibration,
            self._endpoint.bill(),
        )
