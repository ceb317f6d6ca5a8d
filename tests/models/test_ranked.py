"""Candidates of many contexts, a block of contexts at a time: each is ranked as it is alone."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from palate.models import create, impressed
from tests.worlds import world


@pytest.mark.parametrize("name", ["ease", "markov", "ials", "popularity"])
@pytest.mark.parametrize("block", [1, 4, 1_000])
def test_many_are_ranked_as_each_alone(name: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = world(3)
    model = create(name).fit(data)
    users, items = data.users.ids.to_list(), data.items.ids.to_list()
    # Of unlike lengths, some the same, one empty, one of a stranger alone, one with an item twice.
    lists = [items[n % 5 : n % 5 + n % 7] for n in range(len(users))]
    lists[1], lists[2], lists[3] = [], [-7], [items[2], items[1], items[2]]
    alone = [model.rank([user], [some]) for user, some in zip(users, lists, strict=True) if some]
    monkeypatch.setattr(impressed, "BLOCK", block)
    assert_frame_equal(model.rank(users, lists), pl.concat(alone), rel_tol=1e-5)
