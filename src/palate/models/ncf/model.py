"""NCF: neural collaborative filtering, a network in place of the dot product of user and item.

He, Liao, Zhang, Nie, Hu, Chua, "Neural Collaborative Filtering", WWW 2017. The chance that a user chooses an item is
the sigmoid of what a network says of the two embeddings, and is learned from choices and from items drawn among those
that the user did not choose. `architecture` says which network:

    gmf      h . (p_u * q_i)              a dot product with a weight for each factor
    mlp      h . layers([m_u ; n_i])      layers of rectified units over both embeddings, one after the other
    neumf    both, with embeddings of their own, and one output over them

A user is an embedding of their own, so people whom train lacks cannot be scored: `ials`, `ease` and `sar` fold them in.
And **a network is not what makes a good list here**: tuned as long, a plain dot product (`mf`, `ials`) is better on the
paper's own split and as good on the tutorial's, where counts (`sar`, `ease`) lead, and far cheaper to ask (Rendle,
Krichene, Zhang, Anderson, RecSys 2020; benchmarks/README.md), so put these beside it.

Cost: for each choice and epoch (1 + negatives) x the layers' multiply-adds from the second on, three times. All scores:
users x items x the same, once.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from palate.interactions import Interactions
from palate.models.algorithm import Pairs, PathText
from palate.models.base import Recommender
from palate.models.contexts import Contexts
from palate.models.ncf import scoring
from palate.models.search import Options, Span
from palate.models.validation import Validation
from palate.neural.choices import Device, Precision, Schedule
from palate.vocabulary import Codes

if TYPE_CHECKING:
    from palate.models.ncf.network import Network
    from palate.models.ncf.training import Choices

Architecture = Literal["neumf", "gmf", "mlp"]
_RATE, _LENGTH = 0.1, 1 / 3  # of learning rate and epochs, once both parts of neumf are trained


@dataclass
class NCFState:
    """What it learns."""

    weights: scoring.Weights
    """the network's parameters by name and shape, see `network.Network`"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many items."""
        return scoring.sound(self.weights, n_items)


