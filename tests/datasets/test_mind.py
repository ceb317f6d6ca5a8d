"""MIND's files: folders, zips, parts, and rows that do not read."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

import palate
from palate import Impressions
from palate.datasets import NewsDataset, mind, to_mind
from palate.errors import DataError, FetchError, SplitError

NEWS = [
    "N1\tsports\tsoccer\tA goal 🥅 for März\tHe scored.\thttps://a\t"
    '[{"Label": "März", "WikidataId": "Q5"}]\t[]',
    "N2\tnews\tpolitics\t標題\t\thttps://b\t[]\t[]",
    "N3\tnews\tpolitics\t\tNo title.\thttps://c\tnot json\t[]",
]
BEHAVIORS = [
    "1\tU2\t11/12/2019 2:14:46 PM\tN1 N2\tN3-1 N2-0",
    "2\tU1\t11/12/2019 2:14:47 AM\t\tN3-0 N1-1 N9-1",
    "3\tU2\t11/13/2019 12:00:00 AM\tN1 N2\tN3-0",
]


def write(folder: Path, behaviors: list[str] = BEHAVIORS, news: list[str] = NEWS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "news.tsv").write_text("".join(f"{line}\n" for line in news), encoding="utf-8")
    (folder / "behaviors.tsv").write_text("".join(f"{line}\n" for line in behaviors), encoding="utf-8")
    return folder


def test_a_folder_is_read(tmp_path: Path):
    data = mind.load(write(tmp_path / "MINDtiny"))
    shown = data.train
    assert shown.users.ids.to_list() == ["U1", "U2"]
    assert shown.users.decode(shown.user).to_list() == ["U2", "U1", "U2"]
    assert shown.articles.decode(shown.candidate).to_list() == ["N3", "N2", "N3", "N1", "N9", "N3"]
    assert shown.labels.tolist() == [True, False, False, True, True, False]
    assert shown.time is not None
    assert shown.time.tolist() == [1573568086, 1573524887, 1573603200]
    assert shown.histories.select(shown.history_of).lengths.tolist() == [2, 0, 2]
    articles = data.articles.table
    assert articles["title"].to_list() == ["A goal 🥅 for März", "標題", ""]
    assert articles["title_entities"].to_list() == [["Q5"], [], []]
    said = " ".join(data.notes)
    assert "1 of 4 articles are not in the table of articles" in said
    assert "1 of 3 articles have no title" in said
    assert "1 lists of entities do not read" in said
    assert "1 impressions have no click" in said
    assert "1 of 3 impressions are of readers without a history" in said


def test_a_set_without_a_part_to_measure_on_is_split_by_time(tmp_path: Path):
    data = mind.load(write(tmp_path / "MINDtiny")).split_by_time(0.7)
    assert data.valid is not None
    assert data.train.time is not None
    assert data.valid.time is not None
    assert data.train.time.max() < data.valid.time.min()
    assert len(data.train) + len(data.valid) == 3
    with pytest.raises(SplitError, match="use it"):
        data.split_by_time()


def test_the_parts_of_a_set_and_the_unlabelled_test(tmp_path: Path):
    write(tmp_path / "set" / "MINDlarge_train")
    write(tmp_path / "set" / "MINDlarge_dev", BEHAVIORS[:1], NEWS[:2])
    write(tmp_path / "set" / "MINDlarge_test", ["1\tU2\t11/14/2019 2:14:46 PM\tN1\tN3 N2"])
    data = mind.load(tmp_path / "set")
    assert data.valid is not None
    assert data.test is not None
    assert (len(data.train), len(data.valid), len(data.test)) == (3, 1, 1)
    assert data.test.clicked is None
    assert data.test.articles.decode(data.test.candidate).to_list() == ["N3", "N2"]
    assert len(data.articles) == 3


def test_a_zip_and_names_that_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path / "plain")
    for part in ("train", "dev"):
        with zipfile.ZipFile(tmp_path / f"MINDdemo_{part}.zip", "w") as archive:
            for file in ("news.tsv", "behaviors.tsv"):
                archive.write(tmp_path / "plain" / file, f"MINDdemo_{part}/{file}")
    assert mind.load(tmp_path / "MINDdemo_train.zip").fingerprint == mind.load(tmp_path / "plain").fingerprint
    monkeypatch.setenv("PALATE_DATA", str(tmp_path))
    data = mind.load_named("mind-demo")
    assert data.name == "mind-demo"
    assert data.valid is not None
    with pytest.raises(FetchError, match=r"MINDsmall_train.zip.*put them"):
        mind.load_named("mind-small")


def beside(folder: Path) -> Path:
    """Write three sets side by side, as the publisher's zips unpack; each has a reader of its own."""
    for size in ("demo", "large", "small"):
        for part in ("train", "dev", "test")[: 3 if size == "large" else 2]:
            rows = [row.replace("U2", f"U-{size}-{part}") for row in BEHAVIORS]
            write(folder / f"MIND{size}_{part}", rows)
    return folder


