# ruff: noqa: RUF001 (typographic quotation marks are what this file is about)
"""Who is named in a text: capitals that stay inside a sentence, and signs that a person is meant."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

from palate.text.prose import SPEECH, Prose, word_set

TITLES = word_set(
    "Mr Mrs Miss Ms Dr Doctor Sir Lady Lord Madame Monsieur Mademoiselle Captain Colonel Major General "
    "Professor Father Sister Brother Aunt Auntie Uncle Granny Prince Princess Count Countess Baron King Queen "
    "Judge Inspector Sergeant Lieutenant Master Don Señor Señora Señorita Saint Reverend Cousin"
)
_NEVER = TITLES | word_set(
    "I O Oh Ah God Lord Christ Jesus Heaven Providence Nature Satan Devil Madam Messrs Mme Mlle Esq Jr St "
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July "
    "August September October November December Christmas Easter Lent English Englishman French Frenchman "
    "German Russian American Americans Irish Irishman Scotch Dutch Dutchman Spanish Spaniard Italian Italians "
    "Jew Jews Jewish Roman Greek Latin Turk Turkish Chinese Mexican Indian Indians Christian Catholic Bible "
    "Russians Germans Frenchmen Englishmen Yankee Yes No Well But And The He She It They We You His Her My "
    "This That What When Where Who Why How There Then Here Now If In On At To For Of So As By Is Was Do Did "
    "Have Good Dear Poor Old Street Avenue Road Square Park River Hotel Club House Company Bank College "
    "Church Court City County Hill Bridge North South East West Majesty Honour Honor Excellency Highness "
    "Lordship Ladyship President Governor Mayor Secretary Government State States Union Mamma Papa Mother "
    "Mama Grandmother Grandfather Negro Negroes African Army Navy London Paris York Boston Moscow Petersburg "
    "Rome Naples Venice Vienna Berlin Texas Chicago Washington Broadway Europe America England France Russia "
    "Germany Italy Spain Mexico China India Africa Asia Bath Orleans Peruvian Reverence Senator Marquis "
    "Marchioness Missis Prefect Jewess Kid Polish Pole Swede Swedish Frenchwoman Englishwoman Kentucky "
    "Virginia California Houston Austin Antonio Truth Everybody Everyone Nobody Somebody Someone Everything "
    "Nothing Another Both Others One Some All Time Love Death Life Fate Spring Summer Autumn Winter Mass "
    "Congress Parliament Senate"
)
_VERBS = SPEECH | word_set(
    "was had looked smiled nodded sat stood shook came turned took felt knew saw gave rose walked ran could "
    "did has is put got made drew lit heard threw sprang himself herself who paused stopped opened leaned "
    "glanced seemed wanted remembered understood listened laid held kept left wrote entered loved hated"
)
_BEFORE_A_PERSON = SPEECH | word_set("named dear poor old young little honest with")
_BEFORE_A_PLACE = word_set("in at near from into through across around round toward towards")
_CAPITAL = re.compile(r"(?<![\w’'-])[^\W\d_a-zß-ÿ][\w-]*\w")
_WORD_AFTER = re.compile(r"[^\S\n]+(\w+)")


@dataclass(frozen=True)
class Person:
    """A name, how often it occurs as a whole word, where it occurs first (in characters), and whether it speaks."""

    name: str
    count: int
    first: int
    speaks: bool


@dataclass
class _Token:
    """What was seen of one capitalised word."""

    total: int = 0
    inside: int = 0
    """times inside a sentence, where only a name has a capital"""
    person: int = 0
    place: int = 0
    speaks: int = 0
    titled: dict[str, int] = field(default_factory=dict)
    """the titles before it"""
    before: dict[str, int] = field(default_factory=dict)
    """names before it"""
    after: dict[str, int] = field(default_factory=dict)
    """names after it"""


def people(prose: Prose) -> tuple[Person, ...]:
    """Return the persons that a text names at least twice, most often named first."""
    seen = _tokens(prose.text)
    found: dict[str, Person] = {}
    speaks: set[str] = set()  # a first name may stand beside "said", and its surname not
    for word, token in seen.items():
        if not _is_name(word, token, prose):
            continue
        name = _whole_name(word, token, seen)
        speaks.update([name] if token.speaks else [])
        count, first = mentions(name, prose.text)
        if count >= 2:
            found[name] = Person(name, count, first, name in speaks)
    kept = (  # of "Holmes" and "Sherlock Holmes" the shorter
        one
        for one in found.values()
        if not any(part in found and part != one.name for part in one.name.split())
    )
    return tuple(sorted(kept, key=lambda one: (-one.count, one.first)))


def leading(prose: Prose) -> tuple[str, ...]:
    """Return the one or two persons that a text names most often, in the order of the alphabet."""
    return tuple(sorted(one.name for one in prose.once(people)[:2]))


def mentions(name: str, text: str) -> tuple[int, int]:
    """Return how often a name occurs as a whole word, and where first (-1: it does not)."""
    count, first = 0, -1
    place = text.find(name) if name else -1
    while place >= 0:
        end = place + len(name)
        if not (text[place - 1 : place].isalnum() or text[end : end + 1].isalnum()):
            first = place if first < 0 else first
            count += 1
        place = text.find(name, end)
    return count, first


def _tokens(text: str) -> dict[str, _Token]:
    seen: defaultdict[str, _Token] = defaultdict(_Token)
    for found in _CAPITAL.finditer(text):
        word = found[0]
        if word in _NEVER or len(word) < 3 or not word[0].isupper() or word.isupper():
            continue
        token = seen[word]
        token.total += 1
        start, end = found.span()
        last = _word_before(text, start)
        titled = last.rstrip(".") in TITLES
        if titled:
            token.titled[last] = token.titled.get(last, 0) + 1
            token.speaks += _word_before(text, start - len(last) - 1) in SPEECH  # said Mr. Brown
        elif last.isalpha():
            token.inside += 1
            token.person += last in _BEFORE_A_PERSON
            token.speaks += last in SPEECH
            token.place += last in _BEFORE_A_PLACE
            if last[0].isupper():
                token.before[last] = token.before.get(last, 0) + 1
        elif last.endswith((",", ";")):
            token.inside += 1
        after = _WORD_AFTER.match(text, end)
        if after:
            token.person += after[1] in _VERBS
            token.speaks += after[1] in SPEECH
            if after[1][0].isupper():
                token.after[after[1]] = token.after.get(after[1], 0) + 1
    return seen


def _word_before(text: str, place: int) -> str:
    """Return what stands before a place in the same line, parted from it by one blank."""
    if place < 2 or text[place - 1] != " ":
        return ""
    window = text[max(0, place - 24) : place - 1]
    return window[max(window.rfind(" "), window.rfind("\n"), window.rfind("—")) + 1 :].lstrip("“‘\"'(«")


def _is_name(word: str, token: _Token, prose: Prose) -> bool:
    titled = sum(token.titled.values())
    return (
        token.total >= 2
        and token.inside + titled + token.speaks >= 1
        and token.person + titled >= max(1, token.place)
        and (titled > 0 or token.speaks > 0 or token.person >= 2)
        and prose.counts[word.lower()] - token.total <= token.total // 4
    )


def _whole_name(word: str, token: _Token, seen: dict[str, _Token]) -> str:
    """Return the word with its title, its first name or its surname, where it nearly always has one."""
    most = 0.6 * token.total
    if sum(token.titled.values()) >= most:
        return f"{_commonest(token.titled)} {word}"
    before, after = _commonest(token.before), _commonest(token.after)
    if before in seen and token.before[before] >= most:
        return f"{before} {word}"
    if after in seen and token.after[after] >= most:
        return f"{word} {after}"
    return word


def _commonest(counts: dict[str, int]) -> str:
    return max(counts, key=lambda word: counts[word], default="")
