"""Tiny MovieLens releases in the official layouts."""

from __future__ import annotations

import zipfile
from pathlib import Path

SIZES = ("100k", "1m", "10m", "20m", "25m", "32m", "latest", "latest-small")
FOLDERS = {"10m": "ml-10M100K"}

RATINGS = [(1, 31, 2.5, 1260759144), (1, 17, 4.0, 1260759179), (7, 31, 3.0, 851868750),
           (7, 1029, 5.0, 851868800), (15, 17, 1.0, 997938310)]  # fmt: skip
MOVIES = [
    (17, "Sense and Sensibility (1995)", ["Drama", "Romance"]),
    (31, "City of Lost Children, The (Cité des enfants perdus, La) (1995)", ["Adventure", "Sci-Fi"]),
    (1029, "Mission: Impossible (1996)", []),
]
GENRES = ["unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
          "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War",
          "Western"]  # fmt: skip


def official(size: str, folder: Path, *, rows: int = 5) -> Path:
    """Write a release of `rows` ratings the way the publisher lays it out; return the folder."""
    folder.mkdir(parents=True)
    for name, content in contents(size, rows).items():
        (folder / name).write_bytes(content)
    return folder


def official_zip(size: str, path: Path) -> Path:
    """Write the publisher's archive of a release; return it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents(size, 5).items():
            archive.writestr(f"{FOLDERS.get(size, f'ml-{size}')}/{name}", content)
    return path


def contents(size: str, rows: int) -> dict[str, bytes]:
    ratings = RATINGS[:rows]
    if size == "100k":
        data = "".join(f"{u}\t{i}\t{r:.0f}\t{t}\n" for u, i, r, t in ratings)
        items = ""
        for i, title, genres in MOVIES:
            flags = [str(int(genre in genres)) for genre in GENRES] if genres else ["1", *"0" * 18]
            items += (
                "|".join([str(i), title, "01-Jan-1995", "", "http://us.imdb.com/M/x?a%20(1995)", *flags])
                + "\n"
            )
        return {"u.data": data.encode(), "u.item": items.encode("latin-1"), "README": b"terms"}
    if size in ("1m", "10m"):
        shown = "{:.0f}" if size == "1m" else "{:g}"
        data = "".join(f"{u}::{i}::{shown.format(r)}::{t}\n" for u, i, r, t in ratings)
        items = "".join(f"{i}::{title}::{'|'.join(g) or '(no genres listed)'}\n" for i, title, g in MOVIES)
        encoding = "latin-1" if size == "1m" else "utf-8"
        return {"ratings.dat": data.encode(), "movies.dat": items.encode(encoding)}
    data = "userId,movieId,rating,timestamp\n" + "".join(f"{u},{i},{r},{t}\n" for u, i, r, t in ratings)
    items = "movieId,title,genres\n"
    for i, title, genres in MOVIES:
        quoted = f'"{title}"' if "," in title else title
        items += f"{i},{quoted},{'|'.join(genres) or '(no genres listed)'}\n"
    end = "\r\n" if size in ("latest-small", "32m") else "\n"
    return {
        "ratings.csv": data.replace("\n", end).encode(),
        "movies.csv": items.replace("\n", end).encode(),
        "tags.csv": b"userId,movieId,tag,timestamp\n",
    }
