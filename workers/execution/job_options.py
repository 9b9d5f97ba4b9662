"""Options of a job as the planner and the prompts take them."""

from __future__ import annotations

import json
from functools import lru_cache

from models.options import JobOptions
from models.output_schema import read_schema
from models.schema_fields import describe_fields
from models.schema_limits import limit_schema
from workers.generation import PromptFormat
from workers.summarization.planning import DEFAULT_CHUNK_TOKENS, PlanOptions
from workers.summarization.prompts import AnswerSchema, FewShotExample, PromptSet
from workers.summarization.quotation import is_own_summary
from workers.weights.trained_prompt import TrainedPrompt


# Cached, because the jobs of a batch share their options and prompts.
@lru_cache(maxsize=64)
def read_options(options: str) -> JobOptions:
    """Return a job's options from their JSON."""
    return JobOptions.model_validate_json(options)


def choose_style(options: JobOptions, trained_prompt: TrainedPrompt) -> JobOptions:
    """Return a job's options with the style ``auto`` replaced by the style and template of the trained prompt."""
    if options.style != "auto":
        return options
    return options.model_copy(update={"style": trained_prompt.style, "template": trained_prompt.template})


def plan_options(options: JobOptions) -> PlanOptions:
    """Return the part of a job's options that the planner uses; a digest beyond one chunk is mapped and reduced."""
    chunk_tokens = options.chunk_tokens or DEFAULT_CHUNK_TOKENS
    return PlanOptions(
        strategy=options.strategy,
        splitter="stable" if options.digest and options.splitter == "auto" else options.splitter,
        chunk_tokens=chunk_tokens,
        overlap_tokens=options.overlap_tokens,
        separator=options.separator,
        stuff_tokens=chunk_tokens if options.digest and options.stuff_tokens is None else options.stuff_tokens,
    )


def needs_no_call(options: JobOptions, text: str, *, tokens: int) -> bool:
    """Tell whether a step that writes prose and reads nothing but this text takes no call: it is its own summary."""
    return is_own_summary(
        text,
        tokens=tokens,
        max_new_tokens=options.generation.max_new_tokens,
        style=options.style,
        language=options.language,
        words=options.words,
    )


def make_prompts(options: JobOptions, prompt_format: PromptFormat) -> PromptSet:
    """Return a job's prompts in the format of the weights."""
    examples = tuple(FewShotExample(example.text, example.summary) for example in options.examples)
    schema = None if options.output_schema is None else _build_answer_schema(options)
    return _cached_prompts(
        options.style, prompt_format, options.language, examples, options.template, options.words, schema
    )


def _build_answer_schema(options: JobOptions) -> AnswerSchema:
    text = options.output_schema or ""
    return AnswerSchema(bound_schema(text, options.generation.max_new_tokens), describe_fields(read_schema(text)))


@lru_cache(maxsize=64)
def bound_schema(text: str, max_tokens: int, tightness: int = 1) -> str:
    """Return a resolved schema with bounds for what it leaves open, both as text; args as for ``limit_schema``."""
    limited = limit_schema(read_schema(text), max_tokens=max_tokens, tightness=tightness)
    return json.dumps(limited, ensure_ascii=False)


@lru_cache(maxsize=64)
def _cached_prompts(
    style: str,
    prompt_format: PromptFormat,
    language: str | None,
    examples: tuple[FewShotExample, ...],
    template: str | None,
    words: int | None,
    schema: AnswerSchema | None,
) -> PromptSet:
    return PromptSet(style, prompt_format, language, examples, template, words, schema)  # type: ignore[arg-type]
