"""log P of tokens by the head in pieces, against torch's own over all logits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from palate.errors import NotSupported  # noqa: E402
from palate.text import language_model, logprob  # noqa: E402
from palate.text.crossentropy import from_logits  # noqa: E402
from palate.text.logprob import Head, head_of, hidden_states, score, token_log_probs  # noqa: E402


def plain(hidden: torch.Tensor, head: Head, targets: torch.Tensor) -> torch.Tensor:
    """Return what the chunked head is to equal, as one would first write it."""
    z = hidden @ head.weight.T
    z = z + head.bias if head.bias is not None else z
    z = z * head.scale
    z = head.cap * torch.tanh(z / head.cap) if head.cap else z
    return torch.log_softmax(z, -1).gather(1, targets[:, None])[:, 0]


def drawn(bias: bool, scale: float, cap: float) -> tuple[torch.Tensor, Head, torch.Tensor]:
    torch.manual_seed(0)
    hidden = torch.randn(11, 8, requires_grad=True)
    head = Head(
        torch.randn(30, 8, requires_grad=True),
        torch.randn(30, requires_grad=True) if bias else None,
        scale,
        cap,
    )
    return hidden, head, torch.randint(0, 30, (11,))


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("chunk", [1, 4, 11, None])
@pytest.mark.parametrize(
    ("bias", "scale", "cap"), [(False, 1.0, 0.0), (True, 0.25, 0.0), (False, 1.0, 5.0), (True, 2.0, 3.0)]
)
def test_in_chunks_values_and_gradients_are_those_of_all_logits(
    chunk: int | None, bias: bool, scale: float, cap: float, frozen: bool
):
    hidden, head, targets = drawn(bias, scale, cap)
    leaves = [one for one in (hidden, head.weight, head.bias) if one is not None]
    for one in leaves[1:] if frozen else ():
        one.requires_grad_(False)
    leaves = [one for one in leaves if one.requires_grad]
    outer = torch.linspace(-1, 2, 11)
    ours, theirs = token_log_probs(hidden, head, targets, chunk=chunk), plain(hidden, head, targets)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    for one, other in zip(
        torch.autograd.grad((ours * outer).sum(), leaves),
        torch.autograd.grad((theirs * outer).sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_a_gradient_that_is_added_at_once_is_the_same_and_adds_up():
    hidden, head, targets = drawn(False, 1.0, 0.0)
    outer = torch.linspace(-1, 2, 11)
    for _ in range(2):
        (token_log_probs(hidden, head, targets, chunk=4, at_once=True) * outer).sum().backward()
    ours = head.weight.grad.clone()
    theirs = torch.autograd.grad((plain(hidden, head, targets) * outer).sum(), head.weight)[0]
    torch.testing.assert_close(ours, 2 * theirs, rtol=0, atol=1e-5)


def test_the_embeddings_gradient_is_added_row_by_row_and_is_the_same():
    """Also of a token that stands twice, and of the one that pads, which learns nothing."""
    ids = torch.tensor([[5, 7, 5, 0, 9], [7, 7, 2, 0, 0]])
    found = []
    for at_once in (False, True):
        network = language_model.tiny().network
        states = hidden_states(network, ids, at_once=at_once)
        (states * torch.linspace(-1, 1, states.numel()).view_as(states)).sum().backward()
        found.append(network.get_input_embeddings().weight.grad)
    torch.testing.assert_close(*found, rtol=0, atol=1e-5)
    assert found[0][0].abs().max() == 0
    assert found[0][5].abs().max() > 0


def test_a_frozen_head_gets_no_gradient_and_is_not_applied_again(monkeypatch: pytest.MonkeyPatch):
    rows: list[int] = []
    plain_product = logprob._product

    def watched(*given: torch.Tensor) -> torch.Tensor:
        rows.append(len(given[0]))
        return plain_product(*given)

    monkeypatch.setattr(logprob, "_product", watched)
    hidden, head, targets = drawn(False, 1.0, 0.0)
    head = replace(head, weight=head.weight.detach())
    token_log_probs(hidden, head, targets, chunk=4).sum().backward()
    assert hidden.grad is not None
    assert head.weight.grad is None
    assert rows == [4, 4, 3]


@pytest.mark.parametrize("frozen", [False, True])
def test_a_model_in_bfloat16_has_nearly_the_gradients_of_one_in_float32(frozen: bool):
    hidden, head, targets = drawn(False, 1.0, 0.0)
    half = [one.detach().bfloat16() for one in (hidden, head.weight)]
    half[0].requires_grad_()
    half[1].requires_grad_(not frozen)
    token_log_probs(half[0], replace(head, weight=half[1]), targets, chunk=4).sum().backward()
    whole = half[0].detach().float().requires_grad_()
    plain(whole, replace(head, weight=half[1].detach().float()), targets).sum().backward()
    assert half[0].grad.dtype == torch.bfloat16
    torch.testing.assert_close(half[0].grad.float(), whole.grad, rtol=0.02, atol=0.02)


def test_numpy_and_torch_agree_on_a_text():
    model = language_model.tiny()
    ids = model.text("A short text, with 今天 in it.")
    with torch.no_grad():
        states = hidden_states(model.network, torch.tensor([ids]))[0]
        told = token_log_probs(states[:-1], head_of(model.network), torch.tensor(ids[1:]))
        logits = model.network(torch.tensor([ids])).logits[0, :-1]
    np.testing.assert_allclose(from_logits(logits.numpy(), ids[1:]).nats, -told.numpy(), rtol=0, atol=1e-6)


def test_padding_and_neighbours_change_nothing():
    model = language_model.tiny()
    rows = [
        (model.prompt("one"), model.response("A text.")),
        (model.prompt("another, longer"), model.response("No.")),
    ]
    with torch.no_grad():
        together = score(model.network, *zip(*rows, strict=True))
        for (prompt, response), told in zip(rows, together, strict=True):
            torch.testing.assert_close(told, score(model.network, [prompt], [response])[0], rtol=0, atol=1e-5)


def test_a_head_that_is_more_than_a_layer_is_refused():
    model = language_model.tiny()
    model.network.set_output_embeddings(torch.nn.Sequential(torch.nn.Linear(32, 5)))
    with pytest.raises(NotSupported, match="linear layer"):
        head_of(model.network)


SMALL = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("family", "more"),
    [
        ("Llama", {}),
        ("Granite", {"logits_scaling": 8.0}),
        ("Cohere", {"logit_scale": 0.0625}),
        ("Gemma2", {"head_dim": 8, "final_logit_softcapping": 0.5}),
    ],
)
def test_heads_that_are_known_pass_the_comparison(family: str, more: dict[str, Any], kind: torch.dtype):
    import transformers

    config = getattr(transformers, f"{family}Config")(**SMALL, **more)
    network = getattr(transformers, f"{family}ForCausalLM")(config).eval().to(kind)
    logprob.compare_head(network, "a name")
    assert head_of(network).logits(torch.zeros(1, 32, dtype=kind)).shape == (1, 300)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_factor_that_is_not_known_is_refused(kind: torch.dtype):
    from transformers import FalconH1Config, FalconH1ForCausalLM

    small = {"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8}
    network = FalconH1ForCausalLM(FalconH1Config(**SMALL, **small, lm_head_multiplier=0.04)).eval().to(kind)
    logprob.compare_head(network, "a name")
    with pytest.raises(NotSupported, match=r"^a name: its logits .* FalconH1ForCausalLM .* another model"):
        score(network, [[1]], [[2]])


def test_a_head_that_was_refused_under_an_adapter_is_refused_when_that_is_merged(
    monkeypatch: pytest.MonkeyPatch,
):
    pytest.importorskip("peft")
    from palate.text import language_model
    from palate.text.align import Training
    from palate.text.align.network import trainable

    network = trainable(language_model.tiny(), Training(rank=2))
    monkeypatch.setattr(logprob.Head, "logits", lambda self, hidden: hidden @ self.weight.T * 2)
    logprob.compare_head(network, "a name")
    with pytest.raises(NotSupported, match="a name: its logits"):
        head_of(network.merge_and_unload())


def watched_rows(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Return what gets the sizes of all that a network is asked to read."""
    read: list[tuple[int, ...]] = []
    plain_states = logprob.hidden_states

    def watched(network: Any, ids: torch.Tensor, *given: Any, **named: Any) -> torch.Tensor:
        read.append(tuple(ids.shape))
        return plain_states(network, ids, *given, **named)

    monkeypatch.setattr(logprob, "hidden_states", watched)
    return read


