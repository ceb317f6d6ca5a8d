"""IFEval's own checkers (Zhou et al. 2023), as `lm-eval` ships them, on cases of a file.

    python ifeval_checks.py CASES.json        [{"id": "keywords:frequency", "arguments": {...}, "text": ...}, ...]

Prints a JSON list of answers. Of the package only the module of the checkers is loaded, which needs neither torch nor a
model, and nothing is fetched: its import asks NLTK for a list that cuts sentences, which none of these checkers reads.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

CHECKERS = {
    "keywords:existence": "KeywordChecker",
    "keywords:frequency": "KeywordFrequencyChecker",
    "keywords:forbidden_words": "ForbiddenWords",
    "length_constraints:number_words": "NumberOfWords",
    "length_constraints:nth_paragraph_first_word": "ParagraphFirstWordCheck",
}


def checkers() -> Any:
    """Load the module of the checkers without the package around it."""
    import nltk

    nltk.data.find = lambda *_, **__: None  # it is there: nothing to fetch
    found = importlib.util.find_spec("lm_eval")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("lm-eval is not installed here: make the environment 'ifeval'.")
    folder = Path(found.submodule_search_locations[0])
    for name in ("lm_eval", "lm_eval.tasks", "lm_eval.tasks.ifeval"):
        package = ModuleType(name)
        package.__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    return importlib.import_module("lm_eval.tasks.ifeval.instructions")


def main() -> None:
    module = checkers()
    answers = []
    for case in json.loads(Path(sys.argv[1]).read_text("utf-8")):
        checker = getattr(module, CHECKERS[case["id"]])(case["id"])
        checker.build_description(**case["arguments"])
        answers.append(bool(checker.check_following(case["text"])))
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
