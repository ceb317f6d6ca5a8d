"""What was asked, answered and paid, and what may still be charged."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from palate.errors import DataError, PlanError
from palate.text.endpoint.journal import Journal

Limit = Literal["max_tokens", "max_completion_tokens"]
Spare = Literal["temperature", "response_format"]
DIALECTS: tuple[str, ...] = (*get_args(Limit), *get_args(Spare))
"""names in a request that some servers do not take"""


class Unanswered(DataError):
    """One request got no usable answer in all its tries; the message has the last reason. Others may go on."""


class OverBudget(Unanswered):
    """A request that was not begun: its worst case does not fit into what the budget has left."""


@dataclass(frozen=True)
class Dialect:
    """What a server wants otherwise than most: some refuse a request for one name or one setting in it."""

    limit: Limit = "max_tokens"
    """the name of the most tokens of an answer: max_tokens or max_completion_tokens. Where a server passes over the
    one that it does not know, answers have no limit, and may cost more than the worst case that the budget counts"""
    leave_out: tuple[Spare, ...] = ()
    """of temperature and response_format those that are not sent; a temperature is the server's own then"""

    def __post_init__(self) -> None:
        limits, spare = get_args(Limit), get_args(Spare)
        if self.limit not in limits:
            raise PlanError(f"limit name '{self.limit}': expected {' or '.join(limits)}.")
        if odd := [one for one in self.leave_out if one not in spare]:
            raise PlanError(f"'{odd[0]}' cannot be left out: expected {' or '.join(spare)}.")


@dataclass(frozen=True)
class Request:
    """What is asked: messages of (role, content), and how the answer is drawn."""

    messages: tuple[tuple[str, str], ...]
    max_tokens: int = 1024
    temperature: float = 0.0
    as_json: bool = False
    """ask the server for one JSON object (`response_format`)"""

    def body(self, model: str, dialect: Dialect) -> bytes:
        """Return what is sent; its SHA-256 is what the answer is known by."""
        content: dict[str, Any] = {
            "model": model,
            "messages": [{"role": role, "content": content} for role, content in self.messages],
            dialect.limit: self.max_tokens,
            "temperature": self.temperature,
        } | ({"response_format": {"type": "json_object"}} if self.as_json else {})
        told = {name: one for name, one in content.items() if name not in dialect.leave_out}
        return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()

    def most(self) -> tuple[int, int]:
        """Return the most tokens of prompt and answer: no vocabulary makes more tokens of a text than bytes."""
        return sum(len(text.encode()) + 16 for _, text in self.messages) + 128, self.max_tokens


@dataclass(frozen=True)
class Terms:
    """Prices for a million tokens, in any currency, and the most to spend in a folder, all its runs together."""

    prompt_price: float | None = None
    answer_price: float | None = None
    tokens: int | None = None
    money: float | None = None

    def cost(self, prompt: int, answer: int) -> float | None:
        """Return what so many tokens cost, rounded once; None without prices."""
        if self.prompt_price is None or self.answer_price is None:
            return None
        return (prompt * self.prompt_price + answer * self.answer_price) / 1e6

    def allow(self, prompt: int, answer: int) -> bool:
        """Tell whether so many tokens stay within the budget."""
        cost = self.cost(prompt, answer)
        return (self.tokens is None or prompt + answer <= self.tokens) and (
            self.money is None or (cost is not None and cost <= self.money)
        )


@dataclass(frozen=True)
class Answer:
    """One answer that came whole, and its tokens as the server counted them."""

    text: str
    prompt_tokens: int
    answer_tokens: int
    assumed: bool = False
    """the server told no usage: the worst case is counted"""
    cut: bool = False
    """it ended for want of `max_tokens`"""
    id: str = ""
    """the server's own name of it"""


@dataclass(frozen=True)
class Bill:
    """What came and what it cost by the server's own `usage`, all runs in the folder together."""

    answers: int
    prompt_tokens: int
    answer_tokens: int
    money: float | None
    """None without prices; a discount, such as of cached prompts, is not known here"""
    assumed: int
    unsettled: int
    """requests whose answer never came whole (timeout, closed, torn, killed), and refusals such as 400 and 502: they
    may have been charged"""
    unsettled_tokens: int
    """their worst case: not in the figures above, but held against the budget"""
    unsettled_money: float | None

    def words(self) -> str:
        """Say it in one to three sentences."""
        cost = "" if self.money is None else f", {self.money:,.4f} by the prices given"
        said = f"{self.answers:,} answers, {self.prompt_tokens:,} + {self.answer_tokens:,} tokens{cost}."
        if self.assumed:
            said += f" {self.assumed:,} of them told no usage and are counted with their worst case."
        if self.unsettled:
            most = "" if self.unsettled_money is None else f", {self.unsettled_money:,.4f}"
            said += f" {self.unsettled:,} requests without an answer may have been charged too: at most"
            said += f" {self.unsettled_tokens:,} tokens{most}."
        return said


