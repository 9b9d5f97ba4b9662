"""Many short texts scored behind one prompt, in the order that wastes least."""

from __future__ import annotations

from collections.abc import Iterable

from workers.evaluation.conditioning import continue_with
from workers.generation import Prompt, TextGenerator


def score_texts(generator: TextGenerator, prompt: Prompt, texts: Iterable[str]) -> dict[str, float]:
    """Return the log-probability of each text behind the prompt; what does not fit the context there has none.

    The engine pads what it scores together to one length, so texts of like length go side by side.
    """
    room = generator.context_tokens - generator.count_prompt_tokens(prompt)
    ordered = {text: continue_with(text, prompt.format) for text in sorted(set(texts), key=len)}
    fitting = {text: behind for text, behind in ordered.items() if generator.count_tokens(behind) <= room}
    scores = generator.score_continuations(prompt, list(fitting.values())) if fitting else []
    return dict(zip(fitting, scores, strict=True))
