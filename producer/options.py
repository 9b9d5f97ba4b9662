"""Options of a submission as users name them, on the command line and in Python, and what they stand for in a job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict

from models.choices import Grounding, Splitter, Strategy, Style
from models.errors import SettingsError
from models.nearest import describe_nearest, find_nearest
from models.options import JobOptions, make_options
from models.output_schema import parse_schema, resolve_schema
from models.sampling_params import PARAMETERS
from producer.conflicting_options import refuse_conflicts, settle_sampling
from producer.errors import SourceError
from producer.sources.decoding import decode_text
from producer.sources.kinds import FileKind
from producer.sources.source import SourceProblem
from producer.sources.text import normalize_text
from producer.sources.text_columns import WantedColumn, read_text_columns

PriorityName = Literal["low", "normal", "high"]


class ReadingOptions(TypedDict, total=False):
    """Options of reading: which column of a table is the text, and how much is read."""

    text_column: str | None
    id_column: str | None
    limit: int | None
    ocr: bool


class SummarizingOptions(TypedDict, total=False):
    """Options of the jobs, named as on the command line.

    ``prompt`` is a text with ``{text}`` in it or the path of one; ``examples`` are mappings of text and summary, or
    the path of a table; ``schema`` is a JSON Schema or the path of one; ``greedy`` is the opposite of ``do_sample``.
    """

    strategy: Strategy | None
    style: Style | None
    prompt: str | Path | None
    examples: str | Path | Iterable[Mapping[str, str]] | None
    language: str | None
    splitter: Splitter | None
    separator: str | None
    chunk_tokens: int | None
    overlap_tokens: int | None
    stuff_tokens: int | None
    words: int | None
    grounding: Grounding | None
    candidates: int | None
    schema: str | Path | Mapping[str, Any] | None
    do_sample: bool | None
    greedy: bool | None
    temperature: float | None
    top_k: int | None
    top_p: float | None
    num_beams: int | None
    max_new_tokens: int | None
    repetition_penalty: float | None
    seed: int | None
    weights: str | None
    check: bool | None
    gate: float | None
    cache: bool | None


class PlanningOptions(ReadingOptions, SummarizingOptions, total=False):
    """Options of reading and of the jobs."""


class DigestOptions(SummarizingOptions, total=False):
    """Options of a digest."""

    priority: PriorityName
    keep_days: int | None


class SubmitOptions(PlanningOptions, total=False):
    """Options of a submission."""

    priority: PriorityName
    strict: bool
    keep_days: int | None
    webhook: str | None


READING_OPTIONS = frozenset(ReadingOptions.__annotations__)


def build_job_options(given: Mapping[str, Any]) -> JobOptions:
    """Convert options of the command line or of Python to the options of a job.

    Raises:
        SettingsError: an option is unknown or invalid, options exclude each other, or a file is invalid.
    """
    values = {name: value for name, value in given.items() if value is not None}
    _check_names(values)
    check_texts(values)
    values = settle_sampling(values)
    refuse_conflicts(values)
    values["generation"] = {name: values.pop(name) for name in PARAMETERS if name in values}
    if "prompt" in values:
        values = {"style": "custom"} | values | {"template": _read_prompt(values["prompt"])}
    if "examples" in values:
        values = {"style": "few-shot"} | values | {"examples": _list_examples(values["examples"])}
    if "separator" in values:
        values = {"splitter": "character"} | values
    values.pop("prompt", None)
    if "schema" in values:
        values["output_schema"] = _read_schema(values.pop("schema"))
    return make_options(**values)


def _check_names(values: Mapping[str, Any]) -> None:
    known = SummarizingOptions.__annotations__.keys()
    for name in values.keys() - known:
        nearest = find_nearest(name, SubmitOptions.__annotations__)
        advice = f"; {describe_nearest(nearest)}" if nearest else "; `gistmill submit --help` lists all"
        raise SettingsError(f"there is no option {name!r}{advice}")


def check_texts(values: Mapping[str, Any]) -> None:
    """Check that every text among the values of options can be stored.

    Raises:
        SettingsError: one holds NUL or lone surrogates.
    """
    for name, value in values.items():
        if isinstance(value, str):
            _normalize(value, f"option {name}")


def _read_prompt(prompt: str | Path) -> str:
    return read_text_file(prompt) if isinstance(prompt, Path) else _normalize(prompt, "option prompt")


def _normalize(text: str, name: str) -> str:
    try:
        return normalize_text(text)
    except SourceError as error:
        raise SettingsError(f"{name} {error}") from None


def read_text_file(path: Path) -> str:
    """Return the text of a file.

    Raises:
        SettingsError: it cannot be read, or is not text that can be stored.
    """
    try:
        return normalize_text(decode_text(path.read_bytes()))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error}); give a UTF-8 text file") from None
    except SourceError as error:
        raise SettingsError(f"{path} {error}") from None


def _read_schema(schema: str | Path | Mapping[str, Any]) -> str:
    """Return a JSON Schema in its resolved form, as text."""
    if isinstance(schema, str | Path):
        name, text = str(schema), read_text_file(Path(schema))
    else:
        name, text = "the schema", None
    try:
        return resolve_schema(schema if text is None else parse_schema(text))
    except SettingsError as error:
        raise SettingsError(f"{name} {error}") from None


def _list_examples(examples: str | Path | Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    if isinstance(examples, str | Path):
        return _read_examples(Path(examples))
    try:
        return [{name: _normalize(text, "an example") for name, text in example.items()} for example in examples]
    except (AttributeError, TypeError):
        raise SettingsError("examples are mappings of a text and a summary, or the path of a table of them") from None


def _read_examples(path: Path) -> list[dict[str, str]]:
    """Read texts and summaries from a table of any kind that submission reads."""
    columns = (WantedColumn("", "text"), WantedColumn("", "summary"))
    examples = []
    try:
        for row in read_text_columns(path, columns, otherwise=FileKind.JSON):
            if isinstance(row, SourceProblem):
                raise SettingsError(row.message)
            if not all(map(str.strip, row.texts)):
                raise SettingsError(f"{path}#row {row.number} lacks a text or a summary; give both")
            examples.append(dict(zip(("text", "summary"), row.texts, strict=True)))
    except SourceError as error:
        raise SettingsError(f"{path} {error}") from None
    return examples
