"""What a comparison says: who is within the noise, what is cheaper, and what nobody beats."""

from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import stats

from palate.evaluation.contest import Contest, Spread
from palate.evaluation.result import Difference, Measured, ModelFacts, Result, Seconds
from palate.evaluation.study import Study, Trial
from palate.report.advice import advice
from palate.report.pareto import Climb, Place, climbs, pareto
from palate.report.tuning import render_contest

# label: (test value, CPU seconds, values on two other splits, value on validation)
WORLD = {
    "rbm": (0.400, 9.0, (0.410, 0.405), 0.390),
    "ease": (0.398, 1.0, (0.409, 0.406), 0.388),
    "sar": (0.370, 0.1, (0.371, 0.372), 0.360),
    "popularity": (0.200, 0.02, (0.21, 0.20), 0.190),
}


def contest(
    result: Result,
    world: dict[str, tuple[float, float, tuple[float, ...], float]] = WORLD,
    *,
    luck: float = 0.005,
    metric: str = "ndcg@10",
    redrawn: bool = True,
    tested: bool = True,
) -> Contest:
    """A comparison of these figures; differences below `luck` are not significant."""
    models = [
        ModelFacts(
            name=label, label=label, params={},
            metrics={metric: Measured(mean=value, ci95=(value - 0.01, value + 0.01), n=500)},
            seconds=Seconds(fit=cpu, recommend=0, evaluate=0), cpu_seconds=Seconds(fit=cpu, recommend=0, evaluate=0),
        )
        for label, (value, cpu, _, _) in world.items()
    ]  # fmt: skip
    labels = list(world)
    comparisons = [
        Difference(
            a=a, b=b, metric=metric, difference=world[a][0] - world[b][0], method="randomisation",
            p=0.5 if abs(world[a][0] - world[b][0]) < luck else 0.0001,
            p_holm=0.5 if abs(world[a][0] - world[b][0]) < luck else 0.0003,
        )
        for place, a in enumerate(labels)
        for b in labels[place + 1 :]
    ]  # fmt: skip
    study = Study(
        palate="0", name="w", metric=metric, trials_each=2, plan={"models": []}, models=labels,
        trials=[
            Trial(model=label, number=number, params={}, state="done", value=valid - 0.01 * (1 - number))
            for label, (_, _, _, valid) in world.items()
            for number in (0, 1)
        ],
    )  # fmt: skip
    return Contest(
        palate="0",
        study=study,
        result=result.model_copy(
            update={
                "primary": metric,
                "models": models,
                "comparisons": comparisons if tested else [],
                "by_time": None,
            }
        ),
        spread=[
            Spread(label=label, values=[value, *others]) for label, (value, _, others, _) in world.items()
        ],
        varied="Other seeds.",
        redrawn=redrawn,
        seconds=1.0,
    )


def test_a_cheaper_model_within_the_noise_is_the_advice(result: Result):
    said = advice(contest(result))
    assert said[0] == "ease is within the noise of rbm here and 9 times cheaper."


def test_a_model_that_is_a_little_worse_for_a_fraction_is_named(result: Result):
    said = advice(contest(result))
    assert said[1] == "sar is a little worse (0.370 against 0.400 nDCG@10) and 90 times cheaper than rbm."


def test_the_best_is_best_where_the_users_tell_it_apart(result: Result):
    clear = WORLD | {"ease": (0.38, 1.0, (0.38, 0.38), 0.38)}
    assert (
        advice(contest(result, clear))[0]
        == "rbm is best, ahead of ease by more than luck, and in all 3 splits."
    )
    behind_once = WORLD | {"ease": (0.38, 8.0, (0.42, 0.38), 0.38)}
    assert "ease" not in contest(result, behind_once).equal()
    assert (
        advice(contest(result, behind_once))[0]
        == "rbm is best, ahead of ease by more than luck, and in 2 of 3 splits."
    )
    dear = WORLD | {"ease": (0.398, 27.0, (0.409, 0.406), 0.388)}
    assert (
        advice(contest(result, dear))[0]
        == "rbm leads; ease is within the noise, at 3.0 times the cost or more."
    )


