"""The search over one model's parameters: the given model first, the same again, within its budget."""

from __future__ import annotations

from typing import Any

import pytest

from palate.errors import PlanError
from palate.evaluation.study import Trial
from palate.experiment.plan import ModelPlan
from palate.experiment.search import ROUND, Budget, Search, inside
from palate.models import registry
from palate.models.search import Options, Span, space


def plan(name: str, **params: Any) -> ModelPlan:
    return ModelPlan.model_validate({"name": name, "label": name, **params})


def search(
    name: str = "ease", *, lower: bool = False, timed: bool = True, seed: int = 42, **budget: Any
) -> Search:
    params = budget.pop("params", {})
    return Search(plan(name, **params), budget=Budget(**budget), seed=seed, lower=lower, timed=timed)


def trial(number: int, params: dict[str, Any], value: float | None, **more: Any) -> Trial:
    return Trial(
        **{
            "model": "m",
            "number": number,
            "params": params,
            "state": "done",
            "value": value,
            "cpu_seconds": 1.0,
        }
        | more
    )


def finish(one: Search, value: Any, **more: Any) -> list[dict[str, Any]]:
    """Run a search on a function of its parameters; return all it asked for."""
    asked: list[dict[str, Any]] = []
    while sets := one.round():
        one.told(
            [trial(len(asked) + place, params, value(params), **more) for place, params in enumerate(sets)]
        )
        asked += sets
    return asked


def peak(params: dict[str, Any]) -> float:
    return -abs(params["l2"] - 900.0)


def test_the_first_trial_is_the_model_as_given():
    one = search("ease")
    assert one.round() == [{"l2": 500.0}]


def test_a_search_is_a_function_of_its_seed():
    assert finish(search(), peak) == finish(search(), peak)
    assert finish(search(), peak) != finish(search(seed=1), peak)


def test_a_search_that_is_told_again_what_it_knew_asks_for_the_same():
    whole = finish(search(), peak)
    again = search()
    first = again.round()
    again.told([trial(0, first[0], peak(first[0]))])
    assert again.round() == whole[1 : 1 + ROUND]


def test_the_estimator_ends_nearer_to_the_best_than_it_began():
    asked = finish(search(trials=40), peak)
    assert min(abs(params["l2"] - 900) for params in asked) < 100
    late = sorted(abs(params["l2"] - 900) for params in asked[-8:])
    early = sorted(abs(params["l2"] - 900) for params in asked[1:9])
    assert late[4] < early[4]


def test_lower_is_better_for_errors():
    asked = finish(search(lower=True, trials=40), lambda params: -peak(params))
    assert min(abs(params["l2"] - 900) for params in asked) < 100


def test_trials_are_never_more_than_the_budget():
    for trials in (1, 2, 6, 9):
        assert len(finish(search(trials=trials), peak)) == trials


def test_a_small_space_is_tried_whole_and_once():
    asked = finish(search("popularity"), lambda params: 0.0)
    assert [one["half_life_days"] for one in asked] == [None, 7.0, 30.0, 90.0, 365.0]


def test_without_times_nothing_fades():
    assert finish(search("popularity", timed=False), lambda params: 0.0) == [{}]
    assert "half_life_days" not in search("sar", timed=False).space


def test_what_the_plan_gives_stays():
    one = search("sar", params={"similarity": "lift", "threshold": 2})
    assert set(one.space) == {"half_life_days"}
    assert search("ease", params={"l2": 77.0}).size == 1


def test_seconds_end_a_search_but_not_before_the_model_as_given():
    asked = finish(search(trials=20, seconds=6.5), peak)  # every trial takes a second
    assert len(asked) == 6
    assert len(finish(search(trials=20, seconds=0.5), peak)) == 1


def test_a_failed_trial_does_not_end_the_search():
    asked = finish(search(trials=9), lambda params: None, state="failed")
    assert len(asked) == 9


def test_who_is_worse_than_the_median_at_a_step_is_named_after_enough_trials():
    one = search(trials=20)
    told: list[dict[int, float]] = []
    values = iter([5.0, 1.0, 2.0, 3.0, 4.0, 6.0, 7.0, 8.0, 9.0])
    while (sets := one.round()) and len(told) < 3:
        told.append(one.thresholds())
        one.told([trial(0, params, v := next(values), trace=[(1, v), (2, v + 1)]) for params in sets])
    assert told == [{}, {}, {1: 3.0, 2: 4.0}]


@pytest.mark.parametrize("given", [{"trials": 0}, {"seconds": 0.0}, {"seconds": float("nan")}])
def test_a_budget_of_nothing_is_refused(given: dict[str, Any]):
    with pytest.raises(PlanError, match="expected"):
        Budget(**given)


def test_whole_ends_give_whole_numbers_and_others_are_legible():
    assert inside(Span(1, 5), 5)
    assert not inside(Span(1, 5), None)
    assert not inside(Span(1, 5), True)
    assert inside(Options((None, 3)), None)
    assert all(len(f"{params['l2']:g}") <= 4 for params in finish(search(), peak))


@pytest.mark.parametrize("name", registry.names())
def test_a_model_can_be_made_with_the_ends_of_every_span(name: str):
    model = registry.get(name)
    for parameter, advice in space(model).items():
        ends = advice.values if isinstance(advice, Options) else (advice.low, advice.high)
        for end in ends:
            assert getattr(model(**{parameter: end}), parameter) == end
