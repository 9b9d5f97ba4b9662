"""Constrained decoding: the tokens that may come next, so that an answer is JSON of a schema, by llguidance.

The grammar is followed token by token, and the mask of a request changes the logits of that request alone. Near its
maximum of tokens an answer is ended: from there on each token is that of a short end, which is found by following the
grammar on a copy. So an answer that fits its maximum at all is always whole.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from llguidance import LLMatcher, LLTokenizer
from tokenizers import Tokenizer

from models.schema_limits import measure_growth, measure_shortest
from workers.engine.errors import UnsupportedPromptError

# Without white space between values: a small network may write it without end.
COMPACT: Any = {"whitespace_flexible": False, "json_allowed_escapes": 'nrt"\\'}
# Tokens that lead to the end of an answer, the best first: within a text, and between values.
SIGNS, SIGNS_BETWEEN = '"]},', '}]",'
# Token that llguidance takes for the end of a sequence; an answer ends with its last bracket, before any such token.
END = 0


class SchemaCompiler:
    """Compiles schemas for one vocabulary; thread-safe.

    Args:
        tokenizer: of the weights.
        vocabulary: number of logits, which may be more than the tokenizer has tokens.
        control_ids: ids that no answer may have.
    """

    def __init__(self, tokenizer: Tokenizer, *, vocabulary: int, control_ids: Collection[int]) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._is_control = np.zeros(vocabulary, bool)
        self._is_control[sorted(control_ids)] = True
        self._lock = threading.Lock()
        self._loaded: LLTokenizer | None = None
        self._compile = lru_cache(maxsize=32)(self._build_matcher)

    def constrain(self, schema: str, max_tokens: int) -> Constraint:
        """Return the constraint of one answer.

        Args:
            schema: JSON text of a resolved schema.
            max_tokens: maximum tokens of the answer.

        Raises:
            UnsupportedPromptError: the schema cannot be kept to; the message says why.
        """
        with self._lock:
            matcher, endings = self._compile(schema)
            return Constraint(matcher.deep_copy(), endings, self._is_control, max_tokens=max_tokens)

    def _build_matcher(self, schema: str) -> tuple[LLMatcher, Endings]:
        if self._loaded is None:
            # Takes seconds with a vocabulary of 262,144, so only a process that needs it does it.
            self._loaded = LLTokenizer(self._tokenizer.to_str(), n_vocab=self._vocabulary, eos_token=END)
        grammar = LLMatcher.grammar_from_json_schema(schema, overrides=COMPACT)
        has_error, messages = LLMatcher.validate_grammar_with_warnings(grammar, self._loaded)
        if has_error:
            raise UnsupportedPromptError(f"answers cannot be kept to the schema: {'; '.join(messages)}")
        parsed = json.loads(schema)
        endings = Endings(
            self._tokenizer,
            vocabulary=self._vocabulary,
            shortest=measure_shortest(parsed),
            growth=measure_growth(parsed),
        )
        return LLMatcher(self._loaded, grammar, log_level=0), endings


def find_token(tokenizer: Tokenizer, sign: str) -> int | None:
    """Return the token of a sign of ASCII, or of its byte; None if the vocabulary has neither."""
    found = tokenizer.token_to_id(sign)
    return tokenizer.token_to_id(f"<0x{ord(sign):02X}>") if found is None else found


class Endings:
    """Finds short ends of answers by one schema.

    Args:
        tokenizer: of the weights.
        vocabulary: number of logits.
        shortest: upper bound of the tokens of a whole shortest answer.
        growth: upper bound of the tokens by which the end of an answer may grow with one token of it.
    """

    def __init__(self, tokenizer: Tokenizer, *, vocabulary: int, shortest: int, growth: int) -> None:
        self._vocabulary = vocabulary
        # Tokens that must be left beyond an end: the next token is chosen freely and may make the end longer.
        self.margin = growth + 1
        # Tokens before the maximum from which on ends are looked for.
        self.zone = shortest + 2 * self.margin
        self._ids = {sign: find_token(tokenizer, sign) for sign in (*SIGNS, "a")}

    def find(self, matcher: LLMatcher) -> list[int] | None:
        """Return tokens that end an answer; None if none are found."""
        matcher, path = matcher.deep_copy(), list[int]()
        while not matcher.is_stopped() and len(path) <= self.zone:
            tokens = matcher.compute_ff_tokens() or [self._choose(matcher)]
            path += tokens
            if not matcher.consume_tokens(tokens):
                return None
        return path if matcher.is_stopped() else None

    def read_mask(self, matcher: LLMatcher) -> np.ndarray:
        """Return for each token (vocabulary,) whether it may come next: 1 or 0."""
        bits = np.frombuffer(matcher.compute_bitmask(), np.uint8)
        return np.unpackbits(bits, count=self._vocabulary, bitorder="little")

    def _choose(self, matcher: LLMatcher) -> int:
        """Return an allowed token that leads to an end."""
        # Within a text, brackets are nothing but signs of it; between values no letter is allowed.
        order = SIGNS if self._is_allowed(matcher, "a") else SIGNS_BETWEEN
        sign = next((sign for sign in order if self._is_allowed(matcher, sign)), None)
        found = None if sign is None else self._ids[sign]
        return int(np.flatnonzero(self.read_mask(matcher))[0]) if found is None else found

    def _is_allowed(self, matcher: LLMatcher, sign: str) -> bool:
        token = self._ids[sign]
        # Much faster than a mask of the whole vocabulary.
        return token is not None and matcher.validate_tokens([token]) == 1


class Constraint:
    """Constraint of one answer, at its place in the grammar.

    Args:
        matcher: follows the grammar from the beginning of the answer.
        endings: finds its ends.
        is_control: for each token (vocabulary,) whether it is a control token, which an answer may not have.
        max_tokens: its maximum tokens.
    """

    def __init__(self, matcher: LLMatcher, endings: Endings, is_control: np.ndarray, *, max_tokens: int) -> None:
        self._matcher = matcher
        self._endings = endings
        self._is_control = is_control
        self._left = max_tokens
        # Tokens left at which an end is looked for again.
        self._checked_at = max_tokens
        # Whether the maximum has ended the answer.
        self.is_shortened = False

    @property
    def has_ended(self) -> bool:
        """Whether nothing may follow."""
        return bool(self._matcher.is_stopped())

    @property
    def is_complete(self) -> bool:
        """Whether the answer is whole and says all that it was going to."""
        return self.has_ended and not self._matcher.is_error() and not self.is_shortened

    def restrict_proposal(self, proposed: Sequence[int], *, limit: int) -> list[int]:
        """Return speculative tokens: those that the schema leaves no choice of, or else the proposed that it allows.

        None near the maximum, and none that end the answer.
        """
        if self._left - limit <= self._endings.zone:
            return []
        tokens = list(self._matcher.compute_ff_tokens()[:limit]) or list(proposed)
        tokens = tokens[: self._matcher.validate_tokens(tokens)]
        self._matcher.consume_tokens(tokens)
        is_end = self._matcher.is_stopped()
        self._matcher.rollback(len(tokens))
        return tokens[:-1] if is_end else tokens

    def compute_masks(self, proposed: Sequence[int]) -> torch.Tensor:
        """Return the tokens that may not come next and after each speculative one, bool (rows, vocabulary)."""
        path = self._find_ending()
        if path:
            self.is_shortened = True
            mask = np.ones_like(self._is_control)
            mask[path[0]] = False
            return torch.from_numpy(mask[None])
        masks = [self._read_forbidden()]
        for token in proposed:
            self._matcher.consume_token(token)
            masks.append(self._read_forbidden())
        self._matcher.rollback(len(proposed))
        return torch.from_numpy(np.stack(masks))

    def record_tokens(self, tokens: Sequence[int]) -> None:
        """Follow the tokens of a step."""
        self._left -= len(tokens)
        self._matcher.consume_tokens(list(tokens))

    def _find_ending(self) -> list[int] | None:
        """Return the tokens of a short end, if no other token may come before it."""
        if self._left > min(self._endings.zone, self._checked_at):
            return None
        path = self._endings.find(self._matcher)
        if path is None:
            return None
        spare = self._left - len(path) - self._endings.margin
        # So many tokens, each with the largest growth of the end, leave room for it.
        self._checked_at = self._left - max(spare // self._endings.margin, 0) - 1
        return path if spare <= 0 else None

    def _read_forbidden(self) -> np.ndarray:
        allowed = self._endings.read_mask(self._matcher)
        if self._matcher.is_error():
            # As where a grammar grows too large: the request ends after this step, and its answer is not valid.
            return np.zeros_like(self._is_control)
        return (allowed == 0) | self._is_control
