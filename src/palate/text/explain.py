"""What a language model says of every token of a text: its loss, taken apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from palate.errors import PlanError
from palate.text.crossentropy import STEP, Losses, bits_per_byte, from_logits, joined, perplexity
from palate.text.language_model import LanguageModel
from palate.text.pieces import Piece, begins, pieces, runner, token_bytes

_BUFFER = 2**25
"""Bytes of the float64 logits that are looked at together."""


@dataclass(frozen=True)
class Runner:
    """A token that the model held likely."""

    piece: str
    note: str
    id: int
    p: float
    came: bool
    """whether it is the token that came"""

    @property
    def gradient(self) -> float:
        """The loss's derivative by its logit, p - y."""
        return self.p - self.came


@dataclass(frozen=True)
class Token:
    """A token, and what its coming cost."""

    piece: str
    """the whole characters that it belongs to"""
    note: str
    """which bytes of them it is, where it is a part"""
    id: int
    p: float
    rank: int
    nats: float
    bits: float
    gradient: float
    """the loss's derivative by its own logit, p - 1"""
    gradient_norm: float
    """of the whole gradient p - y"""
    stepped: float
    """the loss after a step of `STEP` down that gradient, in nats"""
    entropy: float
    """the loss that the model expected here, in nats"""
    runners: tuple[Runner, ...]
    """the most likely tokens, most likely first"""

    @property
    def first(self) -> bool:
        """Whether it is whole, or begins its characters: those are then to be shown once."""
        return begins(self.note)


@dataclass(frozen=True)
class Part:
    """A run of tokens, summed up."""

    tokens: int
    nats: float
    """sum of the losses"""
    share: float
    """of the losses of prompt and answer together"""


