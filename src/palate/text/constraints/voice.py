# ruff: noqa: RUF001 (typographic quotation marks are what this file is about)
"""Constraints on the voice: who tells, in which tense, about whom, in what mood, in which forms and spelling.

Each value has a clear side: a text between two values has neither, and gets no such constraint.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from palate.text.constraints.kind import Category, Kind
from palate.text.prose import Prose, word_set

_FIRST = ("i", "me", "my", "mine", "myself")
_THIRD = (
    "he",
    "him",
    "his",
    "himself",
    "she",
    "her",
    "hers",
    "herself",
    "they",
    "them",
    "their",
    "themselves",
)
_HE, _SHE = ("he", "him", "his", "himself"), ("she", "her", "hers", "herself")
_PAST = word_set(
    "was were had did said went came saw took knew thought looked stood felt made began got gave found told "
    "left sat asked turned became kept seemed heard"
)
_PRESENT = word_set(
    "is are am has does says goes comes sees takes knows thinks looks stands feels makes begins gets gives "
    "finds tells leaves sits asks turns becomes keeps seems hears"
)
_OUR = "col|hon|fav|neighb|lab|hum|parl|harb|vap|splend|rum|behavi|flav|endeav|cand|rig|vig|arm|od|savi|val"
_GROUPS = {
    "bright": re.compile(
        r"laugh\w*|smil\w+|happy|happi\w+|joy|joyful\w*|joyous\w*|merr\w+|cheer\w*|delight\w*|pleasant\w*|gay|gaily|"
        r"glad\w*|fun|jolly|jok\w+|kiss\w*"
    ),
    "dark": re.compile(
        r"weep\w*|wept|tears?|sad|sadly|sadness|sorrow\w*|grief\w*|griev\w+|miser\w+|despair\w*|gloom\w*|fear\w*|"
        r"terror\w*|terrib\w+|horr\w+|dread\w*|death\w*|dead|die|died|dies|dying|pain\w*|suffer\w*|graves?|corpse\w*|"
        r"coffin\w*|murder\w*|blood\w*|agony|wretched\w*"
    ),
    "British": re.compile(
        rf"(?:{_OUR})our\w*|grey\w*|centre\w*|theatre\w*|travell\w+|plough\w*|jewellery|defence|offence|sceptic\w*|"
        r"programme\w*|towards|waggon\w*|mould\w*|draughts?|storeys?|fulfil|skilful\w*|moustache\w*|pyjamas|"
        r"(?:real|recogn|apolog)is\w+"
    ),
    "American": re.compile(
        rf"(?:{_OUR})or\w*|gray\w*|center\w*|theater\w*|travel(?:er|ing|ed)\w*|plow\w*|jewelry|defense|offense|"
        r"skeptic\w*|programs?|toward|wagon\w*|mold\w*|fulfill|skillful\w*|mustache\w*|pajamas|"
        r"(?:real|recogn|apolog)iz\w+"
    ),
    "number": re.compile(
        r"two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty|seventy|"
        r"eighty|ninety|hundreds?|thousands?|millions?"
    ),
}
"""words that say something of the voice, each pattern a whole word in lower case"""
_CONTRACTED = re.compile(
    r"[’'](?:ll|re|ve|m|d|(?<=n[’'])t|(?:(?<=\b(?:it|he)[’'])|(?<=\b(?:she|let|who)[’'])|(?<=\b(?:that|what)[’'])|"
    r"(?<=\bthere[’']))s)\b"
)
_FULL = re.compile(
    r"\b(?:(?:do|does|did|is|are|was|were|could|would|should|have|has|had|will|shall|must) not|cannot|can not|"
    r"(?:i|you|we|they|he|she|it) (?:am|are|is|will|would|have|had|shall)|(?:that|there|what) is|let us)\b"
)
_DIGITS = re.compile(r"[0-9]+")


def _told(prose: Prose, *groups: Iterable[str]) -> list[int]:
    return [sum(prose.narration_counts[word] for word in group) for group in groups]


@lru_cache(maxsize=1 << 16)
def _groups_of(word: str) -> tuple[str, ...]:
    return tuple(name for name, pattern in _GROUPS.items() if pattern.fullmatch(word))


def _tally(prose: Prose) -> Counter[str]:
    """Return how many words of each group a text has. Each distinct word is looked at once."""
    found: Counter[str] = Counter()
    for word, count in prose.counts.items():
        for group in _groups_of(word):
            found[group] += count
    return found


def _side(one: float, other: float, *, least: float, one_from: float, other_from: float) -> int:
    """Return 1 or 2 where the share of the one is high or low enough and there is enough of both together, else 0."""
    whole = one + other
    if whole < least:
        return 0
    return 1 if one >= one_from * whole else 2 if one <= other_from * whole else 0


def _named(side: int, one: str, other: str) -> tuple[str, ...]:
    return ((), (one,), (other,))[side]


def person(prose: Prose) -> tuple[str, ...]:
    """Return "first" or "third": I and me are a quarter of the pronouns outside quotes, or a twentieth at most."""
    side = _side(*_told(prose, _FIRST, _THIRD), least=5, one_from=0.25, other_from=0.05)
    return _named(side, "first", "third")


def tense(prose: Prose) -> tuple[str, ...]:
    """Return "present" or "past": of common verbs outside quotes, three fifths or one fifth stand in the present."""
    side = _side(*_told(prose, _PRESENT, _PAST), least=8, one_from=0.6, other_from=0.2)
    return _named(side, "present", "past")


def figure(prose: Prose) -> tuple[str, ...]:
    """Return "woman" or "man": of he and she, three fifths are the one, or three quarters the other."""
    she, he = (sum(prose.counts[word] for word in group) for group in (_SHE, _HE))
    side = _side(she, he, least=8, one_from=0.6, other_from=0.25)
    return _named(side, "woman", "man")


def mood(prose: Prose) -> tuple[str, ...]:
    """Return "cheerful" or "sombre": of words for laughter and for grief, two thirds are the one or the other."""
    found = prose.once(_tally)
    return _named(
        _side(found["bright"], found["dark"], least=4, one_from=0.66, other_from=0.34), "cheerful", "sombre"
    )


def contractions(prose: Prose) -> tuple[str, ...]:
    """Return "short" or "full": of forms like it’s and it is, three fifths or three twentieths are short."""
    short, full = (len(pattern.findall(prose.lowered)) for pattern in (_CONTRACTED, _FULL))
    return _named(_side(short, full, least=6, one_from=0.6, other_from=0.15), "short", "full")


def spelling(prose: Prose) -> tuple[str, ...]:
    """Return "British" or "American" by words that the two spell differently, four fifths on one side."""
    found = prose.once(_tally)
    return _named(
        _side(found["British"], found["American"], least=3, one_from=0.8, other_from=0.2),
        "British",
        "American",
    )


def numbers(prose: Prose) -> tuple[str, ...]:
    """Return "digits" or "words": how most numbers above one are written."""
    digits, words = len(_DIGITS.findall(prose.text)), prose.once(_tally)["number"]
    return _named(_side(digits, words, least=4, one_from=0.6, other_from=0.2), "digits", "words")


KINDS: tuple[Kind, ...] = (
    Category(
        "person",
        "broad",
        "stylistic",
        person,
        {"first": "first person", "third": "third person"},
        (
            "Tell it in the {}.",
            "The narrator speaks in the {}.",
            "Outside of dialogue, write in the {}.",
        ),
    ),
    Category(
        "tense",
        "broad",
        "stylistic",
        tense,
        {"present": "present tense", "past": "past tense"},
        ("Narrate in the {}.", "Tell what happens in the {}.", "Outside of dialogue, keep to the {}."),
    ),
    Category(
        "figure",
        "broad",
        "semantic",
        figure,
        {"woman": "a woman", "man": "a man"},
        ("The central figure is {}.", "Make it chiefly about {}.", "Put {} at the centre of the text."),
        unnamed=True,
    ),
    Category(
        "mood",
        "broad",
        "mixed",
        mood,
        {"cheerful": "cheerful and light", "sombre": "sombre and dark"},
        ("Keep the mood {}.", "The tone is {} on the whole.", "Let the general feeling be {}."),
    ),
    Category(
        "contractions",
        "broad",
        "stylistic",
        contractions,
        {"short": "short forms such as “it’s” and “I’ll”", "full": "full forms such as “it is” and “I will”"},
        ("Prefer {}.", "Write {}.", "In speech and narration, use {}."),
    ),
    Category(
        "spelling",
        "broad",
        "stylistic",
        spelling,
        {"British": "British", "American": "American"},
        ("Use {} spelling.", "Spell words the {} way.", "Follow {} conventions of spelling."),
    ),
    Category(
        "numbers",
        "broad",
        "stylistic",
        numbers,
        {"digits": "in digits", "words": "in words"},
        ("Write numbers {}.", "Put most numbers {}.", "Amounts, dates and counts stand {}."),
    ),
)
