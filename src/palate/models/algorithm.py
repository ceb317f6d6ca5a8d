"""What a model writes: parameters, learned state, and the mathematics, all in codes.

A model is a class with

* its parameters as documented, validated fields;
* its learned state as a dataclass of arrays and numbers (`state_type`);
* `_fit(train, pairs)`, which returns that state;
* `_scores(contexts, columns)`, or `_best`, where it can do without all of them;
* `_similar`, `_explain`, `_rate`, `_update`, `_forget` where it can, and says so in `verbs`.

Ids, seen-filtering, top-k, batches and files are not its business: `base.Recommender` does them once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, PrivateAttr, ValidationError

from palate.catalogue import Catalogue
from palate.errors import NotFitted, NotSupported, PlanError, did_you_mean, expected
from palate.interactions import Histories, Interactions
from palate.models.contexts import Contexts
from palate.models.dense import best_of_all
from palate.vocabulary import Codes, Vocabulary

Floats = NDArray[np.floating]
PathText = Annotated[
    str | None, BeforeValidator(lambda given: str(given) if isinstance(given, Path) else given)
]
"""A path among parameters: kept as text, so that they can be written as JSON."""
T = TypeVar("T")


@dataclass(frozen=True)
class Pairs:
    """The distinct liked items of each user, ascending, as CSR."""

    indptr: NDArray[np.int64]
    """(users + 1)"""
    items: Codes
    """(pairs)"""


@dataclass
class Fitted:
    """What every fitted model knows, beside its own state."""

    users: Vocabulary
    """of train"""
    items: Vocabulary
    """of train"""
    histories: Histories
    """train events of each user, in item codes; a negative one has a value below zero"""
    popularity: NDArray[np.int64]
    """(items) distinct users who chose the item"""
    catalogue: Catalogue | None
    """names and attributes of items, where `fit` was given them"""
    fingerprint: str
    """of the training data"""
    negative_events: tuple[str, ...]
    """event types that say "not this", in train and in what is told later"""
    state: Any
    """the model's own learned state, a dataclass of arrays and numbers"""
    trace: list[dict[str, float]] = field(default_factory=list)
    """what `fit` saw, a row for each iteration or epoch, where the model has any; not saved"""


