"""What readers were shown and what they clicked: impressions, as columns.

An impression is one moment of one reader: the articles read before (`history`), the articles shown (`candidates`), and
which of them were clicked. Articles are a `Catalogue`, one row each; here they are codes into `articles`, the sorted
ids that occur. A history stands once however often it was shown with (`history_of` says whose it is): readers come
back. 4 bytes an event of a history, 5 a candidate, 24 an impression, and the ids once.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from palate.columns import BadRows, ColumnReader, TimeUnit
from palate.errors import DataError, PalateWarning
from palate.interactions import Histories, Interactions
from palate.listed import alike, lacking, lists, marked, members, starts
from palate.tables import require_column, to_frame
from palate.vocabulary import Codes, Vocabulary, as_ids


@dataclass(frozen=True, eq=False, repr=False)
class Impressions:
    """Who was shown what, when, after having read what; rows in the order of the file.

    >>> from palate import Impressions
    >>> shown = Impressions.from_table(
    ...     {"user": ["ann"], "history": [["n1", "n2"]], "candidates": [["n3", "n4"]], "clicked": [[True, False]]}
    ... )
    >>> len(shown), shown.n_candidates, shown.n_clicks
    (1, 2, 1)
    """

    users: Vocabulary
    """exactly the readers that occur"""
    articles: Vocabulary
    """exactly the articles that occur, in histories or among candidates"""
    user: Codes
    """(impressions) codes into `users`"""
    time: NDArray[np.int64] | None
    """(impressions) seconds since 1970 UTC, or None"""
    histories: Histories
    """distinct ones, oldest click first"""
    history_of: Codes
    """(impressions) which of `histories`"""
    indptr: NDArray[np.int64]
    """(impressions + 1) into the candidates"""
    candidate: Codes
    """(candidates) codes into `articles`, in the order shown"""
    clicked: NDArray[np.bool_] | None
    """(candidates), or None where the file does not tell"""
    number: NDArray[np.int64] | None = None
    """(impressions) the publisher's number of each, or None"""
    notes: tuple[str, ...] = ()
    """what was odd in the source, and what was made of it"""

    def __len__(self) -> int:
        return len(self.user)

    def __repr__(self) -> str:
        clicks = "no labels" if self.clicked is None else f"{self.n_clicks:,} clicks"
        return (
            f"Impressions({len(self):,} of {len(self.users):,} users, {self.n_candidates:,} candidates, {clicks}, "
            f"{len(self.articles):,} articles)"
        )

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Candidates of each impression, (impressions)."""
        return np.diff(self.indptr)

    @property
    def n_candidates(self) -> int:
        """Candidates of all impressions together."""
        return len(self.candidate)

    @property
    def n_clicks(self) -> int:
        """Clicks of all impressions together. Raises DataError without labels."""
        return int(self.labels.sum())

    @property
    def labels(self) -> NDArray[np.bool_]:
        """Which candidates were clicked, (candidates). Raises DataError where the file does not tell."""
        if self.clicked is None:
            raise DataError(
                "these impressions have no labels (which candidate was clicked), as the test part of MIND: they can be "
                "scored and written as a submission, not measured or learned from."
            )
        return self.clicked

    @cached_property
    def row_of(self) -> Codes:
        """The impression of each candidate, (candidates)."""
        return np.repeat(np.arange(len(self), dtype=np.int32), self.sizes)

    @cached_property
    def clicks_of(self) -> NDArray[np.int64]:
        """Clicks of each impression, (impressions)."""
        total = np.concatenate([[0], np.cumsum(self.labels)])
        clicks: NDArray[np.int64] = total[self.indptr[1:]] - total[self.indptr[:-1]]
        return clicks

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the content, in order."""
        state = hashlib.sha256(f"{self.users.digest} {self.articles.digest}".encode())
        time = np.empty(0, np.int64) if self.time is None else self.time
        clicked = np.empty(0, np.bool_) if self.clicked is None else self.clicked
        whole = self.histories.select(self.history_of)
        for array in (self.user, time, whole.indptr, whole.item, self.indptr, self.candidate, clicked):
            state.update(str(len(array)).encode())
            state.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes())
        return state.hexdigest()

    # --- made of something ------------------------------------------------------------------------------------

    @classmethod
    def from_table(
        cls,
        table: object,
        *,
        user: str = "user",
        candidates: str = "candidates",
        clicked: str | None = "clicked",
        history: str = "history",
        time: str | None = "time",
        time_unit: TimeUnit = "s",
        bad_rows: BadRows = "raise",
        source: str = "impressions",
    ) -> Impressions:
        """Make impressions of any table that `palate.tables.to_frame` takes, one row an impression.

        Args:
            table: `candidates` and `history` are columns of lists of article ids, oldest click first; a missing history
                is an empty one, and a missing article is left out of it. `clicked` is a column of lists of true and
                false (or 1 and 0), as long as the candidates; or of lists of ids, those that were clicked. A default
                column that is not there is left out; where nothing stands in `clicked` there are no labels.
            user, candidates, clicked, history, time: the names of the columns.
            time_unit: of numeric times. source: what messages call the table.
            bad_rows: `raise` for rows without a user, a time or candidates, with a candidate or mark that is missing,
                with more or fewer marks than candidates or with a click on none of them; or `drop` and count them.

        Raises:
            DataError: a column that is not there or of another kind, or bad rows.

        What is odd but can be used, such as a candidate that stands twice, is told in `notes`.
        """
        frame = to_frame(table, source=source)
        reader = ColumnReader(frame, source, 1, bad_rows)
        asked = {"user": user, "candidates": candidates, "clicked": clicked, "history": history, "time": time}
        for role, column in asked.items():
            if column is not None and (role in ("user", "candidates") or column != role):
                require_column(frame, column, source=source, role=role)
        users, shown = reader.ids(user, "user"), lists(frame, candidates, reader)
        past = (
            alike(lists(frame, history, reader), shown, source)
            if history in frame.columns
            else pl.Series(history, [[]] * len(frame), dtype=shown.dtype)
        )
        reader.refuse(
            shown.list.len().fill_null(0) == 0,
            f"have no article in '{candidates}': an impression shows at least one",
        )
        reader.refuse(
            lacking(shown),
            f"have a candidate without an id (null) in '{candidates}', and labels go by place: drop it with its label",
        )
        labels = None
        if clicked is not None and clicked in frame.columns and frame[clicked].count():
            labels = marked(frame[clicked], shown, reader)
        times = reader.times(time, time_unit) if time is not None and time in frame.columns else None
        if reader.good is not None:  # lists are flat by now: read again without the rows
            if not reader.good.any():
                raise DataError(f"{source}: each of the {len(frame):,} rows is bad: nothing is left.")
            left = cls.from_table(
                frame.filter(reader.good),
                user=user,
                candidates=candidates,
                clicked=clicked,
                history=history,
                time=time,
                time_unit=time_unit,
                source=source,
            )
            dropped = f"{np.sum(~reader.good):,} bad rows of {len(frame):,} left out."
            return replace(left, notes=(dropped, *left.notes))
        found = cls.of_lists(users, past, shown, labels, times)
        listed = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List | pl.Array)]
        unread = [name for name in listed if name not in asked.values()]
        notes = oddities(found)
        if history not in frame.columns and unread:
            notes.append(
                f"no column '{history}', so nobody has a history; '{unread[0]}' holds lists: if it is one, name it "
                "(history, --history-column)."
            )
        return replace(found, notes=tuple(notes))

    @classmethod
    def of_lists(
        cls,
        user: pl.Series,
        history: pl.Series,
        candidates: pl.Series,
        clicked: NDArray[np.bool_] | None,
        time: NDArray[np.int64] | None,
        *,
        history_of: Codes | None = None,
    ) -> Impressions:
        """Make impressions of checked columns; `history` has distinct lists where `history_of` names them."""
        users, user_codes = Vocabulary.factorise(as_ids(user))
        if history_of is None:
            # Joined, because lists have no order of their own.
            distinct, history_of = Vocabulary.factorise(
                history.cast(pl.List(pl.String)).list.join("\0").fill_null("")
            )
            first = np.zeros(len(distinct), np.int64)
            first[history_of[::-1]] = np.arange(len(history_of))[::-1]
            history = history.gather(first)
        past, shown = (members(one) for one in (history, candidates))
        articles = Vocabulary.of(pl.concat([past, shown]))
        indptr = starts(history)
        histories = Histories(indptr, articles.encode(past), np.ones(int(indptr[-1]), np.float32), None)
        return cls(
            users=users,
            articles=articles,
            user=user_codes,
            time=time,
            histories=histories,
            history_of=history_of,
            indptr=starts(candidates),
            candidate=articles.encode(shown),
            clicked=clicked,
        )

    # --- parts and other views --------------------------------------------------------------------------------

    def select(self, rows: NDArray[np.bool_] | NDArray[np.integer]) -> Impressions:
        """Return some impressions, by mask or place, with the users, articles and histories that occur in them."""
        places = np.flatnonzero(rows) if rows.dtype == bool else np.asarray(rows, np.int64)
        sizes = self.sizes[places]
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        kept = np.repeat(self.indptr[places] - indptr[:-1], sizes) + np.arange(indptr[-1])
        used, history_of = np.unique(self.history_of[places], return_inverse=True)
        histories = self.histories.select(used)
        users, user = np.unique(self.user[places], return_inverse=True)
        occurs = np.zeros(len(self.articles), np.bool_)
        occurs[histories.item] = True
        occurs[self.candidate[kept]] = True
        new = (np.cumsum(occurs) - 1).astype(np.int32)
        return replace(
            self,
            users=Vocabulary(self.users.ids.gather(users)),
            articles=Vocabulary(self.articles.ids.filter(pl.Series(occurs))),
            user=user.astype(np.int32),
            time=None if self.time is None else self.time[places],
            number=None if self.number is None else self.number[places],
            histories=replace(histories, item=new[histories.item]),
            history_of=history_of.astype(np.int32),
            indptr=indptr,
            candidate=new[self.candidate[kept]],
            clicked=None if self.clicked is None else self.clicked[kept],
        )

    def before(self, share: float) -> tuple[Impressions, Impressions]:
        """Return the first `share` of the impressions in time, and the rest. Raises DataError without times.

        Those of one second stay together, in the later part.
        """
        if self.time is None:
            raise DataError(
                "these impressions have no times, so none comes before another: name their column."
            )
        if not 0 < share < 1:
            raise DataError(f"share = {share}: expected a number between 0 and 1, the part that comes first.")
        at = np.sort(self.time)[int(share * len(self))]
        early = self.time < at
        return self.select(early), self.select(~early)

    def clicks(self) -> Interactions:
        """Return every click as a row of interactions, at the time of its impression; histories are not in it."""
        hit = self.labels
        rows = self.row_of[hit]
        users, user = np.unique(self.user[rows], return_inverse=True)
        items, item = np.unique(self.candidate[hit], return_inverse=True)
        return Interactions(
            users=Vocabulary(self.users.ids.gather(users)),
            items=Vocabulary(self.articles.ids.gather(items)),
            user=user.astype(np.int32),
            item=item.astype(np.int32),
            value=np.ones(len(rows), np.float32),
            time=None if self.time is None else self.time[rows],
            has_values=False,
        )

    def interactions(self) -> Interactions:
        """Return what each reader read, as rows: the history of the last impression, then the clicks in time.

        A click on an article of that history is there already: histories that grow (as in one's own logs; MIND's stand
        still) hold the clicks before them. The order of rows is that of reading; there are no times, since histories
        have none.
        """
        when = np.arange(len(self)) if self.time is None else self.time
        order = np.argsort(when, kind="stable")
        last = np.zeros(len(self.users), np.int64)
        last[self.user[order]] = order  # of several, the last one stays
        past = self.histories.select(self.history_of[last])
        hit = np.flatnonzero(self.labels)
        hit = hit[np.argsort(when[self.row_of[hit]], kind="stable")]
        reader, clicker = np.repeat(np.arange(len(last)), past.lengths), self.user[self.row_of[hit]]
        pairs = clicker.astype(np.int64) * len(self.articles) + self.candidate[hit]
        fresh = ~np.isin(pairs, reader * len(self.articles) + past.item)
        hit, user = hit[fresh], np.concatenate([reader, clicker[fresh]])
        items, item = np.unique(np.concatenate([past.item, self.candidate[hit]]), return_inverse=True)
        users, user = np.unique(user, return_inverse=True)
        return Interactions(
            users=Vocabulary(self.users.ids.gather(users)),
            items=Vocabulary(self.articles.ids.gather(items)),
            user=user.astype(np.int32),
            item=item.astype(np.int32),
            value=np.ones(len(user), np.float32),
            has_values=False,
        )

    def first_seen(self) -> NDArray[np.int64]:
        """Return when each article was first shown, (articles); the largest int64 where it never was."""
        if self.time is None:
            raise DataError(
                "these impressions have no times, so nothing says when an article was first shown."
            )
        first = np.full(len(self.articles), np.iinfo(np.int64).max)
        np.minimum.at(first, self.candidate, self.time[self.row_of])
        return first

    def fresh(self, hours: float) -> pl.Series:
        """Return the ids of the articles that were first shown in the last `hours` of these impressions.

        They must go back further than that, or all that they show is fresh; a warning says so.
        What a reader of today may be given: `model.recommend(..., candidates=shown.fresh(48))`. Where the catalogue has
        a time of publication, a filter on that does the same: `where="published >= 2019-11-14"`.
        """
        if not hours > 0:
            raise DataError(f"hours = {hours}: expected a number above 0.")
        first = self.first_seen()
        assert self.time is not None
        last = int(self.time.max(initial=0))
        if len(self.time) and last - int(self.time.min()) <= 3_600 * hours:
            warnings.warn(
                f"these impressions are of {(last - int(self.time.min())) / 3_600:.3g} hours, so all that they show is "
                f"of the last {hours:g}: give those of a longer time, and articles of before are none.",
                PalateWarning,
                stacklevel=2,
            )
        return self.articles.ids.filter(pl.Series((first > last - 3_600 * hours) & (first <= last)))

    def codes_in(self, articles: Vocabulary) -> Codes:
        """Return the code in another vocabulary of each article here, -1 for one that is not there."""
        return articles.encode(self.articles.ids)


# --- what is odd -----------------------------------------------------------------------------------------------


def oddities(shown: Impressions) -> list[str]:
    """Return what is odd in impressions, in words: counted, and what is made of it."""
    found = []
    each = shown.row_of.astype(np.int64) * len(shown.articles) + shown.candidate
    twice = len(each) - len(np.unique(each))
    if twice:
        found.append(
            f"{twice:,} candidates stand twice in an impression; each stays, as in the official figures."
        )
    if shown.clicked is not None:
        none, only = int((shown.clicks_of == 0).sum()), int((shown.clicks_of == shown.sizes).sum())
        if none:
            found.append(f"{none:,} impressions have no click: not measured, not learned from.")
        if only:
            found.append(f"{only:,} impressions have only clicks: not measured, not learned from.")
    cold = int((shown.histories.lengths[shown.history_of] == 0).sum())
    if cold:
        found.append(f"{cold:,} of {len(shown):,} impressions are of readers without a history.")
    return found
