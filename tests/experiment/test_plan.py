"""A plan is checked whole, and what is wrong is said in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from palate.errors import PlanError
from palate.experiment import recipes
from palate.experiment.plan import Plan
from palate.experiment.settings import set_value

SMALL = """
[data]
path = "ratings.csv"

[split]
method = "random"

[[models]]
name = "popularity"

[[models]]
name = "sar"
"""


def refusal(text: str, settings: tuple[str, ...] = ()) -> str:
    with pytest.raises(PlanError) as caught:
        Plan.parse(text, source="mine.toml", settings=settings)
    message = str(caught.value)
    assert message.startswith("mine.toml: ")
    assert len(message.splitlines()) <= 2
    return message


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_that_ships_is_a_valid_plan_and_says_what_it_shows(name: str) -> None:
    plan = Plan.load(name)
    assert plan.name == name
    assert recipes.summary(name)


@pytest.mark.parametrize("name", recipes.names())
def test_a_resolved_plan_written_as_toml_is_the_same_plan(name: str) -> None:
    plan = Plan.load(name)
    again = Plan.parse(plan.to_toml())
    assert again.resolved() == plan.resolved()


def test_a_resolved_plan_has_every_default_written_out() -> None:
    resolved = Plan.parse(SMALL).resolved()
    assert resolved["split"] == {"method": "random", "ratio": 0.75, "valid": 0.0, "seed": 42, "cold": "keep"}
    assert resolved["evaluate"]["metrics"] == ["ndcg", "map", "precision", "recall"]
    assert resolved["models"][1]["similarity"] == "jaccard"


@pytest.mark.parametrize(
    ("misspelt", "place", "key", "right"),
    [
        ('[data]\npth = "ratings.csv"', "[data]", "pth", "path"),
        ('[split]\nmethod = "random"\nratoi = 0.8', "[split]", "ratoi", "ratio"),
        (
            '[[models]]\nname = "sar"\nhalf_live_days = 3',
            "[[models]] sar",
            "half_live_days",
            "half_life_days",
        ),
        ('[evaluate]\nmetrcs = ["ndcg"]', "[evaluate]", "metrcs", "metrics"),
        ("[report]\nexample = 3", "[report]", "example", "examples"),
        ('[spilt]\nmethod = "random"', "the plan", "spilt", "split"),
    ],
)
def test_a_misspelt_key_is_refused_with_its_place_and_the_right_one(
    misspelt: str, place: str, key: str, right: str
) -> None:
    base = {
        "[data]": '[data]\npath = "ratings.csv"\n',
        "[split]": "",
        "[[models]]": '[[models]]\nname = "random"\n',
    }
    head = misspelt.partition("\n")[0]
    text = (
        "".join(part for section, part in base.items() if section != head or section == "[[models]]")
        + misspelt
    )
    message = refusal(text)
    assert place in message
    assert f"'{key}'" in message
    assert f"Did you mean '{right}'?" in message


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("models.0.name=popularty",), "'popularity'"),
        (("split.method=stratifed",), "'stratified'"),
        (("evaluate.metrics=['ndgc']",), "'ndcg'"),
        (("models.sar.similarity=jacard",), "jaccard"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_right_one(settings: tuple[str, ...], said: str) -> None:
    message = refusal(SMALL, settings)
    assert "Did you mean" in message
    assert said in message


@pytest.mark.parametrize(
    ("setting", "key", "expected"),
    [
        ("evaluate.k=ten", "k", "a whole number"),
        ("evaluate.k=0", "k", "greater than 0"),
        ("data.min_user=1.5", "min_user", "a whole number"),
        ("data.repeats=latest", "repeats", "keep, first, last, sum"),
        ("split.ratio=most", "ratio", "a number"),
        ("evaluate.refit=perhaps", "refit", "true or false"),
        ("evaluate.relevant_from=high", "relevant_from", "a number"),
        ("report.examples=many", "examples", "a whole number"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_what_was_expected(
    setting: str, key: str, expected: str
) -> None:
    message = refusal(SMALL, (setting,))
    assert key in message
    assert expected in message


def test_data_needs_one_of_name_and_path() -> None:
    assert "name" in refusal(SMALL.replace("path = ", "user = "))
    assert "not both" in refusal(SMALL.replace("[split]", 'name = "retail"\n[split]'))


def test_a_plan_without_models_is_refused() -> None:
    assert "models" in refusal('[data]\nname = "retail"\n')


def test_a_method_that_lacks_its_parameter_is_refused() -> None:
    assert "'at'" in refusal(SMALL, ("split.method=time",))


def test_two_models_of_one_name_need_labels() -> None:
    twice = SMALL + '[[models]]\nname = "sar"\n'
    assert "labelled 'sar'" in refusal(twice)
    labels = [model.label for model in Plan.parse(twice + 'label = "sar-2"\n').models]
    assert labels == ["popularity", "sar", "sar-2"]


def test_a_label_that_would_leave_the_run_folder_is_refused() -> None:
    assert "label" in refusal(SMALL, ("models.sar.label=../../etc",))


def test_text_that_is_no_toml_is_refused_with_its_line() -> None:
    assert "line 2" in refusal("[data]\nname = retail\n")


def test_an_unknown_plan_names_the_nearest_recipe() -> None:
    with pytest.raises(PlanError, match="Did you mean 'quickstart'"):
        Plan.load("quikstart")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("models.sar.half_life_days=30", 30),
        ("models.1.half_life_days=30", 30),
        ("models.sar.half_life_days=7.5", 7.5),
    ],
)
def test_set_reaches_a_model_by_label_and_by_place(setting: str, value: float) -> None:
    assert Plan.parse(SMALL, settings=[setting]).models[1].params == {"half_life_days": value}


def test_set_takes_toml_values_and_bare_words() -> None:
    settings = ["evaluate.k=[5, 20]", "data.user=userId", "evaluate.refit=true", 'evaluate.metrics="map"']
    plan = Plan.parse(SMALL, settings=settings)
    assert (plan.evaluate.k, plan.data.user, plan.evaluate.refit) == ([5, 20], "userId", True)
    assert plan.evaluate.metrics == ["map"]


def test_set_of_a_path_takes_the_place_of_a_name() -> None:
    plan = Plan.parse(
        SMALL.replace('path = "ratings.csv"', 'name = "retail"'), settings=["data.path=mine.csv"]
    )
    assert (plan.data.name, plan.data.path) == (None, "mine.csv")


def test_set_of_a_method_drops_the_parameters_of_the_former_one() -> None:
    plan = Plan.load("quickstart", settings=["split.method=random"])
    assert plan.split.params == {}


@pytest.mark.parametrize("setting", ["evaluate", "models.sar=3", ".k=1", "models.ease.l2=3", "name.first=1"])
def test_a_setting_of_another_form_or_for_a_model_that_is_not_there_is_refused(setting: str) -> None:
    with pytest.raises(PlanError, match=r"--set|no section"):
        Plan.parse(SMALL, settings=[setting])


def test_a_label_with_dots_can_be_set() -> None:
    content = {"models": [{"name": "ease", "label": "ease-0.5"}]}
    set_value(content, "models.ease-0.5.l2=3")
    assert content["models"][0] == {"name": "ease", "label": "ease-0.5", "l2": 3}


def test_relative_paths_start_at_the_plan(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("user,item\n1,2\n")
    (tmp_path / "plan.toml").write_text(SMALL)
    assert Plan.load(tmp_path / "plan.toml").data.path == str(tmp_path.resolve() / "ratings.csv")


def test_candidates_can_be_sampled() -> None:
    plan = Plan.parse(SMALL, settings=["evaluate.candidates={sampled = 100, seed = 1}"])
    assert plan.resolved()["evaluate"]["candidates"] == {"sampled": 100, "seed": 1}
    assert "candidates" in refusal(SMALL, ("evaluate.candidates=some",))


def test_a_toml_date_is_a_day_to_split_at() -> None:
    plan = Plan.parse(SMALL.replace('"random"\n', '"time"\nat = 2011-10-01\n', 1))
    assert plan.split.params == {"at": "2011-10-01"}


@pytest.mark.parametrize("metric", ["gini", "popularity_lift", "gini@5"])
def test_a_metric_that_says_nothing_of_better_and_worse_cannot_rank_the_board(metric: str) -> None:
    said = refusal(f'{SMALL}\n[evaluate]\nmetrics = ["{metric}", "recall"]')
    assert "ndcg" in said
    assert "first" in said
    plan = Plan.parse(f'{SMALL}\n[evaluate]\nmetrics = ["ndcg", "{metric}"]')
    assert plan.evaluate.metrics[1] == metric
