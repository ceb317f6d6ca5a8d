"""Constraints on what occurs: a place, an hour, a season, an animal, a trade, a relative, a thing, a keyword.

A word of a short list counts in any of its forms. A keyword is counted as IFEval counts it (as letters in a row, in any
case, inside longer words too); one is taken as true where it stands often enough as a word of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from palate.text.constraints.kind import NEGATION, Kind, Scope, Slots, Type, a
from palate.text.prose import Prose, word_set


def _words(words: str) -> list[str]:
    return words.split()


def _forms(words: str) -> dict[str, tuple[str, ...]]:
    """Return each word with its forms: "horse" with its plural by rule, "mouse:mouse,mice" as it stands."""
    found = {}
    for entry in _words(words):
        word, _, forms = entry.partition(":")
        plural = (
            f"{word[:-1]}ies"
            if word.endswith("y") and word[-2:-1] not in "aeo"
            else f"{word}es"
            if word.endswith(("s", "x", "ch", "sh"))
            else f"{word}s"
        )
        found[word] = tuple(forms.split(",")) if forms else (word, plural)
    return found


@dataclass(frozen=True)
class Mention(Kind):
    """A word of a list occurs."""

    copied = ("word",)
    name: str
    words: Mapping[str, tuple[str, ...]]
    phrasings: tuple[str, ...]
    scope: Scope = "specific"
    type: Type = "semantic"

    def _count(self, word: str, prose: Prose) -> int:
        return sum(prose.counts.get(form, 0) for form in self.words.get(word, (word.lower(),)))

    def extract(self, prose: Prose, rng: Random) -> Slots | None:
        """Return a word that occurs, twice where one does."""
        once = [word for word in self.words if self._count(word, prose)]
        twice = [word for word in once if self._count(word, prose) > 1]
        return {"word": rng.choice(twice or once)} if once else None

    def holds(self, slots: Slots, prose: Prose) -> bool:
        """Return whether the word occurs in one of its forms."""
        return self._count(str(slots["word"]), prose) > 0

    def corrupt(self, slots: Slots, prose: Prose, rng: Random, others: Sequence[Slots] = ()) -> Slots | None:
        """Return another word of the list, which the text lacks."""
        lacking = [word for word in self.words if not self._count(word, prose)]
        return {"word": rng.choice(lacking)} if lacking else None

    def say(self, slots: Slots, rng: Random) -> str:
        """Return a sentence with the word."""
        word = str(slots["word"])
        return _capital(rng.choice(self.phrasings).format(word=word, a=a(word)))


class Keyword(Kind):
    """A word occurs at least so often; IFEval's keyword frequency, with its way of counting."""

    copied = ("word",)
    name = "keyword"
    scope: Scope = "broad"
    type: Type = "mixed"
    most = 2
    phrasings = (
        "Use the word “{word}” at least {count} times.",
        "The word “{word}” occurs {count} times or more.",
        "Let “{word}” be a recurring word, with at least {count} uses.",
    )
    thresholds = (8, 5, 3, 2)

    def extract(self, prose: Prose, rng: Random) -> Slots | None:
        """Return one of the words that the text comes back to, and a number that it reaches."""
        known = prose.once(keywords)
        topics = prose.once(subjects)
        possible = [word for word in known if word not in topics]
        if not possible:
            return None
        word = rng.choice(possible)
        return {"word": word, "count": next(n for n in self.thresholds if prose.counts[word] >= n)}

    def holds(self, slots: Slots, prose: Prose) -> bool:
        """Return whether the letters occur so often, in any case."""
        return bool(prose.lowered.count(str(slots["word"]).lower()) >= slots["count"])

    def refuted(self, slots: Slots, prose: Prose) -> bool:
        """Return whether the letters occur less than half as often."""
        return 2 * prose.lowered.count(str(slots["word"]).lower()) < int(slots["count"])

    def exchange(self, slots: Slots, other: Slots) -> Slots | None:
        """Return the other's word, where it is asked for as often."""
        return dict(other) if other["count"] == slots["count"] else None

    def corrupt(self, slots: Slots, prose: Prose, rng: Random, others: Sequence[Slots] = ()) -> Slots | None:
        """Return the same word more often than the text has it."""
        count = prose.lowered.count(str(slots["word"]).lower())
        return {**slots, "count": next((n for n in (12, 20, 30, 50) if n > 1.5 * count), 2 * count)}

    def say(self, slots: Slots, rng: Random) -> str:
        """Return a sentence with the word and the number."""
        return rng.choice(self.phrasings).format(**slots)