@dataclass(frozen=True)
class Price:
    """What requests cost at most, when each is answered at its first try; nothing is sent to know it."""

    requests: int
    cached: int
    """answered already, so free"""
    prompt_tokens: int
    """likely: a quarter of the bytes, as in English prose"""
    most_tokens: int
    most_money: float | None


class Ledger:
    """What was sent, what came, and what may still come; the answers by the digest of their request."""

    def __init__(self, folder: Path | None, url: str, model: str, terms: Terms) -> None:
        self.terms, self._changed = terms, threading.Condition()
        self.answers: defaultdict[str, list[Answer]] = defaultdict(list)
        self._flying: set[int] = set()
        self._open: dict[int, tuple[int, int]] = {}  # sent, neither answered nor surely free: the worst case
        self._paid = (0, 0)
        self._sent = 0
        path = None if folder is None else folder / "answers.jsonl"
        self.journal = Journal(path, {"palate": "answers 2", "endpoint": url, "model": model})
        for row in self.journal.rows:
            try:
                self._take(**row)
            except (TypeError, ValueError, KeyError):
                self.journal.close()
                raise DataError(
                    f"{path}: {str(row)[:80]} is no line of a ledger. Give another folder."
                ) from None
        self.journal.rows.clear()
        self._earlier = {key: len(many) for key, many in self.answers.items()}

    def known(self, key: str) -> tuple[list[Answer], list[Answer]]:
        """Return the answers to a request: of earlier runs, and of this one."""
        came, earlier = self.answers.get(key, []), self._earlier.get(key, 0)
        return came[:earlier], came[earlier:]

    def _take(self, kind: str, number: int, key: str, **told: Any) -> None:
        if kind == "sent":
            prompts, answers = told["most"]
            self._open[number] = (int(prompts), int(answers))
            self._sent = max(self._sent, number + 1)
            return
        if kind == "answer":
            answer = Answer(**told)
            self._paid = self._paid[0] + answer.prompt_tokens, self._paid[1] + answer.answer_tokens
            self.answers[key].append(answer)
        del self._open[number]

    def _write(self, kind: str, number: int, key: str, **told: Any) -> None:
        """On the disk first, then here: what is known here is never lost."""
        row = {"kind": kind, "number": number, "key": key, **told}
        self.journal.add(row, through=kind == "answer")  # the disk's slow part, for what was paid alone
        self._take(**row)

    def begin(self, key: str, most: tuple[int, int], stopped: Callable[[], bool]) -> int:
        """Note that a request is sent, once its worst case fits; wait where what is in flight may make room."""
        with self._changed:
            while not self.terms.allow(*self._sum([*self._open.values(), most])):
                landed = [one for number, one in self._open.items() if number not in self._flying]
                if not self.terms.allow(*self._sum([*landed, most])):
                    raise OverBudget(
                        f"not asked: with its worst case of {sum(most):,} tokens the budget could be passed."
                        " Raise the budget and run this again; what was answered is kept."
                    )
                self._changed.wait()
            if stopped():
                raise Unanswered("not asked: the job was stopped")
            number = self._sent
            self._write("sent", number, key, most=list(most))
            self._flying.add(number)
            return number

    def end(self, number: int, key: str, answer: Answer | None, *, free: bool = False) -> None:
        """Note what became of a request: an answer, surely nothing (`free`), or nobody knows."""
        with self._changed:
            try:
                if answer is not None:
                    self._write("answer", number, key, **asdict(answer))
                elif free:
                    self._write("free", number, key)
            finally:
                self._flying.discard(number)
                self._changed.notify_all()

    def landed(self, seconds: float) -> bool:
        """Wait until nothing is in flight, at most so long; return whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._flying, seconds)

    def _sum(self, more: Iterable[tuple[int, int]]) -> tuple[int, int]:
        """Return the tokens paid so far and `more`, of prompts and of answers."""
        prompts, answers = zip(self._paid, *more, strict=True)
        return sum(prompts), sum(answers)

    def bill(self) -> Bill:
        """Return what stands in the ledger."""
        with self._changed:
            came = [one for many in self.answers.values() for one in many]
            prompts, answers = self._sum(self._open.values())
            rest = prompts - self._paid[0], answers - self._paid[1]
            cost = self.terms.cost
            assumed = sum(one.assumed for one in came)
            return Bill(
                len(came), *self._paid, cost(*self._paid), assumed, len(self._open), sum(rest), cost(*rest)
            )
