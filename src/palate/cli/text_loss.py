"""`palate text loss`: what a language model says of every token of a text, and how its error is measured."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palate.cli.options import Json
from palate.cli.show import Figure, print_json, print_table
from palate.cli.style import bold, faint, has_colour
from palate.cli.text_options import Named
from palate.errors import DataError, PlanError

if TYPE_CHECKING:
    from palate.text.explain import Explanation, Runner, Token

EXAMPLES = """
palate text loss "The capital of France is" " Paris."
palate text loss 今天天气真 晴朗
palate text loss "Write a short story." --file story.txt --chat --page story.html
palate text loss "The capital of France is" --next
palate text loss --probabilities 0.3,0.5,0.2 --target 0
"""

_ALL = 40
"""Tokens that are all shown in the table; of a longer text, the costliest are."""
_MOST = 12
# Backgrounds of a terminal with 256 colours, from what cost nothing to what cost 12 bits and more.
_HEAT = (None, 230, 229, 228, 222, 216, 209, 203)


def loss(
    prompt: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="What stands before; or the text alone.")
    ] = None,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="What came after it.")] = None,
    *,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="Read TEXT from a file in UTF-8.")
    ] = None,
    model: Named = "smollm2",
    chat: Annotated[
        bool, typer.Option("--chat", help="PROMPT is a request: write it in the model's chat template.")
    ] = False,
    ended: Annotated[bool, typer.Option("--ended", help="The token that ends an answer counts too.")] = False,
    following: Annotated[bool, typer.Option("--next", help="Only what may come next after PROMPT.")] = False,
    shown: Annotated[
        int, typer.Option("--shown", metavar="N", min=1, max=100, help="Likely tokens to tell.")
    ] = 5,
    probabilities: Annotated[
        str | None,
        typer.Option(
            "--probabilities", metavar="P,P,...", help="Without a model: of one token, for the classroom."
        ),
    ] = None,
    target: Annotated[
        int | None, typer.Option("--target", metavar="PLACE", help="Which of them came; the first is 0.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Write an HTML page: a click opens a token.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how a language model measures its error: the loss of every token of a text, taken apart.

    Of each token: its probability p, its rank, the loss -log p in nats and bits, the gradient p - y at its logit, and
    the loss after one small step down the gradient. The loss of the text is the mean; perplexity is its exponential.
    """
    if probabilities is not None or target is not None:
        if probabilities is None or target is None or prompt is not None or file is not None:
            raise PlanError(
                "--probabilities and --target go together, and without a text: they need no model."
            )
        _classroom(_numbers(probabilities), target, as_json)
        return
    if file is not None:
        if text is not None:
            raise PlanError("the text is given twice: as TEXT and by --file.")
        text = _read(file)
    if prompt is None and text is None:
        raise PlanError('give a text: palate text loss "The capital of France is" " Paris."')
    if (text or prompt) == "" or text == "":
        raise PlanError("the text is empty: there is no token whose loss could be told. Give some text.")
    from palate.text import language_model
    from palate.text.explain import explain_loss, next_token, plain_conventions

    named = language_model.load(model)
    if following:
        if text is not None:
            raise PlanError("--next asks what may come after PROMPT: leave TEXT out.")
        how = named.conventions(ended=False) if chat else plain_conventions(named, ended=False)
        _next(next_token(named, prompt or "", chat=chat, shown=max(shown, 10)), how, as_json)
        return
    if chat and (text is None or not (prompt or "").strip()):
        raise PlanError(
            "--chat makes PROMPT a request, and TEXT its answer: give both, neither of them empty."
        )
    if text is None:
        prompt, text = "", prompt
    told = explain_loss(named, text or "", prompt or "", chat=chat, ended=ended, shown=shown)
    if page is not None:
        from palate.report.token_losses import write

        write(told, page)
    if as_json:
        print_json(told.as_dict())
    else:
        _print(told)
        if page is not None:
            print(faint(f"\nEvery token's distribution: {page}"))


def _print(told: Explanation) -> None:
    if has_colour(sys.stdout):
        print("".join(faint(one.piece) for one in _whole(told.prompt)), end="")
        print("".join(_heated(one.piece, one.bits) for one in _whole(told.tokens)) + "\n")
    tokens = list(enumerate(told.tokens, 1))
    if len(tokens) > _ALL:
        tokens = sorted(tokens, key=lambda one: -one[1].nats)[:_MOST]
    print_table(
        ("#", "token", "p", "rank", "nats", "bits", "p - y", "a step on", "likely instead"),
        (
            (
                place,
                _named(one.piece, one.note),
                Figure(f"{one.p:.4g}"),
                one.rank,
                Figure(f"{one.nats:.4f}"),
                Figure(f"{one.bits:.3f}"),
                Figure(f"{one.gradient:+.4f}"),
                Figure(f"{one.stepped:.4f}"),
                ", ".join(f"{_named(other.piece)} {other.p:.2g}" for other in one.runners if not other.came),
            )
            for place, one in tokens
        ),
    )
    if len(told.tokens) > _ALL:
        print(faint(f"the {_MOST} costliest of {len(told.tokens):,} tokens; --json and --page have all"))
    print()
    for line in summary(told):
        print(line)


