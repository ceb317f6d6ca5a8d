"""Reading files: every format round trip, what is guessed, and each way a file can be bad."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palate import datasets
from palate.datasets import files
from palate.errors import DataError
from palate.interactions import Interactions

ROWS = pl.DataFrame(
    {
        "user": ["ann", "bo", "ann", "cy"],
        "item": ["x1", "x2", "x3", "x1"],
        "value": [5.0, 3.5, 1.0, 4.0],
        "time": [1_000_000_000, 1_000_000_050, 1_000_000_100, 1_000_000_200],
    }
)


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def write(frame: pl.DataFrame, folder: Path, format: str, *, packed: bool, header: bool = True) -> Path:
    name = f"rows.{format}{'.gz' if packed else ''}"
    if format == "parquet":
        frame.write_parquet(folder / "plain")
    elif format == "jsonl":
        frame.write_ndjson(folder / "plain")
    elif format == "dat":
        lines = ["::".join(map(str, row)) for row in [*([frame.columns] if header else []), *frame.rows()]]
        (folder / "plain").write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        frame.write_csv(folder / "plain", separator="\t" if format == "tsv" else ",", include_header=header)
    return put(folder, name, (folder / "plain").read_bytes())


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("format", ["csv", "tsv", "dat", "parquet", "jsonl"])
def test_every_table_format_comes_back_the_same(format: str, packed: bool, tmp_path: Path) -> None:
    data = datasets.load(write(ROWS, tmp_path, format, packed=packed)).interactions
    assert data.table().equals(ROWS.with_columns(pl.col("value").cast(pl.Float32)))


@pytest.mark.parametrize("format", ["csv", "tsv", "dat"])
def test_a_file_without_header_is_seen_and_its_columns_named(format: str, tmp_path: Path) -> None:
    dataset = datasets.load(write(ROWS, tmp_path, format, packed=False, header=False))
    assert dataset.interactions.table().equals(ROWS.with_columns(pl.col("value").cast(pl.Float32)))
    assert any("no header" in note for note in dataset.notes)


IDS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=8)
EVENTS = st.lists(
    st.tuples(IDS, IDS, st.integers(0, 10), st.integers(0, 2_000_000_000)), min_size=1, max_size=12
)


@settings(deadline=None, max_examples=40)
@given(EVENTS, st.sampled_from(["csv", "tsv", "parquet", "jsonl", "csv.gz", "jsonl.gz"]))
def test_conversion_and_reading_are_inverse_for_any_ids(
    events: list[tuple[str, str, int, int]], format: str
) -> None:
    frame = pl.DataFrame(
        events,
        schema={"user": pl.String, "item": pl.String, "value": pl.Int64, "time": pl.Int64},
        orient="row",
    )
    before = datasets.Dataset("any", Interactions.from_table(frame))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"rows.{format}"
        assert datasets.convert(before, path) == (path,)
        after = datasets.load(path, header=True).interactions
        assert os.listdir(folder) == [path.name]
    as_text = after.table().with_columns(pl.col("user", "item").cast(pl.String))
    assert as_text.equals(before.interactions.table())
    if not (frame["user"].str.contains(r"^\d+$").any() or frame["item"].str.contains(r"^\d+$").any()):
        assert after.fingerprint == before.fingerprint


@given(st.lists(st.integers(-(10**17), 10**17), min_size=1, max_size=10))
@settings(deadline=None, max_examples=30)
def test_whole_number_ids_are_numbers(ids: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = put(Path(folder), "r.csv", "user,item\n" + "".join(f"{one},{one}\n" for one in ids))
        table = datasets.load(path).interactions.table()
    assert table["user"].to_list() == ids


@pytest.mark.parametrize("odd", ["007", "+7", " 7", "7 ", "-0", "1e3", "7.0", "9999999999999999999999"])
@pytest.mark.parametrize("far", [False, True])
def test_an_id_that_is_not_written_as_a_number_stays_text(odd: str, far: bool, tmp_path: Path) -> None:
    before = "".join(f"{n},1\n" for n in range(20_000 if far else 1))  # beyond the lines that are looked at
    path = put(tmp_path, "r.csv", f"user,item\n{before}{odd},1\n")
    assert datasets.load(path).interactions.table()["user"].to_list()[-1] == odd


def test_a_value_that_turns_fractional_late_is_read(tmp_path: Path) -> None:
    path = put(tmp_path, "r.csv", "user,item,value\n" + "1,2,3\n" * 20_000 + "1,2,3.5\n")
    assert datasets.load(path).interactions.value[-1] == np.float32(3.5)


def test_titles_may_hold_colons_quotes_and_bars(tmp_path: Path) -> None:
    path = put(tmp_path, "movies.dat", '1::Alien: "Director\'s" | cut::Horror\n2::M::Crime\n')
    table = files.read(path, names=("item", "title", "genres"), header=False)
    assert table.frame["title"].to_list() == ['Alien: "Director\'s" | cut', "M"]


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_the_separator_of_csv_is_found(sign: str, tmp_path: Path) -> None:
    path = put(tmp_path, "r.csv", "user,item,value\nann,x,1\nbo,y,2\n".replace(",", sign))
    dataset = datasets.load(path)
    assert dataset.interactions.table()["item"].to_list() == ["x", "y"]
    assert (sign == ",") == (dataset.notes == ())


def test_quoted_fields_hold_separators_and_line_ends(tmp_path: Path) -> None:
    path = put(tmp_path, "items.csv", 'item,title\n1,"Good, Bad\nand ""Ugly"""\n2,Big\n')
    assert files.read(path).frame["title"].to_list() == ['Good, Bad\nand "Ugly"', "Big"]


