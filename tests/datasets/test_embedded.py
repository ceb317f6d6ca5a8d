"""The sets that ship: counts, names, and the notices that let them."""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from palate import datasets
from palate.datasets.retail import readable

FOLDER = resources.files("palate.datasets") / "embedded"


def test_retail_has_its_counts() -> None:
    dataset = datasets.load("retail")
    data = dataset.interactions
    assert (len(data), data.n_users, data.n_items) == (386_326, 4_334, 3_659)
    assert data.basket is not None
    assert len(np.unique(data.basket.codes)) == 18_402
    assert data.has_values
    assert data.value.min() >= 1
    assert dataset.catalogue is not None
    assert len(dataset.catalogue) == 3_659
    assert (np.asarray(data.items.encode(dataset.catalogue.table["item"])) >= 0).all()
    assert "CC0" in dataset.licence


def test_retail_names_are_readable_and_the_shops_own_are_kept() -> None:
    catalogue = datasets.load("retail").catalogue
    assert catalogue is not None
    assert catalogue.names([0]) == ["Inflatable Political Globe"]
    assert catalogue.table["description"][0] == "INFLATABLE POLITICAL GLOBE"
    assert catalogue.table["stock_code"][0] == "10002"
    assert not catalogue.table["name"].str.contains(r"[A-Z]{5,}").any()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("WHITE HANGING HEART T-LIGHT HOLDER", "White Hanging Heart T-Light Holder"),
        ("SET/6 CHILDREN'S CUPS IN A BOX 12CM", "Set/6 Children's Cups in a Box 12cm"),
        ("3D DOG PICTURE", "3D Dog Picture"),
        ("THE KING GIFT BAG 25x24x12cm", "The King Gift Bag 25x24x12cm"),
        ("Already an iPhone Case", "Already an iPhone Case"),
    ],
)
def test_capitals_become_ordinary_case_and_the_rest_stays(given: str, shown: str) -> None:
    assert readable(given) == shown


def test_movietweetings_has_its_counts() -> None:
    dataset = datasets.load("movietweetings")
    data = dataset.interactions
    assert (len(data), data.n_users, data.n_items) == (100_000, 16_554, 10_506)
    assert np.bincount(data.value.astype(int)).tolist() == [
        12, 1_212, 1_124, 1_844, 3_367, 6_726, 12_944, 22_229, 24_145, 14_005, 12_392,
    ]  # fmt: skip
    catalogue = dataset.catalogue
    assert catalogue is not None
    assert len(catalogue) == 10_506
    assert int((catalogue.table["genres"].list.len() == 0).sum()) == 66
    assert catalogue.table["year"].null_count() == 0
    assert catalogue.names(["0002844"]) == ["Fantômas - À l'ombre de la guillotine (1913)"]
    assert "MIT" in dataset.licence


def test_the_small_movietweetings_has_its_counts() -> None:
    data = datasets.load("movietweetings-10k").interactions
    assert (len(data), data.n_users, data.n_items) == (10_000, 3_794, 3_096)


def test_k_core_and_repeats_are_applied_on_loading() -> None:
    data = datasets.load("movietweetings", min_user=5, min_item=5).interactions
    assert (data.n_users, data.n_items, len(data)) == (4_333, 2_414, 68_055)
    once = datasets.load("retail", repeats="last").interactions
    assert len(once) == 266_221


def test_embedded_sets_come_first_and_are_present() -> None:
    known = datasets.names()
    assert [one.name for one in known[:3]] == ["retail", "movietweetings", "movietweetings-10k"]
    assert all(one.embedded and one.present for one in known[:3])
    assert not any(one.embedded for one in known[3:])
    assert len({one.name for one in known}) == len(known)
    assert all(one.title and one.licence and one.size for one in known)


@pytest.mark.parametrize("folder", ["online-retail", "movietweetings"])
def test_each_notice_has_the_checksum_of_each_file_beside_it(folder: str) -> None:
    place = Path(str(FOLDER / folder))
    notice = (place / "NOTICE.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"`([\w-]+\.\w+\.gz)`.*\b([0-9a-f]{64})\b", notice))
    files = [file for file in place.iterdir() if file.suffix == ".gz"]
    assert told == {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_the_notices_carry_the_licences() -> None:
    mit = Path(str(FOLDER / "movietweetings" / "NOTICE.md")).read_text(encoding="utf-8")
    assert "Copyright (c) 2013 Simon Dooms" in mit
    assert "Permission is hereby granted, free of charge" in mit
    assert "CC0 1.0 Universal" in Path(str(FOLDER / "online-retail" / "NOTICE.md")).read_text(
        encoding="utf-8"
    )
