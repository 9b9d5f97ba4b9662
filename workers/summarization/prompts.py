"""Prompts: a style's wording around a text, as chat turns or as the beginning of a completion.

All text from outside (documents, earlier outputs, a user's examples and template) goes into untrusted parts, in chat
prompts between tags whose name does not occur in it, so that it can neither open a turn nor close its fence.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count

from workers.generation import Part, Prompt, PromptFormat, Turn
from workers.summarization.errors import PromptError
from workers.summarization.wording import (
    CHAT,
    COMPLETION,
    CUSTOM,
    FINAL_KINDS,
    KINDS,
    LENGTH_REQUEST,
    LENGTH_RULE,
    STRUCTURED_CHAT,
    STRUCTURED_COMPLETION,
    STRUCTURED_CUSTOM,
    STRUCTURED_MANNERS,
    STYLE_WORDINGS,
    PromptKind,
    Style,
)

_FIELD = re.compile(r"\{(text|existing|fields)\}")
_FENCED = re.compile(r"\{(text|existing)\}")
_FIELDS = {"text": "{text}", "existing": "{existing}"}
_KEPT = {**_FIELDS, "fence": "{fence}", "fields": "{fields}"}
_LANGUAGE = re.compile(r"[^\W\d_][^\W\d_ ()-]*(?:[ ()-]+[^\W\d_]+)*\)?")
_FENCE = "document"

# Longest fence name that can occur: no text is long enough to contain all shorter ones.
MAX_FENCE = "document-9999999"

# Base weights continue after their answer; the first empty line ends it.
COMPLETION_STOP = ("\n\n",)


@dataclass(frozen=True, slots=True)
class FewShotExample:
    """Pair of a text and its summary, given by the user."""

    text: str
    summary: str


@dataclass(frozen=True, slots=True)
class AnswerSchema:
    """JSON that answers must be.

    Args:
        text: JSON Schema that the engine keeps to.
        fields: its fields in words, for the prompt.
    """

    text: str
    fields: str


@dataclass(frozen=True)
class PromptSet:
    """All prompts of a job.

    Args:
        style: style of the summary.
        format: prompt format of the weights, chat or completion.
        language: name of the output language, such as ``German``; None means the language of the text.
        examples: pairs before the text, for the style ``few-shot``.
        template: a user's prompt with one ``{text}``, for the style ``custom``.
        words: requested length of the summary; a template says its own.
        schema: JSON that every answer must be; None for prose.

    Raises:
        PromptError: examples or template are missing, or belong to another style.
    """

    style: Style
    format: PromptFormat
    language: str | None = None
    examples: tuple[FewShotExample, ...] = ()
    template: str | None = None
    words: int | None = None
    schema: AnswerSchema | None = None

    def __post_init__(self) -> None:
        if (self.style == "few-shot") != bool(self.examples):
            raise PromptError("examples and the style few-shot belong together: give both or neither")
        if (self.style == "custom") != (self.template is not None):
            raise PromptError("a prompt template and the style custom belong together: give both or neither")
        if self.template is not None and self.template.count("{text}") != 1:
            raise PromptError("the prompt template must have {text} exactly once, where the document goes")

        if self.style == "custom" and self.language is not None:
            raise PromptError("say the language in the prompt template itself instead of giving it as an option")
        if self.language is not None and not _LANGUAGE.fullmatch(self.language):
            raise PromptError(f"{self.language!r} is not the name of a language: give one such as German")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the words of all prompts; changes with the wording, the examples and the language."""
        prompts = [describe_prompt(self._render(kind, _FIELDS, fence=_FENCE)) for kind in KINDS]
        return hashlib.sha256(json.dumps(prompts).encode()).hexdigest()

    def render(self, kind: PromptKind, *, text: str, existing: str | None = None) -> Prompt:
        """Return the prompt of a kind around a text.

        Args:
            kind: kind of the prompt.
            text: a chunk, the whole document, or the outputs to combine.
            existing: the summary so far, for ``refine-next`` alone.
        """
        if (kind == "refine-next") != (existing is not None):
            raise PromptError(f"an existing summary belongs to refine-next prompts alone, here to {kind}")
        fields = {"text": text, "existing": existing or ""}
        return self._render(kind, fields, fence=name_fence("\n".join(fields.values())))

    def render_frame(self, kind: PromptKind) -> Prompt:
        """Return a prompt around empty texts with the longest fence; its size bounds the frame of any prompt."""
        return self._render(kind, {"text": "", "existing": ""}, fence=MAX_FENCE)

    def _render(self, kind: PromptKind, fields: Mapping[str, str], *, fence: str) -> Prompt:
        turns = [turn for example in self.examples for turn in self._show(example)]
        turns.append(Turn("user", tuple(self._fill(kind, fields, fence=fence))))
        if self.schema is not None:
            return Prompt(turns=tuple(turns), format=self.format, schema=self.schema.text)
        stop = COMPLETION_STOP if self.format is PromptFormat.COMPLETION else ()
        return Prompt(turns=tuple(turns), format=self.format, stop=stop)

    def _show(self, example: FewShotExample) -> tuple[Turn, Turn]:
        """Render an example as a finished exchange; in a completion an empty line ends it."""
        question = tuple(self._fill("map", {"text": example.text}, fence=name_fence(example.text)))
        answer = [Part(example.summary, is_untrusted=True)]
        if self.format is PromptFormat.COMPLETION:
            answer.append(Part("\n\n"))
        return Turn("user", question), Turn("assistant", tuple(answer))

    def _fill(self, kind: PromptKind, fields: Mapping[str, str], *, fence: str) -> Iterator[Part]:
        """Yield the parts of one user turn; only the built-in wording is trusted."""
        listed = "" if self.schema is None else self.schema.fields
        fields = {**fields, "fields": listed}
        before, _, after = (self.template or "{text}").partition("{text}")
        if before:
            yield Part(before, is_untrusted=True)
        for position, piece in enumerate(_FIELD.split(self._find_words(kind, fence))):
            if position % 2:
                yield Part(fields[piece], is_untrusted=True)
            elif piece:
                yield Part(piece)
        if after:
            yield Part(after, is_untrusted=True)
        if listed and self.style == "custom":
            yield from (Part(STRUCTURED_CUSTOM), Part(listed, is_untrusted=True))

    def _find_words(self, kind: PromptKind, fence: str) -> str:
        """Return the wording of a kind, with only the texts and the fields of a schema left to fill."""
        is_chat = self.format is PromptFormat.CHAT
        if self.style == "custom":
            return fence_fields(CUSTOM[kind], fence) if is_chat else CUSTOM[kind]
        if self.schema is not None:
            return self._find_structured(kind, fence)
        wording = STYLE_WORDINGS[self.style]
        is_limited = self.words is not None and kind in FINAL_KINDS
        if is_chat:
            language = self._ask_language()
            length = LENGTH_RULE.format(words=self.words) if is_limited else ""
            request = (
                LENGTH_REQUEST.format(words=self.words) if is_limited and self.style == "news" else wording.request
            )
            words = CHAT[kind].format(request=request, form=wording.form, length=length, language=language, **_KEPT)
            return fence_fields(words, fence)
        cue = f"{wording.cue} in {self.language}" if self.language else wording.cue
        cue = f"{cue} {LENGTH_REQUEST.format(words=self.words)}" if is_limited else cue
        return COMPLETION[kind].format(cue=cue, **_KEPT)

    def _find_structured(self, kind: PromptKind, fence: str) -> str:
        """Return the wording of a kind that asks for JSON."""
        if self.format is PromptFormat.CHAT:
            manner, language = STRUCTURED_MANNERS[self.style], self._ask_language()
            return fence_fields(STRUCTURED_CHAT[kind].format(manner=manner, language=language, **_KEPT), fence)
        cue = STYLE_WORDINGS[self.style].cue
        cue = f"{cue} in {self.language}" if self.language else cue
        return STRUCTURED_COMPLETION[kind].format(cue=cue, **_KEPT)

    def _ask_language(self) -> str:
        return f"Write in {self.language}." if self.language else "Write in the language of the text."


def fence_fields(words: str, fence: str) -> str:
    """Enclose the fields of the two texts in tags, on lines of their own."""
    return _FENCED.sub(rf"<{fence}>\n{{\1}}\n</{fence}>", words).replace("{fence}", fence)


def name_fence(text: str) -> str:
    """Return the first tag name that the text neither opens nor closes."""
    lowered = text.lower()
    names = (_FENCE if number == 1 else f"{_FENCE}-{number}" for number in count(1))
    return next(name for name in names if f"<{name}" not in lowered and f"</{name}" not in lowered)


def describe_prompt(prompt: Prompt) -> list[object]:
    """Return a prompt as JSON values, for hashing."""
    turns = [
        {"role": turn.role, "parts": [{"text": part.text, "is_untrusted": part.is_untrusted} for part in turn.parts]}
        for turn in prompt.turns
    ]
    # Prompts for prose keep the hashes that they had before there were schemas.
    return [*turns, str(prompt.format), list(prompt.stop), *([] if prompt.schema is None else [prompt.schema])]
