"""SASRec: what comes next, by self-attention over what came before.

Kang and McAuley, "Self-attentive sequential recommendation", ICDM 2018. A history is read in order; at each position
causal attention mixes the items until there into a vector, and the score of an item is its product with that vector.
All positions of all histories are learned at once. What made it the strongest plain model of sequences is not in that
paper: the loss over the whole catalogue instead of one drawn item (Klenitskiy and Vasilev, "Turning dross into gold
loss", RecSys 2023), layers normalised before, and fitting until a ranking metric of validation rows stops rising.

A history that was never seen is scored like any other. Cost of an epoch: for each event about 6 x items x size
operations of the loss and 6 x blocks x (6 size + 2 window) x size of the network; memory items x 112 floats for the
loss and eight copies of the weights (themselves, gradients in the making, Adam's moments, the best so far). Drawn
negatives spare operations of the loss; the step itself moves every item's vector all the same.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from palate.catalogue import Catalogue
from palate.errors import DataError, PlanError, listing
from palate.interactions import Histories, Interactions
from palate.models.algorithm import Floats, Pairs, PathText
from palate.models.base import Recommender
from palate.models.contexts import Contexts
from palate.models.dense import nearest_by_cosine, of_columns
from palate.models.exported import Exported, write_codes
from palate.models.recent import recent
from palate.models.search import Options, Span
from palate.models.validation import Validation
from palate.neural.choices import Device, Loss, Precision, Schedule
from palate.vocabulary import Codes

if TYPE_CHECKING:
    from palate.models.sasrec.network import Network


@dataclass
class SASRecState:
    """What SASRec learns."""

    weights: dict[str, NDArray[np.float32]]
    """the parameters of `network.Network` by name; "items.weight" is (items + 1, size)"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many items."""
        table, places = self.weights.get("items.weight"), self.weights.get("positions.weight")
        if table is None or places is None or table.ndim != 2 or places.ndim != 2:
            return False
        return len(table) == n_items + 1 and places.shape[1] == table.shape[1]


_COPIES = 8  # of the weights: themselves, gradients in the making, Adam's moments, the best so far
_NEGATIVES = {"sampled_ce": 256, "gbce": 32, "bce": 1}
_READ_BY: dict[str, tuple[tuple[str, ...], object]] = {
    "negatives": (("sampled_ce", "gbce", "bce"), None),
    "others_as": (("ce",), None),
    "calibration": (("gbce",), 0.75),
    "smoothing": (("ce",), 0.0),
}
"""parameters that some losses read, and what they are where nobody says"""