_NOUNS = re.compile(r"\b(?:the|an?|his|her|my|their|your|our|this|that|its|of|with)\s+([a-z]{4,})\b(?!-)")
_TOO_COMMON = word_set(
    "able about above account afternoon again almost alone already also always among another anything back "
    "beautiful because become before being best better between both business called came case certain chance "
    "character children circumstance circumstances class close cold come coming common company conversation "
    "country course dark days dead deal dear deep different doing done door down each easy either else end "
    "enough evening ever every everybody everyone everything evidently expression extreme eyes face faces "
    "fact false family feel feeling feelings feet few fine finger fingers first five following foot former "
    "forty four fresh friend friends full further general gentle gentleman gentlemen given going gone good "
    "great greatest ground half hand hands happy hard have head hear heard heart help high higher himself "
    "home hour hours house houses however human hundred idea ideas indeed interest into itself just keep kind "
    "know knowledge known ladies lady lamp large last late latter least left less letter life like line lines "
    "little long longer look looking lost lower made make manner manners many matter mean means mere middle "
    "mind minute minutes moment money month months more morning most mouth much must name natural nature near "
    "nearly necessary need nervous next nice night nights nose number object occasion odd often once only "
    "open opening opinion ordinary other others outside over part particular parts party past peculiar people "
    "perfect perhaps period person persons pink place places plain pleasure point poor position possible "
    "power presence present pretty pure question quiet quite rather real really reason red regular relations "
    "rest result rich right room rooms round same saying sees self sense seven shape sharp short shoulder "
    "shoulders side sight simple simply since single sister situation slight slow small smooth soft solid "
    "some somebody someone something sort sound speak special spirit spite spot state step steps still story "
    "strange stranger street strength strong style subject such sudden suddenly sure sweet table taken tall "
    "tell than that their them themselves then there therefore these they thick thin thing things think third "
    "this those though thought thoughts thousand three time times together told tone tongue toward towards "
    "town true truth turn twelve twenty under understand unknown upon usual various very view violent voice "
    "want warm water ways weak week weeks well went were what whatever when where which while white whole "
    "whom whose wide wild will wind wish with within woman women wonderful word words work world worse worst "
    "would year years yellow yes young your yourself black blue brown green grey gray thirty sixty eight nine "
    "fifty million dozen couple score pair kinds sorts slightest smallest entire mother father brother "
    "husband wife daughter child girl boys girls fellow second moments instant front bottom upper heavy "
    "bright light broad loud dull empty bare flat narrow ancient modern private public secret personal "
    "terrible horrible dreadful awful fearful famous proper familiar final nearest evil attention effect "
    "appearance purpose condition extent degree opportunity impression sake hold direction distance edge "
    "corner attempt action reply answer remark speech glance smile laugh sigh heads mouths hearts lips cheek "
    "cheeks chin brow neck throat knees legs arms breast forehead body hair sleeping trembling burning "
    "shining growing falling dying waiting brief rapid original excellent latest early rear uncle aunt "
    "aforesaid said unhappy happier old older oldest new tiny huge immense vast enormous mighty splendid "
    "superb fair calm tender proud clever stupid silly foolish brave honest decent respectable distinguished "
    "worthy guilty miserable wretched unfortunate lovely handsome pale sick tired dirty clean goodness "
    "beginning today tomorrow yesterday tonight"
)


_SELDOM_NOUNS = ("ly", "ous", "ful", "ish", "less", "en", "aving", "oing", "king", "ying", "ening")


def keywords(prose: Prose) -> tuple[str, ...]:
    """Return words that a text comes back to and that say what it is about, the most frequent first.

    They stand at least three times (twice in a text of under 600 words), mostly after an article, a possessive or a
    preposition, so that most are nouns; what every text has is left out.
    """
    least = 3 if prose.n_words >= 600 else 2
    found = {}
    nouns = prose.once(_nouns)
    for word, count in nouns.items():
        whole = prose.counts[word]
        if word in _TOO_COMMON or NEGATION.search(word) or whole < least:
            continue
        if count >= 0.4 * whole and not word.endswith(_SELDOM_NOUNS):
            found[word] = whole
    return tuple(sorted(found, key=lambda word: (-found[word], word)))


def _nouns(prose: Prose) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in _NOUNS.findall(prose.text):
        counts[word] = counts.get(word, 0) + 1
    return counts


def subjects(prose: Prose) -> tuple[str, ...]:
    """Return the two words that the main goal names, in the order of the alphabet."""
    return tuple(sorted(prose.once(keywords)[:2]))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


