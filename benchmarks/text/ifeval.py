"""Do the kinds of constraints that IFEval has too give the answers of IFEval's own checkers?

    python benchmarks/text/ifeval.py --peers PEERS [--cases 200]

Texts are chapters of the books that ship with Palate; what is asked of them is drawn, so that about half of it is true.
Five claims, each in as many cases:

    keyword      so often or more                  keywords:frequency
    words        from so many to so many           length_constraints:number_words, twice
    paragraphs   so many                           length_constraints:nth_paragraph_first_word
    name         true of a text: it is there       keywords:existence
    no name      clearly false: it is not there    keywords:forbidden_words

The first three must agree in every case. Of a name Palate asks more (a whole word, in its case), so what it takes for
true, and what it takes for clearly false, IFEval must take so too. Writes text-ifeval.json.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

Case = tuple[str, bool, list[dict[str, Any]], str]
"""claim, Palate's answer, what IFEval is asked (all of it must hold), and how the two must relate: equal or implies"""


def cases(of_each: int) -> Iterator[Case]:
    """Yield cases of every claim, over drawn texts."""
    from palate.text.constraints import kind_of
    from palate.text.constraints.people import people
    from palate.text.corpus import documents
    from palate.text.prose import Prose

    rng = Random(3)
    found = [*documents().documents, *documents(words=(100, 400), pieces=4).documents]
    texts = [Prose(one.text) for one in found]
    names = sorted({one.name for prose in texts for one in people(prose)})
    for _ in range(of_each):
        prose = rng.choice(texts)
        word = rng.choice([one for one in prose.counts if one.isalpha() and one.isascii()])
        count = max(1, prose.lowered.count(word) + rng.randint(-2, 2))
        yield _case("keyword", prose, {"word": word, "count": count}, [_keyword(prose, word, count)])

        low = round(prose.n_words * rng.uniform(0.7, 1.1))
        high = low + rng.randint(0, prose.n_words // 2)
        yield _case("words", prose, {"low": low, "high": high}, _words(prose, low, high))

        number = max(1, len(prose.paragraphs) + rng.randint(-1, 1))
        yield _case("paragraphs", prose, {"low": number, "high": number}, [_paragraphs(prose, number)])

        own = [one.name for one in people(prose)]
        name = rng.choice(own if own and rng.random() < 0.5 else names)
        slots, kind = {"name": name}, kind_of("name")
        there = _asked("keywords:existence", prose, keywords=[re.escape(name)])
        gone = _asked("keywords:forbidden_words", prose, forbidden_words=[re.escape(name)])
        yield "name", kind.holds(slots, prose), [there], "implies"
        yield "no name", kind.refuted(slots, prose), [gone], "implies"


def _case(kind: str, prose: Any, slots: dict[str, Any], asked: list[dict[str, Any]]) -> Case:
    from palate.text.constraints import kind_of

    return kind, kind_of(kind).holds(slots, prose), asked, "equal"


def _asked(name: str, prose: Any, **arguments: Any) -> dict[str, Any]:
    return {"id": name, "arguments": arguments, "text": prose.text}


def _keyword(prose: Any, word: str, count: int) -> dict[str, Any]:
    return _asked("keywords:frequency", prose, keyword=word, frequency=count, relation="at least")


def _words(prose: Any, low: int, high: int) -> list[dict[str, Any]]:
    name = "length_constraints:number_words"
    return [
        _asked(name, prose, num_words=low, relation="at least"),
        _asked(name, prose, num_words=high + 1, relation="less than"),
    ]


def _paragraphs(prose: Any, number: int) -> dict[str, Any]:
    """Ask for the number of paragraphs, with the first word that the first one has."""
    first = prose.text.split()[0].lstrip("'\"").lower()
    word = re.match(r"[^.,?!'\"]*", first)
    name = "length_constraints:nth_paragraph_first_word"
    return _asked(name, prose, num_paragraphs=number, nth_paragraph=1, first_word=word[0] if word else first)


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--cases", type=int, default=200, help="of each claim")
    told = parser.parse_args()
    made = list(cases(told.cases))
    asked = [one for _, _, some, _ in made for one in some]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cases.json"
        file.write_text(json.dumps(asked), "utf-8")
        answers = iter(common.peer(told.peers, "ifeval", "ifeval_checks.py", file))
    board: dict[str, dict[str, int]] = {}
    for claim, ours, some, how in made:
        each = [next(answers) for _ in some]
        theirs = all(each)
        agrees = ours == theirs if how == "equal" else theirs or not ours
        row = board.setdefault(claim, {"cases": 0, "true": 0, "agree": 0})
        row["cases"] += 1
        row["true"] += ours
        row["agree"] += agrees
    common.write("text-ifeval", {"claims": board}, told.out)
    print(json.dumps(board, indent=1))


if __name__ == "__main__":
    main()
