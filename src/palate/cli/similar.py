"""`palate similar`: the items most like an item."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from palate.cli.options import Json, K, Model
from palate.cli.show import print_json, print_table, write_table
from palate.cli.style import bold

EXAMPLES = """
palate similar models/sar --items "The Matrix (1999)" --k 5
palate similar models/sar --items 0133093,1375666 --json
"""


def similar(
    model: Model,
    *,
    items: Annotated[str, typer.Option("--items", "-i", metavar="ITEMS", help="Ids, names, or @FILE.")],
    k: K = 10,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write csv, tsv, parquet, jsonl or json."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the k items most similar to each item given, most similar first."""
    from palate.cli.ids import item_ids, title
    from palate.cli.reading import model_at

    recommender = model_at(model)
    catalogue = recommender.catalogue
    found = recommender.similar(item_ids(items, recommender.items, catalogue), k=k)
    if out is not None:
        write_table(found, out)
    elif as_json:
        print_json(found.to_dicts())
    elif found.is_empty():
        print("No item is similar: nobody has these items together with another one.")
    else:
        for number, group in enumerate(found.partition_by("item", maintain_order=True)):
            print(("\n" if number else "") + bold(f"like {title(group['item'][0], catalogue)}"))
            rows = group.select("rank", "similar", "score").rows()
            if catalogue is None or catalogue.name is None:
                print_table(("rank", "item", "score"), rows)
            else:
                names = catalogue.names(group["similar"])
                print_table(
                    ("rank", "item", catalogue.name, "score"),
                    (
                        (rank, item, name, score)
                        for (rank, item, score), name in zip(rows, names, strict=True)
                    ),
                )
