"""The board shows the result's numbers, in the result's order."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from rich.console import Console

from palate.evaluation.result import Result
from palate.experiment.examples import choose_users
from palate.experiment.leaderboard import EQUAL, rows, show, to_markdown
from palate.report.html import figure


def shown(result: Result, width: int, *, colour: bool = False) -> str:
    out = io.StringIO()
    show(result, Console(file=out, width=width, force_terminal=colour, no_color=not colour))
    return out.getvalue()


def test_rows_are_in_the_order_of_the_ranking_with_its_figures(done: tuple[Result, Path]) -> None:
    result, _ = done
    header, body = rows(result)
    assert header[:4] == ["#", "model", "nDCG@3", "95 % interval"]
    assert [cells[1].removesuffix(f" {EQUAL}") for cells in body] == [
        model.label for model in result.ranking()
    ]
    assert [cells[2] for cells in body] == [
        figure(model.metrics["ndcg@3"].mean) for model in result.ranking()
    ]


def test_those_as_good_as_the_best_are_marked(done: tuple[Result, Path]) -> None:
    result, _ = done
    marked = {cells[1].removesuffix(f" {EQUAL}") for cells in rows(result)[1] if cells[1].endswith(EQUAL)}
    assert marked == result.as_good_as_best()


def test_a_narrow_terminal_gets_fewer_metrics_and_no_torn_number(done: tuple[Result, Path]) -> None:
    result, _ = done
    wide, narrow = shown(result, 140), shown(result, 72)
    assert "coverage@5" in wide
    assert "coverage@5" not in narrow
    for model in result.models:
        assert figure(model.metrics["ndcg@3"].mean) in narrow


def test_codes_for_colour_reach_only_a_terminal(done: tuple[Result, Path]) -> None:
    assert "\x1b[" in shown(done[0], 100, colour=True)
    assert "\x1b[" not in shown(done[0], 100)


def test_names_with_brackets_and_tags_are_shown_as_they_are(done: tuple[Result, Path]) -> None:
    assert "<b>Item & number</b>" in shown(done[0], 140)


def test_markdown_has_a_row_per_model_and_the_sentences(done: tuple[Result, Path]) -> None:
    result, _ = done
    lines = to_markdown(result).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(result.models)
    assert len({line.count("|") for line in table}) == 1
    assert any(line.startswith("- ") for line in lines)


def test_chosen_users_run_from_quiet_to_active_and_repeat_under_a_seed() -> None:
    rows = np.random.default_rng(0).integers(0, 100, 1000)
    chosen = choose_users(rows, 5, seed=1)
    assert np.all(np.diff(rows[chosen]) >= 0)
    assert rows[chosen].min() > 0
    assert np.array_equal(chosen, choose_users(rows, 5, seed=1))


def test_fewer_users_than_asked_for_are_all_chosen_once() -> None:
    assert sorted(choose_users(np.array([0, 3, 1]), 5, seed=1)) == [1, 2]
    assert len(choose_users(np.array([2, 3]), 0, seed=1)) == 0
