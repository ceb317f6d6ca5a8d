"""What NRMS and NPA share: parameters of text and training, the fit, and how a network that was fitted is asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from palate import words
from palate.catalogue import Catalogue
from palate.errors import DataError
from palate.interactions import Histories
from palate.models.algorithm import Floats, PathText
from palate.models.contexts import Contexts, HistoriesLike
from palate.models.exported import Exported, write_codes
from palate.models.news.base import NewsModel
from palate.models.search import Span
from palate.news import Impressions
from palate.vocabulary import Codes, Id, Vocabulary

if TYPE_CHECKING:
    import torch
    from torch import nn

    from palate.models.news.looking import NewsExplanation
    from palate.models.news.reading import Lists
    from palate.models.news.scoring import Scorer
    from palate.models.news.shown import Shown


@dataclass
class NewsState:
    """What a network of news learns."""

    weights: dict[str, NDArray[np.float32]]
    """its parameters by name; "words.weight" is (words, word size)"""
    words: NDArray[np.uint8]
    """as `palate.words.packed` has them"""

    def fits(self, n_items: int) -> bool:
        """Return whether the arrays belong together, whatever the articles."""
        table = self.weights.get("words.weight")
        return table is not None and table.ndim == 2 and len(table) == words.count(self.words)


class LearnedNews(NewsModel):
    """A network that reads titles and histories, and learns from clicks."""

    verbs: ClassVar[frozenset[str]] = frozenset({"explain", "export"})
    learns_from_history: ClassVar[bool] = False  # a reader without one has a vector, which is learned
    baseline_is: ClassVar[str] = "that no article gives alone"
    state_type: ClassVar[type] = NewsState

    tokenizer: words.Tokenizer = "words"
    """how titles are cut: see `palate.words.Tokenizer`"""
    title: int = Field(30, ge=1)
    """first words of a title that are read"""
    history: int = Field(50, ge=1)
    """last articles of a history that are read"""
    min_count: int = Field(1, ge=1)
    """titles of train that must have a word; others are left out of all titles"""
    start: Literal["lsa", "random"] = "lsa"
    """the words' first vectors: from which words stand in which titles (no click is used), or normal numbers"""
    vectors: PathText = None
    """file of pretrained word vectors (GloVe text, or .npy beside its words); words that it lacks begin as `start`
    says"""
    negatives: int = Field(4, ge=1)
    """articles that were shown and not clicked, drawn beside each click of their impression"""
    epochs: int = Field(10, ge=1)
    """at most"""
    patience: int = Field(3, ge=1)
    """epochs without a better AUC of validation impressions before it stops"""
    holdout: float = Field(0.1, ge=0, lt=1)
    """without validation impressions: share of train, the last in time, that is not learned but says when to stop"""
    validation_impressions: int = Field(2_000, ge=1)
    """judge so many at most after each epoch"""
    batch: int = Field(64, ge=1)
    """clicks of a step"""
    learning_rate: Annotated[float, Span(0.0001, 0.01, log=True)] = Field(0.003, gt=0, allow_inf_nan=False)
    """of Adam"""
    schedule: Literal["constant", "cosine"] = "cosine"
    """of the learning rate"""
    dropout: Annotated[float, Span(0.0, 0.5)] = Field(0.1, ge=0, lt=1)
    """share of numbers left out while learning"""
    seed: int = Field(42, ge=0)
    """of weights, order, draws and dropout"""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """where to learn; auto: a CUDA card if there is one. Scores are made on the processor"""
    precision: Literal["float32", "bfloat16"] = "float32"
    """of the network's products while learning"""
    checkpoint: PathText = None
    """folder of the training's state after each epoch: a fit that was stopped goes on from there"""

    # --- what a network writes ----------------------------------------------------------------------------------

    def _make(self, table: torch.Tensor, n_users: int) -> nn.Module:
        """Return the network, beginning with `table`, (words, word size)."""
        raise NotImplementedError

    @property
    def _word_size(self) -> int:
        raise NotImplementedError

    @property
    def _strangers(self) -> float:
        """Share of readers that are taken for unknown people while it learns."""
        return 0.0

    def _finish(self, weights: dict[str, NDArray[np.float32]], learners: Codes) -> None:
        """Set right, in place, what was not learned; learners: codes of people whose clicks were."""

    # --- learning -----------------------------------------------------------------------------------------------

    def _learn(self, train: Impressions, valid: Impressions | None) -> NewsState:
        from palate.models.news.start import first_vectors
        from palate.models.news.training import Clicks
        from palate.neural import checkpoint, loop
        from palate.neural.devices import own_random, return_memory

        return_memory()
        about = checkpoint.about(self.name, self.params())
        texts = self._texts()
        occurs = np.zeros(len(texts), np.bool_)
        occurs[self.items.encode(train.articles.ids)] = True
        known = words.encode(
            texts.filter(pl.Series(occurs)), tokenizer=self.tokenizer, min_count=self.min_count
        )
        titles = self._titles(known.words)
        held = valid is None and self.holdout > 0 and train.time is not None and len(train) > 1
        if held:
            train, valid = train.before(1 - self.holdout)
        shown = self._shown(train)
        if not shown.mixed.any():
            took = f" (holdout = {self.holdout:g} took the others)" if held else ""
            raise DataError(
                f"{self.name}: of {len(train):,} impressions to learn from{took} none has both a click and an article "
                "that was not clicked: give more of them, or holdout = 0."
            )
        judged = None if valid is None else self._judged(valid)
        table = first_vectors(known, self._word_size, start=self.start, vectors=self.vectors, seed=self.seed)
        with own_random(self.seed):
            module = self._make(table, len(self.users))
        task = Clicks(module, titles, shown, self.negatives, self.batch, self._strangers, judged)
        course = loop.Course(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            seed=self.seed,
            betas=(0.9, 0.999),
            schedule=self.schedule,
            patience=self.patience,
            device=self.device,
            precision=self.precision,
            unit="clicks",
            checkpoint=None if self.checkpoint is None else Path(self.checkpoint),
            identity=self._identity(about, train, valid),
            about=about,
            remedy=f"Lower learning_rate ({self.learning_rate:g}).",
            advice=f"Lower batch ({self.batch:,} clicks) to {max(self.batch // 2, 1):,}.",
        )
        loop.train(task, course, self._trace)
        weights = {name: tensor.cpu().numpy() for name, tensor in module.state_dict().items()}
        self._finish(weights, task.learners)
        return NewsState(weights, words.packed(known.words))

    def _titles(self, vocabulary: Vocabulary, some: NDArray[np.int64] | slice = slice(None)) -> Lists:
        """Return the words that are read of articles, all or some."""
        from palate.models.news.reading import Lists

        told = words.encode(self._texts()[some], tokenizer=self.tokenizer, words=vocabulary)
        return Lists(told.indptr, told.word).first(self.title)

    def _shown(self, shown: Impressions) -> Shown:
        from palate.models.news.shown import Shown

        return Shown.of(shown, self.users, self.items, self.history)

    def _judged(self, valid: Impressions) -> Shown | None:
        """Return what judges an epoch; None where nothing there can be measured."""
        if len(valid) > self.validation_impressions:
            rng = np.random.default_rng(self.seed)
            valid = valid.select(np.sort(rng.choice(len(valid), self.validation_impressions, replace=False)))
        _ = valid.labels
        shown = self._shown(valid)
        return shown if shown.mixed.any() else None

    def _identity(self, about: dict[str, Any], train: Impressions, valid: Impressions | None) -> str:
        """Return a digest of what training depends on."""
        texts = hashlib.sha256("\0".join(self._texts()).encode()).hexdigest()
        told = json.dumps([about, train.fingerprint, "" if valid is None else valid.fingerprint, texts])
        return hashlib.sha256(told.encode()).hexdigest()

    # --- asked --------------------------------------------------------------------------------------------------

    def network(self) -> nn.Module:
        """Return the fitted network, for a closer look; it takes a `palate.models.news.reading.Batch`."""
        module: nn.Module = self._once(self._prepare)[0]
        return module

    def titles(self) -> Lists:
        """Return the words that are read of each article, in the order of `items`, as codes."""
        lists: Lists = self._once(self._prepare)[1]
        return lists

    def vocabulary(self) -> Vocabulary:
        """Return the words that it knows; their codes are what the network reads (`palate.words.encode`)."""
        return words.unpacked(self.fitted.state.words)

    def export(self, path: str | Path) -> Exported:
        """Write the fitted network as ONNX: word codes in, scores of candidates out. Returns the files.

        Beside NAME.onnx stands NAME.words.csv, which word each code is, and of npa NAME.users.csv. The network's
        metadata say `history` and `title`.

        Inputs: `past` (readers, clicks, words) and `candidates` (readers, articles, words), int64 codes of words, those
        it does not know left out, padded on the right with -1: the last `history` clicks, oldest first, and of each
        title its first `title` words. Of npa also `user` (readers) int64: the code of a reader, 0 for one it does not
        know. Output: `scores` (readers, articles) float32. Raises MissingExtra without onnx and onnxscript.
        """
        import torch

        from palate.models.news.padded import Padded
        from palate.neural.export import to_onnx

        past = torch.tensor([[[0, -1, -1], [0, 0, -1]], [[0, 0, 0], [-1, -1, -1]]])
        given: tuple[torch.Tensor, ...] = (past, past.repeat(1, 2, 1))
        varying = {
            "past": {0: "readers", 1: "clicks", 2: "words"},
            "candidates": {0: "readers", 1: "articles", 2: "longest"},
        }
        if "users.weight" in self.fitted.state.weights:
            given, varying = (*given, torch.tensor([0, 1])), varying | {"user": {0: "readers"}}
        written = to_onnx(
            Padded(self.network()),
            Path(path),
            given,
            inputs=list(varying),
            output="scores",
            varying=varying,
            facts={"history": str(self.history), "title": str(self.title)},
        )
        codes = [write_codes(written, "word", self.vocabulary().ids)]
        if "user" in varying:
            codes.append(write_codes(written, "user", self.users.ids, first=1))
        return Exported(written, codes)

    def _prepare(self, state: NewsState) -> tuple[Any, Lists, Scorer]:
        """Return the network, the titles, and what asks the one about the other."""
        import torch

        from palate.models.news.scoring import scorer
        from palate.neural.blank import without_numbers
        from palate.neural.devices import return_memory

        return_memory()
        weights = {name: torch.from_numpy(array) for name, array in state.weights.items()}
        n_users = len(weights["users.weight"]) - 1 if "users.weight" in weights else 0
        with without_numbers():
            module = self._make(torch.empty(weights["words.weight"].shape), n_users)
        module.load_state_dict(weights, assign=True)
        titles = self._titles(words.unpacked(state.words))
        return module, titles, scorer(module, titles, keep=True)

    def with_articles(self, catalogue: Catalogue) -> Self:
        """Return the same model that also knows other articles, as they come; nothing is learned, this one stays.

        An article that it knows already keeps its text. Where this model was asked before, what it made of articles
        goes along, and only the new ones are read.
        """
        other = super().with_articles(catalogue)
        if self._prepared is None or self._prepared[0] is not other.fitted.state:
            return other
        module, titles, asked = self._prepared[1]
        code = other.items.encode(self.items.ids)
        new = np.ones(len(other.items), np.bool_)
        new[code[titles.lengths > 0]] = False  # one that had no words may have some now
        fresh = np.flatnonzero(new)
        place = np.empty(len(new), np.int64)
        place[code], place[fresh] = np.arange(len(titles)), len(titles) + np.arange(len(fresh))
        wider = titles.then(other._titles(other.vocabulary(), fresh)).select(place)
        other._prepared = other.fitted.state, (module, wider, asked.wider(wider, code, fresh))
        return other

    def _score_shown(self, shown: Impressions) -> NDArray[np.float32]:
        from palate.models.news.scoring import score

        return score(self._once(self._prepare)[2], self._shown(shown))

    def _scores(self, contexts: Contexts, columns: Codes) -> Floats:
        asked = self._once(self._prepare)[2]
        users = 1 + contexts.users.astype(np.int64)
        return asked.every(pasts_of(contexts.events).last(self.history), users, columns)

    def _explain(self, contexts: Contexts, item: int) -> tuple[Codes, NDArray[np.float64], float]:
        """Leave one out: an effect is what the score loses without the article; the baseline is the rest."""
        past = contexts.events.item[contexts.events.value > 0]
        past = past[-self.history :]  # before one is left out, so that none that is older comes in for it
        distinct = np.unique(past)
        lists = [past, *(past[past != one] for one in distinct)]
        indptr = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
        told = Histories(indptr, np.concatenate(lists), np.ones(int(indptr[-1]), np.float32), None)
        users = np.full(len(lists), contexts.users[0], np.int32)
        asked = Contexts(contexts.labels.gather([0] * len(lists)), users, told)
        scores = self._scores(asked, np.array([item], np.int32))[:, 0].astype(np.float64)
        effects = scores[0] - scores[1:]
        return distinct.astype(np.int32), effects, float(scores[0] - effects.sum())

    def explain(
        self,
        *,
        user: Id | None = None,
        history: Sequence[Id] | HistoriesLike | object | None = None,
        item: Id,
        k: int | None = None,
    ) -> NewsExplanation:
        """Return what the network looks at and what leaving it out costs: articles that were read, words of the title.

        Args:
            user, history: one of them, as `recommend` takes it; both for a reader with another history than
            that of train. item: any article. k: articles to show (None: all).

        """
        from palate.models.news.looking import NewsExplanation, look, remark, word_table

        plain = super().explain(user=user, history=history, item=item)
        contexts = self._one_context(user, history)
        module, titles, _ = self._once(self._prepare)
        code = int(self.items.code(item))
        past = pasts_of(contexts.events).last(self.history)
        past = past.where(titles.lengths[past.member] > 0)
        table, words_table, remarks = plain.contributions, pl.DataFrame(), []
        attention = np.zeros(len(self.items))
        if len(past.member) and titles.lengths[code]:
            looks = look(module, titles, past, 1 + int(contexts.users[0]), code)
            np.add.at(attention, past.member, looks.past_attention)
            words_table = word_table(words.unpacked(self.fitted.state.words), looks)
            remarks.append(
                remark("words", words_table["word"].to_list(), looks.word_attention, looks.word_effect)
            )
        elif len(past.member):
            remarks.append(
                "words: the article has none that the network knows; it is like any other without words."
            )
        else:
            remarks.append(
                "articles: none that was read has words that the network knows; the reader is a stranger."
            )
        looked = attention[self.items.encode(table["item"])]
        names = table["item"].to_list() if self.catalogue is None else self.catalogue.names(table["item"])
        remarks.append(remark("articles", names, looked, table["contribution"].to_numpy()))
        table = table.insert_column(-1, pl.Series("attention", looked))
        return NewsExplanation(
            item=plain.item,
            score=plain.score,
            baseline=plain.baseline,
            baseline_is=plain.baseline_is,
            contributions=table if k is None else table.head(k),
            words=words_table,
            remarks=tuple(one for one in remarks if one),
        )


def pasts_of(events: Histories) -> Lists:
    """Return what was read of each history: a dislike is no reading."""
    from palate.models.news.reading import Lists

    return Lists(events.indptr, events.item).where(events.value > 0)
