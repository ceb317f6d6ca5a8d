"""Two back-translators behind one protocol: a model behind an address, and a model on this machine."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from palate.errors import DataError, NotSupported
from palate.text.backtranslate.prompts import DRAFT_TOKENS, Instruction, Messages, Task, draft, violation
from palate.text.endpoint import Endpoint, Price, Request, Unanswered

SMALLEST = 3e9
"""Parameters below which a local model is refused: smaller ones do not follow these prompts"""

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


class Document(Protocol):
    """A text to back-translate."""

    @property
    def text(self) -> str:
        """The whole text."""


class Backtranslator(Protocol):
    """Whatever makes an instruction of a document, and violates an instruction."""

    @property
    def name(self) -> str:
        """What its work is known by: another name, another instruction."""

    def instruction(self, document: str) -> Instruction:
        """Return a main goal and constraints that the document meets. Raises Unanswered where it cannot."""

    def violated(self, instruction: Instruction) -> tuple[str, ...]:
        """Return the constraints minimally violated, in their order. Raises Unanswered where it cannot."""

    def map(self, work: Callable[[_Item], _Made], items: Iterable[_Item]) -> Iterator[_Made | Unanswered]:
        """Do `work` on every item, in order, as many at a time as it can bear."""


class _Prompted(ABC):
    """What both back-translators share: the prompts, the checks, and the one complaint."""

    def __init__(self, constraints: int) -> None:
        self._count = constraints

    @abstractmethod
    def _ask(self, messages: Messages, most: int, read: Callable[[str], _Made]) -> _Made:
        """Return what `read` makes of the model's answer, of `most` tokens at most.

        For a ValueError of `read` it may ask again; an Unanswered of it is the end in this run.
        """

    def instruction(self, document: str) -> Instruction:
        """Return a main goal and constraints that the document meets. Raises Unanswered where the model fails."""
        return self._solve(draft(document, self._count))

    def violated(self, instruction: Instruction) -> tuple[str, ...]:
        """Return the constraints minimally violated, in their order. Raises Unanswered where the model fails."""
        return tuple(new for _, new in self._solve(violation(instruction)))

    def _solve(self, task: Task[_Made]) -> _Made:
        """Ask; where the answer falls short say so and ask once more."""
        made = self._ask(task.messages, task.most, task.read)
        if not (said := task.complain(made)):
            return made

        def mended(answer: str) -> _Made:
            made = task.read(answer)
            if said := task.complain(made):
                raise Unanswered(f"the answer falls short, also after a complaint: {said[0]}")
            return made

        # What falls short here is refused, and not taken, so that a next run asks for it again.
        return self._ask(task.again(made, said), task.most, mended)


class EndpointBacktranslator(_Prompted):
    """Back-translation by a model behind an OpenAI-compatible address."""

    def __init__(self, endpoint: Endpoint, *, constraints: int = 10, temperature: float = 0.7) -> None:
        """Ask `endpoint` for about so many constraints; it bounds threads, tokens and money."""
        super().__init__(constraints)
        self._endpoint, self._temperature = endpoint, temperature

    def map(self, work: Callable[[_Item], _Made], items: Iterable[_Item]) -> Iterator[_Made | Unanswered]:
        """Do `work` on the items, as many at a time as the endpoint bears."""
        return self._endpoint.map(work, items)

    @property
    def name(self) -> str:
        """The model and what it is asked for."""
        sent = "temperature" not in self._endpoint.dialect.leave_out
        temperature = f"temperature {self._temperature:g}" if sent else "the server's own temperature"
        return f"{self._endpoint.model}, {self._count} constraints, {temperature}"

    def price(self, documents: Iterable[Document]) -> Price:
        """Return what is still to be paid for the documents at most, bad answers and complaints apart; sends nothing.

        Where a first answer is not there yet, its second question is priced with the longest there may be.
        """
        rehearsal = _Rehearsal(self)
        for place, document in enumerate(documents):
            longest = Instruction(f"{place}".ljust(DRAFT_TOKENS, "x"), ())  # a byte a token
            with contextlib.suppress(Unanswered):
                longest = rehearsal.instruction(document.text)
            with contextlib.suppress(Unanswered):
                rehearsal.violated(longest)
        return self._endpoint.price(rehearsal.asked)

    def _request(self, messages: Messages, most: int) -> Request:
        return Request(messages, max_tokens=most, temperature=self._temperature, as_json=True)

    def _ask(self, messages: Messages, most: int, read: Callable[[str], _Made]) -> _Made:
        return self._endpoint.ask(self._request(messages, most), read)


class _Rehearsal(EndpointBacktranslator):
    """The same with the answers that the ledger has; it notes every request and sends none."""

    def __init__(self, planned: EndpointBacktranslator) -> None:
        super().__init__(planned._endpoint, constraints=planned._count, temperature=planned._temperature)
        self.asked: list[tuple[Request, Callable[[str], object]]] = []

    def _ask(self, messages: Messages, most: int, read: Callable[[str], _Made]) -> _Made:
        request = self._request(messages, most)
        self.asked.append((request, read))
        return self._endpoint.recall(request, read)


class Model(Protocol):
    """A language model on this machine."""

    @property
    def parameters(self) -> int:
        """How many numbers it has learned."""

    def generate(self, prompt: str, max_tokens: int) -> str:
        """Return what it says after the prompt. Raises DataError for one that it cannot read, as for a long one."""


class LocalBacktranslator(_Prompted):
    """Back-translation by a model on this machine, one document at a time."""

    def __init__(
        self, model: Model, *, name: str = "local", constraints: int = 10, smallest: float = SMALLEST
    ) -> None:
        """Take the model. Raises NotSupported for one of fewer than `smallest` parameters."""
        if model.parameters < smallest:
            raise NotSupported(
                f"the model has {model.parameters:,} parameters, and below {smallest:,.0f} models do not follow the"
                " prompts of back-translation. Take a larger one, an endpoint, or the back-translator `rules`."
            )
        super().__init__(constraints)
        self._model, self._name = model, name

    @property
    def name(self) -> str:
        """The model and what it is asked for."""
        return f"{self._name}, {self._model.parameters} parameters, {self._count} constraints"

    def map(self, work: Callable[[_Item], _Made], items: Iterable[_Item]) -> Iterator[_Made | Unanswered]:
        """Do `work` on one item after the other; an item that fails is yielded as its Unanswered."""
        for item in items:
            try:
                yield work(item)
            except Unanswered as failed:
                yield failed
            except DataError as failed:  # the model cannot read this one: its length, a mark in it
                yield Unanswered(str(failed))

    def _ask(self, messages: Messages, most: int, read: Callable[[str], _Made]) -> _Made:
        prompt = "\n\n".join(content for _, content in messages)
        try:
            return read(self._model.generate(prompt, most))
        except ValueError as error:
            prompt = f"{prompt}\n\nThe last answer was of no use: {error}. Answer with the JSON object alone."
        try:
            return read(self._model.generate(prompt, most))
        except ValueError as error:
            raise Unanswered(f"no usable answer in 2 tries; the last: {error}") from None
