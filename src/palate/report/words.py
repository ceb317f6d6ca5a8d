"""What a result says, in sentences: for the terminal, for the report, the same words."""

from __future__ import annotations

from palate.evaluation.result import LOWER_IS_BETTER, ByTime, Difference, Example, Result, metric_name
from palate.report.svg import number

BASELINES = {
    "random": "no single user",
    "popularity": "no single user",
    "mean": "no tastes",
    "bias": "no tastes",
}
"""Models that know nobody's taste, and what they know; a model that does not beat them has learnt nothing of it."""


def headline(result: Result) -> str:
    """Say in one sentence what a reader should take away."""
    best, *others = result.ranking()
    place = f"{metric_name(result.primary)} on {result.data.name}"
    value = number(best.metrics[result.primary].mean)
    if not others:
        return f"{best.label} reaches {value} {place}."
    equal = [model.label for model in others if model.label in result.as_good_as_best()]
    if equal:
        return f"{best.label} leads with {value} {place}, and its lead over {_and(equal)} may be luck."
    ahead = f"{best.label} is best with {value} {place}, ahead of {others[0].label}"
    if result.comparison(best.label, others[0].label) is None:
        return f"{ahead}; the difference is not tested."
    return f"{ahead} by more than luck."


def sentences(result: Result) -> list[str]:
    """Say each important comparison: the best model with its three next rivals, and with the best baseline."""
    best, *others = result.ranking()
    rivals = [model for model in others if model.name != "random"][:3]
    baselines = [model for model in others if model.name in BASELINES][:1]
    others = rivals + [model for model in baselines if model not in rivals]
    pairs = (result.comparison(best.label, other.label) for other in others)
    return [sentence(pair) for pair in pairs if pair is not None]


def sentence(pair: Difference) -> str:
    """Say one comparison.

    >>> sentence(Difference(a="sar", b="ease", metric="ndcg@10", difference=0.031, ci95=(0.027, 0.035),
    ...                     p=0.0001, p_holm=0.0003, method="randomisation"))
    'sar beats ease by 0.031 nDCG@10 (95 % interval 0.027 to 0.035, p_holm < 0.001).'
    """
    if pair.difference is None:
        return f"{pair.a} and {pair.b} cannot be compared on {metric_name(pair.metric)}."
    better = (pair.difference > 0) != (pair.metric.partition("@")[0] in LOWER_IS_BETTER)
    size, metric = number(abs(pair.difference)), metric_name(pair.metric)
    if not pair.significant():
        chance = probability(pair.p_holm)
        return f"{pair.a} and {pair.b}: a difference of {size} {metric} is within noise ({chance})."
    winner, loser = (pair.a, pair.b) if better else (pair.b, pair.a)
    interval = ""
    if pair.ci95:
        # `size` is the difference without its sign, so a negative one turns the interval with it.
        low, high = pair.ci95 if pair.difference > 0 else (-pair.ci95[1], -pair.ci95[0])
        interval = f"95 % interval {number(low)} to {number(high)}, "
    return f"{winner} beats {loser} by {size} {metric} ({interval}{probability(pair.p_holm)})."


def probability(p: float | None, name: str = "p_holm") -> str:
    """Write a p-value.

    >>> probability(0.0002), probability(0.04321), probability(None)
    ('p_holm < 0.001', 'p_holm = 0.043', 'p_holm unknown')
    """
    if p is None:
        return f"{name} unknown"
    return f"{name} < 0.001" if p < 0.001 else f"{name} = {p:.3f}" if p < 0.1 else f"{name} = {p:.2f}"


def by_time_words(result: Result) -> str:
    """Say whether the order of the models holds on a split by time; empty where none was made."""
    if result.by_time is None:
        return ""
    sign = 1 if result.by_time.metric.partition("@")[0] in LOWER_IS_BETTER else -1
    known = [
        (sign * found.value, label)
        for label, found in result.by_time.models.items()
        if found.mean is not None
    ]
    if not known:
        return ""
    value, first = min(known)
    best = result.ranking()[0].label
    said = f"{number(abs(value))} {metric_name(result.by_time.metric)}"
    if first == best:
        return f"On a split by time {best} leads too, with {said}."
    return f"On a split by time the order is another: {first} leads, with {said}.{_new_words(result.by_time)}"


def _new_words(found: ByTime) -> str:
    """Say how many test users of the split by time nobody could know; empty where there are none."""
    if not found.cold_users:
        return ""
    are = "is" if found.cold_users == 1 else "are"
    return (
        f" {found.cold_users:,} of its {found.test_users:,} test users ({found.cold_users / found.test_users:.0%}) "
        f"{are} new to train: a model that needs a history has nothing for them."
    )


