"""Control tokens of weights: which ones there are, and the marks around thoughts, which are no part of an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

# Form of a control token, which line breaks and words of a template lack though they may be tokens.
BRACKETED = re.compile(r"[<\[]\S+[>\]]")
# Marks that open and close a thought, of Qwen 3 and of Gemma 4.
THOUGHT_MARKS = (("<think>", "</think>"), ("<|channel>", "<channel|>"))


def find_control_tokens(added: Mapping[int, Any], chat_template: Any) -> dict[str, int]:
    """Return the ids of control tokens by their text.

    They are the special tokens, and others that the chat template or a thought needs, such as ``<think>`` of Qwen 3.

    Args:
        added: tokens beside the vocabulary of words, by id.
        chat_template: a template, or several by name; None for none.
    """
    templates = chat_template.values() if isinstance(chat_template, Mapping) else (chat_template or "",)
    written = "".join(templates)
    marks = {mark for pair in THOUGHT_MARKS for mark in pair}

    def is_control(token: Any) -> bool:
        is_written = BRACKETED.fullmatch(token.content) is not None and token.content in written
        return token.special or token.content in marks or is_written

    return {token.content: index for index, token in added.items() if is_control(token)}


def drop_thoughts(ids: Sequence[int], marks: tuple[int, int], *, prompt_ids: Sequence[int]) -> list[int]:
    """Return the ids outside thoughts; one that never ends takes the rest.

    Args:
        ids: generated ids.
        marks: ids that open and close a thought.
        prompt_ids: the prompt, which may have opened one.
    """
    start, end = marks
    given = [token for token in prompt_ids if token in marks]
    is_thought = given[-1:] == [start]
    kept: list[int] = []
    for token in ids:
        if token == start:
            is_thought = True
        elif token == end:
            # All before it was a thought, whether it was opened or not.
            if not is_thought:
                kept.clear()
            is_thought = False
        elif not is_thought:
            kept.append(token)
    return kept