def over_splits(leads: list[float]) -> dict[str, tuple[float, float, tuple[float, ...], float]]:
    """Two models on as many splits, the first ahead by so much in each."""
    first, *others = leads
    return {
        "rbm": (0.4 + first, 1.0, tuple(0.4 + lead for lead in others), 0.4),
        "ease": (0.4, 1.0, (0.4,) * len(others), 0.39),
    }


def test_who_loses_nineteen_splits_of_twenty_is_not_within_the_noise(result: Result):
    leads = [0.02 + 0.002 * (place % 3) for place in range(19)] + [-0.001]
    found = contest(result, over_splits(leads))
    assert found.ahead("rbm", "ease") == (19, 20)
    assert found.equal() == set()
    assert advice(found)[0] == "rbm is best, ahead of ease by more than luck, and in 19 of 20 splits."
    assert "resampled t test" in render_contest(found)


def test_a_lead_in_every_split_that_their_spread_explains_is_within_the_noise(result: Result):
    leads = [0.01, 0.05, 0.001, 0.04, 0.002]
    found = contest(result, over_splits(leads), luck=0.0)
    assert found.ahead("rbm", "ease") == (5, 5)
    assert found.result.as_good_as_best() == set()  # the users alone would have it
    assert found.equal() == {"ease"}
    assert contest(result, over_splits(leads[:4]), luck=0.0).equal() == set()  # too few splits to go by
    assert contest(result, over_splits(leads), luck=0.0, redrawn=False).equal() == set()  # other seeds alone


def test_who_leads_on_one_split_and_trails_on_the_others_is_not_best(result: Result):
    found = contest(result, over_splits([0.01, *[-0.02] * 9]), luck=0.0)
    assert found.ranking()[0].label == "rbm"
    assert found.chances() == {"ease": 1.0}


def test_chances_over_splits_are_those_of_the_formula_corrected_by_holm(result: Result):
    world = {
        "a": (0.50, 1.0, (0.52, 0.51, 0.53, 0.50), 0.5),
        "b": (0.48, 1.0, (0.51, 0.48, 0.51, 0.48), 0.5),
        "c": (0.47, 1.0, (0.52, 0.50, 0.50, 0.46), 0.5),
    }
    ratio = result.split.test / result.split.train
    p = {}
    for label in "bc":
        leads = np.array([world["a"][0], *world["a"][2]]) - np.array([world[label][0], *world[label][2]])
        t = leads.mean() / math.sqrt((1 / 5 + ratio) * leads.var(ddof=1))
        p[label] = 2 * stats.t.sf(t, 4)
    low, high = sorted(p, key=lambda label: p[label])
    expected = {low: 2 * p[low], high: max(2 * p[low], p[high])}
    assert contest(result, world).chances() == pytest.approx(expected)


def test_a_metric_without_a_test_is_not_said_to_be_more_than_luck(result: Result):
    found = contest(result, metric="coverage@10", tested=False)
    assert advice(found)[0] == "rbm is best, ahead of ease in 2 of 3 splits; the difference is not tested."
    alone = {label: (*facts[:2], (), facts[3]) for label, facts in WORLD.items()}
    said = advice(contest(result, alone, metric="coverage@10", tested=False))
    assert said[0] == "rbm is best, ahead of ease; the difference is not tested."
    other = WORLD | {"ease": (0.398, 1.0, (0.409, 0.406), 0.5)}
    said = advice(contest(result, other, metric="coverage@10", tested=False))
    chose = next(one for one in said if one.startswith("Validation"))
    assert chose.endswith("behind rbm by 0.002 coverage@10 on the test; the difference is not tested.")


def test_one_model_alone_is_compared_with_nothing(result: Result):
    alone = contest(result, {"ease": WORLD["ease"]})
    assert advice(alone)[0] == "ease is the only model: there is nothing to compare it with."
    assert "ease" in render_contest(alone)


def test_the_choice_of_validation_is_said_with_its_regret(result: Result):
    assert "Validation chose rbm too." in advice(contest(result))
    other = WORLD | {"ease": (0.398, 1.0, (0.409, 0.406), 0.5)}
    chose = next(one for one in advice(contest(result, other)) if one.startswith("Validation"))
    assert (
        chose == "Validation chose ease, which is behind rbm by 0.002 nDCG@10 on the test, within the noise."
    )
    wrong = WORLD | {"sar": (0.370, 0.1, (0.371, 0.372), 0.5)}
    assert contest(result, wrong).regret().difference == pytest.approx(0.03)
    assert any("more than noise" in one for one in advice(contest(result, wrong)))