def test_quotes_in_a_tab_file_are_characters_unless_they_enclose_fields(tmp_path: Path) -> None:
    inches = put(tmp_path, "a.tsv", 'item\tname\n1\t"VINTAGE" BAG\n2\t5" PLATE\n')
    assert files.read(inches).frame["name"].to_list() == ['"VINTAGE" BAG', '5" PLATE']
    packed = put(tmp_path, "c.tsv.gz", 'item\tname\n1\t"VINTAGE" BAG\n2\t5" PLATE')
    assert files.read(packed).frame["name"].to_list() == ['"VINTAGE" BAG', '5" PLATE']
    enclosed = put(tmp_path, "b.tsv", 'item\tname\n1\t"a\tb"\n2\tc\n')
    assert files.read(enclosed).frame["name"].to_list() == ["a\tb", "c"]


def test_latin1_is_read_and_said(tmp_path: Path) -> None:
    path = put(tmp_path, "r.csv", "user,item\nJos\xe9,caf\xe9\n".encode("latin-1"))
    dataset = datasets.load(path)
    assert dataset.interactions.table()["user"].to_list() == ["Jos\xe9"]
    assert any("Latin-1" in note for note in dataset.notes)


def test_a_late_byte_that_is_not_utf8_is_found_too(tmp_path: Path) -> None:
    content = b"user,item\n" + b"ann,x\n" * 2_000_000 + b"Jos\xe9,y\n"
    table = files.read(put(tmp_path, "r.csv", content))
    assert table.frame["user"][-1] == "Jos\xe9"


def test_byte_order_marks_and_utf16_are_read(tmp_path: Path) -> None:
    text = "user,item\nann,caf\xe9\n"
    for name, data in (("a.csv", text.encode("utf-8-sig")), ("b.csv", text.encode("utf-16"))):
        table = datasets.load(put(tmp_path, name, data)).interactions.table()
        assert table.row(0) == ("ann", "caf\xe9")


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_of_other_systems_are_read(end: str, tmp_path: Path) -> None:
    path = put(tmp_path, "r.csv", end.join(["user,item,value", "ann,x,1", "bo,y,2", ""]))
    assert datasets.load(path).interactions.value.tolist() == [1, 2]


def test_blank_lines_at_the_end_are_no_rows(tmp_path: Path) -> None:
    assert len(datasets.load(put(tmp_path, "r.csv", "user,item\nann,x\n\n\n")).interactions) == 1


def test_gzip_is_seen_whatever_the_name(tmp_path: Path) -> None:
    path = put(tmp_path, "r.csv", gzip.compress(b"user,item\nann,x\n"))
    assert len(datasets.load(path).interactions) == 1