@pytest.mark.parametrize("cast", [False, True])
def test_texts_after_one_prompt_are_read_with_it_once_and_as_if_alone(
    monkeypatch: pytest.MonkeyPatch, cast: bool
):
    network = language_model.tiny().network
    drawn = torch.Generator().manual_seed(0)
    tokens = torch.randint(5, 200, (120,), generator=drawn).tolist()
    prompt, other, texts = tokens[:40], tokens[40:62], [tokens[70:79], tokens[79:80], tokens[80:95]]
    prompts, responses = [prompt, other, prompt, prompt], [texts[0], texts[1], texts[1], texts[2]]
    outer = [torch.linspace(-1, 1, len(one)) for one in responses]

    def made(*which: int) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        with torch.autocast("cpu", enabled=cast):
            told = score(network, [prompts[one] for one in which], [responses[one] for one in which])
            loss = sum((one * outer[place]).sum() for one, place in zip(told, which, strict=True))
        return told, list(torch.autograd.grad(loss, list(network.parameters())))

    apart = [made(one) for one in range(4)]
    read = watched_rows(monkeypatch)
    network.train()
    together, slopes = made(0, 1, 2, 3)
    assert network.training
    assert read[-1] == (2, 40 + 9 + 1 + 15)  # rows: the prompt with three texts, and the other
    close = {"rtol": 0, "atol": 0.1 if cast else 1e-5}
    for place, one in enumerate(together):
        torch.testing.assert_close(one, apart[place][0][0], **close)
    for place, slope in enumerate(slopes):
        expected = sum(one[1][place] for one in apart)
        assert float((slope - expected).norm() / expected.norm()) < (0.1 if cast else 1e-5)


