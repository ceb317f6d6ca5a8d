# ruff: noqa: RUF001 (typographic quotation marks are what this file is about)
"""Constraints on the shape: length, sentences, paragraphs, dialogue, punctuation, how a text opens and ends.

Words are counted as IFEval counts them, and so are paragraphs (parted by blank lines, as in its check of a paragraph's
first word; its own count of paragraphs asks for *** between them, which is no prose). Questions and exclamations are
counted by their marks, a row of marks as one.
"""

from __future__ import annotations

import re
from functools import partial
from random import Random

from palate.text.constraints.kind import Band, Category, Kind, Scope, Slots, Type
from palate.text.prose import Prose, quotations

_OPENS = ("“", '"', "‘", "«", "「")
_CLOSES = ("”", '"', "’", "»", "」")
_QUESTION = re.compile(r"\?[?!]*")
_EXCLAMATION = re.compile(r"![!?]*")
_WORD = re.compile(r"\w+")
_DASH = re.compile(r"—|–|--+")
# "Dear Sir:" or "My dear Jane," at the end of a line: one that speaks says "My dear Jane," and goes on
_SALUTATION = re.compile(r"^[“‘\"]*(?:My )?[Dd]ear(?:est)? [^?!:;“”\"\n]{2,40}(?::|,—|,$)", re.MULTILINE)
_CLOSE_OF_A_LETTER = re.compile(r"[Yy]ours (?:truly|sincerely|faithfully|ever|affectionately|respectfully)\b")


def _words(text: str) -> int:
    return len(_WORD.findall(text))


def _total(prose: Prose) -> int:
    return prose.n_words


def _paragraphs(prose: Prose) -> int:
    return len(prose.paragraphs)


def _longest(prose: Prose) -> int:
    most = 0
    for paragraph in sorted(prose.paragraphs, key=len, reverse=True):
        if len(paragraph) < 2 * most:  # a word and what parts it from the next take two characters at least
            break
        most = max(most, _words(paragraph))
    return most


def _mean_sentence(prose: Prose) -> float:
    return prose.n_words / max(1, len(prose.sentences))


def _first_sentence(prose: Prose) -> int:
    return _words(prose.sentences[0]) if prose.sentences else 0


def _dialogue(prose: Prose) -> float:
    return 100 * prose.dialogue


def _marks(pattern: re.Pattern[str], prose: Prose) -> int:
    return len(pattern.findall(prose.text))


_questions = partial(_marks, _QUESTION)
_exclamations = partial(_marks, _EXCLAMATION)


def _per_thousand(prose: Prose, pattern: re.Pattern[str]) -> float:
    return 1000 * len(pattern.findall(prose.text)) / max(1, prose.n_words)


_semicolons = partial(_per_thousand, pattern=re.compile(";"))
_dashes = partial(_per_thousand, pattern=_DASH)


def opening(prose: Prose) -> tuple[str, ...]:
    """Return how a text opens: with "dialogue", with a sentence that says "I", or with "telling"."""
    if not prose.sentences:
        return ()
    first = prose.sentences[0]
    if first.startswith(_OPENS):
        return ("dialogue",)
    if set(_WORD.findall(first.lower())) & {"i", "me", "my", "we", "our", "us"}:
        return ("I",)
    return ("question",) if first.rstrip("".join(_CLOSES)).endswith("?") else ("telling",)


def ending(prose: Prose) -> tuple[str, ...]:
    """Return how a text ends: in "dialogue", with a "question" or an "exclamation" that is told, or with "telling"."""
    if not prose.sentences:
        return ()
    last, paragraph = prose.sentences[-1], prose.paragraphs[-1]
    left_open = any(end == len(paragraph) for _, end in quotations(paragraph))
    if last.endswith(_CLOSES) or left_open:
        return ("dialogue",)
    return ("question",) if last.endswith("?") else ("exclamation",) if last.endswith("!") else ("telling",)


def inset(prose: Prose) -> tuple[str, ...]:
    """Return what is set into a text: a "letter" (a salutation or a letter's close), "verse" (short lines), or both."""
    found = []
    if _SALUTATION.search(prose.text) or _CLOSE_OF_A_LETTER.search(prose.text):
        found.append("letter")
    if any(_is_verse(paragraph) for paragraph in prose.paragraphs):
        found.append("verse")
    return tuple(found)


def _is_verse(paragraph: str) -> bool:
    lines = [line.strip() for line in paragraph.split("\n")]
    return len(lines) >= 2 and all(3 <= len(line) <= 60 and _words(line) >= 2 for line in lines)


