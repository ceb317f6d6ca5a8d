"""RBM: restricted Boltzmann machines, densities of what people choose and of how they rate.

Salakhutdinov, Mnih and Hinton, "Restricted Boltzmann machines for collaborative filtering", ICML 2007. Visible units
are a user's items (or an item's users), hidden units are tastes that are on or off; `machine.py` has the energy,
`training.py` contrastive divergence. Which density is learned is `visible`:

    bernoulli     chosen or not, over the whole catalogue; the score is P(chosen). The one that makes good lists.
    softmax       the rating of what was rated, a weight for each level; the score is the expected rating.
    multinomial   the same with one weight for all levels of a unit: fewer parameters, monotone in the rating.
    joint         P(chosen), by a bernoulli machine by user, times the expected rating, by a softmax machine.

**Good ratings are no good list**: a machine of ratings has never seen what was *not* rated, so the items it expects the
highest rating for are those that few have rated, highly. For lists take bernoulli, or joint where liking counts; for
ratings take softmax by item. Users outside train are scored by their history alone. Cost: see `training.train`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, model_validator

from palate.errors import PlanError
from palate.interactions import Interactions
from palate.models.algorithm import Floats, Pairs
from palate.models.base import Recommender
from palate.models.contexts import Contexts, HistoriesLike, refuse
from palate.models.rbm import cells as data
from palate.models.rbm.cells import Cells, Scale
from palate.models.rbm.curves import Curves, rows_of
from palate.models.rbm.machine import Machine, Rated, Seen
from palate.models.rbm.part import Part, part_of
from palate.models.rbm.training import Schedule, begin, train
from palate.models.search import Span
from palate.vocabulary import Codes, Id

Visible = Literal["bernoulli", "softmax", "multinomial", "joint"]

# What was best on validation parts of MovieLens; the fields below have the defaults of bernoulli by user.
_OF_RATINGS = {"hidden": 100, "epochs": 40, "batch": 32, "l2": 0.003, "keep_prob": 1.0}
_RECIPES: dict[tuple[str, str], dict[str, Any]] = {
    ("bernoulli", "item"): {"hidden": 100},
    ("softmax", "user"): _OF_RATINGS | {"learning_rate": 0.05, "sharing": 0.75, "l2": 0.001, "batch": 64},
    ("softmax", "item"): _OF_RATINGS | {"sharing": 0.9},
    ("multinomial", "user"): _OF_RATINGS | {"learning_rate": 0.05, "l2": 0.001, "batch": 64},
    ("multinomial", "item"): _OF_RATINGS | {"keep_prob": 0.8},
}


@dataclass
class RBMState:
    """What is learned: a machine of choices, a machine of ratings, or both; `machine.Machine` has the shapes."""

    seen_weight: Floats | None = None
    seen_bias: Floats | None = None
    seen_hidden_bias: Floats | None = None
    seen_features: Floats | None = None
    """(items, hidden) where its cases are items"""
    rated_weight: Floats | None = None
    rated_bias: Floats | None = None
    rated_hidden_bias: Floats | None = None
    rated_given: Floats | None = None
    rated_strength: Floats | None = None
    rated_values: Floats | None = None
    rated_features: Floats | None = None
    """(items, hidden) where its cases are items"""

    def seen(self) -> tuple[Seen, Floats | None] | None:
        """Return the machine of choices and its features, if there is one."""
        if self.seen_weight is None or self.seen_bias is None or self.seen_hidden_bias is None:
            return None
        one, none = np.ones(1, np.float32), np.zeros((0, len(self.seen_hidden_bias)), np.float32)
        machine = Seen(self.seen_weight, self.seen_bias, self.seen_hidden_bias, none, one, one)
        return machine, self.seen_features

    def rated(self) -> tuple[Rated, Floats | None] | None:
        """Return the machine of ratings and its features, if there is one."""
        arrays = (
            self.rated_weight,
            self.rated_bias,
            self.rated_hidden_bias,
            self.rated_given,
            self.rated_strength,
            self.rated_values,
        )
        there = [array for array in arrays if array is not None]
        return (Rated(*there), self.rated_features) if len(there) == len(arrays) else None

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays are those of so many items."""
        parts = [part for part in (self.seen(), self.rated()) if part is not None]
        return bool(parts) and all(
            machine.sound()
            and (
                machine.n_units == n_items
                if features is None
                else features.shape == (n_items, machine.n_hidden)
            )
            for machine, features in parts
        )


