"""Encoding of prompts to token ids such that a document cannot inject a chat turn.

Control tokens (``<bos>``, ``<start_of_turn>``, …) are recognised only in trusted parts: a mark breaks those of
untrusted ones. The rendered prompt is split at the control tokens that are left, and the text between them is encoded
by a second tokenizer, for which control tokens are ordinary words. For text without them the ids equal those of
``apply_chat_template(tokenize=True)``.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, groupby
from operator import attrgetter
from typing import Any

from jinja2.exceptions import TemplateError
from tokenizers import Tokenizer

from workers.engine.errors import UnsupportedPromptError, UnsupportedSettingError
from workers.generation import Part, Prompt, PromptFormat, Turn

# Private-use characters; the mark is one that the prompt does not contain.
MARKS = tuple(chr(code) for code in range(0xE000, 0xE100))
# Breaks control tokens where no mark can be removed again.
BREAK = " "


class PromptTokenizer:
    """Encodes prompts and decodes completions; every method may be called from any thread.

    Args:
        tokenizer: the weights' own tokenizer, as transformers loads it.
    """

    def __init__(self, tokenizer: Any) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise UnsupportedSettingError("these weights have no tokenizer.json; save them with a fast tokenizer")
        added = tokenizer.backend_tokenizer.get_added_tokens_decoder()
        self._template = tokenizer
        self._control = {token.content: index for index, token in added.items() if token.special}
        self._control_pattern = re.compile("|".join(map(re.escape, sorted(self._control, reverse=True))))
        self._plain = build_plain_tokenizer(tokenizer.backend_tokenizer)
        self.bos: tuple[int, ...] = () if tokenizer.bos_token_id is None else (tokenizer.bos_token_id,)
        self._control_ids = frozenset(self._control.values())
        self._byte_ids = frozenset(self._plain.token_to_id(f"<0x{byte:02X}>") for byte in range(256))

    @property
    def has_chat_template(self) -> bool:
        """Whether the weights have a chat template."""
        return bool(self._template.chat_template)

    def get_control_id(self, token: str) -> int | None:
        """Return the id of a control token, None if the weights lack it."""
        return self._control.get(token)

    def encode_prompt(self, prompt: Prompt) -> list[int]:
        """Return the ids of a whole prompt, control tokens included.

        Raises:
            UnsupportedPromptError: the chat template refuses the turns.
        """
        mark = choose_mark(prompt.text)
        if prompt.format is PromptFormat.CHAT:
            return self._encode_marked(self._render_chat(prompt.turns, mark), mark)
        text = self._join_parts([part for turn in prompt.turns for part in turn.parts], mark)
        return [*self.bos, *self._encode_marked(text, mark)]

    def render_messages(self, prompt: Prompt) -> list[dict[str, str]]:
        """Return the turns as messages for a server that encodes them itself; see ``render_text``."""
        return [{"role": turn.role, "content": self._join_parts(turn.parts, BREAK)} for turn in prompt.turns]

    def render_text(self, prompt: Prompt) -> str:
        """Return the text of a prompt for a server that encodes it itself.

        Control tokens in untrusted parts are broken by a space, because such a server recognises them anywhere.
        """
        return self._join_parts([part for turn in prompt.turns for part in turn.parts], BREAK)

    def encode_plain(self, text: str) -> list[int]:
        """Return the ids of a text in which control tokens are ordinary words."""
        return self._plain.encode(text, add_special_tokens=False).ids

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the ids of a plain text and the characters, start and end, of every token."""
        encoding = self._plain.encode(text, add_special_tokens=False)
        return encoding.ids, encoding.offsets

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a plain text, without any control tokens."""
        # A batch of one: only the batch method skips the offsets of tokens, a third of the work.
        return len(self._plain.encode_batch_fast([text], add_special_tokens=False)[0])

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of generated ids, without control tokens and without NUL, which databases refuse."""
        readable = [token for token in ids if token not in self._control_ids]
        return self._plain.decode(readable, skip_special_tokens=False).replace("\x00", "")

    def decode_settled(self, ids: Sequence[int]) -> str:
        """Return the text of generated ids without single bytes at the end, which further ids may complete."""
        end = len(ids)
        while end and ids[end - 1] in self._byte_ids:
            end -= 1
        return self.decode(ids[:end])

    def _render_chat(self, turns: Iterable[Turn], mark: str) -> str:
        if not self.has_chat_template:
            raise UnsupportedPromptError("these weights have no chat template; use the completion format")
        messages = [{"role": turn.role, "content": self._join_parts(turn.parts, mark)} for turn in turns]
        try:
            return self._template.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except TemplateError as error:
            raise UnsupportedPromptError(f"the weights' chat template refuses this prompt: {error}") from error

    def _join_parts(self, parts: Sequence[Part], mark: str) -> str:
        """Join texts, and break with the mark every control token that is not wholly within one trusted part."""
        text = "".join(part.text for part in parts)
        ends = list(accumulate(len(part.text) for part in parts))

        def break_untrusted(found: re.Match[str]) -> str:
            index = bisect_right(ends, found.start())
            is_trusted = not parts[index].is_untrusted and found.end() <= ends[index]
            return found[0] if is_trusted else found[0][0] + mark + found[0][1:]

        return self._control_pattern.sub(break_untrusted, text)

    def _encode_marked(self, text: str, mark: str) -> list[int]:
        ids: list[int] = []
        start = 0
        for found in self._control_pattern.finditer(text):
            ids += self.encode_plain(text[start : found.start()].replace(mark, ""))
            ids.append(self._control[found[0]])
            start = found.end()
        return ids + self.encode_plain(text[start:].replace(mark, ""))


def build_plain_tokenizer(original: Tokenizer) -> Tokenizer:
    """Return a tokenizer for which control tokens are ordinary words; it shares the large vocabulary."""
    plain = Tokenizer(original.model)
    for part in ("normalizer", "pre_tokenizer", "decoder"):
        if getattr(original, part) is not None:
            setattr(plain, part, getattr(original, part))
    # Added in the order of their ids, so that they get the same ids.
    added = [token for _, token in sorted(original.get_added_tokens_decoder().items())]
    for is_special, tokens in groupby(added, key=attrgetter("special")):
        (plain.add_special_tokens if is_special else plain.add_tokens)(list(tokens))
    plain.encode_special_tokens = True
    return plain


def choose_mark(text: str) -> str:
    """Return a private-use character that the text does not contain.

    Raises:
        UnsupportedPromptError: the text uses every one of them.
    """
    for mark in MARKS:
        if mark not in text:
            return mark
    raise UnsupportedPromptError("the prompt uses every character of a private range; remove those characters")