class Start(Kind):
    """How one of the first paragraphs starts: with dialogue or with narration."""

    name = "paragraph"
    scope: Scope = "specific"
    type: Type = "stylistic"
    phrasings = (
        "Start paragraph {number} with {with}.",
        "Paragraph {number} begins with {with}.",
        "Let {with} open paragraph {number}.",
    )

    @staticmethod
    def _starts(paragraph: str) -> str:
        return "dialogue" if paragraph.startswith(_OPENS) else "narration"

    def extract(self, prose: Prose, rng: Random) -> Slots | None:
        """Return one of paragraphs two to five, and how it starts."""
        last = min(5, len(prose.paragraphs))
        if last < 2:
            return None
        number = rng.randint(2, last)
        return {"number": number, "with": self._starts(prose.paragraphs[number - 1])}

    def holds(self, slots: Slots, prose: Prose) -> bool:
        """Return whether the paragraph is there and starts so."""
        number = slots["number"]
        there = 0 < number <= len(prose.paragraphs)
        return bool(there and self._starts(prose.paragraphs[number - 1]) == slots["with"])

    def exchange(self, slots: Slots, other: Slots) -> Slots | None:
        """Return the same paragraph with the other's start."""
        return {**slots, "with": other["with"]}

    def corrupt(self, slots: Slots, prose: Prose, rng: Random, others: object = ()) -> Slots | None:
        """Return the same paragraph with the other start."""
        return {**slots, "with": "narration" if slots["with"] == "dialogue" else "dialogue"}

    def say(self, slots: Slots, rng: Random) -> str:
        """Return a sentence with the paragraph's number and its start."""
        return rng.choice(self.phrasings).format(**slots)


KINDS: tuple[Kind, ...] = (
    Band(
        "words",
        "broad",
        "stylistic",
        _total,
        ("Write {band} words.", "Keep the length to {band} words.", "The text is {band} words long."),
        width=0.25,
    ),
    Band(
        "paragraphs",
        "broad",
        "stylistic",
        _paragraphs,
        ("Use {band} paragraphs.", "Divide it into {band} paragraphs.", "Give it {band} paragraphs."),
        width=0.4,
    ),
    Band(
        "sentence_length",
        "broad",
        "stylistic",
        _mean_sentence,
        (
            "Keep sentences {cue}: {band} words on average.",
            "Write {cue} sentences, {band} words on average.",
            "The average sentence is {cue}, at {band} words.",
        ),
        cues=((12, "short"), (18, "mid-length"), (999, "long")),
        width=0.25,
    ),
    Band(
        "longest_paragraph",
        "specific",
        "stylistic",
        _longest,
        (
            "The longest paragraph has {band} words.",
            "Let the longest paragraph run to {band} words.",
            "In the longest paragraph, write {band} words.",
        ),
        width=0.5,
    ),
    Band(
        "dialogue",
        "broad",
        "stylistic",
        _dialogue,
        (
            "Let {band} percent of the words be speech in quotation marks: {cue}.",
            "Make it {cue}, with {band} percent of the words in quotation marks.",
            "Let it be {cue}: {band} percent of the words are in quotation marks.",
        ),
        cues=((15, "mostly narration"), (50, "a mixture of speech and narration"), (100, "mostly dialogue")),
        width=0.2,
        least=16,
        top=100,
    ),
    Band(
        "questions",
        "broad",
        "stylistic",
        _questions,
        ("Ask {band} questions.", "Put {band} questions into the text.", "There are {band} questions in it."),
        width=0.6,
        least=3,
    ),
    Band(
        "exclamations",
        "broad",
        "stylistic",
        _exclamations,
        (
            "Use {band} exclamation marks.",
            "Put {band} exclamations into the text.",
            "There are {band} exclamations in it.",
        ),
        width=0.6,
        least=3,
    ),
    Band(
        "semicolons",
        "broad",
        "stylistic",
        _semicolons,
        (
            "Use {band} semicolons in every thousand words.",
            "Per thousand words, put {band} semicolons.",
            "Let there be {band} semicolons to a thousand words.",
        ),
        width=0.5,
        least=3,
    ),
    Band(
        "dashes",
        "broad",
        "stylistic",
        _dashes,
        (
            "Use {band} dashes in every thousand words.",
            "Per thousand words, put {band} dashes.",
            "Let there be {band} dashes to a thousand words.",
        ),
        width=0.5,
        least=3,
    ),
    Band(
        "first_sentence",
        "specific",
        "stylistic",
        _first_sentence,
        (
            "Make the first sentence {cue}: {band} words.",
            "Open with a {cue} sentence of {band} words.",
            "The opening sentence is {cue}, with {band} words.",
        ),
        cues=((12, "short"), (25, "mid-length"), (9999, "long")),
        width=0.4,
        least=4,
    ),
    Category(
        "opening",
        "specific",
        "stylistic",
        opening,
        {
            "dialogue": "a line of dialogue",
            "I": "a sentence in the first person",
            "question": "a question to the reader",
            "telling": "a plain statement by the narrator",
        },
        ("Open with {}.", "Begin the text with {}.", "The very first sentence is {}."),
    ),
    Category(
        "ending",
        "specific",
        "stylistic",
        ending,
        {
            "dialogue": "a line of dialogue",
            "question": "a question by the narrator",
            "exclamation": "an exclamation by the narrator",
            "telling": "a plain statement by the narrator",
        },
        ("End with {}.", "Close the text with {}.", "The very last sentence is {}."),
    ),
    Category(
        "inset",
        "specific",
        "mixed",
        inset,
        {"letter": "a letter", "verse": "some verse"},
        ("Work {} into the text.", "Quote {} in the course of it.", "Somewhere, give the words of {}."),
    ),
    Start(),
)
