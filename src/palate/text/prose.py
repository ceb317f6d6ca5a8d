# ruff: noqa: RUF001 (typographic quotation marks are what this file is about)
"""A text as constraints ask about it: words, sentences, paragraphs, what is quoted and what is told.

Rules of English punctuation, no model. They work on any string (empty, symbols only, any script) and never raise.

Counts follow IFEval (Zhou et al. 2023, "Instruction-Following Evaluation for Large Language Models") where it counts
the same thing: a word is a run of letters, digits and underscores, and blank lines part paragraphs. Sentences are
ours: IFEval asks a trained tokenizer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeVar, cast

T = TypeVar("T")


def word_set(words: str) -> frozenset[str]:
    """Return the words of a list that is written as one text."""
    return frozenset(words.split())


SPEECH = word_set(
    "added admitted agreed announced answered argued asked began begged bellowed called continued cried "
    "declared demanded drawled echoed exclaimed explained faltered gasped growled grumbled inquired insisted "
    "interrupted laughed murmured muttered observed pleaded put remarked repeated replied responded retorted "
    "returned roared said says shouted shrieked sighed snapped sobbed stammered suggested thought told urged "
    "ventured went whispered wondered yelled"
)
"""verbs that say who speaks"""

_WORD = re.compile(r"\w+")
BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*")
"""what parts paragraphs"""
LONG_WORD = re.compile(r"[^\W\d_]{4,}")
"""four letters or more: mostly words that carry what is said"""
# It always takes the whole run, so that a page of dots is walked once; what follows is looked at afterwards.
_END = re.compile(r"[.!?…]+(?:\s+…[.!?…]*)*[)\]”’\"'»]*|[。！？]+[」』”]*")
_AFTER = re.compile(r"\s*[\[(“‘\"'«]*(\w*)")
_AFTER_THAT = re.compile(r"\s+(\w+)")
_ABBREVIATIONS = word_set(
    "Mr Mrs Ms Messrs Mme Mlle Dr Prof Rev Hon St Sr Jr Esq Capt Col Gen Lieut Lt Maj Sergt Sgt Gov Sen Rep "
    "Pres Supt No Nos Vol Ch Fig Art viz vs etc cf eg ie al ed pp Ave Mt Ft Co Inc Ltd Bros Jan Feb Mar Apr "
    "Aug Sept Oct Nov Dec"
)
_MAY_END = word_set("etc Co Inc Ltd Bros Esq Jr Sr Ave al")
"""abbreviations that often close a sentence: a capital after them starts the next one"""
_CLOSING = {"“": "”", "«": "»", "「": "」", "『": "』"}
_DOUBLE = re.compile(r"[“”\"«»「」『』]")
_SINGLE = re.compile(r"(?<!\w)‘|(?<=[\w.,;:!?…—])’(?!\w)")


@dataclass(frozen=True)
class Prose:
    """A text, with what constraints ask about it computed once, when it is first asked for.

    >>> prose = Prose('“Who is Mr. Brown?” asked Ann. “I like him!”')
    >>> prose.sentences
    ('“Who is Mr. Brown?” asked Ann.', '“I like him!”')
    >>> prose.quoted, prose.narration_counts["asked"], prose.narration_counts["him"]
    (('Who is Mr. Brown?', 'I like him!'), 1, 0)
    """

    text: str

    @property
    def words(self) -> list[str]:
        """Runs of letters, digits and underscores, as they are written (IFEval's words)."""
        return _WORD.findall(self.text)

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each word occurs, in lower case."""
        return Counter(map(str.lower, self.words))

    @cached_property
    def n_words(self) -> int:
        """How many words the text has."""
        return self.counts.total()

    @cached_property
    def lowered(self) -> str:
        """The text in lower case."""
        return self.text.lower()

    @cached_property
    def paragraphs(self) -> tuple[str, ...]:
        """What blank lines part, without the blanks around it."""
        return tuple(part for part in map(str.strip, BLANK_LINES.split(self.text)) if part)

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """Sentences in order; a paragraph ends the last one, whatever stands there."""
        return tuple(sentence for paragraph in self.paragraphs for sentence in sentences(paragraph))

    @cached_property
    def _told(self) -> tuple[tuple[str, ...], str]:
        quoted: list[str] = []
        told = []
        single = not _DOUBLE.search(self.text)
        for paragraph in self.paragraphs:
            spans = list(quotations(paragraph, single=single))
            quoted += [paragraph[start:end] for start, end in spans]
            edges = [0, *(edge for span in spans for edge in span), len(paragraph)]
            told.append(" ".join(paragraph[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)))
        return tuple(quoted), "\n\n".join(told)

    @property
    def quoted(self) -> tuple[str, ...]:
        """What stands between quotation marks, without them; a span that is not closed ends with its paragraph."""
        return self._told[0]

    @property
    def narration(self) -> str:
        """The text without what is quoted; the quotation marks stay."""
        return self._told[1]

    @cached_property
    def narration_counts(self) -> Counter[str]:
        """How often each word occurs outside quotation marks, in lower case."""
        return Counter(_WORD.findall(self.narration.lower()))

    @cached_property
    def dialogue(self) -> float:
        """Share of the words that stand between quotation marks, from 0 to 1."""
        return sum(len(_WORD.findall(span)) for span in self.quoted) / max(1, self.n_words)

    @cached_property
    def _known(self) -> dict[Callable[[Prose], Any], Any]:
        return {}

    def once(self, compute: Callable[[Prose], T]) -> T:
        """Return `compute(self)`, computed the first time only: for facts that a kind of constraint defines."""
        if compute not in self._known:
            self._known[compute] = compute(self)
        return cast(T, self._known[compute])


def length(text: str) -> int:
    """Return how many words a text has as people count them: what white space parts."""
    return len(text.split())


def sentences(paragraph: str) -> list[str]:
    """Return the sentences of one paragraph, in order, without the blanks around them."""
    edges = [0, *sentence_ends(paragraph)]
    parts = (paragraph[a:b].strip() for a, b in pairwise(edges))
    return [part for part in parts if part]


def sentence_ends(paragraph: str) -> list[int]:
    """Return where the sentences of one paragraph end; the last end is the paragraph's own."""
    ends = [found.end() for found in _END.finditer(paragraph) if _closes(paragraph, found)]
    if not ends or ends[-1] < len(paragraph):
        ends.append(len(paragraph))
    return ends


def _closes(paragraph: str, found: re.Match[str]) -> bool:
    """Return whether what looks like the end of a sentence is one."""
    start, end = found.span()
    if paragraph[start] in "。！？":
        return True
    if end < len(paragraph) and not paragraph[end].isspace():
        return False
    after = cast("re.Match[str]", _AFTER.match(paragraph, end))  # it matches nothing too
    first = after[1]
    if first[:1].islower():
        return False
    mark, quoted = found[0], found[0][-1] in "”’\"'»"
    if mark[0] == "." and (len(mark) == 1 or not mark.startswith(("..", ".…"))):
        word = _word_before(paragraph, start)
        if word in _ABBREVIATIONS:
            return word in _MAY_END and bool(first)
        if len(word) == 1 and word.isupper() and word != "I":
            return not first  # an initial: J. Smith
    elif quoted and mark[0] in "!?…":  # “Stop!” I said; “Who is it?” Anna asked
        then = _AFTER_THAT.match(paragraph, after.end())
        return not (then and then[1] in SPEECH)
    return True


def _word_before(paragraph: str, end: int) -> str:
    start = end
    while start and end - start < 40 and paragraph[start - 1].isalnum():
        start -= 1
    return paragraph[start:end]


def quotations(paragraph: str, *, single: bool = False) -> Iterator[tuple[int, int]]:
    """Yield where the quoted spans of one paragraph begin and end, quotation marks left out.

    `single`: single curly quotes mark speech, as where a text has no double ones. A quotation within one belongs to it.
    """
    start, closing = -1, ""
    for found in (_SINGLE if single else _DOUBLE).finditer(paragraph):
        mark = found[0]
        if start < 0:
            if single and mark == "‘":
                start, closing = found.end(), "’"
            elif mark in _CLOSING or mark == '"':
                start, closing = found.end(), _CLOSING.get(mark, '"')
        elif mark == closing:
            yield start, found.start()
            start = -1
    if start >= 0:
        yield start, len(paragraph)


def cut(text: str, words: int) -> str:
    """Return the longest beginning of at most `words` words (parted by white space) that ends at a sentence.

    Empty where the first sentence alone is longer.

    >>> cut("One two. Three four five. Six.", 5)
    'One two. Three four five.'
    """
    limit = _after_words(text, words)
    if limit >= len(text.rstrip()):
        return text.rstrip()
    best = 0
    for end in ends(text):
        if end > limit:
            break
        best = end
    return text[:best].rstrip()


def ends(text: str) -> Iterator[int]:
    """Yield where the sentences of a text end; a paragraph ends its last one."""
    place = 0
    while place < len(text):
        blank = BLANK_LINES.search(text, place)
        end = blank.start() if blank else len(text)
        for one in sentence_ends(text[place:end]):
            yield place + one
        place = blank.end() if blank else len(text)


def _after_words(text: str, words: int) -> int:
    """Return where the word of that number ends (the whole length where there are fewer)."""
    if words <= 0:
        return 0
    parts = text.split(None, words)
    return len(text[: len(text) - len(parts[-1])].rstrip()) if len(parts) > words else len(text)