@dataclass(frozen=True)
class Explanation:
    """A text's loss."""

    model: str
    """its name"""
    conventions: str
    """how prompt and text became tokens"""
    first: str
    """the token that everything begins with: it comes after nothing, and so has no loss"""
    prompt: tuple[Token, ...]
    """what else stands before the text"""
    tokens: tuple[Token, ...]
    """what the loss is of"""
    n_bytes: int
    """of the text of `tokens`, in UTF-8"""

    @property
    def nats(self) -> float:
        """Sum of the losses."""
        return math.fsum(one.nats for one in self.tokens)

    @property
    def loss(self) -> float:
        """Mean loss of a token, in nats."""
        return self.nats / len(self.tokens)

    @property
    def perplexity(self) -> float:
        """Exp of the loss."""
        return perplexity(self.loss)

    @property
    def bits_per_byte(self) -> float:
        """Loss of a byte, in bits."""
        return bits_per_byte(self.nats, self.n_bytes)

    @property
    def parts(self) -> dict[str, Part]:
        """The prompt, where there is one, and the answer."""
        sums = {"prompt": self.prompt, "response": self.tokens}
        nats = {name: math.fsum(one.nats for one in part) for name, part in sums.items()}
        whole = sum(nats.values())
        return {
            name: Part(len(part), nats[name], nats[name] / whole if whole else 0.0)
            for name, part in sums.items()
            if part
        }

    def as_dict(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        return {
            "model": self.model,
            "conventions": self.conventions,
            "loss": self.loss,
            "perplexity": self.perplexity,
            "bits_per_byte": self.bits_per_byte,
            "nats": self.nats,
            "bytes": self.n_bytes,
            "step": STEP,
            "first": self.first,
            "parts": {name: asdict(part) for name, part in self.parts.items()},
            "prompt": [_as_dict(one) for one in self.prompt],
            "tokens": [_as_dict(one) for one in self.tokens],
        }


def explain_loss(
    model: LanguageModel,
    text: str,
    prompt: str = "",
    *,
    chat: bool = False,
    ended: bool = False,
    shown: int = 5,
) -> Explanation:
    """Return what the model says of every token of `text` after `prompt`.

    Args:
        model: any.
        text: what came. Without a prompt, and where the tokenizer begins no text, its first token has no loss.
        prompt: what stood before it.
        chat: the prompt is a request, in the tokenizer's chat template; else it stands as it is.
        ended: the token that ends an answer counts too.
        shown: how many likely tokens are told at each place.

    Raises PlanError for an empty text, or one that is longer than the model's context.

    """
    before = model.prompt(prompt) if chat else [*model.begin(), *model.text(prompt)]
    came, n_bytes = model.text(text), len(text.encode())
    if not came:
        raise PlanError("the text is empty: there is no token to have a loss. Give some text.")
    if not before:
        before, came = came[:1], came[1:]
        if not came:
            raise PlanError(
                f"{text!r} is one token, and nothing stands before it: give a prompt, or a longer text. "
                f"({model.name}: no token begins a text.)"
            )
        n_bytes -= len(token_bytes(model.tokenizer)(before[0]))
    ids = [*before, *came, *([model.end] if ended else [])]
    if len(ids) > model.context:
        raise PlanError(
            f"prompt and text are {len(ids):,} tokens, and {model.name} reads {model.context:,}: shorten them."
        )
    losses = joined(list(_losses(model, ids, shown)))  # of ids[1:]
    shown_as = pieces(model.tokenizer, ids)
    told = _tokens(model, ids, losses, shown_as[1:])
    at = len(before) - 1
    return Explanation(
        model.name,
        model.conventions(ended=ended) if chat else plain_conventions(model, ended=ended),
        shown_as[0].text,
        tuple(told[:at]),
        tuple(told[at:]),
        n_bytes,
    )


def next_token(model: LanguageModel, text: str, *, chat: bool = False, shown: int = 10) -> list[Runner]:
    """Return the most likely tokens after a text, most likely first."""
    ids = model.prompt(text) if chat else [*model.begin(), *model.text(text)]
    if not ids:
        raise PlanError("the text is empty: there is nothing for a token to come after. Give some text.")
    if len(ids) > model.context:
        raise PlanError(
            f"the text is {len(ids):,} tokens, and {model.name} reads {model.context:,}: shorten it."
        )
    last = next(_logits(model, ids, slice(len(ids) - 1, len(ids))))
    losses = from_logits(last, [0], shown=shown)
    return _runners(model, ids, losses, 0, came=None)


def _losses(model: LanguageModel, ids: Sequence[int], shown: int) -> Iterator[Losses]:
    """Yield the losses of all tokens but the first, a few at a time."""
    at = 1
    for logits in _logits(model, ids, slice(0, len(ids) - 1)):
        yield from_logits(logits, ids[at : at + len(logits)], shown=shown)
        at += len(logits)


def _logits(model: LanguageModel, ids: Sequence[int], places: slice) -> Iterator[np.ndarray[Any, Any]]:
    """Yield the logits after each of the places, (few, vocabulary)."""
    import torch

    from palate.text.logprob import head_of, hidden_states

    with torch.inference_mode():
        device = next(model.network.parameters()).device
        states = hidden_states(model.network, torch.tensor([list(ids)], device=device))[0, places]
        head = head_of(model.network)
        few = max(1, _BUFFER // (8 * len(head.weight)))
        for some in torch.split(states, few):
            yield head.logits(some).cpu().double().numpy()


def _tokens(model: LanguageModel, ids: Sequence[int], losses: Losses, shown: Sequence[Piece]) -> list[Token]:
    return [
        Token(
            piece.text,
            piece.note,
            int(token),
            float(losses.p[place]),
            int(losses.rank[place]),
            float(losses.nats[place]),
            float(losses.bits[place]),
            float(losses.p[place] - 1),
            float(losses.gradient_norm[place]),
            float(losses.stepped[place]),
            float(losses.entropy[place]),
            tuple(_runners(model, ids[: place + 1], losses, place, came=token)),
        )
        for place, (piece, token) in enumerate(zip(shown, ids[1:], strict=True))
    ]


def _runners(
    model: LanguageModel, before: Sequence[int], losses: Losses, place: int, *, came: int | None
) -> list[Runner]:
    told = []
    for token, p in zip(losses.runners[place].tolist(), losses.runners_p[place].tolist(), strict=True):
        piece = runner(model.tokenizer, before, token)
        told.append(Runner(piece.text, piece.note, token, p, token == came))
    return told


def _as_dict(token: Token) -> dict[str, Any]:
    told = asdict(token)
    for one, about in zip(token.runners, told["runners"], strict=True):
        about["gradient"] = one.gradient
    return told


def plain_conventions(model: LanguageModel, *, ended: bool) -> str:
    """Say how a text that is no request becomes tokens; `ended`: the token that ends an answer counts."""
    begin = "a token begins the text (BOS)" if model.begin() else "no token begins the text (BOS)"
    end = model.end_mark if ended else "no token"
    return f"No template; {begin}; prompt and text are made into tokens apart; {end} ends it."
