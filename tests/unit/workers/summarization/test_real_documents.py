"""Real documents and the real tokenizer: everything covered, every prompt fits, and planning asks it sparingly."""

from __future__ import annotations

import csv
import importlib.metadata
import pydoc_data.topics
from collections.abc import Callable
from pathlib import Path

import pytest

from producer.sources.html import normalize_html
from tests.unit.workers.summarization.jobs import start_run
from tests.unit.workers.summarization.splits import find_uncovered
from workers.generation import FinishReason, GenerationParams, Prompt, PromptFormat, TokenCounter
from workers.summarization.planning import PlanOptions, SourceDocument, plan_job
from workers.summarization.prompts import PromptSet
from workers.summarization.rendering import RenderedStep
from workers.summarization.structure import DocumentFormat

pytestmark = pytest.mark.real

CONTEXT, ANSWER = 2048, 256
LONG, MOST = 200_000, 240_000
TECHNICAL = PromptSet("technical", PromptFormat.COMPLETION)


def read_writeups(shared_data: Path) -> list[str]:
    with (shared_data / "kaggle_winning_solutions_methods.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["link"], row["writeup"]): None for row in csv.DictReader(file)}
    return [normalize_html(writeup).text for _, writeup in rows]


def make_manual() -> tuple[str, DocumentFormat]:
    """Python's language reference as Markdown: a section for each topic."""
    return "\n\n".join(f"# {name}\n\n{text}" for name, text in pydoc_data.topics.topics.items())[:MOST], "markdown"


def make_stream() -> tuple[str, DocumentFormat]:
    """The same without structure: one endless line."""
    return " ".join("\n".join(pydoc_data.topics.topics.values()).split())[:MOST], "text"


def make_licenses() -> tuple[str, DocumentFormat]:
    """The licenses and descriptions of the installed packages, one after the other."""
    texts: list[str] = []
    for package in importlib.metadata.distributions():
        texts.append(package.read_text("METADATA") or "")
        texts += [path.read_text() for path in package.files or () if path.name == "LICENSE"]
    return "\n\n".join(texts)[:MOST], "markdown"


class SparingCounter:
    """Counts how many tokens were counted."""

    def __init__(self, counter: TokenCounter) -> None:
        self._counter = counter
        self.tokens = 0
        self.calls = 0

    def count_tokens(self, text: str) -> int:
        return self._note(self._counter.count_tokens(text))

    def count_prompt_tokens(self, prompt: Prompt) -> int:
        return self._note(self._counter.count_prompt_tokens(prompt))

    def _note(self, tokens: int) -> int:
        self.calls += 1
        self.tokens += tokens
        return tokens


def test_all_thirty_writeups_are_covered_and_every_prompt_of_every_strategy_fits(
    shared_data: Path, real_counter: TokenCounter
) -> None:
    writeups = read_writeups(shared_data)
    assert len(writeups) == 30
    for text in writeups:
        for options in (PlanOptions("map-reduce", chunk_tokens=400), PlanOptions("refine", splitter="recursive")):
            run = start_run(
                SourceDocument(text, "markdown"),
                options,
                counter=real_counter,
                context=1024,
                answer=128,
                prompts=TECHNICAL,
            )
            assert find_uncovered(text, run.plan.split.chunks) == []
            assert max(chunk.tokens for chunk in run.plan.split.chunks) <= 400 or options.strategy == "refine"
            summary = run.finish(answer_at_length)
            assert summary.step is not None
            assert len(run.rendered) <= run.plan.totals.calls


def answer_at_length(rendered: RenderedStep, params: GenerationParams) -> tuple[str, FinishReason]:
    """Answer with other words of about the greatest length, as a model of the world's worst summarizer."""
    numbers = range(len(rendered.source) % 7, params.max_new_tokens // 4)
    return " ".join(f"fact{number}." for number in numbers), FinishReason.STOP


@pytest.mark.parametrize("make", [make_manual, make_stream, make_licenses])
@pytest.mark.parametrize("strategy", ["map-reduce", "refine"])
def test_a_long_document_is_covered_and_fits_and_its_plan_counts_every_token_a_few_times_at_most(
    make: Callable[[], tuple[str, DocumentFormat]], strategy: str, real_counter: TokenCounter
) -> None:
    text, document_format = make()
    assert len(text) > LONG
    counter = SparingCounter(real_counter)
    plan = plan_job(
        SourceDocument(text, document_format),
        PlanOptions(strategy=strategy),  # type: ignore[arg-type]
        prompts=TECHNICAL,
        counter=counter,
        context_tokens=CONTEXT,
        max_new_tokens=ANSWER,
    )
    assert find_uncovered(text, plan.split.chunks) == []
    assert max(chunk.tokens for chunk in plan.split.chunks) + plan.limits.map_frame + ANSWER <= CONTEXT
    size = real_counter.count_tokens(text)
    assert counter.tokens < 8 * size
    assert counter.calls < size / 3
