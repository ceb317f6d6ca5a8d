"""A language model as a recommender: which text is likely after what was read, or which request a text answers.

    reads = "history"      score = log P(title of the candidate | a request that lists the titles read before)
    reads = "candidate"    score = log P(text read last | the candidate as a request): candidates are instructions

Nothing need be learned (align = "none": zero-shot). Else LoRA (Hu et al., ICLR 2022) learns from what was clicked
beside
what was shown and not clicked: SFT, DPO (Rafailov et al., NeurIPS 2023), ORPO (Hong, Lee and Thorne, EMNLP 2024), SimPO
(Meng, Xia and Chen, NeurIPS 2024), and where candidates are instructions I-ORPO (Pham, Sun and Iyyer, EMNLP 2024).

Cost: of each impression one reading of the request and one of each candidate's title, about 2 x weights operations a
token: a hundred times that of nrms and more. Memory: the model's weights, and what a step of training holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from palate.errors import DataError, PlanError
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

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays belong together, whatever the articles."""
        return all(array.dtype == np.float32 for array in self.weights.values())


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
    that
    was read last for an answer"""
    measure: Literal["sum", "mean", "gain"] = "sum"
    """log P of the answer, summed over its tokens, a token, or above that without a history"""
    history: int = Field(8, ge=1)
    """last titles that a request lists"""
    longest: int = Field(48, ge=1)
    """tokens of a title that are read (reads = history)"""
    request: str = _REQUEST
    """with {titles}, a line each; or {text}, the last one as it is"""
    template: Literal["chat", "plain"] | None = None
    """how a request becomes a prompt: in the model's chat template, or as it stands, and a blank line; None: chat where
    there is one"""
    align: Literal["none", "sft", "iorpo", "orpo", "dpo", "simpo"] = "none"
    """what is learned from clicks"""
    pairs: int = Field(1, ge=1)
    """articles that were shown and not clicked, drawn beside each click"""
    weight: float = Field(0.4, ge=0, allow_inf_nan=False)
    """of the odds ratio beside -log P (iorpo, orpo)"""
    beta: float = Field(0.1, gt=0, allow_inf_nan=False)
    """how steep dpo and simpo are"""
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

        pairs = self._pairs(train)
        if not pairs:
            raise DataError("lm: no impression of train has both a click and something that was not clicked.")
        done = align(
            language_model.load(self.model, template=self.template, device=self.device),
            pairs,
            self._training(),
            checkpoint=None if self.checkpoint is None else Path(self.checkpoint),
            note=self._trace,
        )
        return LMState(
            {
                name: one.detach().float().cpu().numpy()
                for name, one in done.model.network.named_parameters()
                if one.requires_grad
            }
        )

    def _training(self) -> Training:
        from palate.text.align import Training

        return Training(
            method="sft" if self.align == "none" else self.align,
            weight=self.weight,
            beta=self.beta,
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

    def _pairs(self, train: Impressions) -> list[Pair]:
        """Return clicks, each beside `pairs` others of its impression that were not clicked."""
        from palate.text.align import Pair

        texts, code = self._titles(), train.codes_in(self.items)
        rng = np.random.default_rng(self.seed)
        made = []
        for row, user in enumerate(train.user):
            shown = np.arange(train.indptr[row], train.indptr[row + 1])
            past = code[_events(train.histories, int(train.history_of[row]))]
            clicked, others = shown[train.labels[shown]], shown[~train.labels[shown]]
            if not len(others) or (self.reads == "candidate" and not len(past)):
                continue
            for one in clicked:
                for other in rng.choice(others, min(self.pairs, len(others)), replace=False):
                    w, l = (texts[code[train.candidate[place]]] for place in (one, other))  # noqa: E741
                    who = str(train.users.ids[int(user)])
                    if self.reads == "candidate":
                        made.append(Pair(w, texts[past[-1]], l, texts[past[-1]], who))
                    else:
                        asked = self._request([texts[item] for item in past])
                        made.append(Pair(asked, w, asked, l, who))
        return made

    # --- asked --------------------------------------------------------------------------------------------------

    def language_model(self) -> LanguageModel:
        """Return the language model with what was learned, ready to be asked."""
        model: LanguageModel = self._once(self._prepare)[0]
        return model

    def _prepare(self, state: LMState) -> tuple[LanguageModel, list[str]]:
        from dataclasses import replace

        import torch

        from palate.text import language_model
        from palate.text.align.network import recompute, trainable

        model = language_model.load(self.model, template=self.template, device=self.device)
        if state.weights:
            network = trainable(model, self._training())
            with torch.no_grad():
                for name, one in network.named_parameters():
                    if name in state.weights:
                        one.copy_(torch.from_numpy(state.weights[name]))
            recompute(network, False)
            model = replace(model, network=network.eval())
        return model, self._titles()

    def _titles(self) -> list[str]:
        return [text.strip() or "(no title)" for text in self._texts().to_list()]

    def _request(self, titles: list[str]) -> str:
        if not titles:
            return _FIRST
        listed = "\n".join(f"- {title}" for title in titles[-self.history :])
        return self.request.replace("{titles}", listed).replace("{text}", titles[-1])

    def _score_shown(self, shown: Impressions) -> Floats:
        code = shown.codes_in(self.items)
        found = np.full(len(shown.candidate), -np.inf)
        with progress("Reading", total=len(shown), unit="impressions") as advance:
            for row, history in enumerate(shown.history_of.tolist()):
                places = np.arange(shown.indptr[row], shown.indptr[row + 1])
                known = places[code[shown.candidate[places]] >= 0]
                past = code[_events(shown.histories, history)]
                found[known] = self._of(past[past >= 0], code[shown.candidate[known]])
                advance(1)
        return found

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        events = contexts.events.where(contexts.events.value > 0)  # a dislike is no reading
        return np.stack([self._of(_events(events, row), columns) for row in range(len(contexts))])

    def _of(self, past: Codes, candidates: Codes) -> NDArray[np.float64]:
        """Return the score of candidates after a history."""
        import torch

        from palate.text.logprob import score, score_after

        model, texts = self._once(self._prepare)
        distinct, place = np.unique(candidates, return_inverse=True)
        if not len(distinct):
            return np.empty(0)
        if self.reads == "candidate":
            if not len(past):
                return np.zeros(len(candidates))
            prompts = [model.prompt(texts[one]) for one in distinct]
            answer = model.beginning(texts[past[-1]], model.context - max(map(len, prompts)))
            with torch.inference_mode():
                told = [score(model.network, [prompt], [answer])[0] for prompt in prompts]
        else:
            answers = [model.response(texts[one])[: self.longest] for one in distinct]
            prompt = model.prompt(self._request([texts[one] for one in past]))
            with torch.inference_mode():
                told = score_after(model.network, prompt, answers)
                if self.measure == "gain" and len(past):
                    alone = score_after(model.network, model.prompt(_FIRST), answers)
                    told = [one - other for one, other in zip(told, alone, strict=True)]
        summed = np.array([float(one.double().sum()) for one in told])
        if self.measure == "mean":
            summed /= np.array([len(one) for one in told])
        return np.asarray(summed[place], np.float64)


def _events(histories: Histories, row: int) -> Codes:
    """Return the items of one history."""
    return histories.item[histories.indptr[row] : histories.indptr[row + 1]]