def test_of_sets_side_by_side_a_name_takes_its_own_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PALATE_DATA", str(beside(tmp_path)))
    for size, parts in (("demo", 2), ("small", 2), ("large", 3)):
        data = mind.load_named(f"mind-{size}")
        readers = [part.users.ids[0] for part in data.parts().values()]
        assert readers == [f"U-{size}-{part}" for part in ("train", "dev", "test")[:parts]]
    assert mind.find("mind-small") == tmp_path


def test_a_name_takes_a_folder_of_its_own_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    beside(tmp_path)
    own = write(tmp_path / "mind-small" / "train", [BEHAVIORS[0]]).parent
    monkeypatch.setenv("PALATE_DATA", str(tmp_path))
    assert mind.find("mind-small") == own
    assert len(mind.load_named("mind-small").train) == 1


def test_two_folders_for_one_part_are_refused_by_name(tmp_path: Path):
    with pytest.raises(DataError, match=r"MINDdemo_dev and MINDlarge_dev, each a valid part.*mind-small"):
        mind.load(beside(tmp_path))


def test_a_zip_beside_what_it_unpacked_to_is_no_second_part(tmp_path: Path):
    place = write(tmp_path / "MINDdemo_train")
    with zipfile.ZipFile(tmp_path / "MINDdemo_train.zip", "w") as archive:
        archive.write(place / "news.tsv", "news.tsv")
        archive.writestr("behaviors.tsv", BEHAVIORS[0] + "\n")
    assert len(mind.load(tmp_path).train) == 3


def test_only_the_end_of_a_name_tells_the_part(tmp_path: Path):
    write(tmp_path / "set" / "our_train")
    write(tmp_path / "set" / "devices")
    write(tmp_path / "set" / "latest")
    assert list(mind.parts_in(tmp_path / "set")) == ["train"]
    assert list(mind.parts_in(tmp_path / "set" / "latest")) == ["train"]
    assert list(mind.parts_in(write(tmp_path / "dev"))) == ["valid"]


def test_a_part_alone_is_read_and_says_that_nothing_is_to_be_learned(tmp_path: Path):
    data = mind.load(write(tmp_path / "MINDsmall_dev"))
    assert data.valid is not None
    assert list(data.parts()) == ["valid"]
    assert data.first("test", "valid") is data.valid
    assert data.fingerprint == data.valid.fingerprint
    assert data.facts()["clicks in valid"] == 3
    assert "valid" in repr(data)
    for learn in (lambda: data.train, lambda: palate.CTR().fit(data), lambda: palate.EASE().fit(data)):
        with pytest.raises(DataError, match="MINDsmall_dev has no part to learn from, only valid"):
            learn()
    with pytest.raises(DataError, match="no test part, only valid"):
        data.first("test")


def test_of_a_set_the_parts_that_are_not_asked_for_are_left_unread(tmp_path: Path):
    write(tmp_path / "train", ["torn"], ["torn"])
    write(tmp_path / "dev")
    data = mind.load(tmp_path, only=("test", "valid", "train"))
    assert list(data.parts()) == ["valid"]
    with pytest.raises(DataError, match=r"there is no test part, only valid, train"):
        mind.load(tmp_path, only=("test",))


@pytest.mark.parametrize(
    ("behaviors", "said"),
    [
        (["1\tU2\t11/12/2019 2:14:46 PM\tN1"], "1 of 2 lines have not 5 columns: line 2"),
        (["1\tU2\t2019-11-12\tN1\tN3-1"], "1 of 2 lines have no time as"),
        (["1\tU2\t11/12/2019 2:14:46 PM\tN1\tN3-2"], "1 of 2 lines have a candidate without"),
        (["1\tU2\t11/12/2019 2:14:46 PM\tN1\t "], "1 of 2 lines show nothing"),
        (["1\t\t11/12/2019 2:14:46 PM\tN1\tN3-1"], "1 of 2 lines have no user"),
    ],
)
def test_rows_that_do_not_read_are_named_or_dropped(tmp_path: Path, behaviors: list[str], said: str):
    folder = write(tmp_path / "torn", [BEHAVIORS[0], *behaviors])
    with pytest.raises(DataError, match=said):
        mind.load(folder)
    data = mind.load(folder, bad_rows="drop")
    assert len(data.train) == 1
    assert any(said in note and "left out" in note for note in data.notes)


