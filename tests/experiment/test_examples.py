"""Examples explain the very lists that were judged."""

from __future__ import annotations

import numpy as np
import pytest

from palate import split
from palate.evaluation import evaluate
from palate.experiment.examples import examples
from palate.interactions import Interactions
from palate.models.ease import EASE
from palate.models.sar import SAR
from palate.report.slices import Truth

DAY = 86_400


def world() -> Interactions:
    """Return two tastes of which each user has a little of the other, with ratings over a year."""
    random = np.random.default_rng(3)
    rows = []
    for user in range(40):
        odds = np.where(np.arange(20) % 2 == user % 2, 4.0, 1.0)
        for item in random.choice(20, 9, replace=False, p=odds / odds.sum()):
            time = 1_600_000_000 + DAY * int(random.integers(365))
            rows.append(
                {"user": user, "item": int(item), "value": float(random.integers(1, 6)), "time": time}
            )
    return Interactions.from_table(rows)


@pytest.mark.parametrize("model", [SAR(half_life_days=30), EASE(l2=5.0)], ids=["sar", "ease"])
def test_the_reasons_of_a_new_user_explain_the_score_of_the_list(model: SAR | EASE) -> None:
    parts = split.new_users(world(), users=0.3)
    assert parts.context is not None
    fitted = model.fit(parts.train)
    judged = evaluate(fitted, parts, k=3, metrics=["ndcg"], bootstrap=0)
    told = examples(
        fitted,
        judged,
        past=parts.context,
        truth=Truth(*judged.truth),
        catalogue=None,
        places=np.arange(len(judged.users)),
    )
    listed = fitted.recommend(histories=parts.context, k=3)
    scores = {(str(row["user"]), str(row["item"])): row["score"] for row in listed.to_dicts()}
    explained = {(one.user, item.item): item.score for one in told for item in one.recommended}
    assert len(explained) == 3 * len(told) > 0
    assert explained == pytest.approx({key: scores[key] for key in explained}, rel=1e-5)