def test_sequences_are_histories_oldest_first(tmp_path: Path) -> None:
    path = put(tmp_path, "s.txt", "1 30 10 20\n2  10\t40\n1 50\n")
    dataset = datasets.load(path, format="sequences")
    assert dataset.interactions.table().rows() == [
        (1, 30, 0), (1, 10, 1), (1, 20, 2), (2, 10, 0), (2, 40, 1), (1, 50, 3),
    ]  # fmt: skip
    assert any("no date" in note for note in dataset.notes)


def test_a_line_that_names_the_parts_of_a_sequence_is_no_history(tmp_path: Path) -> None:
    path = put(tmp_path, "p.txt", "user item\na x\nb y\n")
    assert datasets.load(path).interactions.table().rows() == [("a", "x", 0), ("b", "y", 0)]


def test_lines_end_only_at_line_ends(tmp_path: Path) -> None:
    path = put(tmp_path, "r.csv", "user,item\nann,x\x85y\nbo,a\u2028b\n")
    assert datasets.load(path).interactions.table()["item"].to_list() == ["x\x85y", "a\u2028b"]


def test_a_first_line_longer_than_the_look_is_read(tmp_path: Path) -> None:
    names = [f"column{n}" for n in range(10_000)]
    path = put(tmp_path, "wide.csv", ",".join(names) + "\n" + ",".join(["7"] * 10_000) + "\n")
    assert datasets.load(path, user="column3", item="column9999").interactions.table().row(0) == (7, 7)


def test_pairs_are_in_order_of_time(tmp_path: Path) -> None:
    path = put(tmp_path, "p.txt.gz", "a x\nb 007\na 7\n")
    assert datasets.load(path, format="pairs").interactions.table().rows() == [
        ("a", "x", 0), ("b", "007", 0), ("a", "7", 1),
    ]  # fmt: skip