def test_a_place_without_the_files_says_what_was_expected(tmp_path: Path):
    (tmp_path / "news.tsv").write_text("")
    with pytest.raises(DataError, match=r"no news.tsv and behaviors.tsv together"):
        mind.load(tmp_path)
    with pytest.raises(DataError, match="There is no folder or zip"):
        mind.load(tmp_path / "nowhere")
    write(tmp_path / "empty", [])
    with pytest.raises(DataError, match=r"behaviors.tsv is empty"):
        mind.load(tmp_path / "empty")


# --- written --------------------------------------------------------------------------------------------------


def test_what_is_written_as_mind_reads_back_the_same(tmp_path: Path):
    from palate.datasets.simulate import news_world

    news = news_world(users=60, articles=200, impressions=4, shown=9, like_mind=True, seed=4).dataset
    blind = replace(news, test=replace(news.valid, clicked=None))
    places = to_mind(blind, tmp_path)
    assert [place.name for place in places] == ["news-world_train", "news-world_dev", "news-world_test"]
    again = mind.load(tmp_path)
    for part in ("train", "valid"):
        mine, theirs = getattr(news, part), getattr(again, part)
        assert theirs.fingerprint == mine.fingerprint
    assert again.test is not None
    assert again.test.clicked is None
    for column in ("item", "title", "category"):
        assert again.articles.table[column].to_list() == news.articles.table[column].to_list()


def test_titles_with_tabs_entities_and_empty_histories_survive_and_blanks_in_ids_do_not(tmp_path: Path):
    first = mind.load(write(tmp_path / "MINDtiny"))
    (place,) = to_mind(replace(first, name="again"), tmp_path / "out")
    second = mind.load(place)
    assert second.train.fingerprint == first.train.fingerprint
    assert second.articles.table.equals(first.articles.table)
    table = {"user": ["a b"], "history": [["x"]], "candidates": [["y", "z"]], "clicked": [["y"]], "time": [0]}
    odd = NewsDataset("odd", first.articles, Impressions.from_table(table))
    with pytest.raises(DataError, match="hold blanks, as 'a b'"):
        to_mind(odd, tmp_path / "odd")


def test_blanks_between_candidates_are_no_candidates(tmp_path: Path):
    shown = mind.load(write(tmp_path / "a", ["1\tU2\t11/14/2019 2:14:46 PM\tN1\tN3  N2 "])).train
    assert shown.articles.decode(shown.candidate).to_list() == ["N3", "N2"]
    labelled = mind.load(write(tmp_path / "b", ["1\tU2\t11/14/2019 2:14:46 PM\tN1\tN3-1  N2-0"])).train
    assert labelled.labels.tolist() == [True, False]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("x\tU9\t11/14/2019 2:14:46 PM\tN1\tN3-1 N2-0", "have no impression number: line 4"),
        ("9\tU9\t11/14/2019 2:14:46 PM\tN1\tN3-1 -1", "have a candidate without -1 or -0: line 4"),
    ],
)
def test_an_odd_line_is_told_and_left_out_when_asked(bad: str, said: str, tmp_path: Path):
    place = write(tmp_path / "MINDtiny", [*BEHAVIORS, bad])
    with pytest.raises(DataError, match=said):
        mind.load(place)
    data = mind.load(place, bad_rows="drop")
    assert any(said in note for note in data.notes)
    assert data.train.number is not None
    assert data.train.number.tolist() == mind.load(write(tmp_path / "good")).train.number.tolist()  # type: ignore[union-attr]


def test_lines_that_are_no_utf_8_are_told_by_number(tmp_path: Path):
    place = write(tmp_path / "MINDtiny")
    lines = (place / "behaviors.tsv").read_bytes().splitlines()
    (place / "behaviors.tsv").write_bytes(
        b"\n".join([lines[0], lines[1].replace(b"U1", b"U\xff"), *lines[2:]])
    )
    with pytest.raises(DataError, match="1 of 3 lines are not UTF-8: line 2"):
        mind.load(place)
    assert len(mind.load(place, bad_rows="drop").train) == 2


def test_a_control_character_parts_no_title(tmp_path: Path):
    data = mind.load(write(tmp_path / "MINDtiny", news=[NEWS[0].replace("A goal", "A\x01goal"), *NEWS[1:]]))
    assert data.articles.table["title"][0].startswith("A goal")
