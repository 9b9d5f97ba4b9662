"""Options of a job: given to ``gistmill submit`` and stored in the job's row."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.choices import Grounding, Splitter, Strategy, Style
from models.errors import SettingsError
from models.output_schema import read_schema
from models.sampling_params import RANGES, SamplingParams
from models.schema_limits import measure_shortest
from models.validation import describe_first_error

# workers.summarization has both once more, because it may import nothing of models; a test compares them.
LANGUAGE = re.compile(r"[^\W\d_][^\W\d_ ()-]*(?:[ ()-]+[^\W\d_]+)*\)?")
DEFAULT_CHUNK_TOKENS = 1000
DEFAULTS = SamplingParams()
# Of a summary in a language with long words.
MIN_TOKENS_PER_WORD = 2
# Room for an answer, in multiples of the shortest one by a schema.
SCHEMA_ROOM = 4
# Options that the first version did not have.
LATER_OPTIONS = ("words", "grounding", "candidates", "digest", "output_schema")


def _limit(name: str) -> Any:
    """Return the field of a sampling parameter that is a number, with its default and its range."""
    allowed, default = RANGES[name], getattr(DEFAULTS, name)
    if allowed.is_above:
        return Field(default, gt=allowed.minimum, le=allowed.maximum)
    return Field(default, ge=allowed.minimum, le=allowed.maximum)


class GenerationOptions(BaseModel):
    """The sampling parameters of a job, as ``models.sampling_params`` defines them."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    do_sample: bool = DEFAULTS.do_sample
    temperature: float = _limit("temperature")
    top_k: int = _limit("top_k")
    top_p: float = _limit("top_p")
    num_beams: int = _limit("num_beams")
    max_new_tokens: int = _limit("max_new_tokens")
    repetition_penalty: float = _limit("repetition_penalty")
    seed: int | None = _limit("seed")


class Example(BaseModel):
    """One few-shot example: a text and its summary."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(min_length=1)
    summary: str = Field(min_length=1)


class JobOptions(BaseModel):
    """All options that influence a job's summary."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    strategy: Strategy = "auto"
    # auto: the style that the weights were trained under; the plan step records it.
    style: Style = "auto"
    template: str | None = None
    examples: tuple[Example, ...] = ()
    language: str | None = None
    splitter: Splitter = "auto"
    separator: str | None = None
    chunk_tokens: int | None = Field(None, ge=16)
    overlap_tokens: int | None = Field(None, ge=0)
    stuff_tokens: int | None = Field(None, ge=1)
    # Requested length of the summary in words; None leaves it to the weights.
    words: int | None = Field(None, ge=20, le=1000)
    # Sentences that the document does not bear out: replaced by quotations, marked, or not looked for.
    grounding: Grounding = "strict"
    # Tries of a sentence that is generated again, of which the best is kept.
    candidates: int = Field(1, ge=1, le=8)
    # Resolved JSON Schema of the summary, as text (``models.output_schema``); None for prose.
    output_schema: str | None = None
    generation: GenerationOptions = GenerationOptions()
    weights: str = "default"
    # None: reuse finished steps if the parameters are deterministic.
    cache: bool | None = None
    # Measure whether the summary is consistent with its document.
    check: bool = False
    # Minimum support of a sentence: a summary with one below it is generated once more, then marked for review.
    # Implies ``check``.
    gate: float | None = Field(None, gt=0, lt=1)
    # The document is composed of the summaries of other jobs: it is cut where a change of one moves no other cut, and
    # the summary ends with the differences between them.
    digest: bool = False

    @property
    def is_checked(self) -> bool:
        """True if the summary is to be checked."""
        return self.check or self.gate is not None

    @model_validator(mode="before")
    @classmethod
    def _make_room(cls, values: Any) -> Any:
        """Raise the default maximum of tokens for a requested length, or a schema, that it would cut."""
        match values:
            case {"words": int(words)}:
                return _raise_max_tokens(values, words * MIN_TOKENS_PER_WORD)
            case {"output_schema": str(schema)}:
                return _raise_max_tokens(values, SCHEMA_ROOM * measure_shortest(read_schema(schema)))
        return values

    @model_validator(mode="after")
    def _check_style(self) -> JobOptions:
        if (self.style == "custom") != (self.template is not None):
            raise ValueError("style custom and a prompt template (--prompt) go together")
        if self.template is not None and self.template.count("{text}") != 1:
            raise ValueError("the prompt template must contain {text} exactly once, where the document goes")
        if (self.style == "few-shot") != bool(self.examples):
            raise ValueError("style few-shot and examples (--examples) go together")
        return self

    @model_validator(mode="after")
    def _check_language(self) -> JobOptions:
        if self.language is None:
            return self
        if self.style == "custom":
            raise ValueError("say the language in the prompt template itself instead of by --language")
        if not LANGUAGE.fullmatch(self.language):
            raise ValueError(f"{self.language!r} is not the name of a language: give one such as German")
        return self

    @model_validator(mode="after")
    def _check_splitting(self) -> JobOptions:
        most = (self.chunk_tokens or DEFAULT_CHUNK_TOKENS) // 2
        if (self.overlap_tokens or 0) > most:
            raise ValueError(f"--overlap-tokens may be half of --chunk-tokens at most: give {most} or less")
        if self.separator == "":
            raise ValueError("--separator must have a character at least, such as a line feed")
        if self.separator is not None and self.splitter != "character":
            raise ValueError("--separator and --splitter character go together")
        return self

    @model_validator(mode="after")
    def _check_structure(self) -> JobOptions:
        if self.output_schema is None:
            return self
        for is_given, name, advice in (
            (self.strategy == "extract", "--strategy extract", "it quotes the document and writes no JSON"),
            (self.words is not None, "--words", "give maxLength to the fields instead"),
            (self.candidates > 1, "--candidates", "they are for prose"),
            (self.is_checked, "--check and --gate", "they measure prose"),
            (self.generation.num_beams > 1, "--num-beams", "beam search cannot be kept to a schema"),
        ):
            if is_given:
                raise ValueError(f"--schema and {name} exclude each other: {advice}")
        least, most = measure_shortest(read_schema(self.output_schema)), self.generation.max_new_tokens
        if most < least:
            raise ValueError(
                f"an answer of {most} tokens may be too short for the schema's required fields: give --max-new-tokens "
                f"{SCHEMA_ROOM * least} or more"
            )
        return self

    def identify(self, document_sha256: str, source: str) -> str:
        """Return a job's identity: SHA-256 over document, source and options, as 64 hex digits."""
        values = self.model_dump(mode="json", exclude=self._list_later_defaults())
        content = json.dumps([document_sha256, source, values], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def _list_later_defaults(self) -> set[str]:
        """Return the options of later versions that have their defaults: the identities of earlier jobs lack them."""
        fields = type(self).model_fields
        return {name for name in LATER_OPTIONS if getattr(self, name) == fields[name].default}


def _raise_max_tokens(values: dict[str, Any], least: int) -> dict[str, Any]:
    """Return options with a maximum of so many tokens at least, unless they have a maximum."""
    generation = values.get("generation", {})
    if not isinstance(generation, dict) or "max_new_tokens" in generation:
        return values
    return {**values, "generation": {**generation, "max_new_tokens": max(DEFAULTS.max_new_tokens, least)}}


def make_options(**values: object) -> JobOptions:
    """Validate a user's options.

    Raises:
        SettingsError: an option is invalid; the message names it.
    """
    try:
        return JobOptions.model_validate(values)
    except ValidationError as error:
        option, words = describe_first_error(error)
        raise SettingsError(f"{option or 'options'}: {words}") from None
