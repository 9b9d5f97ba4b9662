"""End of an answer in a chat, as the weights' own template writes it.

Families name it differently (``<end_of_turn>`` in Gemma 1 to 3, ``<turn|>`` in Gemma 4, ``<|im_end|>``, ``</s>``): an
answer is rendered, and the first control token after it is the end.
"""

from __future__ import annotations

from typing import Any

from jinja2.exceptions import TemplateError

# Stands for an answer; letters alone, which templates neither trim nor escape.
ANSWER = "Answer"


def find_turn_end(tokenizer: Any) -> int | None:
    """Return the id of the control token that ends an answer; None without a chat template, or if it writes none.

    Args:
        tokenizer: the weights' tokenizer, as transformers loads it.
    """
    if not tokenizer.chat_template:
        return None
    turns = [{"role": "user", "content": "Question"}, {"role": "assistant", "content": ANSWER}]
    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False)
    except TemplateError:
        return None
    ids = tokenizer(text.rpartition(ANSWER)[2], add_special_tokens=False).input_ids
    control = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    return next((index for index in ids if index in control), None)