class SASRec(Recommender):
    """Self-attentive sequential recommendation."""

    name: ClassVar[str] = "sasrec"
    verbs: ClassVar[frozenset[str]] = frozenset({"similar", "explain", "export"})
    baseline_is: ClassVar[str] = "that no item gives alone"
    reads_order: ClassVar[bool] = True
    state_type: ClassVar[type] = SASRecState

    embedding_size: Annotated[int, Options((32, 64, 128))] = Field(64, ge=1)
    """numbers of an item's vector"""
    blocks: Annotated[int, Options((1, 2, 3))] = Field(2, ge=1)
    """attention blocks"""
    heads: int = Field(1, ge=1)
    """attention heads; must divide embedding_size"""
    inner_size: int | None = Field(None, ge=1)
    """width of the dense layers; None: embedding_size"""
    window: int = Field(200, ge=1)
    """last events of a history that are read, and learned"""
    dropout: Annotated[float, Span(0.1, 0.5)] = Field(0.2, ge=0, lt=1)
    """share of numbers left out while learning; more on sparse data"""
    loss: Loss = "ce"
    """cross-entropy over the whole catalogue, or over drawn items; BCE with drawn items, calibrated (gBCE) or not"""
    negatives: int | None = Field(None, ge=1)
    """items drawn: of sampled_ce for a batch (None: 256); of gbce (None: 32) and bce (None: 1) for each position, among
    those that the user did not choose; of ce none"""
    others_as: int | None = Field(None, ge=1)
    """of ce: all items but the one that came weigh together as so many; None: as they are"""
    calibration: float = Field(0.75, ge=0, le=1)
    """t of gbce"""
    smoothing: float = Field(0.0, ge=0, lt=1)
    """of labels, loss = ce"""
    epochs: int = Field(100, ge=1)
    """at most"""
    patience: int = Field(10, ge=1)
    """epochs without a better validation nDCG@10 before it stops"""
    holdout: float = Field(0.1, ge=0, lt=1)
    """without validation rows: share of users whose last event is not learned, but says when to stop; 0: never stops"""
    validation_users: int = Field(4_000, ge=1)
    """judge so many users at most after each epoch"""
    batch: int = Field(4_096, ge=1)
    """positions of a step"""
    learning_rate: Annotated[float, Span(0.0003, 0.003, log=True)] = Field(0.001, gt=0, allow_inf_nan=False)
    """of Adam"""
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False)
    """decoupled"""
    warmup: int = Field(0, ge=0)
    """steps in which the learning rate rises from 0"""
    schedule: Schedule = "constant"
    """of the learning rate: cosine, over all `epochs`; plateau, to a third, twice, when `patience` is over"""
    clip: float = Field(0.0, ge=0, allow_inf_nan=False)
    """the longest gradient; 0: any"""
    seed: int = Field(42, ge=0)
    """of weights, order, dropout and draws"""
    device: Device = "auto"
    """where to learn; auto: a CUDA card if there is one. Lists are made on the processor"""
    precision: Precision = "float32"
    """of the network's products while learning"""
    checkpoint: PathText = None
    """folder of the training's state after each epoch: a fit that was stopped goes on from there"""

    _start: SASRec | None = PrivateAttr(None)

    def model_post_init(self, context: Any, /) -> None:
        """Refuse what contradicts itself."""
        super().model_post_init(context)
        if self.embedding_size % self.heads:
            size = self.embedding_size
            able = listing((n for n in range(1, size + 1) if size % n == 0), limit=8)
            raise PlanError(
                f"sasrec: heads = {self.heads} does not divide embedding_size = {size}: take {able}."
            )
        for name, (losses, otherwise) in _READ_BY.items():
            if getattr(self, name) != otherwise and self.loss not in losses:
                raise PlanError(
                    f"sasrec: loss = {self.loss} does not read {name} = {getattr(self, name)}; it is of "
                    f"{' and '.join(losses)}. Leave it out, or take such a loss."
                )

    # --- learning -------------------------------------------------------------------------------------------

    def _fit(self, train: Interactions, pairs: Pairs) -> SASRecState:
        from palate.kernels.order import distinct_pairs
        from palate.models.sasrec.task import NextItem, last_of_each
        from palate.neural import checkpoint, loop
        from palate.neural.devices import enough_memory, own_random

        events = train.histories()
        validation = Validation.of(self._valid, self.fitted, limit=self.validation_users, seed=self.seed)
        if validation is None:
            validation, events = Validation.held_out(
                events, train.n_items, share=self.holdout, limit=self.validation_users, seed=self.seed
            )
        indptr, items, user = last_of_each(events, self.window)
        if len(indptr) == 1:
            raise DataError(
                "sasrec: no user has two events, so nothing follows anything: give data with histories, or use "
                "popularity."
            )
        chosen = None
        if self.loss in ("bce", "gbce"):
            whose = np.repeat(np.arange(len(events), dtype=np.int32), events.lengths)
            chosen = distinct_pairs(whose, events.item, len(events), train.n_items)
        advice, about = self._advice(train.n_items), checkpoint.about(self.name, self.params())
        with own_random(self.seed), enough_memory(advice):
            module = self._make(train.n_items)
        if self._start is not None:
            _go_on(module, self._start, self)
        task = NextItem(
            module=module,
            indptr=indptr,
            items=items,
            user=user,
            chosen=chosen,
            loss_name=self.loss,
            negatives=min(self.negatives or _NEGATIVES.get(self.loss, 1), max(train.n_items - 1, 1)),
            weight=min((self.others_as or train.n_items) / max(train.n_items - 1, 1), 1.0),
            calibration=self.calibration if self.loss == "gbce" else 0.0,
            smoothing=self.smoothing,
            cells=self.batch,
            validation=validation,
        )
        course = loop.Course(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            seed=self.seed,
            weight_decay=self.weight_decay,
            warmup=self.warmup,
            schedule=self.schedule,
            clip=self.clip,
            patience=self.patience,
            device=self.device,
            precision=self.precision,
            checkpoint=None if self.checkpoint is None else Path(self.checkpoint),
            identity=self._identity(about, train, validation),
            about=about,
            advice=advice,
            remedy=f"Lower learning_rate ({self.learning_rate:g}), or set clip = 1.",
        )
        loop.train(task, course, self._trace)
        return SASRecState({name: tensor.cpu().numpy() for name, tensor in module.state_dict().items()})

    def _make(self, n_items: int) -> Network:
        from palate.models.sasrec.network import Network

        return Network(
            n_items,
            self.embedding_size,
            self.window,
            self.blocks,
            self.heads,
            self.inner_size or self.embedding_size,
            self.dropout,
        )

    def _advice(self, n_items: int) -> str:
        """Return what to lower when memory runs out: what most of it is for."""
        size, inner = self.embedding_size, self.inner_size or self.embedding_size
        numbers = (n_items + 1 + self.window) * size + self.blocks * (4 * size + 2 * inner) * size
        weights = 4 * _COPIES * numbers
        looked = (self.window + 64) // 2 if self.heads == 1 else 0  # attention that is kept
        kept = 4 * max(self.batch, self.window) * ((4 + 12 * self.blocks) * size + self.blocks * looked)
        told = f"Weights and what stands beside them take {weights >> 20:,} MB, a batch {kept >> 20:,}."
        if weights > kept and self.embedding_size > 1:
            lower = max(self.embedding_size // 2 // self.heads, 1) * self.heads
            return f"{told} Lower embedding_size ({self.embedding_size}) to {lower}."
        if self.window >= self.batch and self.window > 1:
            return f"{told} Lower window ({self.window:,}) to {self.window // 2:,}."
        return f"{told} Lower batch ({self.batch:,} positions) to {max(self.batch // 2, 1):,}."

    def _identity(self, about: dict[str, Any], train: Interactions, validation: Validation | None) -> str:
        """Return a digest of what training depends on."""
        judged = [] if validation is None else [validation.users.tolist(), validation.items.tolist()]
        told = json.dumps([about, train.fingerprint, judged])
        return hashlib.sha256(told.encode()).hexdigest()

    # --- scoring --------------------------------------------------------------------------------------------

    def network(self) -> Network:
        """Return the fitted network, for a closer look; (batch, length) item codes to (batch, length, size)."""
        import torch

        from palate.neural.blank import without_numbers

        def made(state: SASRecState) -> Network:
            with without_numbers():
                module = self._make(len(self.items))
            weights = {name: torch.from_numpy(array) for name, array in state.weights.items()}
            module.load_state_dict(weights, assign=True)
            return module.eval()

        return self._once(made)

    def export(self, path: str | Path) -> Exported:
        """Write the fitted network as ONNX: histories in, scores of the whole catalogue out. Returns the files.

        Beside NAME.onnx stands NAME.items.csv, which item each code is. The network's metadata say `items`, their
        number, and `window`.

        Inputs: `items` (batch, longest) int64, codes of items, oldest first, at most `window`, padded on the right with
        the number of items; `length` (batch) int64, at least 1. Output: `scores` (batch, items) float32; what was seen
        is not left out. Raises MissingExtra without onnx and onnxscript.
        """
        import torch

        from palate.models.sasrec.network import Scores
        from palate.neural.export import to_onnx

        module = Scores(self.network())
        longest = max(2, min(3, self.window))
        items = torch.zeros((2, longest), dtype=torch.int64)
        length = torch.full((2,), longest)
        varying = {"items": {0: "batch", 1: "longest"}, "length": {0: "batch"}}
        written = to_onnx(
            module,
            Path(path),
            (items, length),
            inputs=("items", "length"),
            output="scores",
            varying=varying,
            facts={"items": str(len(self.items)), "window": str(self.window)},
        )
        return Exported(written, [write_codes(written, "item", self.items.ids)])

    def continue_fit(
        self, train: Interactions, *, valid: Interactions | None = None, catalogue: Catalogue | None = None
    ) -> Self:
        """Return a new model, fitted to `train` from where this one stands; this one stays as it is.

        Items that both know begin with their vectors, new items as at the first; an item that `train` lacks is gone.
        Give all of the data, old and new: what is not in `train` is forgotten in time. It keeps no checkpoint: that of
        this model is of another training.
        """
        again = type(self)(**self.params() | {"checkpoint": None})
        again._start = self
        try:
            return again.fit(train, valid=valid, catalogue=catalogue)
        finally:
            again._start = None

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        from palate.models.sasrec.task import expected

        hidden = expected(self.network(), recent(contexts.events))
        return hidden @ of_columns(self._table(), columns).T

    def _table(self) -> NDArray[np.float32]:
        table: NDArray[np.float32] = self.fitted.state.weights["items.weight"][:-1]
        return table

    def _similar(self, items: Codes, k: int) -> tuple[Codes, Floats]:
        return nearest_by_cosine(self._table().astype(np.float64), items, k)

    def _explain(self, contexts: Contexts, item: int) -> tuple[Codes, NDArray[np.float64], float]:
        """Leave one out: an effect is what the score loses without the item; the baseline is the rest.

        What stands before the window has none.
        """
        past, window = recent(contexts.events).item, self.window
        distinct = np.unique(past[-window:])
        lists = [past[-window:], *(past[past != one][-window:] for one in distinct)]
        indptr = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
        told = Histories(indptr, np.concatenate(lists), np.ones(int(indptr[-1]), np.float32), None)
        users = np.full(len(lists), contexts.users[0], np.int32)
        asked = Contexts(contexts.labels.gather([0] * len(lists)), users, told)
        scores = self._scores(asked, np.array([item], np.int32))[:, 0].astype(np.float64)
        effects = scores[0] - scores[1:]
        return distinct.astype(np.int32), effects, float(scores[0] - effects.sum())


def _go_on(module: Network, earlier: SASRec, now: SASRec) -> None:
    """Begin where an earlier model ended: its weights, and its vectors of the items that both know."""
    import torch

    theirs = now.items.encode(earlier.items.ids)
    shared = theirs >= 0
    weights = {name: torch.from_numpy(array) for name, array in earlier.fitted.state.weights.items()}
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name == "items.weight":
                parameter[torch.from_numpy(theirs[shared].astype(np.int64))] = weights[name][:-1][
                    torch.from_numpy(shared)
                ]
            else:
                parameter.copy_(weights[name])