class RBM(Recommender):
    """Restricted Boltzmann machine: good lists by default, ratings when asked."""

    name: ClassVar[str] = "rbm"
    verbs: ClassVar[frozenset[str]] = frozenset({"rate", "explain"})
    baseline_is: ClassVar[str] = "that no item gives alone"
    state_type: ClassVar[type] = RBMState

    visible: Visible = "bernoulli"
    """what is learned: `bernoulli` (chosen or not), `softmax` or `multinomial` (ratings), or `joint` (both). The
    defaults below are those of bernoulli; each kind has its own, found on validation parts. joint trains its machine
    of choices as said here and its machine of ratings by the recipe of softmax"""
    orientation: Literal["user", "item"] = "user"
    """what a case is; by item, ratings come out better, and new users cost a small optimisation each. joint: that of
    the ratings; its choices are by user"""
    hidden: Annotated[int, Span(50, 500, log=True)] = Field(300, ge=1)
    """hidden units"""
    conditional: bool = False
    """ratings only: let also *that* something was rated speak to the hidden units (train's rows alone, never test's)"""
    epochs: Annotated[int, Span(20, 100)] = Field(60, ge=1)
    """passes over the data"""
    batch: int = Field(64, ge=1)
    """cases a step"""
    learning_rate: Annotated[float, Span(0.02, 0.3, log=True)] = Field(0.1, gt=0, allow_inf_nan=False)
    """size of the first steps; falls evenly to a twentieth"""
    sharing: float = Field(0.0, ge=0, le=1)
    """softmax only: how far the levels of a unit learn together, in proportion to their places on the scale; 0 is the
    paper, near 1 softmax moves as multinomial does"""
    momentum: float = Field(0.9, ge=0, lt=1)
    """share of the last step in the next; at most 0.5 in the first three epochs"""
    l2: Annotated[float, Span(0.0005, 0.05, log=True)] = Field(0.01, ge=0, allow_inf_nan=False)
    """decay of weights; biases are free"""
    keep_prob: Annotated[float, Span(0.4, 1.0)] = Field(0.7, gt=0, le=1)
    """share of hidden units that take part in a step of training (dropout); scores use all of them, each so much"""
    cd_steps: tuple[Annotated[int, Field(ge=1)], ...] = Field((1,), min_length=1)
    """Gibbs steps k of contrastive divergence, for equal parts of training: [1, 3, 5] is CD-1, then CD-3, then CD-5"""
    persistent: bool = False
    """go on with the chains of earlier batches instead of starting at the data"""
    scale: tuple[float, ...] | None = None
    """all ratings there are, gaps welcome, 256 at most; None: the values in train"""
    seed: int = Field(42, ge=0)
    """of weights, order of cases, and draws"""

    @model_validator(mode="before")
    @classmethod
    def _of_the_kind(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Take what is not given from the recipe of the kind."""
        kind = (str(given.get("visible", "bernoulli")), str(given.get("orientation", "user")))
        return _RECIPES.get(kind, {}) | given

    def model_post_init(self, context: Any, /) -> None:
        """Refuse what contradicts itself."""
        super().model_post_init(context)
        if self.visible == "bernoulli" and (self.conditional or self.scale is not None):
            wrong = "conditional" if self.conditional else "scale"
            raise PlanError(
                f"rbm: {wrong} is of ratings, and visible = 'bernoulli' has none: take softmax, or leave it out."
            )
        if self.scale is not None:
            Scale.told(self.scale)

    def can(self, verb: str) -> bool:
        """Return whether this one has a verb: bernoulli does not rate, and only users as cases can be explained."""
        if verb == "rate":
            return self.rated
        return super().can(verb) and not (verb == "explain" and self.orientation == "item")

    @property
    def rated(self) -> bool:
        """Whether it learns from ratings: all but bernoulli do."""
        return self.visible != "bernoulli"

    # --- learning -----------------------------------------------------------------------------------------------

    def _fit(self, train: Interactions, pairs: Pairs) -> RBMState:
        learned: dict[str, Floats | None] = {}
        if self.visible in ("bernoulli", "joint"):
            by_item = self.visible == "bernoulli" and self.orientation == "item"
            cells = data.seen(pairs, train.n_items)
            part = self._learn(Seen, cells, np.ones(1), self, by_item=by_item)
            arrays = {**part.machine.arrays(), "features": part.features}
            learned |= {
                f"seen_{name}": arrays[name] for name in ("weight", "bias", "hidden_bias", "features")
            }
        if self.rated:
            scale = Scale.of(train.value, self.scale)
            cells = data.rated(train, len(pairs.items), scale)
            how = self._of_ratings()
            part = self._learn(Rated, cells, scale.values, how, by_item=self.orientation == "item")
            arrays = {**part.machine.arrays(), "features": part.features}
            learned |= {f"rated_{name}": array for name, array in arrays.items()}
        return RBMState(**learned)

    def _of_ratings(self) -> RBM:
        """Return how the machine of ratings learns: that of a joint model by the recipe of softmax."""
        if self.visible != "joint":
            return self
        mine = {name: getattr(self, name) for name in ("orientation", "conditional", "scale", "seed")}
        return RBM(visible="softmax", **mine)

    def _learn(self, kind: type[Machine], cells: Cells, values: Floats, how: RBM, *, by_item: bool) -> Part:
        """Train one machine by the parameters of `how`; what is seen on the way goes to this model's trace."""
        n_items = cells.n_units
        cells = cells.transposed() if by_item else cells
        schedule = Schedule(**{field.name: getattr(how, field.name) for field in fields(Schedule)})
        machine = begin(
            kind,
            cells,
            how.hidden,
            values,
            shared=how.visible == "multinomial" or kind is Seen,
            given=how.conditional and kind is Rated,
            seed=how.seed,
        )
        valid = rows_of(self._valid, self.users, self.items, by_item=by_item)
        free_energy = "free_energy"
        if self.visible == "joint":  # two machines tell in turn
            free_energy = "rated_free_energy" if kind is Rated else "seen_free_energy"
        machine = train(machine, cells, schedule, Curves(cells, valid, schedule, self._trace, free_energy))
        return part_of(machine, cells, by_item=by_item, keep_prob=how.keep_prob, n_items=n_items)

    # --- scoring ------------------------------------------------------------------------------------------------

    def _parts(self) -> tuple[Part | None, Part | None]:
        """Return the machine of choices and that of ratings, as far as they are."""
        state: RBMState = self.fitted.state
        n_items, seen, rated = len(self.items), state.seen(), state.rated()
        keep = self._of_ratings().keep_prob
        return (
            None if seen is None else Part(*seen, self.keep_prob, n_items),
            None if rated is None else Part(*rated, keep, n_items),
        )

    def _scores(self, contexts: Contexts, columns: Codes) -> NDArray[np.float64]:
        score = np.ones((len(contexts), len(columns)))
        for part in self._parts():
            if part is not None:
                score *= part.table(contexts, columns)
        return score

    def _rate(self, contexts: Contexts, place: Codes, items: Codes) -> NDArray[np.float64]:
        rated = self._parts()[1]
        assert rated is not None
        return rated.pairs(contexts, place, items).astype(np.float64)

    def _explain(self, contexts: Contexts, item: int) -> tuple[Codes, NDArray[np.float64], float]:
        """Leave one out: an effect is what the score loses without the item; the baseline is what no item has alone."""
        score: Any = 1.0
        for part in self._parts():
            if part is not None:
                cells = part.cells(contexts)
                score = score * part.without_each(cells, item)
        effects = score[0] - score[1:]
        return cells.unit, effects, float(score[0] - effects.sum())

    # --- drawing ------------------------------------------------------------------------------------------------

    def sample(
        self,
        *,
        users: Iterable[Id] | None = None,
        histories: HistoriesLike | object | None = None,
        items: Iterable[Id] | None = None,
        steps: int = 20,
        seed: int = 0,
    ) -> pl.DataFrame:
        """Draw a plausible completion of each past: what else somebody chooses, or how they rate the rest.

        Args:
            users, histories: as in `recommend`. items: only these; None: all.
            steps: of the Gibbs chain that draws choices, in which the past stays fixed. Ratings need no chain: hidden
                units are drawn given the past, and ratings given these.
            seed: another seed draws another completion.

        Returns:
            user, item, and rating where the model rates: of bernoulli and joint the items that were drawn, else all
            of `items`; never one of the past. Memory: contexts x items bytes, and the answer.

        """
        if steps < 1:
            raise PlanError(f"steps = {steps}: a chain has at least 1 step.")
        contexts = self._contexts(users, histories)
        known = self._known(contexts)
        if not known.all():
            refuse(contexts, ~known, folds_in=self.folds_in)
        columns = np.unique(self._item_codes(items))
        rng = np.random.default_rng(seed)
        seen, rated = self._parts()
        shape = (len(contexts), len(self.items))
        on = np.ones((len(contexts), len(columns)), np.bool_)
        if seen is not None:
            on = seen.draw_seen(contexts, columns, steps, rng)
        past = np.zeros(shape, np.bool_)
        past[np.repeat(np.arange(len(contexts)), contexts.events.lengths), contexts.events.item] = True
        place, at = np.nonzero(on & ~past[:, columns])
        code = columns[at]
        table = {"user": contexts.labels.gather(place), "item": self.items.decode(code)}
        if rated is not None:
            table["rating"] = pl.Series(rated.draw_ratings(contexts, place.astype(np.int32), code, rng))
        return pl.DataFrame(table)
