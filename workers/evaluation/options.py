"""How thoroughly a summary is evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from workers.evaluation.errors import OptionsError
from workers.generation import PromptFormat


class QuestionStyle(StrEnum):
    """How questions are asked."""

    AUTO = "auto"  # in words where the weights follow instructions, as cloze where they do not
    CLOZE = "cloze"
    FREE_FORM = "free-form"

    def resolve(self, prompt_format: PromptFormat) -> QuestionStyle:
        """Return the style that suits the weights."""
        if self is not QuestionStyle.AUTO:
            return self
        return QuestionStyle.FREE_FORM if prompt_format is PromptFormat.CHAT else QuestionStyle.CLOZE


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """What an evaluation asks and reads.

    Args:
        questions: most questions about a summary; QAGS uses 10, each costs the engine a few short texts.
        style: how they are asked.
        source_tokens: most tokens of the source that one prompt shows; BM25 chooses them.

    Raises:
        OptionsError: a value is outside its range.
    """

    questions: int = 6
    style: QuestionStyle = QuestionStyle.AUTO
    source_tokens: int = 512

    def __post_init__(self) -> None:
        if self.questions < 1:
            raise OptionsError("questions must be 1 or more")
        if self.source_tokens < 32:
            raise OptionsError("source_tokens must be 32 or more")
