"""Packed claims get the result that each would get alone, whatever the architecture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma2Config, Gemma3TextConfig, LlamaConfig, PreTrainedConfig

from tests.tiny_gemma import build_tiny_family
from workers.engine.claim_packing import EncodedClaims, encode_claims, pack_claims, pool_tokens, run_packed
from workers.engine.pretrained import read_network, read_vocabulary
from workers.engine.ragged_attention import RAGGED
from workers.engine.tokenizer import PromptTokenizer

SIZES = {
    "vocab_size": 1024,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": 2,
}
FAMILIES: dict[str, Callable[[], PreTrainedConfig]] = {
    "gemma2": lambda: Gemma2Config(**SIZES, attn_logit_softcapping=2.0, query_pre_attn_scalar=16, sliding_window=512),
    "gemma3": lambda: Gemma3TextConfig(**SIZES, query_pre_attn_scalar=16, sliding_window=512),
    "llama": lambda: LlamaConfig(**SIZES, tie_word_embeddings=False),
}
EXCERPT = "The river rose by four metres in two days. Engineers measured the piers."
CLAIMS = ("The council closed both bridges.", "It rose.", "Engineers measured the river and the piers in 1998.")


@pytest.fixture(scope="module", params=FAMILIES)
def weights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny weights of every family; two have several kinds of layers."""
    return build_tiny_family(tmp_path_factory.mktemp(request.param) / request.param, FAMILIES[request.param]())


def encode(weights: Path, claims: Sequence[str]) -> EncodedClaims:
    return encode_claims(PromptTokenizer(read_vocabulary(weights)), EXCERPT, claims)


def load_body(weights: Path) -> Any:
    return read_network(weights, dtype=torch.float32, attn_implementation=RAGGED).base_model


@torch.inference_mode()
def run(body: Any, weights: Path, claims: Sequence[str]) -> list[torch.Tensor]:
    return run_packed(body, pack_claims(encode(weights, claims)))


@torch.inference_mode()
def test_every_token_of_a_packed_claim_has_the_hidden_state_of_a_plain_forward_pass(weights: Path) -> None:
    plain = AutoModelForCausalLM.from_pretrained(weights, attn_implementation="eager", dtype=torch.float32).base_model
    encoded = encode(weights, CLAIMS)
    packed = run(load_body(weights), weights, CLAIMS)
    for place, claim in enumerate(encoded.claims):
        tokens = [*encoded.excerpt, *encoded.start, *claim, *encoded.end]
        hidden = plain(torch.tensor([tokens])).last_hidden_state[0, len(encoded.excerpt) + len(encoded.start) :]
        expected = hidden * torch.rsqrt(hidden.square().mean(dim=-1, keepdim=True) + 1e-6)
        torch.testing.assert_close(packed[place], expected, atol=1e-4, rtol=1e-4)


def test_a_claim_gets_the_same_result_alone_and_among_others_in_any_order(weights: Path) -> None:
    body = load_body(weights)
    together, reverse = run(body, weights, CLAIMS), run(body, weights, CLAIMS[::-1])
    for place, claim in enumerate(CLAIMS):
        torch.testing.assert_close(run(body, weights, [claim])[0], together[place], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(reverse[-1 - place], together[place], atol=1e-4, rtol=1e-4)


def test_gradients_pass_through_packed_claims(weights: Path) -> None:
    body = load_body(weights)
    torch.cat(run_packed(body, pack_claims(encode(weights, CLAIMS)))).square().mean().backward()
    gradient = body.layers[0].self_attn.q_proj.weight.grad
    assert torch.isfinite(gradient).all()


def test_claims_see_the_excerpt_and_themselves_only() -> None:
    packed = pack_claims(EncodedClaims(excerpt=[2, 10], start=[7], claims=[[20, 21], [30]], end=[8]))
    assert packed.ids.tolist() == [[2, 10, 7, 20, 21, 8, 7, 30, 8]]
    assert packed.positions.tolist() == [[0, 1, 2, 3, 4, 5, 2, 3, 4]]
    assert packed.mask[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 1, 0, 0],
        [1, 1, 0, 0, 0, 0, 1, 1, 0],
        [1, 1, 0, 0, 0, 0, 1, 1, 1],
    ]


@torch.inference_mode()
def test_padding_changes_no_claim(weights: Path) -> None:
    encoded, body = encode(weights, CLAIMS), load_body(weights)
    plain, padded = pack_claims(encoded), pack_claims(encoded, pad_to=lambda tokens: tokens + 5)
    assert padded.ids.shape[1] == plain.ids.shape[1] + 5
    for expected, hidden in zip(run_packed(body, plain), run_packed(body, padded), strict=True):
        torch.testing.assert_close(hidden, expected, atol=1e-5, rtol=1e-5)


def test_a_claim_is_judged_at_its_own_tokens_and_at_the_wording_after_it() -> None:
    packed = pack_claims(EncodedClaims(excerpt=[2, 10], start=[7], claims=[[20, 21], [30]], end=[8]))
    assert [packed.ids[0, span.start : span.stop].tolist() for span in packed.spans] == [[20, 21, 8], [30, 8]]


def test_claims_are_split_to_groups_in_order() -> None:
    encoded = EncodedClaims(excerpt=[2], start=[7], claims=[[1], [3], [5]], end=[8])
    assert [group.claims for group in encoded.split(2)] == [[[1], [3]], [[5]]]
    assert all((group.excerpt, group.start, group.end) == ([2], [7], [8]) for group in encoded.split(2))


def test_one_false_token_makes_a_claim_false() -> None:
    supported = torch.full((40,), -6.0)
    one_false = supported.clone()
    one_false[17] = 6.0
    assert pool_tokens(supported).item() == pytest.approx(-6)
    assert pool_tokens(one_false).item() > 2
    assert pool_tokens(one_false[:1]).item() == pytest.approx(-6)


def test_pooling_gives_every_token_a_gradient() -> None:
    logits = torch.tensor([-3.0, 0.0, 2.0], requires_grad=True)
    pool_tokens(logits).backward()
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, torch.softmax(logits.detach(), dim=0))


def test_a_claim_is_encoded_apart_from_the_wording_around_it(weights: Path) -> None:
    tokenizer = PromptTokenizer(read_vocabulary(weights))
    encoded = encode_claims(tokenizer, "The river <eos>", ["The council <bos>"])
    [claim] = encoded.claims
    assert tokenizer.decode([*encoded.start, *claim, *encoded.end]) == "\n\nClaim: The council <bos>\nSupported:"
    assert claim == tokenizer.encode_with_offsets("The council <bos>")[0] == tokenizer.encode_plain("The council <bos>")
    assert encoded.excerpt == [*tokenizer.bos, *tokenizer.encode_plain("The river <eos>")]
