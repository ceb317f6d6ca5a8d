"""A result with every section, made up, small."""

from __future__ import annotations

import pytest

from palate.evaluation.result import (
    ByTime,
    DataFacts,
    Difference,
    Environment,
    Example,
    Interval,
    LongTail,
    Measured,
    ModelFacts,
    Reason,
    Recommended,
    Result,
    Seconds,
    Slice,
    SplitFacts,
)

LABELS = ("random", "popularity", "popularity-30d", "sar", "sar-90d", "ease")
NDCG = (0.0021, 0.0512, 0.0631, 0.0934, 0.0979, 0.0982)
FIT = (0.004, 0.006, 0.009, 0.31, 0.33, 4.2)


COUNTS = {
    "quantiles": {"median": 35.0, "max": 7642.0},
    "gini": 0.61,
    "histogram": [{"low": 2**n, "high": 2 ** (n + 1) - 1, "count": 100 * (n + 1)} for n in range(13)],
}
DESCRIPTION = {
    "rows": 386326,
    "pairs": 266221,
    "density": 0.0168,
    "repeated_share": 0.31,
    "by_user": COUNTS,
    "by_item": COUNTS,
    "times": {"first": "2010-12-01", "last": "2011-12-09", "tied_share": 0.96},
    "values": {
        "distinct": 2,
        "histogram": [{"low": 1, "high": 1, "count": 5}, {"low": 2, "high": 2, "count": 7}],
    },
    "baskets": 18402,
}


def measured(mean: float, n: int = 1847) -> Measured:
    return Measured(mean=mean, ci95=(mean * 0.94, mean * 1.06), n=n)


def model(place: int) -> ModelFacts:
    label, ndcg, fit = LABELS[place], NDCG[place], FIT[place]
    metrics = {"ndcg@10": measured(ndcg), "map@10": measured(ndcg / 2.3), "recall@10": measured(ndcg / 1.4)}
    metrics["coverage@10"] = Measured(mean=0.9 / (place + 1), ci95=None, n=1847)
    metrics["novelty@10"] = measured(8.0 + place)
    return ModelFacts(
        name=label.partition("-")[0],
        label=label,
        params={"half_life_days": 30.0} if "-" in label else {},
        metrics=metrics,
        seconds=Seconds(fit=fit, recommend=0.1, evaluate=0.02),
        cpu_seconds=Seconds(fit=fit * 1.7, recommend=0.15, evaluate=0.03),
    )


def difference(a: int, b: int) -> Difference:
    gap = NDCG[a] - NDCG[b]
    p = 0.62 if abs(gap) < 0.004 else 0.0001
    return Difference(
        a=LABELS[a], b=LABELS[b], metric="ndcg@10", difference=gap, ci95=(gap - 0.002, gap + 0.002),
        p=p, p_holm=min(1.0, p * 5), method="randomisation", n=1847,
    )  # fmt: skip


@pytest.fixture
def result() -> Result:
    quarters = ("1-14", "15-35", "36-87", "88+")
    slices = [
        Slice(
            kind="activity",
            label=name,
            users=460 + place,
            metrics={label: measured(NDCG[m] * (0.6 + 0.2 * place), 460) for m, label in enumerate(LABELS)},
        )
        for place, name in enumerate(quarters)
    ]
    slices += [
        Slice(
            kind="popularity",
            label=name,
            users=1200,
            items=300 * 3**place,
            metrics={label: measured(NDCG[m] * (1.4 - 0.6 * place), 1200) for m, label in enumerate(LABELS)},
        )
        for place, name in enumerate(("head", "middle", "tail"))
    ]
    curve = [0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0]
    return Result(
        palate="0.1.0",
        name="quickstart",
        plan={
            "name": "quickstart",
            "data": {"name": "retail"},
            "split": {"method": "time", "at": "2011-10-01"},
            "models": [{"name": label.partition("-")[0], "label": label} for label in LABELS],
            "evaluate": {"k": [10], "exclude_seen": True, "candidates": "all"},
        },
        primary="ndcg@10",
        data=DataFacts(
            name="Online Retail", fingerprint="5f" * 32, users=4334, items=3659, interactions=386326,
            licence="CC0 1.0", source="Daqing Chen, Online Retail, UCI", warnings=["96 % of rows share a timestamp."],
            description=DESCRIPTION,
        ),
        split=SplitFacts(
            method="time", params={"at": "2011-10-01", "cold": "keep"}, words="Rows before 2011-10-01 train.",
            weakness="One day is one draw.", train=270000, valid=0, test=116326, train_users=3600,
            train_items=3400, test_users=1847, cold_rows=12345, cold_users=700, cold_items=210, seen_rows=23456,
            timeline=[
                Interval(low=1291161600 + 604800 * n, high=1291766400 + 604800 * n, valid=0,
                         train=(5000 + 90 * n) * (n < 43), test=(9000 + 10 * n) * (n >= 43))
                for n in range(54)
            ],
        ),
        models=[model(place) for place in range(len(LABELS))],
        comparisons=[difference(a, b) for a in range(len(LABELS)) for b in range(a + 1, len(LABELS))],
        environment=Environment(
            date="2026-11-24T20:00:00+00:00", python="3.11.9", platform="Linux", cpu_count=2, threads=2,
            versions={"numpy": "2.4.0"},
        ),
        slices=slices,
        long_tail=[
            LongTail(label=label, points=[(x, x ** (1 / (6 - m))) for x in curve]) for m, label in enumerate(LABELS)
        ],
        examples=[
            Example(
                label="ease", user=str(4000 + n), history_length=3 * 4**n, history=["RED MUG", "TEA TOWEL"], held_out=2,
                recommended=[
                    Recommended(
                        item=str(r), name=f"WHITE HANGING HEART T-LIGHT HOLDER {r}", rank=r, score=1 / r, hit=r == 2,
                        reasons=[
                            Reason(item="1", name="RED HANGING HEART T-LIGHT HOLDER", share=0.41),
                            Reason(item="2", name="HEART OF WICKER SMALL", share=0.22),
                        ],
                    )
                    for r in range(1, 6)
                ],
            )
            for n in range(5)
        ],
        by_time=ByTime(
            at="0.8", words="Four fifths of the rows train, in time.", train=300000, test=86326, metric="ndcg@10",
            models={label: measured(NDCG[m] * 0.7) for m, label in enumerate(LABELS)},
        ),
        notes=["Customers are shops as well as people."],
    )  # fmt: skip
