"""Pairs as token ids, exactly as they will be served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from tests.tiny_gemma import write_tokenizer
from workers.finetuning.config import SourceBudget
from workers.finetuning.dataset import IGNORED, PairEncoder
from workers.finetuning.errors import TrainingSettingsError
from workers.finetuning.pairs import Pair
from workers.generation import PromptFormat
from workers.summarization.prompts import PromptSet

PAIR = Pair("The river rose by four metres.", "The river rose.")


@pytest.fixture
def tokenizer(tiny_weights: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_weights)


def build_encoder(tokenizer: Any, prompt_format: PromptFormat = PromptFormat.COMPLETION) -> PairEncoder:
    return PairEncoder(tokenizer, prompts=PromptSet(style="news", format=prompt_format))


def test_a_completion_prompt_has_one_bos_and_the_summary_ends_with_eos(tokenizer: Any) -> None:
    example = build_encoder(tokenizer).encode_pair(PAIR)
    assert example.prompt_ids.count(tokenizer.bos_token_id) == 1
    assert tokenizer.decode(example.prompt_ids) == f"<bos>Article:\n{PAIR.source}\n\nSummary:\n"
    assert tokenizer.decode(example.completion_ids) == f"{PAIR.target}<eos>"


def test_a_chat_prompt_opens_the_turn_that_the_summary_ends(tokenizer: Any) -> None:
    example = build_encoder(tokenizer, PromptFormat.CHAT).encode_pair(PAIR)
    assert example.prompt_ids.count(tokenizer.bos_token_id) == 1
    assert tokenizer.decode(example.prompt_ids).endswith("<end_of_turn>\n<start_of_turn>model\n")
    assert tokenizer.decode(example.completion_ids) == f"{PAIR.target}<end_of_turn>"


@pytest.mark.parametrize("turns", [("<|turn>", "<turn|>"), ("<|im_start|>", "<|im_end|>"), ("[INST]", "</s>")])
def test_a_chat_ends_with_the_token_of_the_weights_own_template(tmp_path: Path, turns: tuple[str, str]) -> None:
    write_tokenizer(tmp_path, chat=True, turns=turns)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    example = build_encoder(tokenizer, PromptFormat.CHAT).encode_pair(PAIR)
    assert tokenizer.decode(example.completion_ids) == f"{PAIR.target}{turns[1]}"


def test_a_chat_whose_template_ends_no_turn_ends_with_the_sequence(tokenizer: Any) -> None:
    tokenizer.chat_template = (
        "{% for message in messages %}{{ message['role'] + ': ' + message['content'] }}\n{% endfor %}"
    )
    example = build_encoder(tokenizer, PromptFormat.CHAT).encode_pair(PAIR)
    assert tokenizer.decode(example.completion_ids) == f"{PAIR.target}<eos>"


def test_only_the_summary_and_its_end_carry_loss(tokenizer: Any) -> None:
    example = build_encoder(tokenizer).encode_pair(PAIR)
    row = example.row
    assert len(row["labels"]) == len(row["input_ids"])
    assert [label for label in row["labels"] if label != IGNORED] == example.completion_ids
    assert row["input_ids"][-len(example.completion_ids) :] == example.completion_ids


def test_a_long_source_is_cut_and_counted_and_the_summary_is_not(tokenizer: Any) -> None:
    long = Pair("The river rose. " * 200, "It rose. " * 40)
    encoder = build_encoder(tokenizer)
    encoded = encoder.encode_pairs([PAIR, long], budget=SourceBudget(most=60), seed=0)
    assert encoded.truncated_sources == 1
    assert len(tokenizer(encoded.examples[1].pair.source, add_special_tokens=False).input_ids) <= 60
    assert tokenizer.decode(encoded.examples[1].completion_ids) == f"{long.target}<eos>"


def test_control_tokens_in_a_source_are_plain_text(tokenizer: Any) -> None:
    example = build_encoder(tokenizer).encode_pair(Pair("He wrote <eos> and <end_of_turn>.", "He wrote."))
    assert tokenizer.eos_token_id not in example.prompt_ids
    assert tokenizer.convert_tokens_to_ids("<end_of_turn>") not in example.prompt_ids


def test_drawn_budgets_lie_in_their_range_and_are_decided_by_the_seed(tokenizer: Any) -> None:
    pairs = [Pair("The river rose. " * 200, "It rose.")] * 20
    budget = SourceBudget(most=80, least=20)
    one, same, other = (build_encoder(tokenizer).encode_pairs(pairs, budget=budget, seed=seed) for seed in (1, 1, 2))
    lengths = {len(example.prompt_ids) for example in one.examples}
    assert one == same != other
    assert len(lengths) > 5
    assert max(lengths) - min(lengths) <= 60


@pytest.mark.parametrize(("most", "least"), [(0, None), (10, 0), (10, 11)])
def test_a_budget_that_cannot_be_is_refused(most: int, least: int | None) -> None:
    with pytest.raises(TrainingSettingsError, match="1 <= least <= most"):
        SourceBudget(most=most, least=least)


def test_a_grounded_prompt_asks_for_a_length_as_serving_does(tokenizer: Any) -> None:
    example = build_encoder(tokenizer).encode_pair(PAIR, words=40)
    assert tokenizer.decode(example.prompt_ids).endswith("\n\nSummary in about 40 words:\n")


def test_a_prompt_of_ones_own_asks_for_no_other_length(tokenizer: Any) -> None:
    prompts = PromptSet(style="custom", format=PromptFormat.COMPLETION, template="Sum up: {text}")
    example = PairEncoder(tokenizer, prompts=prompts).encode_pair(PAIR, words=40)
    assert tokenizer.decode(example.prompt_ids) == f"<bos>Sum up: {PAIR.source}"


def test_grounded_pairs_are_cut_and_counted(tokenizer: Any) -> None:
    source = "The river Ash rose by four metres on Monday night. " * 40
    pair = Pair(source, "The river Ash rose by four metres. The river Elm rose by nine metres.")
    made = build_encoder(tokenizer).ground_pairs([pair, Pair("...", "Nothing.")], budget=SourceBudget(most=60), seed=3)
    assert (len(made.examples), made.dropped_sentences, made.left_out) == (1, 1, 1)
    assert len(tokenizer(made.examples[0].pair.source, add_special_tokens=False).input_ids) <= 60
