"""NPA: which words of a title and which articles of a history count, says the person.

Wu and others, "NPA: Neural news recommendation with personalized attention", KDD 2019. A convolution over the words of
a title, then attention whose query is made of the reader's id, over words and over articles; the score is the product
of both. Learned by softmax over a click and articles that were shown beside it and not clicked.

Three forms of that attention go by the name (`attention`):

    paper      q(u) . tanh(W x + b), q rectified       what the formula of the paper says, and the incumbent computes
    authors    q(u) . x, q of two layers               the authors' program; nothing stands between words and query
    tutorial   v . tanh(W1 x + W2 u)                   what the incumbent's tutorial prints; its program does not

In the first two a person weighs each direction of a word's vector; in the third the person only shifts it before one
`v` that all share weighs it, so much less can be personal.

People begin near one another, and differ by what they click (`docs/decisions/npa-who-reads.md`). Those of whom no click
was learned are one unknown person, who stands in for a share of readers while it learns.

Cost of a step, in multiplications: distinct words x width x word size x filters, and distinct words of titles x readers
x filters; of a score: words of the title x (query + filters), since each reader sees a title with other eyes. What
words and titles are to all readers is made once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from palate.models.news.learned import LearnedNews
from palate.models.news.presets import Preset, filled
from palate.vocabulary import Codes

if TYPE_CHECKING:
    import torch

    from palate.models.news.network import NPA as Network

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {
        "word_size": 300, "filters": 400, "user_size": 50, "query_size": 200, "attention": "paper", "start": "random",
        "dropout": 0.2, "batch": 100, "learning_rate": 0.001, "schedule": "constant", "epochs": 3,
        "holdout": 0.0,
    },
    "incumbent": {
        "word_size": 300, "filters": 400, "user_size": 100, "query_size": 200, "attention": "paper", "start": "random",
        "title": 10, "dropout": 0.2, "batch": 32, "learning_rate": 0.0001, "schedule": "constant", "epochs": 5,
        "holdout": 0.0,
    },
}  # fmt: skip


class NPA(LearnedNews):
    """Neural news recommendation with personalised attention."""

    name: ClassVar[str] = "npa"

    preset: Preset = "fast"
    """sizes and training of the `paper`, of the `incumbent` toolkit's tutorial, or small ones (the defaults below)"""
    word_size: int = Field(64, ge=1)
    """numbers of a word's vector"""
    filters: int = Field(64, ge=1)
    """of the convolution: the size of an article's vector"""
    width: int = Field(3, ge=1)
    """words that a filter sees"""
    user_size: int = Field(16, ge=1)
    """numbers of a person's vector"""
    query_size: int = Field(32, ge=1)
    """of the attention"""
    attention: Literal["paper", "authors", "tutorial"] = "authors"
    """how a person weighs: see above"""
    unknown: float = Field(0.05, ge=0, le=1)
    """share of readers who are taken for the unknown person while it learns"""

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, given: Any) -> Any:
        return filled(given, PRESETS)

    @property
    def _word_size(self) -> int:
        return self.word_size

    @property
    def _strangers(self) -> float:
        return self.unknown

    def _finish(self, weights: dict[str, NDArray[np.float32]], learners: Codes) -> None:
        """Whoever clicked nothing that was learned is the unknown person."""
        people = weights["users.weight"]
        others = np.ones(len(people), np.bool_)
        others[1 + learners] = False
        people[others] = people[0]

    def _make(self, table: torch.Tensor, n_users: int) -> Network:
        from palate.models.news.network import NPA as Network

        return Network(
            table,
            n_users,
            filters=self.filters,
            width=self.width,
            user_size=self.user_size,
            query_size=self.query_size,
            dropout=self.dropout,
            form=self.attention,
        )
