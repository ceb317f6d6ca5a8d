"""What models of news share: they learn from impressions, know articles by their text, and score what is shown.

Everything else is that of any recommender: `recommend`, `rank` and `score` for readers of train or for a history alone,
over all articles of the catalogue or some. Their items are the catalogue's articles and those of train together; what
is learned comes from train alone, so an article that train never showed changes nothing but the lists it stands in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from palate.catalogue import Catalogue
from palate.datasets.dataset import Dataset
from palate.datasets.newsdata import NewsDataset
from palate.errors import DataError, listing
from palate.interactions import Interactions
from palate.models import checks
from palate.models.algorithm import Fitted, Pairs
from palate.models.base import Recommender
from palate.models.contexts import Contexts, signed_histories
from palate.news import Impressions
from palate.vocabulary import Codes, Id, Vocabulary, as_ids


class NewsModel(Recommender):
    """A recommender that learns from impressions."""

    needs_text: ClassVar[bool] = True
    """whether it reads articles, so that it cannot be fitted without a catalogue that has text"""
    needs_impressions: ClassVar[bool] = True
    """whether it learns from what was shown beside a choice, so that choices alone will not do"""

    def fit(self, train: object, *, valid: object | None = None, catalogue: Catalogue | None = None) -> Self:
        """Learn from impressions, from nothing: what was fitted before is forgotten.

        Args:
            train: impressions with labels; or a data set that `palate.load_news` gave, whose train part it takes.
                `content` also takes interactions, as any other model.
            valid: impressions for models that stop early; others leave them unread.
            catalogue: the articles; text is read from its text columns, or the display name where it has none.

        """
        if isinstance(train, NewsDataset):
            catalogue, train = catalogue or train.articles, train.train
        if isinstance(train, Dataset):
            catalogue, train = catalogue or train.catalogue, train.interactions
        if isinstance(train, Interactions) and not self.needs_impressions:
            return self._fit_to(train, train, catalogue, None)
        for part, what in ((train, "train"), (valid, "valid")):
            if part is not None and not isinstance(part, Impressions):
                raise DataError(
                    f"{self.name} learns from impressions (who was shown what, and clicked which); {what} is a "
                    f"{type(part).__name__}. Give palate.load_news(...) or palate.Impressions.from_table(...)."
                )
        assert isinstance(train, Impressions)
        assert valid is None or isinstance(valid, Impressions)
        if not train.n_clicks or train.labels.all():
            raise DataError(
                f"{self.name}: {'nothing' if not train.n_clicks else 'everything'} was clicked in train, so there is "
                "nothing to tell apart."
            )
        return self._fit_to(train, train.interactions(), catalogue, valid)

    def _fit_to(
        self,
        train: Impressions | Interactions,
        past: Interactions,
        catalogue: Catalogue | None,
        valid: Impressions | None,
    ) -> Self:
        seen = train.articles if isinstance(train, Impressions) else train.items
        ids = [seen.ids]
        if catalogue is not None:
            checks.check_catalogue(catalogue, seen)
            ids.append(catalogue.table["item"])
        elif self.reads_text:
            raise DataError(
                f"{self.name} reads articles: give catalogue = palate.Catalogue.from_table(..., text = [...])."
            )
        items = Vocabulary.of(pl.concat(ids))
        code = items.encode(past.items.ids)
        histories = signed_histories(past)
        first = Pairs(*past.pairs())
        self._fitted = Fitted(
            users=past.users,
            items=items,
            histories=replace(histories, item=code[histories.item]),
            popularity=np.bincount(code[first.items], minlength=len(items)).astype(np.int64),
            catalogue=catalogue,
            fingerprint=train.fingerprint,
            negative_events=past.negative_events,
            state=None,
        )
        try:
            self._fitted.state = (
                self._learn(train, valid) if isinstance(train, Impressions) else self._read(seen)
            )
        except BaseException:
            self._fitted = None
            raise
        return self

    def with_articles(self, catalogue: Catalogue) -> Self:
        """Return the same model that also knows other articles, as they come; nothing is learned, this one stays.

        An article that it knows already keeps its text; what a new one lacks of the known ones' columns is missing, but
        for the text that is read.
        """
        fitted = self.fitted
        if (catalogue.table["item"].dtype == pl.String) != fitted.items.is_text:
            raise DataError(
                f"the new articles have {catalogue.table['item'].dtype} ids, the known ones {fitted.items.kind} ids."
            )
        items = Vocabulary.of(pl.concat([fitted.items.ids, catalogue.table["item"]]))
        code = items.encode(fitted.items.ids)
        table = catalogue.table
        if fitted.catalogue is not None:
            known = fitted.catalogue.table
            read = fitted.catalogue.text[:1] or ((fitted.catalogue.name,) if fitted.catalogue.name else ())
            lacking = [column for column in read if column not in table.columns]
            if lacking and self.reads_text:
                raise DataError(
                    f"the new articles lack the column {lacking[0]!r}, which {self.name} reads; they have "
                    f"{listing(table.columns)}. Name it so."
                )
            fresh = table.filter(~pl.col("item").is_in(known["item"].implode()))
            fresh = fresh.select(column for column in known.columns if column in table.columns)
            table = pl.concat([known, fresh], how="diagonal_relaxed")  # other attributes are missing
        like = fitted.catalogue or catalogue
        popularity = np.zeros(len(items), np.int64)
        popularity[code] = fitted.popularity
        other = type(self)(**self.params())
        other._fitted = replace(
            fitted,
            items=items,
            histories=replace(fitted.histories, item=code[fitted.histories.item]),
            popularity=popularity,
            catalogue=Catalogue(table.sort("item"), name=like.name, text=like.text),
        )
        other._fitted.state = other._moved(fitted.state, code, len(items))
        return other

    def _one_context(self, user: Id | None, history: object | None) -> Contexts:
        """Return the context of `explain`: a reader, a history, or a reader with another history than that of train."""
        if user is None or history is None:
            return super()._one_context(user, history)
        alone = super()._one_context(None, history)
        return replace(alone, users=self.users.encode(as_ids([user])))

    @property
    def reads_text(self) -> bool:
        """Whether it reads articles, with these parameters."""
        return self.needs_text

    # --- what a model writes ------------------------------------------------------------------------------------

    def _learn(self, train: Impressions, valid: Impressions | None) -> Any:
        """Return the learned state."""
        raise NotImplementedError

    def _read(self, seen: Vocabulary) -> Any:
        """Return the state of a model that needs no impressions: what it learns of the items that train has."""
        raise NotImplementedError

    def _moved(self, state: Any, code: Codes, n_items: int) -> Any:
        """Return the state when item n has become item code[n] of `n_items`; this model knows these and their text."""
        return state

    def _fit(self, train: Interactions, pairs: Pairs) -> Any:
        raise NotImplementedError("a news model learns from impressions")

    def _texts(self) -> pl.Series:
        """Return the text of each item, in the order of codes; missing where the catalogue has none."""
        catalogue = self.fitted.catalogue
        assert catalogue is not None
        return text_of(catalogue, self.fitted.items)


def text_of(catalogue: Catalogue, items: Vocabulary, columns: tuple[str, ...] | None = None) -> pl.Series:
    """Return the text of each item; several columns are joined by a space.

    columns: None: the catalogue's first text column, else its display name. Raises DataError without either.
    """
    if columns is None:
        columns = catalogue.text[:1] or ((catalogue.name,) if catalogue.name else ())
    if not columns:
        raise DataError(
            f"the catalogue names no text ({catalogue!r}). Say which column is read: Catalogue.from_table(..., text = "
            '["headline"]), text = "headline" in [data] of a plan, or --text-column headline.'
        )
    joined = pl.concat_str(
        [pl.col(column).cast(pl.String).fill_null("") for column in columns], separator=" "
    )
    told = catalogue.table.select("item", text=joined)
    whole = items.ids.alias("item").to_frame().join(told, on="item", how="left", maintain_order="left")
    return whole["text"].fill_null("")
