"""The prompts of free-form questions and answers, for instruct weights."""

from __future__ import annotations

from workers.evaluation.answers import UNANSWERABLE
from workers.generation import GenerationParams, Part, Prompt, Turn

# A question or an answer is one short line.
SHORT_LINE = GenerationParams(do_sample=False, max_new_tokens=48)


def ask_for(answer: str, text: str) -> Prompt:
    """Return the prompt that asks for a question with a given answer."""
    return _build_prompt(
        "Write one question that the following text answers. The answer must be exactly: ",
        Part(answer, is_untrusted=True),
        "\n\nText:\n",
        Part(text, is_untrusted=True),
        "\n\nWrite the question alone.",
    )


def answer_from(text: str, question: str) -> Prompt:
    """Return the prompt that asks for the answer that a text gives."""
    return _build_prompt(
        "Answer the question with a few words of the following text. "
        f"If the text does not say it, write: {UNANSWERABLE}\n\nText:\n",
        Part(text, is_untrusted=True),
        "\n\nQuestion: ",
        Part(question, is_untrusted=True),
        "\nWrite the answer alone.",
    )


def _build_prompt(*pieces: str | Part) -> Prompt:
    parts = tuple(Part(piece) if isinstance(piece, str) else piece for piece in pieces)
    return Prompt((Turn("user", parts),))