def test_a_text_file_says_by_its_lines_what_it_is(tmp_path: Path) -> None:
    kinds = {
        "1 2\n1 3\n": "pairs",
        "1 2 3\n2 4 5 6\n": "sequences",
        "a,b\n1,2\n": "text",
        '{"a": 1}\n': "jsonl",
    }
    for content, kind in kinds.items():
        assert files.open_file(put(tmp_path, "any.txt", content))[1] == kind


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=6), min_size=1, max_size=6))
def test_sequences_of_any_histories_come_back(histories: list[list[int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lines = [" ".join(map(str, [user, *items])) for user, items in enumerate(histories)]
        path = put(Path(folder), "s.txt", "\n".join(lines))
        data = datasets.load(path, format="sequences").interactions
    found = data.histories()
    for user, items in enumerate(histories):
        codes = found.item[found.indptr[user] : found.indptr[user + 1]]
        assert data.items.decode(codes).to_list() == items


def test_usual_names_of_columns_are_found_and_said(tmp_path: Path) -> None:
    path = put(tmp_path, "r.csv", "userId,movieId,rating,timestamp\n1,2,3.5,1000000000\n")
    dataset = datasets.load(path)
    assert dataset.interactions.table().row(0) == (1, 2, 3.5, 1_000_000_000)
    assert "item taken from column 'movieId'" in dataset.notes


def test_columns_can_be_named_by_position(tmp_path: Path) -> None:
    path = put(tmp_path, "r.csv", "9,x,ann,3,1\n8,y,bo,4,2\n")
    data = datasets.load(path, user="3", item="2", value="4").interactions
    assert data.table().rows() == [("ann", "x", 3.0), ("bo", "y", 4.0)]


def test_a_third_column_of_unix_times_is_a_time(tmp_path: Path) -> None:
    data = datasets.load(put(tmp_path, "r.csv", "ann,x,1000000000\nbo,y,1000000001\n")).interactions
    assert data.time is not None
    assert not data.has_values


def test_optional_columns_can_be_left_out(tmp_path: Path) -> None:
    path = put(tmp_path, "r.csv", "user,item,value\nann,x,oops\n")
    assert not datasets.load(path, value=None).interactions.has_values


def test_iso_times_become_seconds(tmp_path: Path) -> None:
    path = put(tmp_path, "r.csv", "user,item,time\nann,x,2001-09-09T01:46:40Z\n")
    assert datasets.load(path).interactions.time == [1_000_000_000]


def test_a_catalogue_file_takes_the_kind_of_the_ids(tmp_path: Path) -> None:
    rows = put(tmp_path, "r.csv", "user,item\nann,0011\nbo,22\n")
    items = put(tmp_path, "i.csv", "item,title,genres\n22,Big,Comedy|Drama\n33,Alien,\n")
    dataset = datasets.load(rows, items=items)
    assert dataset.catalogue is not None
    assert dataset.catalogue.table.rows() == [("22", "Big", ["Comedy", "Drama"]), ("33", "Alien", [])]
    assert dataset.catalogue.matching("genre has drama", dataset.interactions.items).tolist() == [False, True]


def test_a_converted_catalogue_comes_back_beside_the_rows(tmp_path: Path) -> None:
    dataset = datasets.load("movietweetings-10k")
    for ending in ("csv", "tsv.gz", "jsonl", "parquet"):
        rows, items = datasets.convert(dataset, tmp_path / f"films.{ending}")
        again = datasets.load(rows, items=items)
        assert again.fingerprint == dataset.fingerprint
        assert again.catalogue is not None
        assert dataset.catalogue is not None
        assert again.catalogue.table.rows() == dataset.catalogue.table.rows()


# What can be bad


def refused(path: Path, **how: object) -> str:
    with pytest.raises(DataError) as error:
        datasets.load(path, **how)  # type: ignore[arg-type]
    assert len(str(error.value).splitlines()) <= 2
    assert len(str(error.value)) < 400
    return str(error.value)


def test_a_missing_file_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    put(tmp_path, "ratings.csv", "user,item\n1,2\n")
    assert "Did you mean 'ratings.csv'" in refused(tmp_path / "rating.csv")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in refused(tmp_path)


def test_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "r.csv", "user,item\n1,2\n")

    def locked(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")  # root reads everything, so a mode would not do

    monkeypatch.setattr(Path, "open", locked)
    assert "permission denied" in refused(path)


@pytest.mark.parametrize(
    "name", ["r.csv", "r.tsv", "r.dat", "r.parquet", "r.jsonl", "r.txt", "r.csv.gz", "r.parquet.gz"]
)
def test_an_empty_file_is_refused(name: str, tmp_path: Path) -> None:
    assert "is empty" in refused(put(tmp_path, name, b""))


@pytest.mark.parametrize("content", ["\n\n", " \n"])
def test_a_file_of_blank_lines_is_refused(content: str, tmp_path: Path) -> None:
    assert "is empty" in refused(put(tmp_path, "r.csv", content))
    assert "is empty" in refused(put(tmp_path, "s.txt", content), format="sequences")


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    assert "a header and no rows" in refused(put(tmp_path, "r.csv", "user,item\n"))
    frame = pl.DataFrame(schema={"user": pl.Int64, "item": pl.Int64})
    frame.write_parquet(tmp_path / "r.parquet")
    assert "no rows" in refused(tmp_path / "r.parquet")


@pytest.mark.parametrize("cut", [5, 20, 60])
@pytest.mark.parametrize("name", ["r.csv.gz", "r.jsonl.gz", "r.parquet.gz", "s.txt.gz"])
def test_a_torn_gzip_is_refused(name: str, cut: int, tmp_path: Path) -> None:
    path = put(tmp_path, name, "user,item\n" + "".join(f"u{n},i{n * n}\n" for n in range(200)))
    path.write_bytes(path.read_bytes()[:-cut])
    assert "torn gzip" in refused(path)


def test_a_gzip_with_a_changed_byte_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path, "r.csv.gz", "user,item\n" + "".join(f"u{n},i{n * n}\n" for n in range(200)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    assert "torn gzip" in refused(path)


def test_a_torn_parquet_is_refused(tmp_path: Path) -> None:
    ROWS.write_parquet(tmp_path / "r.parquet")
    (tmp_path / "r.parquet").write_bytes((tmp_path / "r.parquet").read_bytes()[:-30])
    assert "no Parquet file" in refused(tmp_path / "r.parquet")


def test_a_file_without_header_that_looks_as_if_it_had_one_is_told_what_to_do(tmp_path: Path) -> None:
    path = put(tmp_path, "r.csv", "ann,x\nbo,y\n")
    assert "header = false (--no-header)" in refused(path)
    assert datasets.load(path, header=False).interactions.n_users == 2


def test_a_wrong_column_is_suggested_and_the_columns_listed(tmp_path: Path) -> None:
    path = put(tmp_path, "r.csv", "customer_no,article,stars\n1,2,3\n")
    message = refused(path, user="custmer_no", item="article")
    assert "Did you mean 'customer_no'" in message
    assert "customer_no, article, stars" in message
    assert "no column 'user'" in refused(path, item="article")
    assert "no column 'ratng'" in refused(path, user="customer_no", item="article", value="ratng")


@pytest.mark.parametrize("name", ["r.csv", "r.tsv", "r.dat", "r.jsonl", "r.txt"])
def test_binary_junk_is_refused(name: str, tmp_path: Path) -> None:
    junk = np.random.default_rng(1).integers(0, 256, 5_000, dtype=np.uint8).tobytes()
    assert "binary" in refused(put(tmp_path, name, junk))
    assert "no Parquet" in refused(put(tmp_path, "r.parquet", junk))


def test_a_spreadsheet_is_refused_with_what_to_do(tmp_path: Path) -> None:
    assert "CSV" in refused(put(tmp_path, "r.csv", b"PK\x03\x04" + b"x" * 100))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"user": 1, "item":', "line 3 does not parse"),
        ("[1, 2]", "line 3 is a JSON list"),
        ("7", "line 3 is a JSON int"),
    ],
)
def test_a_json_line_that_is_no_object_is_told_with_its_number(line: str, says: str, tmp_path: Path) -> None:
    good = '{"user": 1, "item": 2}\n'
    assert says in refused(put(tmp_path, "r.jsonl", good + "\n" + line + "\n" + good))


def test_a_row_of_another_width_is_told_with_its_line(tmp_path: Path) -> None:
    rows = "user,item,value\n" + "1,2,3\n" * 3000 + "1,2,3,4\n"
    assert "line 3002 has 4 fields, the first line 3" in refused(put(tmp_path, "r.csv", rows))


def test_a_quote_that_never_closes_is_told(tmp_path: Path) -> None:
    assert "quotes do not match" in refused(put(tmp_path, "r.csv", 'user,item\n1,2\n"3,4\n'))


def test_a_bad_value_is_told_with_its_line(tmp_path: Path) -> None:
    path = put(tmp_path, "r.csv", "user,item,value\n" + "1,2,3\n" * 5 + "1,2,good\n")
    assert "line 7" in refused(path)
    dataset = datasets.load(path, bad_rows="drop")
    assert dataset.interactions.dropped == 1
    assert "1 bad rows left out" in dataset.notes


def test_lines_that_are_no_sequence_are_told(tmp_path: Path) -> None:
    assert "lines 2" in refused(put(tmp_path, "s.txt", "1 2 3\n4\n"), format="sequences")
    assert "lines 1" in refused(put(tmp_path, "s.txt", "1 2 3\n4 5\n"), format="pairs")


def test_an_unknown_format_and_encoding_are_told(tmp_path: Path) -> None:
    path = put(tmp_path, "r.csv", "user,item\n1,caf\xe9\n")
    assert "Did you mean 'csv'" in refused(path, format="cvs")
    assert "no encoding" in refused(path, encoding="klingon")
    assert "line 2 cannot be decoded" in refused(path, encoding="ascii")


def test_names_of_columns_that_stand_twice_are_refused_where_used(tmp_path: Path) -> None:
    path = put(tmp_path, "r.csv", "user,item,item,x,x\n1,2,3,4,5\n")
    assert "more than once" in refused(path)


def test_a_file_of_another_format_is_refused_when_writing(tmp_path: Path) -> None:
    dataset = datasets.load("movietweetings-10k")
    with pytest.raises(DataError, match="Did you mean 'csv'"):
        datasets.convert(dataset, tmp_path / "films.csvv")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = datasets.load("movietweetings-10k")
    path = put(tmp_path, "films.csv", "old")

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_csv", full)
    with pytest.raises(DataError, match="No space left"):
        datasets.convert(dataset, path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["films.csv"]


def test_a_json_file_keeps_the_kind_of_its_ids(tmp_path: Path) -> None:
    rows = [{"user": "007", "item": 7}, {"user": "7", "item": 8}]
    path = put(tmp_path, "r.jsonl", "\n".join(map(json.dumps, rows)))
    assert datasets.load(path).interactions.table().rows() == [("007", 7), ("7", 8)]