def rating_words(result: Result) -> str:
    """Say what the lists are worth that the best rating model makes; empty where nothing was rated."""
    facts = result.ratings
    known = [one for one in facts.lists if one.rmse is not None] if facts is not None else []
    if facts is None or not known:
        return ""
    best = min(known, key=lambda one: (one.rmse, one.label))
    metric, value = metric_name(facts.list_metric), best.value.value
    said = (
        f"{best.label} has the lowest error, {number(best.rmse)} RMSE, and the lists that its ratings order reach "
        f"{number(value)} {metric}"
    )
    if facts.popularity is None:
        return f"{said}. A good RMSE is not a good list."
    popular = number(facts.popularity.mean)
    if facts.popularity.value > value:
        return f"{said}; the most popular items, which rate nothing, reach {popular}. A good RMSE is not a good list."
    return f"{said}; the most popular items, which rate nothing, reach {popular}. RMSE alone would not have told."


def model_notes(result: Result) -> list[str]:
    """Say what holds for some models, once for all of them."""
    by_note: dict[str, list[str]] = {}
    for model in result.models:
        for note in model.notes:
            by_note.setdefault(note, []).append(model.label)
    return [f"{', '.join(labels)}: {note}" for note, labels in by_note.items()]


def seen_words(result: Result) -> str:
    """Say how test rows that repeat train were taken, or who reads for the first time."""
    split, rows = result.split, result.split.seen_rows
    if result.data.impressions is not None:
        return (
            f"{split.cold_rows:,} of {split.test:,} impressions are of readers whom train lacks, and "
            f"{split.cold_items:,} of the articles shown are new since train: a model of news reads them all the same."
        )
    if not result.plan.get("evaluate", {}).get("exclude_seen", True):
        return "Models may recommend what the user already had, and such test rows count."
    if not rows:
        return "Models never recommend what the user already had; no test row repeats one of train."
    part = f"{rows:,} test rows ({rows / max(result.split.test, 1):.0%})"
    return (
        f"Models never recommend what the user already had, so the {part} that repeat a pair of train "
        "leave the truth: the figures are about new items, not about repeats."
    )


def data_words(result: Result) -> str:
    """Say of what a figure is: counts of the data before the split, and the start of its fingerprint."""
    data = result.data
    if data.impressions is not None:
        return (
            f"{data.name}: {data.impressions:,} impressions with {data.interactions:,} clicks of {data.users:,} "
            f"readers; {data.items:,} articles (fingerprint {data.fingerprint[:12]})."
        )
    return (
        f"{data.name}: {data.interactions:,} interactions of {data.users:,} users with {data.items:,} items "
        f"(fingerprint {data.fingerprint[:12]})."
    )


def protocol_words(result: Result) -> str:
    """Say how the figures came about: of which data, by which split with its weakness, among what."""
    split = result.split
    return " ".join(filter(None, [data_words(result), split.words, split.weakness, candidate_words(result)]))


def few_words(result: Result) -> str:
    """Warn that figures among a few candidates compare with no others; empty where the whole catalogue is ranked."""
    if result.plan.get("evaluate", {}).get("candidates", "all") == "all":
        return ""
    return (
        "Not comparable with figures over the whole catalogue: only a few candidates were ranked for each user, which "
        "gives far higher figures and may order the models otherwise (Krichene and Rendle, 2020)."
    )


def candidate_words(result: Result) -> str:
    """Say what was ranked."""
    if result.data.impressions is not None:
        return (
            "Every model orders what each impression showed; of candidates with the same score that which stood last "
            "comes first, as in MIND's script. An AUC of 0.5 is chance."
        )
    candidates = result.plan.get("evaluate", {}).get("candidates", "all")
    if candidates == "all":
        return f"Every model ranks the whole catalogue of train, {result.split.train_items:,} items."
    few = few_words(result)
    if candidates == "given":
        return f"Every model ranks the items that the data set lists for each user. {few}"
    if "sampled" in candidates:
        return (
            f"Every model ranks each user's truth among {candidates['sampled']} sampled items only (seed "
            f"{candidates.get('seed', 42)}), of those that the user is not known to have met. {few}"
        )
    return f"Every model ranks the candidates that a file lists for each user. {few}"


def counted(result: Result) -> str:
    """Return what a mean of the board is over: the test's users, or its impressions."""
    n = result.models[0].metrics[result.primary].n
    return f"{n:,} test {'users' if result.data.impressions is None else 'impressions'}"


def example_words(result: Result) -> str:
    """Say what the examples show."""
    label, n = result.examples[0].label, len(result.examples)
    if result.data.impressions is not None:
        return (
            f"How {label} orders what {n} test readers were shown, from the shortest history to the longest, and the "
            "articles read before that speak most for it. ✓ marks a click."
        )
    return (
        f"What {label} recommends to {n} test users, from the quietest to the most active, and the past items that "
        "speak most for it. ✓ marks an item that the user did take in the test part."
    )


def example_past(result: Result, example: Example) -> str:
    """Say who an example is of."""
    last = "; ".join(example.history)
    if result.data.impressions is not None:
        clicks = "one was" if example.held_out == 1 else f"{example.held_out:,} were"
        return (
            f"{example.history_length:,} articles read before; of those shown {clicks} clicked. Last: {last}."
        )
    new = "one" if example.held_out == 1 else "ones"
    return f"{example.history_length:,} items so far, {example.held_out:,} new {new} in test. Last: {last}."


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
