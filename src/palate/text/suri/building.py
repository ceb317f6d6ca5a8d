"""Long texts to instructions by rule: a main goal, and about ten constraints that are proven both ways."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from palate.errors import DataError, PlanError
from palate.progress import progress
from palate.text.constraints.kind import Kind, dice
from palate.text.constraints.mentions import subjects
from palate.text.constraints.pairing import Corrupter, Fact, contrasts, facts
from palate.text.constraints.people import leading
from palate.text.constraints.registry import kind_of, kinds
from palate.text.corpus import Document
from palate.text.prose import Prose
from palate.text.suri.example import Example

_PEOPLE = (
    "Write a {form} about {people}.",
    "Write a {form} in which {people} {play}.",
    "The task is a {form} about {people}.",
)
_TOPICS = (
    "Among its subjects {are} {topics}.",
    "It has to do with {topics}.",
    "Its subjects include {topics}.",
)


def build(
    documents: Sequence[Document],
    *,
    seed: int = 0,
    constraints: tuple[int, int] = (8, 14),
    only: Sequence[str] | None = None,
    corrupter: Corrupter = "exchange",
) -> list[Example]:
    """Return an example for each text with enough constraints: true of it, their corruptions false.

    `constraints` is how few and how many an instruction may have; `only` names the kinds to use. A function of the
    texts and the seed alone. Texts exchange facts with one another, so split them first (`split`) and build each part
    by itself: then no part learns from the values of another. Raises PlanError for a wrong parameter, and DataError
    where the texts have too little to exchange.

    Linear, but for the search of partners, which is bounded: about 20 ms for a text of 3,500 words. What constraints
    ask about stays in memory while it works, about 0.4 MB a text.
    """
    least, most = constraints
    if not 1 <= least <= most:
        raise PlanError(f"constraints from {least} to {most}: give two numbers from 1, the smaller first.")
    if corrupter not in ("exchange", "own"):
        raise PlanError(f"corrupter {corrupter!r}: give 'exchange' or 'own'.")
    used: list[Kind] = (
        list(kinds().values()) if only is None else [kind_of(name) for name in dict.fromkeys(only)]
    )
    rng = dice(seed)
    texts = [Prose(one.text) for one in documents]
    found: list[list[Fact]] = [[] for _ in used]
    with progress("Finding what is true", total=len(texts), unit="texts") as advance:
        for number, prose in enumerate(texts):
            for mine, new in zip(found, facts([prose], used, rng), strict=True):
                mine += [Fact(number, fact.kind, fact.slots) for fact in new]
            advance(1)
    goals = [main_goal(prose, rng) for prose in texts]
    sources = [one.source for one in documents]
    wanted = [rng.randint(max(least, most - 3), most) for _ in documents]
    made = contrasts(found, texts, sources, goals, corrupter=corrupter, wanted=wanted, least=least, rng=rng)
    examples = [  # shuffled, so that the order tells nothing of the kinds
        Example.of(document, goal=goal, contrasts=rng.sample(mine, len(mine)))
        for document, goal, mine in zip(documents, goals, made, strict=True)
        if mine
    ]
    if not examples:
        raise DataError(
            f"none of {len(documents)} texts has {least} constraints that another text fails. Give more or longer "
            "texts, ask for fewer constraints, or let each text be corrupted by itself (corrupter 'own', on the "
            "command line --corrupter own)."
        )
    return examples


def main_goal(prose: Prose, rng: Random) -> str:
    """Return the main goal: what to write, about whom, and on what, as far as rules see it in the text."""
    people, topics = prose.once(leading), prose.once(subjects)
    form = "story" if people or prose.dialogue > 0.02 else "text"
    said = [f"Write a {form}."]
    if people:
        play = "play the leading parts" if len(people) > 1 else "plays the leading part"
        said = [rng.choice(_PEOPLE).format(form=form, people=" and ".join(people), play=play)]
    if topics:
        told = " and ".join(f"“{topic}”" for topic in topics)
        said.append(rng.choice(_TOPICS).format(topics=told, are="are" if len(topics) > 1 else "is"))
    return " ".join(said)