def test_a_baseline_that_nobody_beats_is_a_warning(result: Result):
    flat = WORLD | {"popularity": (0.5, 0.02, (0.5, 0.5), 0.5)}
    assert any("No model beats popularity" in one for one in advice(contest(result, flat)))
    near = WORLD | {"popularity": (0.399, 0.02, (0.4, 0.4), 0.3)}
    assert any(
        "No model is better than popularity by more than luck" in one for one in advice(contest(result, near))
    )


def test_a_baseline_of_ratings_is_not_said_to_know_no_user(result: Result):
    errors = {"bias": (0.85, 0.1, (0.86, 0.85), 0.86), "svd": (0.91, 2.0, (0.91, 0.92), 0.92)}
    said = advice(contest(result, errors, metric="rmse"))
    assert "No model beats bias, which knows no tastes: there is little here to personalise." in said
    flat = WORLD | {"popularity": (0.5, 0.02, (0.5, 0.5), 0.5)}
    assert any("popularity, which knows no single user" in one for one in advice(contest(result, flat)))


def test_lower_is_better_for_errors(result: Result):
    errors = {"svd": (0.85, 2.0, (0.86, 0.85), 0.86), "bias": (0.91, 0.1, (0.91, 0.92), 0.92)}
    found = contest(result, errors, metric="rmse")
    assert [model.label for model in found.ranking()] == ["svd", "bias"]
    assert found.front() == ["bias", "svd"]
    assert found.ahead("svd", "bias") == (3, 3)
    assert (
        advice(found)[1] == "bias is a little worse (0.910 against 0.850 RMSE) and 20 times cheaper than svd."
    )


def test_the_front_is_what_no_other_beats_in_both(result: Result):
    found = contest(
        result, WORLD | {"slow": (0.3, 50.0, (0.3, 0.3), 0.3), "worse": (0.36, 0.5, (0.3, 0.3), 0.3)}
    )
    facts = {
        model.label: (model.metrics["ndcg@10"].value, found.cost(model.label)) for model in found.ranking()
    }
    brute = {
        a
        for a, (value, cost) in facts.items()
        if not any(other > value and cheaper < cost for b, (other, cheaper) in facts.items() if b != a)
    }
    assert set(found.front()) == brute == {"popularity", "sar", "ease", "rbm"}


def test_clocks_below_a_hundredth_of_a_second_say_nothing(result: Result):
    quick = {"a": (0.4, 0.009, (0.4, 0.4), 0.4), "b": (0.399, 0.0001, (0.41, 0.41), 0.4)}
    assert contest(result, quick).cheapest_equal() is None


def test_a_comparison_that_is_written_and_read_is_the_same(result: Result, tmp_path: Any):
    found = contest(result)
    (tmp_path / "comparison.json").write_text(found.to_json())
    assert Contest.read(tmp_path) == found


def test_the_page_has_every_model_and_loads_nothing(result: Result):
    hostile = WORLD | {"<b>x</b>": (0.3, 50.0, (0.3, 0.3), 0.3)}
    page = render_contest(contest(result, hostile))
    assert "<b>x" not in page
    assert all(label in page for label in WORLD)
    assert not any(word in page for word in ("<script", "http://", "https://", "src=", "nan"))
    for drawing in page.split("<svg")[1:]:
        ElementTree.fromstring("<svg" + drawing.partition("</svg>")[0] + "</svg>")


def test_up_is_better_in_the_chart_for_errors_too():
    places = [Place("a", 1.0, 0.8, None, 0, True), Place("b", 2.0, 0.9, None, 1, False)]

    def heights(lower: bool) -> list[float]:
        drawing = ElementTree.fromstring(pareto(places, lower=lower, title="t", x_label="x", y_label="y"))
        return [float(node.get("cy")) for node in drawing.iter("circle")]

    a, b = heights(lower=True)
    assert a < b  # y grows downwards
    a, b = heights(lower=False)
    assert a > b


def test_charts_of_nothing_are_empty():
    assert climbs([Climb("a", [math.nan], 0)], title="t", y_label="y") == ""
    assert (
        pareto([Place("a", 1.0, math.nan, None, 0, True)], lower=False, title="t", x_label="x", y_label="y")
        == ""
    )
