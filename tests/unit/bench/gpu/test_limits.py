"""What memory bandwidth allows, against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch

from tests.bench.gpu.limits import Card, count_step_bytes, limit_decoding, limit_requests, measure_card
from tests.bench.gpu.shapes import GEMMA_1B, GEMMA_4B, TINY, Shape, build_network

# One full layer of six: 10 * 4 * (2 * 2 + 2 * 1) + 3 * 10 * 20 = 840 weights a layer, and 100 * 10 in the head.
SMALL = Shape("small", 6, 10, 20, heads=2, key_heads=1, head_size=4, window=8, vocabulary=100)


def test_a_step_reads_all_weights_and_of_each_sequence_keys_and_values_up_to_the_window() -> None:
    # Five layers see 8 tokens and one sees 32; keys and values of one head with 4 numbers.
    cache = 2 * 4 * (5 * 8 + 32)
    assert count_step_bytes(SMALL, sequences=3, tokens=32, itemsize=2) == 2 * (6 * 840 + 1000 + 3 * cache)


def test_a_prompt_within_the_window_is_read_whole_by_every_layer() -> None:
    assert SMALL.count_cache_numbers(5) == 2 * 4 * 6 * 5


def test_the_limit_of_decoding_is_bandwidth_over_bytes() -> None:
    card = Card(bytes_per_second=1e6, operations_per_second=1e9)
    step = count_step_bytes(SMALL, sequences=4, tokens=10)
    assert limit_decoding(SMALL, card, sequences=4, tokens=10) == pytest.approx(4 * 1e6 / step)


def test_the_limit_of_whole_requests_counts_the_arithmetic_of_their_prompts() -> None:
    card = Card(bytes_per_second=1e6, operations_per_second=1e9)
    decode = 6 * count_step_bytes(SMALL, sequences=4, tokens=13) / 1e6
    prefill = 2 * 6 * 840 * 4 * 10 / 1e9
    limit = limit_requests(SMALL, card, sequences=4, prompt_tokens=10, new_tokens=6)
    assert limit == pytest.approx(4 * 6 / (prefill + decode))


def test_many_sequences_share_the_weights_so_that_the_limit_grows_less_and_less() -> None:
    card = Card(bytes_per_second=4.8e12, operations_per_second=1e15)
    one, many, most = (
        limit_decoding(GEMMA_1B, card, sequences=sequences, tokens=576) / sequences for sequences in (1, 64, 256)
    )
    assert one > many > most


@pytest.mark.parametrize(("shape", "billions"), [(GEMMA_1B, 1.0), (GEMMA_4B, 3.88)])
def test_shapes_have_as_many_weights_as_their_names_say(shape: Shape, billions: float) -> None:
    assert shape.count_weights() / 1e9 == pytest.approx(billions, rel=0.01)


def test_a_network_has_the_weights_that_its_shape_counts() -> None:
    network = build_network(TINY, dtype=torch.float32, device="cpu")
    assert sum(weights.numel() for weights in network.parameters() if weights.ndim > 1) == TINY.count_weights()


def test_a_network_in_16_bits_keeps_the_frequencies_of_its_positions_in_float32() -> None:
    exact, short = (build_network(TINY, dtype=dtype, device="cpu") for dtype in (torch.float32, torch.bfloat16))
    for name, frequencies in exact.named_buffers():
        if "inv_freq" in name:
            assert torch.equal(short.get_buffer(name), frequencies)


def test_a_card_is_measured_on_a_cpu_too() -> None:
    card = measure_card("cpu", torch.float32, is_dry=True)
    assert card.bytes_per_second > 0
    assert card.operations_per_second > 0