def summary(told: Explanation) -> list[str]:
    """Return the totals in words. Perplexity is that of the mean as it is shown."""
    from palate.text.crossentropy import perplexity

    mean = round(told.loss, 4)
    lines = [
        f"{bold(f'loss {mean:.4f} nats')} a token, {mean / math.log(2):.4f} bits; perplexity exp({mean:.4f}) = "
        f"{perplexity(mean):,.4f}; {told.bits_per_byte:.4f} bits a byte"
    ]
    if "prompt" in told.parts:
        prompt, response = told.parts["prompt"], told.parts["response"]
        lines.append(
            f"prompt: {prompt.tokens:,} tokens, {prompt.nats:,.2f} nats ({prompt.share:.0%}); text: "
            f"{response.tokens:,} tokens, {response.nats:,.2f} nats ({response.share:.0%})"
        )
    else:
        lines.append(f"{told.first!r} begins it: it comes after nothing, and has no loss")
    return [*lines, faint(told.conventions)]


def _whole(tokens: tuple[Token, ...]) -> list[Token]:
    """Return tokens without the later parts of a character, which is shown once."""
    return [one for one in tokens if one.first]


def _heated(piece: str, bits: float) -> str:
    colour = _HEAT[min(int(bits / 12 * len(_HEAT)), len(_HEAT) - 1)]
    return piece if colour is None else f"\033[48;5;{colour};38;5;16m{piece}\033[0m"


def _named(piece: str, note: str = "") -> str:
    quoted = repr(piece) if not piece.strip() or piece != piece.strip() or "\n" in piece else piece
    return f"{quoted} ({note})" if note else quoted


def _next(told: list[Runner], conventions: str, as_json: bool) -> None:
    if as_json:
        rows = [{"piece": one.piece, "id": one.id, "p": one.p, "nats": -math.log(one.p)} for one in told]
        print_json({"conventions": conventions, "next": rows})
        return
    print_table(
        ("rank", "token", "p", "-log p, nats", ""),
        (
            (
                place,
                _named(one.piece, one.note),
                Figure(f"{one.p:.4f}"),
                Figure(f"{-math.log(one.p):.4f}"),
                _bar(one.p),
            )
            for place, one in enumerate(told, 1)
        ),
    )
    rest = 1 - math.fsum(one.p for one in told)
    print(faint(f"all other tokens together: {max(rest, 0):.4f}"))
    print(faint(conventions))


def _bar(p: float) -> str:
    return "█" * round(40 * p)


def _classroom(given: list[float], target: int, as_json: bool) -> None:
    from palate.text.crossentropy import STEP, from_probabilities, perplexity

    told, gradient = from_probabilities(given, target)
    nats = float(told.nats[0])
    if as_json:
        print_json(
            {
                "loss": nats,
                "bits": float(told.bits[0]),
                "perplexity": perplexity(nats),
                "rank": int(told.rank[0]),
                "one_hot": [int(place == target) for place in range(len(given))],
                "gradient": gradient.tolist(),
                "step": STEP,
                "loss_after_step": float(told.stepped[0]),
                "entropy": float(told.entropy[0]),
            }
        )
        return
    print_table(
        ("place", "p", "y", "-y log p", "p - y"),
        (
            (place, p, int(place == target), nats if place == target else 0.0, Figure(f"{slope:+.4f}"))
            for place, (p, slope) in enumerate(zip(given, gradient.tolist(), strict=True))
        ),
    )
    print(
        f"\n{bold(f'loss -log {given[target]:g} = {nats:.4f} nats')} = {float(told.bits[0]):.4f} bits; perplexity "
        f"exp({nats:.4f}) = {perplexity(round(nats, 4)):.4f}; the gradient sums to {abs(gradient.sum()):.0f}"
    )
    print(
        faint(
            f"a step of {STEP:g} down the gradient at the logits: {float(told.stepped[0]):.4f} nats. If tokens came "
            f"by these probabilities, the mean loss would be {float(told.entropy[0]):.4f}."
        )
    )


def _numbers(words: str) -> list[float]:
    try:
        return [float(word) for word in words.split(",")]
    except ValueError:
        raise PlanError(
            f"--probabilities {words}: expected numbers with commas between, such as 0.3,0.5,0.2."
        ) from None


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start:,} is no UTF-8. Save the text as UTF-8.") from error