class Algorithm(BaseModel):
    """Parameters, learned state and mathematics; parameters are checked when it is made.

    Making one raises MissingExtra, with the install line, where a package that it needs is not installed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: ClassVar[str]
    """what plans and the command line call it"""
    verbs: ClassVar[frozenset[str]] = frozenset()
    """what it can do beside fit, recommend, rank and score"""
    learns_from_history: ClassVar[bool] = True
    """whether it has nothing to say without a history"""
    reads_order: ClassVar[bool] = False
    """whether the order of a history is what it learns"""
    baseline_is: ClassVar[str] = "without any history"
    """what the baseline of `explain` is"""
    needs_values: ClassVar[bool] = False
    """whether it learns from ratings, so that train must have a value column"""
    needs_text: ClassVar[bool] = False
    """goes by the text of items: of somebody without a history it says nothing that a list could be made of"""
    state_type: ClassVar[type]
    """the dataclass of its learned state"""
    compiles: ClassVar[bool] = True
    """whether its first fit compiles kernels, so that a run lets it have a small one before its seconds count"""

    _fitted: Fitted | None = PrivateAttr(None)
    _valid: Interactions | None = PrivateAttr(None)
    """validation rows that are no negative events, while `fit` runs and where it was given any"""
    _prepared: tuple[Any, Any] | None = PrivateAttr(None)
    """a learned state, and what was made of it"""

    def __init__(self, **params: Any) -> None:
        from palate.models import registry

        registry.need(self.name)
        try:
            super().__init__(**params)
        except ValidationError as error:
            raise PlanError(_parameter_message(type(self), error)) from None

    # --- what it is -----------------------------------------------------------------------------------------

    def params(self) -> dict[str, Any]:
        """Return the parameters by name."""
        return self.model_dump()

    def can(self, verb: str) -> bool:
        """Return whether the model has a verb: similar, similar_users, explain, rate, update, forget or export."""
        return verb in self.verbs

    @property
    def rated(self) -> bool:
        """Whether it learns from ratings, with these parameters, and not from choices alone."""
        return self.needs_values

    @property
    def folds_in(self) -> bool:
        """Whether it scores a history alone, of somebody whom train lacks; else it knows the users of train only."""
        return True

    @property
    def fitted(self) -> Fitted:
        """What was learned. Raises NotFitted before `fit` or `load`."""
        if self._fitted is None:
            raise NotFitted(
                f"this {self.name} is not fitted yet: call fit(train) first, or load a saved one."
            )
        return self._fitted

    @property
    def users(self) -> Vocabulary:
        """The users of train."""
        return self.fitted.users

    @property
    def items(self) -> Vocabulary:
        """The items of train."""
        return self.fitted.items

    @property
    def catalogue(self) -> Catalogue | None:
        """The table of items given to `fit`."""
        return self.fitted.catalogue

    @property
    def popularity(self) -> NDArray[np.int64]:
        """Distinct train users of each item, (items)."""
        return self.fitted.popularity

    def _trace(self, **numbers: float) -> None:
        """Note what an iteration of `fit` came to."""
        self.fitted.trace.append(numbers)

    def _once(self, make: Callable[[Any], T]) -> T:
        """Return `make(state)`: what is the same for all who ask, and so made once for a learned state."""
        prepared, state = self._prepared, self.fitted.state
        if prepared is None or prepared[0] is not state:
            prepared = self._prepared = state, make(state)
        found: T = prepared[1]
        return found

    # --- what a model writes --------------------------------------------------------------------------------

    def _fit(self, train: Interactions, pairs: Pairs) -> Any:
        """Return the learned state; `train` has no negative events."""
        raise NotImplementedError

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        """Return the scores of items `columns` for each context, (contexts, columns)."""
        raise NotImplementedError

    def _best(self, contexts: Contexts, k: int, exclude_seen: bool, columns: Codes) -> tuple[Codes, Floats]:
        """Return the best k of `columns` (ascending) for each context."""
        n_items = len(self.items)
        return best_of_all(
            self._scores, contexts, k, exclude_seen=exclude_seen, columns=columns, n_items=n_items
        )

    def _similar(self, items: Codes, k: int) -> tuple[Codes, Floats]:
        raise NotImplementedError

    def _similar_users(self, contexts: Contexts, k: int) -> tuple[Codes, Floats]:
        raise NotImplementedError

    def _explain(self, contexts: Contexts, item: int) -> tuple[Codes, NDArray[np.float64], float]:
        """Return past items, what each adds to the score of `item`, and the baseline."""
        raise NotImplementedError

    def _rate(self, contexts: Contexts, place: Codes, items: Codes) -> NDArray[np.float64]:
        """Return the ratings of pairs: context `place[n]` rates `items[n]`."""
        raise NotImplementedError

    def _update(self, events: Interactions) -> None:
        raise NotImplementedError

    def _forget(self, user: int) -> None:
        raise NotImplementedError

    def _need_fold_in(self) -> None:
        if not self.folds_in:
            raise NotSupported(
                f"{self.name} learns each user by name and cannot go by a history: ials, ease and sar fold a new user "
                'in. Or ask for recommend(..., unknown = "popular").'
            )

    def _need(self, verb: str) -> None:
        if not self.can(verb):
            from palate.models import registry

            every = (
                [*registry.news_names(), *registry.names()]
                if self.name in registry.news_names()
                else registry.names()
            )
            others = [name for name in every if name != self.name and not registry.lacks(name)]
            able = [name for name in others if verb in registry.get(name).verbs]
            home = type(self).__module__.rpartition(".")[0]  # those of the same kind first
            able.sort(key=lambda name: not registry.get(name).__module__.startswith(home))
            here = " with these parameters" if verb in self.verbs else ""
            raise NotSupported(f"{self.name} has no {verb}{here}; {' and '.join(dict.fromkeys(able))} can.")


def _parameter_message(model: type[Algorithm], error: ValidationError) -> str:
    """Return the first fault of a set of parameters, in words."""
    fault = error.errors()[0]
    name = str(fault["loc"][0]) if fault["loc"] else ""
    known = list(model.model_fields)
    if fault["type"] == "extra_forbidden":
        hint = did_you_mean(name, known)
        return f"{model.name} has no parameter {name!r}.{hint} It has: {', '.join(known) or 'none'}."
    given = f"{model.name}: {name} = {fault['input']!r}" if name else model.name  # or the parameters together
    if fault["type"] == "value_error":
        return f"{given}: {fault['ctx']['error']}."
    return f"{given} is not what was expected: {expected(fault)}"
