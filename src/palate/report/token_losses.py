"""A text's loss as one HTML page: a strip of tokens, the darker the costlier; a click opens a token's distribution."""

from __future__ import annotations

import math
from os import PathLike
from pathlib import Path

from palate.atomic import whole
from palate.report.html import environment
from palate.text.crossentropy import STEP
from palate.text.explain import Explanation

_DARKEST = 12.0
"""Bits of the darkest tokens"""


def render(told: Explanation) -> str:
    """Return the page."""
    mean = round(told.loss, 4)
    page: str = (
        environment()
        .get_template("token_losses.html")
        .render(
            told=told, mean=mean, perplexity=math.exp(min(mean, 700)), heat=heat, log2=math.log(2), step=STEP
        )
    )
    return page


def heat(bits: float) -> float:
    """Return how dark a token is, 0 to 1.

    >>> heat(0), heat(6), heat(40)
    (0.0, 0.5, 1.0)
    """
    return min(max(bits / _DARKEST, 0.0), 1.0)


def write(told: Explanation, path: str | PathLike[str]) -> Path:
    """Write the page, whole or not at all."""
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    with whole(place) as temporary:
        temporary.write_text(render(told), "utf-8")
    return place
