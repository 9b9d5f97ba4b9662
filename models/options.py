"""Options of a job: given to ``gistmill submit`` and stored in the job's row."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.errors import SettingsError

Strategy = Literal["auto", "stuff", "map-reduce", "refine"]
Style = Literal["auto", "technical", "eli5", "news", "few-shot", "custom"]
Splitter = Literal["auto", "headers", "character", "recursive", "tokens"]

# The same as in workers.summarization.prompts and planning (a test compares them).
LANGUAGE = re.compile(r"[^\W\d_][^\W\d_ ()-]*(?:[ ()-]+[^\W\d_]+)*\)?")
DEFAULT_CHUNK_TOKENS = 1000


class GenerationOptions(BaseModel):
    """Sampling parameters; the defaults sample conservatively, the bounds are the engines'."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    do_sample: bool = True
    temperature: float = Field(0.1, ge=0.01, le=10)
    top_k: int = Field(20, ge=0, le=1_000_000)
    top_p: float = Field(0.3, gt=0, le=1)
    num_beams: int = Field(1, ge=1, le=32)
    max_new_tokens: int = Field(512, ge=1, le=1_000_000)
    repetition_penalty: float = Field(1.0, ge=0.1, le=10)
    # Range of a signed 64-bit integer.
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)


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
    generation: GenerationOptions = GenerationOptions()
    weights: str = "default"
    # None: reuse finished steps if the parameters are deterministic.
    cache: bool | None = None
    # Measure whether the summary is consistent with its document.
    check: bool = False
    # Minimum consistency: a summary below it is generated once more, then marked for review. Implies ``check``.
    gate: float | None = Field(None, gt=0, lt=1)

    @property
    def is_checked(self) -> bool:
        """True if the summary is to be checked."""
        return self.check or self.gate is not None

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

    def identify(self, document_sha256: str, source: str) -> str:
        """Return a job's identity: SHA-256 over document, source and options, as 64 hex digits."""
        content = json.dumps([document_sha256, source, self.model_dump(mode="json")], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


def make_options(**values: object) -> JobOptions:
    """Validate a user's options.

    Raises:
        SettingsError: an option is invalid; the message names it.
    """
    try:
        return JobOptions.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(str(part) for part in first["loc"]) or "options"
        raise SettingsError(f"{option}: {first['msg'].removeprefix('Value error, ')}") from None
