"""NRMS: news by self-attention, over the words of a title and over the articles of a history.

Wu and others, "Neural news recommendation with multi-head self-attention", EMNLP 2019. Words attend to each other, an
additive attention makes one vector of a title; the articles of a history do the same; the score is the product of
reader and article. Learned by softmax over a click and articles that were shown beside it and not clicked.

What differs from published programs: padding is masked, an article without words and a reader without a history have
vectors of their own, of an impression with too few others each stands once. Presets have the sizes of the paper and of
the incumbent toolkit's tutorial, and like these learn from all of train; `fast` is small, keeps the end of train back
to stop by, and adds what goes into an attention to what comes out of it.

Cost of a step, in multiplications: distinct words x 3 x word size x size, distinct articles x (words x query + 3 x
size) x size; three times that with gradients. Memory: four copies of the weights, of which the words are most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field, model_validator

from palate.errors import PlanError
from palate.models.algorithm import Floats
from palate.models.dense import nearest_by_cosine
from palate.models.news.learned import LearnedNews
from palate.models.news.presets import Preset, filled
from palate.vocabulary import Codes

if TYPE_CHECKING:
    import torch

    from palate.models.news.network import NRMS as Network

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {
        "word_size": 300, "heads": 16, "head_size": 16, "query_size": 200, "residual": False, "start": "random",
        "dropout": 0.2, "batch": 64, "learning_rate": 0.001, "schedule": "constant", "holdout": 0.0,
    },
    "incumbent": {
        "word_size": 300, "heads": 20, "head_size": 20, "query_size": 200, "residual": False, "start": "random",
        "dropout": 0.2, "batch": 32, "learning_rate": 0.0001, "schedule": "constant", "epochs": 5,
        "holdout": 0.0,
    },
}  # fmt: skip


class NRMS(LearnedNews):
    """Neural news recommendation with multi-head self-attention."""

    name: ClassVar[str] = "nrms"
    verbs: ClassVar[frozenset[str]] = frozenset({"similar", "explain", "export"})

    preset: Preset = "fast"
    """sizes and training of the `paper`, of the `incumbent` toolkit's tutorial, or small ones (the defaults below)"""
    word_size: int = Field(64, ge=1)
    """numbers of a word's vector"""
    heads: int = Field(4, ge=1)
    """of both attentions"""
    head_size: int = Field(16, ge=1)
    """numbers of a head; heads x head_size is the size of an article's vector"""
    query_size: int = Field(64, ge=1)
    """of the additive attention"""
    residual: bool = True
    """add what goes into an attention to what comes out; needs word_size = heads x head_size"""

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, given: Any) -> Any:
        return filled(given, PRESETS)

    def model_post_init(self, context: Any, /) -> None:
        """Refuse what contradicts itself."""
        super().model_post_init(context)
        if self.residual and self.word_size != self.heads * self.head_size:
            raise PlanError(
                f"nrms: residual adds words to what {self.heads} heads of {self.head_size} make of them: set "
                f"word_size = {self.heads * self.head_size} (given: {self.word_size}), or residual = false."
            )

    @property
    def _word_size(self) -> int:
        return self.word_size

    def _make(self, table: torch.Tensor, n_users: int) -> Network:
        from palate.models.news.network import NRMS as Network

        return Network(
            table,
            heads=self.heads,
            head_size=self.head_size,
            query_size=self.query_size,
            dropout=self.dropout,
            residual=self.residual,
        )

    def _similar(self, items: Codes, k: int) -> tuple[Codes, Floats]:
        from palate.models.news.scoring import NRMSScorer

        asked = self._once(self._prepare)[2]
        assert isinstance(asked, NRMSScorer)
        return nearest_by_cosine(asked.table[:-1].astype(np.float64), items, k)
