"""Pairs of texts to pairs of tokens. What is too long is refused, cut at a sentence or left out, never silently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from palate.errors import DataError, PlanError, listing
from palate.text.align.training import Training
from palate.text.language_model import LanguageModel


@dataclass(frozen=True)
class Pair:
    """What was preferred, and what was not: of I-ORPO one answer under two prompts, else two answers under one."""

    prompt: str
    answer: str
    rejected_prompt: str
    rejected_answer: str
    source: str = ""


@dataclass(frozen=True)
class Side:
    """A prompt and its answer, in tokens."""

    prompt: list[int]
    answer: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def token_pairs(
    model: LanguageModel, pairs: Sequence[Pair], training: Training, what: str
) -> tuple[list[tuple[Side, Side]], list[str]]:
    """Return the pairs' tokens, and notes of what was cut or left out. `what` a pair is called in a message."""
    longest = training.max_tokens or model.context
    if longest > model.context:
        raise PlanError(
            f"max_tokens = {longest:,}, and {model.name} reads {model.context:,}: lower max_tokens."
        )
    rows, long, cut = [], [], 0
    for place, pair in enumerate(pairs, start=1):
        if training.method != "sft" and (pair.prompt, pair.answer) == (
            pair.rejected_prompt,
            pair.rejected_answer,
        ):
            raise DataError(
                f"{what} {place}: both sides are the same, so there is nothing to prefer. Leave it out."
            )
        sides = []
        for prompt, answer in ((pair.prompt, pair.answer), (pair.rejected_prompt, pair.rejected_answer)):
            if not prompt.strip() or not answer.strip():
                raise DataError(f"{what} {place}: its prompt or its answer is empty.")
            sides.append(Side(model.prompt(prompt), model.response(answer)))
        w, l = sides  # noqa: E741
        if training.method == "sft":
            l = w  # noqa: E741 - the other side is not read
        if max(len(w), len(l)) > longest:
            long.append(place)
            if training.too_long == "drop":
                continue
            if training.too_long == "cut":
                room = longest - max(len(w.prompt), len(l.prompt))
                w = Side(w.prompt, model.beginning(pair.answer, room))
                l = Side(l.prompt, model.beginning(pair.rejected_answer, room))  # noqa: E741
                if not w.answer or not l.answer:
                    raise DataError(
                        f"{what} {place}: beside its prompt of {len(w.prompt):,} tokens no sentence of the answer "
                        f"fits into {longest:,}. Raise max_tokens, or set too_long = drop."
                    )
                cut += 1
        rows.append((w, l))
    if long and training.too_long == "refuse":
        raise DataError(
            f"{len(long):,} of {len(pairs):,} {what}s are longer than {longest:,} tokens (the first: "
            f"{listing(long)}). Set too_long = cut (at a sentence) or drop, or raise max_tokens."
        )
    notes = []
    if cut:
        notes.append(f"{cut:,} of {len(pairs):,} {what}s were cut at a sentence to {longest:,} tokens.")
    if dropped := len(pairs) - len(rows):
        notes.append(
            f"{dropped:,} of {len(pairs):,} {what}s are longer than {longest:,} tokens and were left out."
        )
    return rows, notes
