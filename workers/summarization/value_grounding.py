"""Grounding of structured answers: every value is verified against the source, as the sentences of prose are.

A text of several words is prose: under ``strict`` its sentences are verified, quoted or dropped. A shorter one and a
number must be in the source; under ``strict`` one that is not is left out where the schema allows that, and flagged
where it does not. Choices, booleans and dates in words of their own are judgements, which nothing can look up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from workers.evaluation.verification import SourceText
from workers.summarization.grounded import GroundedAnswer, GroundedSentence
from workers.summarization.grounding import Grounding, ground_answer
from workers.summarization.lengths import count_words
from workers.summarization.structured import Json, find_fault, render_json

# Words from which on a text is prose, whose sentences are verified one by one.
PROSE_WORDS = 5
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?")
_DROPPED = object()


@dataclass(slots=True)
class GroundedValues:
    """Structured answer after grounding.

    Args:
        data: the data to keep.
        text: them as JSON text.
        sentences: sentences and values, with their offsets in the text.
        replaced: number of sentences that the source did not bear out.
        dropped: names of the fields with values that were left out.
        flagged: names of the fields with values that the source does not bear out.
        unchecked: names of the fields that nothing verifies.
        language: language of the source, if the answer is in another one.
    """

    data: Json = field(default_factory=dict)
    text: str = ""
    sentences: tuple[GroundedSentence, ...] = ()
    replaced: int = 0
    dropped: list[str] = field(default_factory=list)
    flagged: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    language: str | None = None


def ground_values(
    data: Json, schema: Json, source: SourceText | None, *, mode: Grounding, language: str | None, text: str
) -> GroundedValues:
    """Verify the values of a structured answer, and under ``strict`` replace or leave out what its source does not say.

    Args:
        data: the answer, valid by the schema.
        schema: the resolved schema.
        source: text that it must follow from; needed unless the mode is ``off``.
        mode: ``strict``, ``flag`` or ``off``.
        language: English name of the language that was asked for; None for that of the source.
        text: JSON text of the schema.
    """
    for tried in dict.fromkeys((mode, "flag" if mode == "strict" else mode)):
        grounder = _ValueGrounder(source, tried, language)
        grounder.result.data = grounder.ground(data, schema, "")
        # A bound that spans several values, such as a pattern beside a length, may refuse what took their place.
        if find_fault(grounder.result.data, text) is None:
            break
    return grounder.finish()


class _ValueGrounder:
    def __init__(self, source: SourceText | None, mode: Grounding, language: str | None) -> None:
        self._source = source
        self._mode = mode
        self._language = language
        self._verdicts: list[tuple[GroundedSentence, ...]] = []
        self.result = GroundedValues()

    def ground(self, value: Any, schema: Json, name: str, *, can_drop: bool = False) -> Any:
        """Return a value with what the source bears out; ``_DROPPED`` if that is nothing and it can be left out."""
        branch = find_branch(schema, value)
        match value:
            case dict():
                return self._ground_object(value, branch, name)
            case list():
                return self._ground_list(value, branch, name)
            case str() if "enum" not in branch:
                return self._ground_text(value, schema, branch, name, can_drop=can_drop)
            case int() | float() if not isinstance(value, bool) and "enum" not in branch:
                return self._keep(value, schema, name, self._look_up(value), can_drop=can_drop)
        if value is not None:
            self.result.unchecked.append(name)
        self._verdicts.append(())
        return value

    def _ground_object(self, value: Json, branch: Json, name: str) -> Json:
        required = branch.get("required", ())
        found = {
            key: self.ground(
                inner, branch["properties"][key], f"{name}.{key}" if name else key, can_drop=key not in required
            )
            for key, inner in value.items()
        }
        return {key: inner for key, inner in found.items() if inner is not _DROPPED}

    def _ground_list(self, value: list[Any], branch: Json, name: str) -> list[Any]:
        spare = len(value) - branch.get("minItems", 0)
        kept: list[Any] = []
        for entry in value:
            # A list that says the same twice, or nothing, says no more with it.
            is_idle = entry in kept or (isinstance(entry, str) and not entry.strip())
            found = _DROPPED if is_idle and spare > 0 else self.ground(entry, branch["items"], name, can_drop=spare > 0)
            if found is _DROPPED:
                spare -= 1
            else:
                kept.append(found)
        return kept

    def _ground_text(self, text: str, schema: Json, branch: Json, name: str, *, can_drop: bool) -> Any:
        is_prose = count_words(text) >= PROSE_WORDS
        is_free = "pattern" not in branch and "format" not in branch
        if self._mode == "strict" and is_prose and is_free:
            grounded = limit_answer(self._ground_prose(text, "strict"), branch)
            if grounded is not None:
                self.result.replaced += grounded.replaced
                self._verdicts.append(grounded.sentences)
                return grounded.text
        return self._keep(text, schema, name, self._ground_prose(text, "flag"), can_drop=can_drop)

    def _ground_prose(self, text: str, mode: Grounding) -> GroundedAnswer:
        if self._mode == "off":
            mode = "off"
        grounded = ground_answer(text, self._source, mode=mode, language=self._language, is_value=True)
        self.result.language = self.result.language or grounded.language
        return grounded

    def _keep(self, value: Any, schema: Json, name: str, grounded: GroundedAnswer, *, can_drop: bool) -> Any:
        """Return a value as it is, or leave it out under ``strict`` if the source does not bear it out."""
        is_false = any(sentence.kind == "flagged" for sentence in grounded.sentences)
        if is_false and self._mode == "strict" and grounded.language is None:
            is_nullable = find_branch(schema, None).get("type") == "null"
            if can_drop or is_nullable:
                self.result.dropped.append(name)
                if can_drop:
                    return _DROPPED
                self._verdicts.append(())
                return None
        if is_false:
            self.result.flagged.append(name)
        self._verdicts.append(grounded.sentences)
        return value

    def _look_up(self, number: float) -> GroundedAnswer:
        """Return the verdict on a number: verified with the sentence of the source that has it."""
        text = str(number)
        if self._mode == "off" or self._source is None:
            return GroundedAnswer(text, (GroundedSentence(0, len(text), "unchecked"),), 0)
        for sentence in self._source.sentences:
            if any(abs(found - number) < 1e-9 for found in read_numbers(sentence.text)):
                span = (sentence.start, sentence.end)
                return GroundedAnswer(text, (GroundedSentence(0, len(text), "verified", 1.0, None, (span,)),), 0)
        reason = f"the document has no {text}"
        return GroundedAnswer(text, (GroundedSentence(0, len(text), "flagged", None, reason),), 1)

    def finish(self) -> GroundedValues:
        """Return the result with its text, and with the sentences where they stand in it."""
        result = self.result
        result.text, values = render_json(result.data)
        result.sentences = tuple(
            replace(sentence, start=value.find_offset(sentence.start), end=value.find_offset(sentence.end))
            for value, verdicts in zip(values, self._verdicts, strict=True)
            for sentence in verdicts
        )
        return result


def limit_answer(grounded: GroundedAnswer, branch: Json) -> GroundedAnswer | None:
    """Return a grounded text without the sentences beyond the bounds of its field; None if nothing is left."""
    most = branch.get("maxLength")
    sentences = grounded.sentences
    text = grounded.text
    while most is not None and len(text) > most and sentences:
        sentences = sentences[:-1]
        text = text[: sentences[-1].end] if sentences else ""
    if not sentences or len(text) < branch.get("minLength", 0):
        return None
    return replace(grounded, text=text, sentences=sentences)


def read_numbers(text: str) -> Iterator[float]:
    """Yield the numbers that a text has in digits."""
    for found in _NUMBER.finditer(text):
        yield float(found[0].replace(",", ""))


def find_branch(schema: Json, value: Any) -> Json:
    """Return the alternative of a resolved schema that a value is of; an empty one if it is of none."""
    for branch in _list_branches(schema):
        if "enum" in branch:
            if any(choice == value and type(choice) is type(value) for choice in branch["enum"]):
                return branch if value is not None else {"type": "null"}
        elif _is_of_type(value, branch["type"]) and _has_properties(value, branch):
            return branch
    return {}


def _list_branches(schema: Json) -> Iterator[Json]:
    if "anyOf" in schema:
        for branch in schema["anyOf"]:
            yield from _list_branches(branch)
    elif isinstance(schema.get("type"), list):
        yield from (schema | {"type": kind} for kind in schema["type"])
    else:
        yield schema


def _has_properties(value: Any, branch: Json) -> bool:
    """Return whether an object has the properties of an alternative; of several objects only one may fit."""
    if not isinstance(value, Mapping):
        return True
    return value.keys() <= branch["properties"].keys() and value.keys() >= set(branch.get("required", ()))


def _is_of_type(value: Any, kind: str) -> bool:
    match value:
        case None:
            return kind == "null"
        case bool():
            return kind == "boolean"
        case int():
            return kind in ("integer", "number")
        case float():
            return kind == "number" or (kind == "integer" and value.is_integer())
        case str():
            return kind == "string"
        case Mapping():
            return kind == "object"
    return kind == "array"
