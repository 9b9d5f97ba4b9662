"""Encoding of prompts to token ids such that a document cannot inject a chat turn.

Control tokens (``<bos>``, ``<start_of_turn>``, ``<|turn>``, …) are recognised only in trusted parts: a mark breaks
those of untrusted ones. The rendered prompt is split at the control tokens that are left, and the text between them is
encoded by a second tokenizer, for which control tokens are ordinary words. For text without them the ids equal those of
``apply_chat_template(tokenize=True)``.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Container, Iterable, Sequence
from functools import cached_property
from itertools import accumulate, groupby
from typing import Any

from jinja2.exceptions import TemplateError
from tokenizers import Tokenizer

from workers.engine.control_tokens import THOUGHT_MARKS, drop_thoughts, find_control_tokens
from workers.engine.errors import UnsupportedPromptError, UnsupportedSettingError
from workers.generation import Part, Prompt, PromptFormat, Turn, merge_system_turn

# Private-use characters; the mark is one that the prompt does not contain.
MARKS = tuple(chr(code) for code in range(0xE000, 0xE100))
# Breaks control tokens where no mark can be removed again.
BREAK = " "
# Message that shows where a chat template puts a turn.
PROBE = "Where does this stand?"


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
        self._control = find_control_tokens(added, tokenizer.chat_template)
        self._control_pattern = re.compile("|".join(map(re.escape, sorted(self._control, reverse=True))))
        self._plain = build_plain_tokenizer(tokenizer.backend_tokenizer, self._control)
        self.bos: tuple[int, ...] = () if tokenizer.bos_token_id is None else (tokenizer.bos_token_id,)
        self._control_ids = frozenset(self._control.values())
        self._byte_ids = frozenset(self._plain.token_to_id(f"<0x{byte:02X}>") for byte in range(256))
        marks = ((self._control.get(start), self._control.get(end)) for start, end in THOUGHT_MARKS)
        self._thought_marks = [(start, end) for start, end in marks if start is not None and end is not None]

    @property
    def backend(self) -> Tokenizer:
        """The weights' own tokenizer, with its control tokens."""
        backend: Tokenizer = self._template.backend_tokenizer
        return backend

    @property
    def control_ids(self) -> frozenset[int]:
        """Ids of the control tokens."""
        return self._control_ids

    @property
    def has_chat_template(self) -> bool:
        """Whether the weights have a chat template."""
        return bool(self._template.chat_template)

    @cached_property
    def has_system_role(self) -> bool:
        """Whether the chat template has a place for a system message."""
        try:
            return PROBE in self._apply_template([("system", PROBE), ("user", "?")])
        except TemplateError:
            return False

    @cached_property
    def turn_end(self) -> int | None:
        """Id of the control token that the chat template puts after an answer; None if it puts none."""
        if not self.has_chat_template:
            return None
        try:
            text = self._apply_template([("user", PROBE), ("assistant", PROBE)], is_answered=True)
        except TemplateError:
            return None
        found = self._control_pattern.match(text.rpartition(PROBE)[2].lstrip())
        return None if found is None else self._control[found[0]]

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
        text = self._join_parts([part for turn in merge_system_turn(prompt.turns) for part in turn.parts], mark)
        return [*self.bos, *self._encode_marked(text, mark)]

    def render_messages(self, prompt: Prompt) -> list[dict[str, str]]:
        """Return the turns as messages for a server that encodes them itself; see ``render_text``."""
        turns = prompt.turns if self.has_system_role else merge_system_turn(prompt.turns)
        return [{"role": turn.role, "content": self._join_parts(turn.parts, BREAK)} for turn in turns]

    def render_text(self, prompt: Prompt) -> str:
        """Return the text of a prompt for a server that encodes it itself.

        Control tokens in untrusted parts are broken by a space, because such a server recognises them anywhere.
        """
        return self._join_parts([part for turn in merge_system_turn(prompt.turns) for part in turn.parts], BREAK)

    def encode_plain(self, text: str) -> list[int]:
        """Return the ids of a text in which control tokens are ordinary words."""
        return self._plain.encode(text, add_special_tokens=False).ids

    def encode_continuations(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of plain texts that are scored after a prompt.

        Raises:
            ValueError: a text is empty.
        """
        encoded = [self.encode_plain(text) for text in texts]
        if not all(encoded):
            raise ValueError("a continuation is empty; score only texts that have at least one token")
        return encoded

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

    def decode_answer(self, ids: Sequence[int], *, prompt_ids: Sequence[int], is_settled: bool = True) -> str:
        """Return the text of generated ids without thoughts.

        Args:
            ids: the generated ids.
            prompt_ids: the prompt.
            is_settled: whether the generation has ended; else single bytes at the end, which further ids may complete,
                are left out.
        """
        end = len(ids)
        while not is_settled and end and ids[end - 1] in self._byte_ids:
            end -= 1
        kept = ids[:end]
        for marks in self._thought_marks:
            kept = drop_thoughts(kept, marks, prompt_ids=prompt_ids)
        text = self.decode(kept)
        # Line breaks that separate the answer from the thought.
        return text.lstrip() if len(kept) < end and self._has_thought(ids[:end]) else text

    def _has_thought(self, ids: Sequence[int]) -> bool:
        return any(mark in ids for marks in self._thought_marks for mark in marks)

    def _render_chat(self, turns: Sequence[Turn], mark: str) -> str:
        if not self.has_chat_template:
            raise UnsupportedPromptError("these weights have no chat template; use the completion format")
        turns = turns if self.has_system_role else merge_system_turn(turns)
        try:
            return self._apply_template([(turn.role, self._join_parts(turn.parts, mark)) for turn in turns])
        except TemplateError as error:
            raise UnsupportedPromptError(f"the weights' chat template refuses this prompt: {error}") from error

    def _apply_template(self, messages: Iterable[tuple[str, str]], *, is_answered: bool = False) -> str:
        """Return messages, each a role and a text, in the chat template, without thinking where that is an option."""
        text: str = self._template.apply_chat_template(
            [{"role": role, "content": content} for role, content in messages],
            tokenize=False,
            add_generation_prompt=not is_answered,
            enable_thinking=False,
        )
        return text

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


def build_plain_tokenizer(original: Tokenizer, control: Container[str]) -> Tokenizer:
    """Return a tokenizer for which control tokens are ordinary words; it shares the large vocabulary."""
    plain = Tokenizer(original.model)
    for part in ("normalizer", "pre_tokenizer", "decoder"):
        if getattr(original, part) is not None:
            setattr(plain, part, getattr(original, part))
    # Added in the order of their ids, so that they get the same ids.
    added = [token for _, token in sorted(original.get_added_tokens_decoder().items())]
    for is_special, tokens in groupby(added, key=lambda token: token.content in control):
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
