"""What a comparison says, in sentences: for the terminal, for the page, the same words."""

from __future__ import annotations

from palate.evaluation.contest import WORTH, Contest
from palate.evaluation.result import ModelFacts, metric_name
from palate.report.svg import number
from palate.report.words import BASELINES, by_time_words

_NEARLY = 0.9  # of the best value: a bargain if it costs a fraction
_FRACTION = 5.0  # times cheaper


def advice(contest: Contest) -> list[str]:
    """Return what to take, first; then a bargain, what is no better than a baseline, and what validation had said."""
    said = [_first(contest), _bargain(contest), _baseline(contest), _chosen(contest), _gain(contest)]
    return [*filter(None, said), *filter(None, [by_time_words(contest.result)])]


def times(factor: float) -> str:
    """Write how many times.

    >>> times(9.2), times(1.64), times(132.4)
    ('9', '1.6', '132')
    """
    return f"{factor:.1f}" if factor < 5 else f"{factor:,.0f}"


def _first(contest: Contest) -> str:
    """Say which model to take."""
    best, *others = [model.label for model in contest.ranking()]
    if not others:
        return f"{best} is the only model: there is nothing to compare it with."
    cheap = contest.cheapest_equal()
    if cheap is not None:
        return f"{cheap[0]} is within the noise of {best} here and {times(cheap[1])} times cheaper."
    equal = [label for label in others if label in contest.equal()]
    if equal:
        more = min(contest.cost(label) for label in equal) / contest.cost(best)
        if more >= WORTH:
            cost = f"{times(more)} times the cost or more"
            return f"{best} leads; {_and(equal)} {_is(equal)} within the noise, at {cost}."
        return f"{best} leads, but {_and(equal)} {_is(equal)} within the noise: take the one that suits you."
    wins, splits = contest.ahead(best, others[0])
    where = f"in {'all' if wins == splits else f'{wins} of'} {splits} splits" if splits > 1 else ""
    if contest.chances()[others[0]] is None:
        return f"{best} is best, ahead of {others[0]}{where and f' {where}'}; the difference is not tested."
    return f"{best} is best, ahead of {others[0]} by more than luck{where and f', and {where}'}."


def _bargain(contest: Contest) -> str:
    """Name a model that is worse than the best, by more than luck, but costs a fraction."""
    best, *_ = contest.ranking()
    top = _value(best, contest)
    equal = contest.equal()
    for label in reversed(contest.front()):
        value, cheaper = (
            _value(contest.result.model(label), contest),
            contest.cost(best.label) / contest.cost(label),
        )
        if label == best.label or label in equal or cheaper < _FRACTION or top <= 0 or value <= 0:
            continue
        share = top / value if contest.study.lower else value / top
        if share >= _NEARLY:
            kept = f"{number(value)} against {number(top)} {metric_name(contest.metric)}"
            return f"{label} is a little worse ({kept}) and {times(cheaper)} times cheaper than {best.label}."
    return ""


def _baseline(contest: Contest) -> str:
    """Warn where the best model may be no better than one that knows nobody's taste."""
    best = contest.ranking()[0]
    if best.name in BASELINES:
        knows = BASELINES[best.name]
        return f"No model beats {best.label}, which knows {knows}: there is little here to personalise."
    baselines = [model.label for model in contest.ranking() if model.name in BASELINES]
    if baselines and baselines[0] in contest.equal():
        return (
            f"No model is better than {baselines[0]} by more than luck: there is little here to personalise."
        )
    return ""


def _chosen(contest: Contest) -> str:
    """Say what validation would have chosen, and what that costs on the test."""
    best, chosen = contest.ranking()[0].label, contest.chosen
    if not chosen:
        return ""
    if chosen == best:
        return f"Validation chose {chosen} too."
    lost = abs(_value(contest.result.model(best), contest) - _value(contest.result.model(chosen), contest))
    behind = f"behind {best} by {number(lost)} {metric_name(contest.metric)} on the test"
    said = f"Validation chose {chosen}, which is {behind}"
    if chosen in contest.equal():
        return f"{said}, within the noise."
    if contest.chances()[chosen] is None:
        return f"{said}; the difference is not tested."
    return f"{said}: more than noise. Trust the test less."


def _gain(contest: Contest) -> str:
    """Say whom tuning helped most."""
    gains = [(gain, label) for label in contest.study.models if (gain := contest.study.gain(label))]
    if not gains or max(gains)[0] <= 0:
        return ""
    gain, label = max(gains)
    return f"Tuning helped {label} most: {number(gain)} {metric_name(contest.metric)} on validation."


def _value(model: ModelFacts, contest: Contest) -> float:
    return model.metrics[contest.metric].value


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
