"""A run of a plan of news: what its models do, and what is told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from palate import __version__
from palate.evaluation import impressions as measure
from palate.evaluation.impressions import ImpressionEvaluation, evaluate_impressions
from palate.evaluation.result import (
    DataFacts,
    Example,
    Look,
    Looked,
    Measured,
    Recommended,
    Result,
    Slice,
    SplitFacts,
)
from palate.experiment.assemble import compared, environment, model_facts, shared_notes
from palate.experiment.examples import ITEMS, choose_users, explains, names_of, reasons
from palate.experiment.fit import Fitted, brief, forgiving
from palate.experiment.news import Parts
from palate.experiment.plan import EvaluatePlan, ModelPlan, Plan
from palate.experiment.settings import plain
from palate.models.base import Recommender
from palate.models.registry import load_model
from palate.report import slices

if TYPE_CHECKING:
    from palate.catalogue import Catalogue
    from palate.news import Impressions
    from palate.vocabulary import Id

_LOOKS = 3
"""Articles of which is shown what the model looked at."""
_PAST = 8
"""Articles of a history shown there."""


@dataclass(frozen=True)
class Shown:
    """Learn from impressions, and be judged by the order of what was shown. A `fit.Job`."""

    parts: Parts
    how: EvaluatePlan

    def warm_up(self, plan: ModelPlan) -> None:
        """Compile the kernels on a few impressions."""
        from palate.datasets.simulate import news_world

        if not plan.create().compiles:
            return
        tiny = news_world(users=12, articles=60, impressions=3, shown=5, common_words=20).dataset
        assert tiny.valid is not None
        with forgiving():
            evaluate_impressions(
                brief(plan).fit(tiny.train, catalogue=tiny.articles), tiny.valid, bootstrap=0
            )

    def learn(self, model: Recommender) -> Recommender:
        """Fit on train: impressions, of which other models take what readers read."""
        return model.fit(self.parts.train, catalogue=self.parts.data.articles)

    def judge(self, model: Recommender, label: str) -> ImpressionEvaluation:
        """Evaluate on the test part."""
        how = self.how
        return evaluate_impressions(
            model,
            self.parts.test,
            metrics=how.metrics,
            k=how.k,
            seed=how.seed,
            bootstrap=how.bootstrap,
            label=label,
        )


# --- the result -----------------------------------------------------------------------------------------------


def assemble(
    plan: Plan,
    parts: Parts,
    fitted: Sequence[Fitted[ImpressionEvaluation]],
    *,
    folder: Path,
    notes: Sequence[str] = (),
) -> Result:
    """Return the result of a run; the models that `folder` holds give the examples their reasons."""
    keys = plan.keys
    evaluations = [one.evaluation for one in fitted]
    shared = shared_notes(evaluations)
    result = Result(
        palate=__version__,
        name=plan.name,
        plan=plan.resolved(),
        primary=keys[0],
        data=_data_facts(parts),
        split=_split_facts(parts, shared, evaluations[0]),
        models=[model_facts(one, keys, shared) for one in fitted],
        comparisons=compared(plan, evaluations),
        environment=environment(),
        slices=_slices(evaluations, parts, keys[0]),
        notes=list(notes),
    )
    able = [facts for facts in result.ranking() if explains(facts.name)]
    if not able or not plan.report.examples:
        return result
    best = able[0].label
    rows = _chosen(parts.test, evaluations[0].rows, plan.report.examples, plan.evaluate.seed)
    told, looks = _told(load_model(folder / "models" / best), best, parts, rows)
    return result.model_copy(update={"examples": told, "looks": looks})


def _data_facts(parts: Parts) -> DataFacts:
    data, both = parts.data, (parts.train, parts.test)
    users = np.unique(np.concatenate([one.users.ids.to_numpy() for one in both]))
    return DataFacts(
        name=data.name,
        fingerprint=data.fingerprint,
        users=len(users),
        items=len(data.articles),
        interactions=sum(one.n_clicks for one in both),
        impressions=sum(len(one) for one in both),
        licence=data.licence,
        source=data.source,
        notes=list(dict.fromkeys(note for one in (data, *both) for note in one.notes)),
        description=replace(data, learn_from=parts.train, valid=parts.test).facts(),
    )


def _split_facts(parts: Parts, notes: Sequence[str], first: ImpressionEvaluation) -> SplitFacts:
    times = {"train": parts.train.time, "test": parts.test.time}
    return SplitFacts(
        method=parts.protocol.method,
        params=plain(parts.protocol.params),
        words=parts.protocol.words,
        weakness=parts.protocol.weakness,
        train=len(parts.train),
        valid=0,
        test=len(parts.test),
        train_users=len(parts.train.users),
        train_items=len(parts.train.articles),
        test_users=len(first.users),
        cold_rows=parts.strange_rows,
        cold_users=parts.strange_users,
        cold_items=parts.strange_articles,
        seen_rows=0,
        timeline=slices.timeline({name: time for name, time in times.items() if time is not None}),
        notes=list(notes),
    )


def _slices(evaluations: Sequence[ImpressionEvaluation], parts: Parts, key: str) -> list[Slice]:
    """Return a metric by the length of the history, and by the age of what was clicked where there are times."""
    found = []
    by_history = {one.label: measure.by_history(one, parts.test, key) for one in evaluations}
    found += _of_kind("history", by_history)
    if parts.train.time is not None and parts.test.time is not None:
        by_age = {one.label: measure.by_age(one, parts.train, parts.test, key) for one in evaluations}
        found += _of_kind("age", by_age)
    return found


def _of_kind(kind: str, by_label: Mapping[str, Sequence[measure.Slice]]) -> list[Slice]:
    first = next(iter(by_label.values()))
    return [
        Slice.model_validate(
            {
                "kind": kind,
                "label": part.name,
                "users": part.n,
                "metrics": {
                    label: Measured(mean=of[place].value, n=part.n) for label, of in by_label.items()
                },
            }
        )
        for place, part in enumerate(first)
        if part.n
    ]


# --- what a model shows, and looks at -------------------------------------------------------------------------


def _chosen(shown: Impressions, measured: NDArray[np.int64], n: int, seed: int) -> NDArray[np.int64]:
    """Return impressions of `n` readers, from short histories to long ones."""
    _, first = np.unique(shown.user[measured], return_index=True)
    rows = measured[first]
    return rows[choose_users(shown.histories.lengths[shown.history_of[rows]], n, seed=seed)]


def _told(
    model: Recommender, label: str, parts: Parts, rows: NDArray[np.int64]
) -> tuple[list[Example], list[Look]]:
    from palate.models.news.base import NewsModel

    shown, catalogue = parts.test, parts.data.articles
    examples: list[Example] = []
    looks: list[Look] = []
    for row in rows.tolist():
        one = shown.select(np.array([row]))
        scores, clicked = model.score_impressions(one), one.labels
        order = np.argsort(-scores, kind="stable")
        articles = one.articles.decode(one.candidate)
        knows = (one.codes_in(model.items)[one.candidate] >= 0) & np.isfinite(scores)
        past = one.articles.decode(one.histories.item[::-1])
        known = past.filter(past.is_in(model.items.ids.implode())).reverse().to_list()
        user = one.users.ids[0]
        who: dict[str, Any] = {"history": known}
        if isinstance(model, NewsModel):  # which knows the reader beside the history
            who["user"] = user
        recommended = []
        for rank, place in enumerate(order[:ITEMS].tolist(), start=1):
            item = articles[place]
            because = reasons(model, who, item, catalogue)[1] if known and knows[place] else []
            recommended.append(
                Recommended(
                    item=str(item),
                    name=names_of(catalogue, [item])[0],
                    rank=rank,
                    score=float(scores[place]),
                    hit=bool(clicked[place]),
                    reasons=because,
                )
            )
        examples.append(
            Example(
                label=label,
                user=str(user),
                history_length=len(past),
                history=names_of(catalogue, past.head(ITEMS).to_list()),
                held_out=int(clicked.sum()),
                recommended=recommended,
            )
        )
        best = next((place for place in order.tolist() if clicked[place] and knows[place]), None)
        if len(looks) < _LOOKS and known and best is not None:
            looks += _looked(model, label, who, articles[best], catalogue, clicked=True)
    return examples, looks


def _looked(
    model: Recommender,
    label: str,
    who: dict[str, Any],
    item: Id,
    catalogue: Catalogue,
    *,
    clicked: bool,
) -> list[Look]:
    """Return what a network looked at; nothing for a model that has no attention."""
    from palate.models.news.learned import LearnedNews

    if not isinstance(model, LearnedNews):
        return []
    told = model.explain(item=item, **who)
    if told.words.is_empty():
        return []
    table = told.contributions.head(_PAST)
    names = names_of(catalogue, table["item"].to_list())
    return [
        Look(
            label=label,
            user=str(who["user"]),
            article=names_of(catalogue, [item])[0],
            clicked=clicked,
            score=told.score,
            words=[
                Looked(name=str(row["word"]), attention=row["attention"], contribution=row["contribution"])
                for row in told.words.iter_rows(named=True)
            ],
            history=[
                Looked(name=name, attention=row["attention"], contribution=row["contribution"])
                for name, row in zip(names, table.iter_rows(named=True), strict=True)
            ],
            remarks=list(told.remarks),
        )
    ]