class NCF(Recommender):
    """Neural collaborative filtering: GMF, MLP, NeuMF."""

    name: ClassVar[str] = "ncf"
    state_type: ClassVar[type] = NCFState

    architecture: Annotated[Architecture, Options(("neumf", "gmf", "mlp"))] = "neumf"
    """the network: `gmf`, `mlp`, or `neumf`, which is both"""
    factors: Annotated[int, Span(8, 64, log=True)] = Field(32, ge=1, le=1024)
    """size of GMF's embeddings"""
    layers: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field((64, 32, 16), min_length=2)
    """sizes of the MLP: both embeddings together, which halve the first number, then each layer"""
    epochs: Annotated[int, Span(5, 30, log=True)] = Field(10, ge=1)
    """passes over the choices, at most: with validation rows it stops when they are foretold no better; `palate fit`
    has none, and there nothing stops it early"""
    negatives: Annotated[int, Span(2, 10)] = Field(6, ge=1, le=1000)
    """items drawn beside each choice, in each epoch anew, among those that the user did not choose"""
    batch: int = Field(1024, ge=1)
    """choices a step, each with its negatives"""
    learning_rate: Annotated[float, Span(0.002, 0.03, log=True)] = Field(0.01, gt=0, allow_inf_nan=False)
    """of Adam"""
    schedule: Schedule = "cosine"
    """of the learning rate: cosine, to a hundredth over all `epochs`; plateau, to a third, twice, when `patience` is
    over; constant"""
    weight_decay: Annotated[float, Span(0.03, 1.0, log=True)] = Field(0.3, ge=0, allow_inf_nan=False)
    """how fast every weight falls to zero by itself, in parts of the learning rate (AdamW); without it, more factors
    only learn train by heart. Every row shrinks in every step, so the more steps between two of a user's choices, the
    more of it is lost: take less for far more data than MovieLens-1M"""
    pretrain: bool = False
    """neumf only: GMF and the MLP learn alone first, and neumf begins with both. It then learns at a tenth of the rate
    for a third of the epochs: at full length, what is known twice is learned by heart"""
    alpha: float = Field(0.5, ge=0, le=1)
    """share of GMF where neumf begins with both; more than half where the MLP alone is the weaker, as it mostly is"""
    patience: int = Field(5, ge=1)
    """epochs without a better nDCG@10 of validation rows before training ends; the best epoch is kept"""
    validation_users: int = Field(2_000, ge=1)
    """judge so many users at most after each epoch"""
    device: Device = "auto"
    """where to learn; auto: a CUDA card where there is one"""
    precision: Precision = "float32"
    """of the network's products while learning"""
    checkpoint: PathText = None
    """folder of the training's state after each epoch: a fit that was stopped goes on from there"""
    seed: int = Field(42, ge=0)
    """of the start, the order of choices and the negatives"""

    @field_validator("layers")
    @classmethod
    def _halves(cls, layers: tuple[int, ...]) -> tuple[int, ...]:
        if layers[0] % 2:
            raise ValueError(
                f"the first is both embeddings together, so it is even: take {layers[0] + 1} for {layers[0]}"
            )
        return layers

    @property
    def folds_in(self) -> bool:
        """Whether it scores a history alone: no, a user is an embedding."""
        return False

    def _fit(self, train: Interactions, pairs: Pairs) -> NCFState:
        from palate.models.ncf.training import Choices, arrays, fuse
        from palate.neural import checkpoint

        if self.checkpoint is not None:
            checkpoint.refuse(Path(self.checkpoint), checkpoint.about(self.name, self.params()))
        choices = Choices.of_pairs(pairs.indptr, pairs.items, train.n_items)
        network = self._network(self.architecture, choices)
        if self.architecture == "neumf" and self.pretrain:
            gmf, mlp = self._network("gmf", choices), self._network("mlp", choices)
            for name, part in (("gmf", gmf), ("mlp", mlp)):
                self._learn(part, choices, name, pretraining=1.0)
            fuse(network, gmf, mlp, self.alpha)
            few = math.ceil(_LENGTH * self.epochs)
            # Parts that learned longer make another beginning, and what began with others is not gone on with.
            begins = hashlib.sha256(
                b"".join(array.tobytes() for array in arrays(network).values())
            ).hexdigest()
            self._learn(network, choices, f"both-{begins[:8]}", rate=_RATE, epochs=few, pretraining=0.0)
        else:
            self._learn(network, choices, self.architecture)
        return NCFState(arrays(network))

    def _network(self, architecture: Architecture, choices: Choices) -> Network:
        from palate.models.ncf.network import Network
        from palate.neural.devices import own_random

        factors = 0 if architecture == "mlp" else self.factors
        layers = () if architecture == "gmf" else self.layers
        with own_random(self.seed):
            return Network(choices.n_users, choices.n_items, factors, layers, odds=1 / self.negatives)

    def _learn(
        self,
        network: Network,
        choices: Choices,
        stage: str,
        *,
        rate: float = 1.0,
        epochs: int | None = None,
        **noted: float,
    ) -> None:
        """Train a network in place, at a share `rate` of the learning rate; `noted` stands beside each epoch."""
        from palate.models.ncf.training import Learning
        from palate.neural import checkpoint
        from palate.neural.loop import Course, train

        if len(choices) == 0:  # every user chose everything: nothing can be told apart
            return
        validation = Validation.of(self._valid, self.fitted, limit=self.validation_users, seed=self.seed)
        task = Learning(
            network,
            choices,
            batch=self.batch,
            per=self.negatives,
            validation=validation,
        )
        about = checkpoint.about(self.name, self.params())
        course = Course(
            epochs=epochs or self.epochs,
            learning_rate=rate * self.learning_rate,
            seed=self.seed,
            weight_decay=self.weight_decay,
            betas=(0.9, 0.999),
            schedule=self.schedule,
            patience=self.patience,
            device=self.device,
            precision=self.precision,
            checkpoint=None if self.checkpoint is None else Path(self.checkpoint) / stage,
            identity=self._identity(about, choices, validation, stage),
            about=about,
            unit="choices",
            advice=f"Lower batch ({self.batch:,} choices) to {max(self.batch // 2, 1):,}.",
            remedy=f"Lower learning_rate ({self.learning_rate:g}).",
        )
        train(task, course, lambda **numbers: self._trace(**noted, **numbers))

    def _identity(
        self, about: dict[str, Any], choices: Choices, validation: Validation | None, stage: str
    ) -> str:
        """Return a digest of what training depends on."""
        digest = hashlib.sha256(json.dumps([stage, about], sort_keys=True).encode())
        judged = () if validation is None else (validation.users, validation.items)
        for array in (choices.indptr, choices.items, *judged):
            digest.update(array.tobytes())
        return digest.hexdigest()

    def _scores(self, contexts: Contexts, columns: Codes) -> NDArray[np.float32]:
        return scoring.scores(self.fitted.state.weights, contexts.users, columns)
