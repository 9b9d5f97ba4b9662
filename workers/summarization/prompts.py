"""Prompts: a style's words around a text, as chat turns or as the beginning of a completion.

Everything that we did not write (document text, earlier outputs, a user's examples and template) goes into untrusted
parts, and in chat prompts between tags whose name the text itself does not use, so that it can neither open a turn
nor leave its fence.
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
from workers.summarization.wording import CHAT, COMPLETION, CUSTOM, KINDS, MANNERS, PromptKind, Style

_FIELD = re.compile(r"\{(text|existing)\}")
_FIELDS = {"text": "{text}", "existing": "{existing}"}
_KEPT = {**_FIELDS, "fence": "{fence}"}
_LANGUAGE = re.compile(r"[^\W\d_][^\W\d_ ()-]*(?:[ ()-]+[^\W\d_]+)*\)?")
_FENCE = "document"

# No text is long enough to use the names before this one.
MAX_FENCE = "document-9999999"

# Base weights run on after their answer: the first empty line ends it.
COMPLETION_STOP = ("\n\n",)


@dataclass(frozen=True, slots=True)
class FewShotExample:
    """A text and the summary that a user wants for texts like it."""

    text: str
    summary: str


@dataclass(frozen=True)
class PromptSet:
    """All prompts of a job.

    Args:
        style: how the summary is written.
        format: how the weights want to be prompted.
        language: name of the language to write in, such as ``German``; None writes in the language of the text.
        examples: pairs that a ``few-shot`` prompt shows before the text.
        template: a user's prompt with one ``{text}``, for the style ``custom``.

    Raises:
        PromptError: the style lacks its examples or its template, or has one it does not use.
    """

    style: Style
    format: PromptFormat
    language: str | None = None
    examples: tuple[FewShotExample, ...] = ()
    template: str | None = None

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
        """Identity of the words of all prompts: changed wording, examples or language change it."""
        prompts = [describe_prompt(self._render(kind, _FIELDS, fence=_FENCE)) for kind in KINDS]
        return hashlib.sha256(json.dumps(prompts).encode()).hexdigest()

    def render(self, kind: PromptKind, *, text: str, existing: str | None = None) -> Prompt:
        """Return the prompt of a kind around a text.

        Args:
            kind: what is asked.
            text: a chunk, the whole document, or the outputs to combine.
            existing: the summary so far; for ``refine-next`` and only there.
        """
        if (kind == "refine-next") != (existing is not None):
            raise PromptError(f"an existing summary belongs to refine-next prompts alone, here to {kind}")
        fields = {"text": text, "existing": existing or ""}
        return self._render(kind, fields, fence=name_fence("\n".join(fields.values())))

    def render_frame(self, kind: PromptKind) -> Prompt:
        """Return a prompt around nothing, with the longest fence there can be: what a text's room is measured by."""
        return self._render(kind, {"text": "", "existing": ""}, fence=MAX_FENCE)

    def _render(self, kind: PromptKind, fields: Mapping[str, str], *, fence: str) -> Prompt:
        turns = [turn for example in self.examples for turn in self._show(example)]
        turns.append(Turn("user", tuple(self._fill(kind, fields, fence=fence))))
        stop = COMPLETION_STOP if self.format is PromptFormat.COMPLETION else ()
        return Prompt(turns=tuple(turns), format=self.format, stop=stop)

    def _show(self, example: FewShotExample) -> tuple[Turn, Turn]:
        """Show an example as a finished exchange; in a completion an empty line separates it from what follows."""
        question = tuple(self._fill("map", {"text": example.text}, fence=name_fence(example.text)))
        answer = [Part(example.summary, is_untrusted=True)]
        if self.format is PromptFormat.COMPLETION:
            answer.append(Part("\n\n"))
        return Turn("user", question), Turn("assistant", tuple(answer))

    def _fill(self, kind: PromptKind, fields: Mapping[str, str], *, fence: str) -> Iterator[Part]:
        """Yield the parts of one user turn: our words trusted, everything else not."""
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

    def _find_words(self, kind: PromptKind, fence: str) -> str:
        """Return our words for a kind, with nothing left to fill in but the two texts."""
        is_chat = self.format is PromptFormat.CHAT
        if self.style == "custom":
            return fence_fields(CUSTOM[kind], fence) if is_chat else CUSTOM[kind]
        wording = MANNERS[self.style]
        if is_chat:
            language = f"Write in {self.language}." if self.language else "Write in the language of the text."
            words = CHAT[kind].format(request=wording.request, form=wording.form, language=language, **_KEPT)
            return fence_fields(words, fence)
        cue = f"{wording.cue} in {self.language}" if self.language else wording.cue
        return COMPLETION[kind].format(cue=cue, **_KEPT)


def fence_fields(words: str, fence: str) -> str:
    """Put tags around the two texts, on lines of their own."""
    return _FIELD.sub(rf"<{fence}>\n{{\1}}\n</{fence}>", words).replace("{fence}", fence)


def name_fence(text: str) -> str:
    """Return the first name of a tag that a text neither opens nor closes."""
    lowered = text.lower()
    names = (_FENCE if number == 1 else f"{_FENCE}-{number}" for number in count(1))
    return next(name for name in names if f"<{name}" not in lowered and f"</{name}" not in lowered)


def describe_prompt(prompt: Prompt) -> list[object]:
    """Return a prompt as plain values, the same for equal prompts."""
    turns = [
        {"role": turn.role, "parts": [{"text": part.text, "is_untrusted": part.is_untrusted} for part in turn.parts]}
        for turn in prompt.turns
    ]
    return [*turns, str(prompt.format), list(prompt.stop)]
