"""Filters over the catalogue: `"genre has Comedy and year >= 1990"` -> a Polars expression.

```
filter     = both { "or" both }
both       = negation { "and" negation }
negation   = "not" negation | "(" filter ")" | comparison
comparison = column ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value
           | column ["not"] "in" "(" value { "," value } ")"
           | column ["not"] "has" value         an element of a list, or a whole word of a text
           | column ["not"] "contains" value    a part of an element or of a text
           | column "is" ["not"] "null"         no value, or an empty list
```

Words and numbers may stand bare (`Sci-Fi`, `1990`); a value of several words needs quotes ('single' or
"double"). Texts compare without regard to case. A missing value (null, NaN) fails every comparison, so `not` of
it holds. A time without a zone is one in the column's zone.
The text is parsed by hand and never evaluated.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn
from zoneinfo import ZoneInfo

import polars as pl

from palate.errors import PlanError, did_you_mean, listing

_TOKEN = re.compile(
    r"""\s*(?: (?P<quoted>'(?:[^'\\]|\\.)*'(?!\w)|"(?:[^"\\]|\\.)*"|`[^`]*`)
             | (?P<sign><=|>=|!=|<>|==|[=<>(),])
             | (?P<word>[^\s=<>!(),"`']+(?:'[^\s=<>!(),"`']+)*) )""",
    re.VERBOSE,
)
_KEYWORDS = frozenset({"and", "or", "not", "in", "has", "contains", "is"})
_MAX_DEPTH = 50
_COMPARE: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class _Token(NamedTuple):
    kind: str  # quoted | sign | word | end
    text: str
    position: int  # from 1

    def keyword(self, *words: str) -> bool:
        return self.kind == "word" and self.text.lower() in words


def expression(where: str, schema: Mapping[str, pl.DataType]) -> pl.Expr:
    """Return the Boolean expression that `where` says, over the columns of `schema`; it holds no nulls.

    Raises PlanError for a filter that does not parse (with the position), a column that is not there (with
    the nearest one), and a value that the column cannot hold. `genre` finds `genres` and the other way round.

    >>> table = pl.DataFrame({"title": ["Alien", "Big"], "year": [1979, 1988]})
    >>> table.filter(expression("year > 1980 and title has big", table.schema))["title"].to_list()
    ['Big']
    """
    return _Parser(where, schema).parse()


class _Parser:
    """Recursive descent over the grammar above; one method per rule."""

    def __init__(self, where: str, schema: Mapping[str, pl.DataType]) -> None:
        self.where = where
        self.schema = schema
        self.tokens = self._tokens()
        self.at = 0
        self.depth = 0

    def parse(self) -> pl.Expr:
        if self.now.kind == "end":
            raise PlanError("The filter is empty. Write for example: year >= 1990 and genres has Comedy")
        result = self._filter()
        if self.now.kind != "end":
            self._fail("expected 'and', 'or' or the end; a value of several words needs quotes")
        return result

    # The rules

    def _filter(self) -> pl.Expr:
        result = self._both()
        while self._take("or"):
            result = result | self._both()
        return result

    def _both(self) -> pl.Expr:
        result = self._negation()
        while self._take("and"):
            result = result & self._negation()
        return result

    def _negation(self) -> pl.Expr:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            self._fail(f"more than {_MAX_DEPTH} levels of 'not' and parentheses")
        if self._take("not"):
            result = ~self._negation()
        elif self._sign("("):
            result = self._filter()
            self._expect(")")
        else:
            result = self._comparison()
        self.depth -= 1
        return result

    def _comparison(self) -> pl.Expr:
        column = self._column()
        negated = self._take("not")
        if self._take("in"):
            self._expect("(")
            result = self._compare(column, "=", self._value())
            while self._sign(","):
                result = result | self._compare(column, "=", self._value())
            self._expect(")")
        elif self._take("has"):
            result = self._has(column, self._value())
        elif self._take("contains"):
            result = self._contains(column, self._value())
        elif not negated and self._take("is"):
            negated = self._take("not")
            if not self._take("null"):
                self._fail("expected 'null'")
            result = _missing(column, self.schema[column])
        elif not negated and self.now.kind == "sign" and self.now.text not in "(),":
            sign = {"==": "=", "<>": "!="}.get(self.now.text, self.now.text)
            self.at += 1
            result = self._compare(column, sign, self._value())
        else:
            self._fail(f"expected a comparison after '{column}' (= != < <= > >= in has contains is)")
        return ~result if negated else result

    def _column(self) -> str:
        token = self.now
        if token.kind not in ("word", "quoted") or token.keyword(*_KEYWORDS):
            self._fail("expected the name of a column")
        self.at += 1
        given = _unquoted(token)
        for same in (lambda name: name == given, lambda name: _plain(name) == _plain(given)):
            for name in self.schema:
                if same(name):
                    return name
        hint = did_you_mean(given, self.schema)
        raise PlanError(
            f"The catalogue has no column '{given}' (position {token.position} of the filter).{hint}"
            f" It has: {listing(self.schema, limit=12)}."
        )

    def _value(self) -> _Token:
        token = self.now
        if token.kind not in ("word", "quoted") or token.keyword("and", "or", "not"):
            self._fail("expected a value")
        self.at += 1
        return token._replace(text=_unquoted(token))

    # The comparisons

    def _compare(self, column: str, sign: str, value: _Token) -> pl.Expr:
        dtype = self.schema[column]
        if isinstance(dtype, pl.List):
            if sign not in ("=", "!="):
                self._fail(f"'{column}' holds lists: use has, contains, =, != or in", value)
            found = self._has(column, value)
            return found if sign == "=" else ~found & ~_missing(column, dtype)
        expr = pl.col(column)
        if _is_text(dtype):
            expr, literal = _lower(expr), pl.lit(value.text.lower())
        else:
            expr = expr.fill_nan(None) if dtype.is_float() else expr  # NaN would be above every number
            literal = pl.lit(self._literal(column, dtype, value))
        return _COMPARE[sign](expr, literal).fill_null(False)

    def _has(self, column: str, value: _Token) -> pl.Expr:
        dtype = self.schema[column]
        if isinstance(dtype, pl.List):
            if _is_text(dtype.inner):
                test = _lower(pl.element()) == value.text.lower()
            else:
                test = pl.element() == pl.lit(self._literal(column, dtype.inner, value))
            return pl.col(column).list.eval(test).list.any().fill_null(False)
        if _is_text(dtype):
            word = rf"(?i)(?:^|\W){re.escape(value.text)}(?:\W|$)"
            return pl.col(column).cast(pl.String).str.contains(word).fill_null(False)
        return self._compare(column, "=", value)

    def _contains(self, column: str, value: _Token) -> pl.Expr:
        dtype = self.schema[column]
        part = value.text.lower()
        if isinstance(dtype, pl.List) and _is_text(dtype.inner):
            test = _lower(pl.element()).str.contains(part, literal=True)
            return pl.col(column).list.eval(test).list.any().fill_null(False)
        if not _is_text(dtype):
            self._fail(f"'contains' asks for text, and '{column}' holds {_kind(dtype)}", value)
        return _lower(pl.col(column)).str.contains(part, literal=True).fill_null(False)

    def _literal(self, column: str, dtype: object, value: _Token) -> object:
        """Return `value` as the Python value that the (not textual) column compares with."""
        text = value.text
        try:
            if dtype == pl.Boolean:
                return {"true": True, "yes": True, "false": False, "no": False}[text.lower()]
            if dtype == pl.Date:
                return dt.date.fromisoformat(text)
            if isinstance(dtype, pl.Datetime):
                return _in_zone(dt.datetime.fromisoformat(text), dtype.time_zone)
            number = int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else float(text)
            if math.isnan(number):
                self._fail(f"'{column}' compares with no NaN: write is null", value)
            return number
        except (KeyError, ValueError):
            self._fail(f"'{column}' holds {_kind(dtype)}, not '{text}'", value)

    # The tokens

    def _tokens(self) -> list[_Token]:
        tokens, at = [], 0
        while self.where[at:].strip():
            match = _TOKEN.match(self.where, at)
            if match is None or match.lastgroup is None:
                at += len(self.where[at:]) - len(self.where[at:].lstrip())
                self._fail(
                    "a quote that never closes, or a sign that means nothing", _Token("end", "", at + 1)
                )
            tokens.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1))
            at = match.end()
        return [*tokens, _Token("end", "the end", len(self.where) + 1)]

    @property
    def now(self) -> _Token:
        return self.tokens[self.at]

    def _take(self, word: str) -> bool:
        found = self.now.keyword(word)
        self.at += found
        return found

    def _sign(self, sign: str) -> bool:
        found = self.now.kind == "sign" and self.now.text == sign
        self.at += found
        return found

    def _expect(self, sign: str) -> None:
        if not self._sign(sign):
            self._fail(f"expected '{sign}'")

    def _fail(self, reason: str, token: _Token | None = None) -> NoReturn:
        token = token or self.now
        near = f" before '{token.text}'" if token.text and token.kind != "end" else ""
        shown = self.where if len(self.where) <= 120 else self.where[:117] + "..."
        raise PlanError(f"The filter does not read at position {token.position}{near}: {reason}.\n  {shown}")


def _unquoted(token: _Token) -> str:
    return re.sub(r"\\(.)", r"\1", token.text[1:-1]) if token.kind == "quoted" else token.text


def _in_zone(time: dt.datetime, zone: str | None) -> dt.datetime:
    """Return the time as a column of that zone holds it; a column without a zone holds UTC."""
    if zone is None:
        return time if time.tzinfo is None else time.astimezone(dt.UTC).replace(tzinfo=None)
    own = ZoneInfo(zone)
    return time.replace(tzinfo=own) if time.tzinfo is None else time.astimezone(own)


def _plain(name: str) -> str:
    """Return the name without case, spaces and plural: Genres -> genre, categories -> category."""
    name = re.sub(r"[\s_-]", "", name.lower())
    return name[:-3] + "y" if name.endswith("ies") else name.removesuffix("s")


def _lower(expr: pl.Expr) -> pl.Expr:
    return expr.cast(pl.String).str.to_lowercase()


def _missing(column: str, dtype: pl.DataType) -> pl.Expr:
    null = pl.col(column).is_null()
    if dtype.is_float():
        return null | pl.col(column).is_nan().fill_null(True)
    return null | (pl.col(column).list.len() == 0).fill_null(True) if isinstance(dtype, pl.List) else null


def _is_text(dtype: object) -> bool:
    return dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum)


def _kind(dtype: object) -> str:
    if dtype == pl.Boolean:
        return "true or false"
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        return "dates (write 2011-10-01)"
    return "lists" if isinstance(dtype, pl.List) else "numbers"