def test_a_short_prompt_and_a_long_row_are_not_worth_a_mask(monkeypatch: pytest.MonkeyPatch):
    network, read = language_model.tiny().network, watched_rows(monkeypatch)
    score(network, [[1] * 15] * 2, [[2], [3]])
    score(network, [[1] * 600] * 2, [[2] * 300] * 2)
    assert read == [(2, 16), (2, 900)]


def test_a_network_that_sees_less_or_otherwise_reads_each_text_by_itself():
    from transformers import FalconH1Config, FalconH1ForCausalLM, MistralConfig, MistralForCausalLM

    small = {"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8}
    mixed = FalconH1ForCausalLM(FalconH1Config(**SMALL, **small)).eval()
    near = MistralForCausalLM(MistralConfig(**SMALL, sliding_window=32)).eval()
    assert not logprob._shares(mixed, 20)  # a state goes from text to text
    assert logprob._shares(near, 32)
    assert not logprob._shares(near, 33)


@pytest.mark.parametrize("vocabulary", [1_000, 49_152, 1_000_000])
def test_the_logits_that_exist_at_once_are_bounded_at_any_vocabulary(
    vocabulary: int, monkeypatch: pytest.MonkeyPatch
):
    made: list[int] = []
    plain_product = logprob._product

    def watched(*given: torch.Tensor) -> torch.Tensor:
        made.append(given[0].shape[0] * len(given[1]) * 4)
        return plain_product(*given)

    monkeypatch.setattr(logprob, "_product", watched)
    hidden = torch.randn(300, 2, requires_grad=True)
    head = Head(torch.randn(vocabulary, 2, requires_grad=True))
    token_log_probs(hidden, head, torch.zeros(300, dtype=torch.int64)).sum().backward()
    assert sum(made) == 2 * 300 * vocabulary * 4  # all of it forward, and again backward
    assert max(made) <= logprob.BUFFER < 64 * 10**6
