"""A language model as a recommender: which text is likely after what was read, or which request a text answers.

    reads = "history"      score = log P(title of the candidate | a request that lists the titles read before)
    reads = "candidate"    score = log P(text read last | the candidate as a request): candidates are instructions

Nothing need be learned (align = "none": zero-shot). Else LoRA (Hu et al., ICLR 2022) learns from what was clicked
beside what was shown and not clicked: SFT, DPO (Rafailov et al., NeurIPS 2023), ORPO (Hong, Lee and Thorne, EMNLP
2024), SimPO (Meng, Xia and Chen, NeurIPS 2024), and where candidates are instructions I-ORPO (Pham, Sun and Iyyer,
EMNLP 2024).

Cost: of each impression one reading of the request and one of each candidate's title, about 2 x weights operations a
token: a hundred times that of nrms and more. Memory: the model's weights, and what a step of training holds.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from palate.errors import DataError, PalateWarning, PlanError, SavedModelError
from palate.interactions import Histories
from palate.models.algorithm import Floats, PathText
from palate.models.contexts import Contexts
from palate.models.news.base import NewsModel
from palate.news import Impressions
from palate.progress import progress
from palate.vocabulary import Codes, Vocabulary

if TYPE_CHECKING:
    from palate.text.align import Pair, Training
    from palate.text.language_model import LanguageModel

_FIRST = "Somebody opens the news. Which article do they read? Give its title alone."
_REQUEST = (
    "Somebody has read these articles:\n{titles}\n\nWhich article do they read next? Give its title alone."
)


@dataclass
class LMState:
    """What was learned beside the language model."""

    weights: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    """of LoRA, by name; none where nothing was learned"""
    base: str = ""
    """digest of the weights that LoRA was learned beside"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays belong together, whatever the articles."""
        return all(array.dtype == np.float32 for array in self.weights.values())


@dataclass(frozen=True, eq=False)
class _Ready:
    """A language model that is ready to be asked, and what it reads."""

    model: LanguageModel
    texts: list[str]
    """of the items"""
    answers: list[str]
    """the same, cut to the longest title"""


@dataclass
class _Shortened:
    """What did not fit into the model's context, counted."""

    requests: int = 0
    texts: int = 0

    def tell(self, context: int) -> None:
        """Warn of it."""
        for count, what in (
            (self.requests, "requests, of which the oldest titles were left out"),
            (self.texts, "texts, which were cut at a sentence"),
        ):
            if count:
                _warn(f"the model reads {context:,} tokens, and that was too few for {count:,} {what}.")


