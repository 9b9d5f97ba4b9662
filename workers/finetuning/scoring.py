"""Scores of generated summaries on held-out pairs: ROUGE (Lin 2004), share that stopped, length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import takewhile
from statistics import fmean
from typing import Any

import torch

from workers.evaluation.rouge import ROUGE_METRICS, RougeTokenizer, choose_tokenizer, score_rouge
from workers.finetuning.dataset import TrainingExample

# Prompts generated together.
BATCH_SIZE = 16


@dataclass(frozen=True, slots=True)
class GeneratedSummary:
    """Generated summary.

    Args:
        text: the summary.
        tokens: its length without the end token.
        has_stopped: whether it ended with an end token instead of at the length limit.
    """

    text: str
    tokens: int
    has_stopped: bool


@dataclass(frozen=True, slots=True)
class SummaryScores:
    """Mean scores of a set of summaries; ROUGE is F1 in percent.

    Args:
        rouge1: mean ROUGE-1.
        rouge2: mean ROUGE-2.
        rouge_l: mean ROUGE-L.
        stopped_share: share of the summaries that ended with an end token.
        mean_tokens: their mean length.
        tokenizers: number of summaries by the tokenizer of their ROUGE.
    """

    rouge1: float
    rouge2: float
    rouge_l: float
    stopped_share: float
    mean_tokens: float
    tokenizers: Mapping[RougeTokenizer, int]


def score_summaries(summaries: Sequence[GeneratedSummary], targets: Sequence[str]) -> SummaryScores:
    """Score summaries against their targets."""
    pairs = [(summary.text, target) for target, summary in zip(targets, summaries, strict=True)]
    rows = [score_rouge(*pair) for pair in pairs]
    rouge = {name: 100 * fmean(row[name] for row in rows) for name in ROUGE_METRICS}
    return SummaryScores(
        rouge1=rouge["rouge1"],
        rouge2=rouge["rouge2"],
        rouge_l=rouge["rougeL"],
        stopped_share=fmean(summary.has_stopped for summary in summaries),
        mean_tokens=fmean(summary.tokens for summary in summaries),
        tokenizers=dict(Counter(choose_tokenizer(*pair) for pair in pairs)),
    )


def summarize_examples(
    network: Any, tokenizer: Any, examples: Sequence[TrainingExample], *, max_new_tokens: int
) -> Iterator[GeneratedSummary]:
    """Yield a greedily decoded summary for every example's prompt."""
    was_training = network.training
    network.eval()
    # Base weights under a chat prompt may end the sequence instead of the turn.
    ends = ({tokenizer.eos_token_id} - {None}) | {example.completion_ids[-1] for example in examples}
    for start in range(0, len(examples), BATCH_SIZE):
        batch = examples[start : start + BATCH_SIZE]
        for ids in generate_batch(network, tokenizer, batch, ends=ends, max_new_tokens=max_new_tokens):
            kept = list(takewhile(lambda token: token not in ends, ids))
            yield GeneratedSummary(
                tokenizer.decode(kept, skip_special_tokens=True).strip(), len(kept), len(kept) < len(ids)
            )
    network.train(was_training)


@torch.inference_mode()
def generate_batch(
    network: Any, tokenizer: Any, batch: Sequence[TrainingExample], *, ends: Set[int], max_new_tokens: int
) -> list[list[int]]:
    """Generate for a batch of prompts; return the new token ids of each, padded after the end token."""
    longest = max(len(example.prompt_ids) for example in batch)
    padding = [longest - len(example.prompt_ids) for example in batch]  # on the left, so that all prompts end together
    # Some families have no token for padding; the mask hides any other as well.
    filler = min(ends) if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    ids = [[filler] * pad + example.prompt_ids for pad, example in zip(padding, batch, strict=True)]
    mask = [[0] * pad + [1] * (longest - pad) for pad in padding]
    out = network.generate(
        input_ids=torch.tensor(ids, device=network.device),  # [batch, longest]
        attention_mask=torch.tensor(mask, device=network.device),
        max_new_tokens=max_new_tokens,
        do_sample=False,
        eos_token_id=sorted(ends),
        pad_token_id=filler,
    )
    return [list(row) for row in out[:, longest:].tolist()]