KINDS: tuple[Kind, ...] = (
    Keyword(),
    Mention(
        "place",
        _forms(
            "kitchen garden church station forest hotel office school hospital prison island mountain farm restaurant "
            "village harbour:harbour,harbours,harbor,harbors cemetery:cemetery,cemeteries,graveyard library stable "
            "bridge palace cellar attic inn ranch beach meadow orchard monastery factory castle desert lake valley "
            "balcony parlour:parlour,parlours,parlor,parlors bedroom courtyard market staircase museum barn hut tent "
            "tower laboratory theatre:theatre,theatres,theater,theaters bakery saloon café:café,cafés,cafe,cafes mill"
        ),
        ("{a} is one of the places in it.", "Bring in {a} as a place.", "Let there be {a} somewhere."),
    ),
    Mention(
        "hour",
        _forms("dawn:dawn,daybreak afternoon evening twilight:twilight,dusk midnight morning sunset"),
        ("Mention the {word}.", "The {word} is spoken of.", "Let the {word} come up as a time of day."),
    ),
    Mention(
        "season",
        {
            word: (word.lower(),)
            for word in _words(
                "winter summer autumn January February April June July August September October November December "
                "Christmas Easter Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
            )
        },
        (
            "Mention {word}.",
            "{word} comes up as a time.",
            "Let {word} be named as a date, a day or a season.",
        ),
    ),
    Mention(
        "animal",
        _forms(
            "horse dog cat bird cow wolf:wolf,wolves fish:fish,fishes mouse:mouse,mice goat sheep:sheep "
            "goose:goose,geese hen crow snake lion donkey pig rabbit fox rat spider eagle duck kitten puppy pony mule "
            "ox:ox,oxen monkey parrot pigeon frog butterfly bee elephant calf:calf,calves lamb"
        ),
        ("{a} appears in it.", "Give {a} a place in the text.", "At some point there is {a}."),
    ),
    Mention(
        "occupation",
        _forms(
            "doctor teacher lawyer clerk policeman:policeman,policemen waiter soldier priest painter sailor servant "
            "student merchant nurse farmer poet musician coachman:coachman,coachmen detective actor actress banker "
            "tailor barber gardener butler engineer professor captain colonel postman:postman,postmen shoemaker "
            "carpenter cowboy governess housekeeper bishop monk chemist editor reporter landlady porter hunter "
            "thief:thief,thieves"
        ),
        ("{a} is among the people in it.", "Include {a}.", "Somebody in the text is {a}."),
    ),
    Mention(
        "kin",
        _forms(
            "mother father sister brother daughter son aunt uncle cousin nephew niece grandmother grandfather husband "
            "wife:wife,wives widow bride baby orphan"
        ),
        ("Mention {a}.", "{a} is spoken of.", "Among the relations, there is {a}."),
    ),
    Mention(
        "colour",
        {
            **{
                word: (word,)
                for word in _words(
                    "red green blue yellow black white brown purple pink golden scarlet crimson"
                )
            },
            "grey": ("grey", "gray"),
        },
        ("Something in it is {word}.", "Paint at least one thing {word}.", "Describe something as {word}."),
    ),
    Mention(
        "weather",
        _forms(
            "rain:rain,rains,raining,rained,rainy snow:snow,snows,snowing,snowy wind:wind,winds,windy fog:fog,foggy "
            "storms:storm,storms,stormy thunder:thunder,thunders sunshine:sunshine,sunny frost:frost,frosts,frosty "
            "mist:mist,mists,misty lightning:lightning heat:heat moonlight:moonlight,moonlit clouds:cloud,clouds,cloudy"
        ),
        ("There is {word} at some point.", "Let {word} play a part.", "Bring in {word}."),
    ),
    Mention(
        "food",
        _forms(
            "bread:bread wine:wine,wines tea:tea coffee:coffee soup:soup,soups cheese:cheese cake:cake,cakes beer:beer "
            "milk:milk apples:apple,apples butter:butter meat:meat vodka:vodka whisky:whisky,whiskey brandy:brandy "
            "champagne:champagne eggs:egg,eggs potatoes:potato,potatoes cabbage:cabbage,cabbages sugar:sugar "
            "honey:honey sandwiches:sandwich,sandwiches bacon:bacon ham:ham oranges:orange,oranges candy:candy,candies"
        ),
        ("Mention {word}.", "{word} comes up as food or drink.", "Let there be {word} to eat or drink."),
    ),
    Mention(
        "object",
        _forms(
            "letter lamp candle clock mirror pistol:pistol,pistols,revolver,revolvers knife:knife,knives handkerchief "
            "umbrella cigar newspaper piano violin guitar purse sword key portrait photograph basket bottle "
            "telegram necklace bell carriage wagon:wagon,wagons,waggon,waggons sledge boat diary axe rope hammer pillow"
        ),
        ("{a} matters at some point.", "Bring {a} into it.", "One of the things mentioned is {a}."),
    ),
)
