"""How a training went is told of the right epoch, with the right reason."""

from __future__ import annotations

import pytest

from palate.neural.told import closing, measure


def told(*values: float, start: int = 1) -> list[dict[str, float]]:
    return [{"epoch": n + start, "loss": 1.0, "valid_ndcg@10": value} for n, value in enumerate(values)]


def test_measures_are_written_as_people_write_them() -> None:
    assert measure("valid_ndcg@10") == "nDCG@10"
    assert measure("valid_impression_auc") == "impression AUC"
    assert measure("right") == "right"


@pytest.mark.parametrize(
    ("values", "end"),
    [
        ((0.1, 0.9, 0.2, 0.3), "best: epoch 2 of 4, validation nDCG@10 0.9; stopped by patience (2)"),
        ((0.1, 0.2, 0.9, 0.3), "best: epoch 3 of 4, validation nDCG@10 0.9"),
        ((0.1, 0.2, 0.3, 0.4), "best: epoch 4 of 4, validation nDCG@10 0.4; still rising: raise epochs"),
        ((0.1, 0.2, 0.2), "best: epoch 2 of 3, validation nDCG@10 0.2"),  # the first of equals was kept
        (
            (0.1, 0.2),
            "best: epoch 2 of 2, validation nDCG@10 0.2",
        ),  # it broke off before its epochs were done
        ((), ""),
    ],
)
def test_the_best_epoch_and_what_ended_training(values: tuple[float, ...], end: str) -> None:
    assert closing(told(*values), epochs=4, patience=2) == end


def test_of_several_trainings_the_last_is_told_and_without_validation_nothing() -> None:
    rows = told(0.9, 0.1) + told(0.2, 0.3, 0.1)
    assert closing(rows, epochs=4, patience=2).startswith("best: epoch 2 of 3, validation nDCG@10 0.3")
    assert closing([{"epoch": 1, "loss": 0.4}], epochs=1, patience=2) == ""