class LM(NewsModel):
    """A language model that orders candidates by what it finds likely."""

    name: ClassVar[str] = "lm"
    needs_impressions: ClassVar[bool] = False
    learns_from_history: ClassVar[bool] = False
    state_type: ClassVar[type] = LMState
    compiles: ClassVar[bool] = False

    model: str = "smollm2"
    """smollm2, tiny, a folder of transformers, an adapter, a .gguf file, or hub:OWNER/NAME"""
    reads: Literal["history", "candidate"] = "history"
    """what the request is: the titles read before, with the candidate for an answer; or the candidate, with the text
    that was read last for an answer"""
    measure: Literal["sum", "mean", "gain"] = "sum"
    """log P of the answer, summed over its tokens, a token, or above that without a history: after the request's own
    words for none, or, of a request of yours, after an empty one"""
    history: int = Field(8, ge=1)
    """last titles that a request lists, fewer where they do not fit into the model's context"""
    longest: int = Field(48, ge=1)
    """tokens of a title that stand as an answer, learned and asked alike (reads = history)"""
    request: str = _REQUEST
    """with {titles}, a line each; or {text}, the last one as it is"""
    template: Literal["chat", "plain"] | None = None
    """how a request becomes a prompt: in the model's chat template, or as it stands, and a blank line; None: chat where
    there is one"""
    align: Literal["none", "sft", "iorpo", "orpo", "dpo", "simpo"] = "none"
    """what is learned from clicks"""
    pairs: int = Field(1, ge=1)
    """articles that were shown and not clicked, drawn beside each click"""
    weight: float | None = Field(None, ge=0, allow_inf_nan=False)
    """of the odds ratio beside -log P (iorpo, orpo); None: as in their papers, 0.4 and 0.1"""
    beta: float | None = Field(None, gt=0, allow_inf_nan=False)
    """how steep dpo and simpo are; None: as in their papers, 0.1 and 2"""
    lora_rank: int = Field(16, ge=1)
    """of LoRA"""
    epochs: int = Field(1, ge=1)
    """through the pairs"""
    batch: int = Field(16, ge=1)
    """pairs of a step"""
    learning_rate: float = Field(2e-4, gt=0, allow_inf_nan=False)
    """of AdamW; falls by a cosine"""
    max_tokens: int | None = Field(None, ge=2)
    """of request and answer together while it learns; what is longer is cut at a sentence"""
    seed: int = Field(42, ge=0)
    """of draws, order and LoRA's first weights"""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """where it runs; auto: a CUDA card if there is one"""
    precision: Literal["float32", "bfloat16"] = "float32"
    """of the network's products while learning"""
    checkpoint: PathText = None
    """folder of the training's state after each epoch: a fit that was stopped goes on from there"""

    @model_validator(mode="after")
    def _agrees(self) -> LM:
        if "{titles}" not in self.request and "{text}" not in self.request:
            raise PlanError(
                "lm: request has no {titles} and no {text}, so nothing of the history would be read."
            )
        if self.align == "iorpo" and self.reads == "history":
            raise PlanError(
                'lm: align = "iorpo" prefers one request to another for the same text: set reads = "candidate", '
                'or align = "orpo".'
            )
        if self.measure == "gain" and self.reads == "candidate":
            raise PlanError(
                'lm: measure = "gain" is above what is likely without a history: it needs reads = "history".'
            )
        return self

    # --- learning -----------------------------------------------------------------------------------------------

    def _read(self, seen: Vocabulary) -> LMState:
        if self.align != "none":
            raise DataError(
                f'lm: align = "{self.align}" learns from what was shown beside a choice: fit it to impressions, '
                'or set align = "none".'
            )
        return LMState()

    def _learn(self, train: Impressions, valid: Impressions | None) -> LMState:
        if self.align == "none":
            return LMState()
        from palate.text import language_model
        from palate.text.align import align

        model = language_model.load(self.model, template=self.template, device=self.device)
        base = model.digest()
        pairs = self._pairs(train, model)
        if not pairs:
            raise DataError("lm: no impression of train has both a click and something that was not clicked.")
        checkpoint = None if self.checkpoint is None else Path(self.checkpoint)
        done = align(model, pairs, self._training(), checkpoint=checkpoint, note=self._trace)
        for told in done.notes:
            _warn(told)
        learned = {
            name: one.detach().float().cpu().numpy()
            for name, one in done.model.network.named_parameters()
            if one.requires_grad
        }
        return LMState(learned, base)

    def _training(self) -> Training:
        from palate.text.align import Training

        told = {"weight": self.weight, "beta": self.beta}
        given: dict[str, Any] = {name: one for name, one in told.items() if one is not None}
        return Training(
            **given,
            method="sft" if self.align == "none" else self.align,
            rank=self.lora_rank,
            alpha=self.lora_rank,
            dropout=0.0,
            epochs=self.epochs,
            batch=self.batch,
            learning_rate=self.learning_rate,
            max_tokens=self.max_tokens,
            too_long="cut",
            recompute=self.reads == "candidate",
            seed=self.seed,
            device=self.device,
            precision=self.precision,
        )

    def _pairs(self, train: Impressions, model: LanguageModel) -> list[Pair]:
        """Return clicks, each beside `pairs` others of its impression that were not clicked."""
        from palate.text.align import Pair

        code, texts, short = train.codes_in(self.items), self._titles(), _Shortened()
        answers = self._answers(model, texts)
        room = (self.max_tokens or model.context) - max(len(model.response(one)) for one in answers)
        rng = np.random.default_rng(self.seed)
        made = []
        for row, user in enumerate(train.user):
            shown = np.arange(train.indptr[row], train.indptr[row + 1])
            past = code[_events(train.histories, int(train.history_of[row]))]
            clicked, others = shown[train.labels[shown]], shown[~train.labels[shown]]
            if not len(others) or (self.reads == "candidate" and not len(past)):
                continue
            who = str(train.users.ids[int(user)])
            asked = ""
            if self.reads == "history":
                asked = self._fitting(model, [texts[item] for item in past], room, short)
            for one in clicked:
                for other in rng.choice(others, min(self.pairs, len(others)), replace=False):
                    w, l = (int(code[train.candidate[place]]) for place in (one, other))  # noqa: E741
                    if self.reads == "candidate":
                        made.append(Pair(texts[w], texts[past[-1]], texts[l], texts[past[-1]], who))
                    else:
                        made.append(Pair(asked, answers[w], asked, answers[l], who))
        short.tell(self.max_tokens or model.context)
        return made

    # --- asked --------------------------------------------------------------------------------------------------

    def language_model(self) -> LanguageModel:
        """Return the language model with what was learned, ready to be asked."""
        ready: _Ready = self._once(self._prepare)
        return ready.model

    def _prepare(self, state: LMState) -> _Ready:
        from dataclasses import replace

        import torch

        from palate.text import language_model
        from palate.text.align.network import recompute, trainable

        model = language_model.load(self.model, template=self.template, device=self.device)
        if state.weights:
            if state.base and model.digest() != state.base:
                raise SavedModelError(
                    f"lm: {self.model} has other weights than the model that LoRA was learned beside. Put that one "
                    "back, or fit anew."
                )
            network = trainable(model, self._training())
            learned = {name: one for name, one in network.named_parameters() if one.requires_grad}
            if learned.keys() != state.weights.keys():
                raise SavedModelError(
                    f"lm: of LoRA's weights {len(learned.keys() - state.weights.keys()):,} are not there, and "
                    f"{len(state.weights.keys() - learned.keys()):,} are called as none is by this version of peft. "
                    "Fit anew, or use the version that wrote them."
                )
            with torch.no_grad():
                for name, one in learned.items():
                    one.copy_(torch.from_numpy(state.weights[name]))
            recompute(network, False)
            model = replace(model, network=network.eval())
        texts = self._titles()
        return _Ready(model, texts, self._answers(model, texts))

    def _titles(self) -> list[str]:
        return [text.strip() or "(no title)" for text in self._texts().to_list()]

    def _answers(self, model: LanguageModel, titles: list[str]) -> list[str]:
        """Return titles as they stand as answers: each up to `longest` tokens, without half a character at its end."""
        if self.reads == "candidate":
            return titles
        tokens = [model.text(title) for title in titles]
        return [
            title
            if len(told) <= self.longest
            else model.words(told[: self.longest]).rstrip("\ufffd").strip() or title[:1]
            for title, told in zip(titles, tokens, strict=True)
        ]

    def _request(self, titles: Sequence[str]) -> str:
        """Return the request after titles; after none, for what is likely of itself."""
        if not titles:
            return _FIRST if self.request == _REQUEST else ""
        listed = "\n".join(f"- {title}" for title in titles)
        return self.request.replace("{titles}", listed).replace("{text}", titles[-1])

    def _fitting(self, model: LanguageModel, titles: Sequence[str], room: int, short: _Shortened) -> str:
        """Return the request after the last titles, the oldest left out as long as its tokens are over `room`."""
        last = titles[-self.history :]
        for start in range(max(1, len(last))):
            request = self._request(last[start:])
            if len(model.prompt(request)) <= room:
                short.requests += start > 0
                return request
        raise DataError(
            f"lm: a request with one article alone is over the {max(0, room):,} tokens that there are for it "
            f"({last[-1][:60] if last else ''}…). Give shorter texts, a shorter request, or more max_tokens."
        )

    def _score_shown(self, shown: Impressions) -> Floats:
        code, short = shown.codes_in(self.items), _Shortened()
        found = np.full(len(shown.candidate), -np.inf)
        with progress("Reading", total=len(shown), unit="impressions") as advance:
            for row, history in enumerate(shown.history_of.tolist()):
                places = np.arange(shown.indptr[row], shown.indptr[row + 1])
                known = places[code[shown.candidate[places]] >= 0]
                past = code[_events(shown.histories, history)]
                found[known] = self._of(past[past >= 0], code[shown.candidate[known]], short)
                advance(1)
        short.tell(self.language_model().context)
        return found

    def _of_pairs(self, contexts: Contexts, row: NDArray[np.int64], codes: Codes) -> Floats:
        found = np.full(len(codes), -np.inf)
        for one in range(len(contexts)):  # each reads its own candidates, and not those of all
            mine = np.flatnonzero((row == one) & (codes >= 0))
            found[mine] = self._scores(contexts.select(np.array([one])), codes[mine])[0]
        return found

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        events, short = (
            contexts.events.where(contexts.events.value > 0),
            _Shortened(),
        )  # a dislike is no reading
        found = np.stack([self._of(_events(events, row), columns, short) for row in range(len(contexts))])
        short.tell(self.language_model().context)
        return found

    def _of(self, past: Codes, candidates: Codes, short: _Shortened) -> NDArray[np.float64]:
        """Return the score of candidates after a history."""
        import torch

        from palate.text.logprob import score, score_after

        ready: _Ready = self._once(self._prepare)
        model, texts = ready.model, ready.texts
        distinct, place = np.unique(candidates, return_inverse=True)
        if not len(distinct):
            return np.empty(0)
        if self.reads == "candidate":
            if not len(past):
                return np.zeros(len(candidates))
            prompts = [model.prompt(texts[one]) for one in distinct]
            answer = self._answer(model, texts[past[-1]], model.context - max(map(len, prompts)), short)
            with torch.inference_mode():
                told = [score(model.network, [prompt], [answer])[0] for prompt in prompts]
        else:
            answers = [model.response(ready.answers[one]) for one in distinct]
            room = model.context - max(map(len, answers))
            request = self._fitting(model, [texts[one] for one in past], room, short)
            with torch.inference_mode():
                told = score_after(model.network, model.prompt(request), answers)
                if self.measure == "gain" and len(past):
                    alone = score_after(model.network, model.prompt(self._request([])), answers)
                    told = [one - other for one, other in zip(told, alone, strict=True)]
        summed = np.array([float(one.cpu().double().sum()) for one in told])
        if self.measure == "mean":
            summed /= np.array([len(one) for one in told])
        return np.asarray(summed[place], np.float64)

    @staticmethod
    def _answer(model: LanguageModel, text: str, room: int, short: _Shortened) -> list[int]:
        """Return a text's tokens, or as many whole sentences as there is room for."""
        answer = model.beginning(text, room)
        if not answer:
            raise DataError(
                f"lm: no sentence of the text “{text[:60]}…” fits into the {max(0, room):,} tokens that the candidates "
                f"leave of the {model.context:,} that the model reads. Give shorter texts or candidates."
            )
        short.texts += len(answer) < len(model.response(text))
        return answer


def _warn(told: str) -> None:
    warnings.warn(f"lm: {told}", PalateWarning, stacklevel=2)


def _events(histories: Histories, row: int) -> Codes:
    """Return the items of one history."""
    return histories.item[histories.indptr[row] : histories.indptr[row + 1]]
