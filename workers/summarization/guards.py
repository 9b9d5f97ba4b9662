"""Guards: what can be wrong with an answer, found without asking any weights.

A guard that fires makes the step run again with changed parameters (``retries``). If it still fires after the last
try, the best text is kept with its marks, and each mark makes the job partial. An empty answer is never kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from workers.generation import FinishReason, Prompt
from workers.summarization.echo import repeats_instructions, repeats_source
from workers.summarization.languages import detect_language, find_language
from workers.summarization.repetition import has_loop
from workers.summarization.scaffolding import list_instructions, remove_scaffolding

Guard = Literal["empty", "cut", "too-long", "repetition", "echo", "refusal", "language"]

# A summary of less text than this may be longer than it: a heading and a link say little in many words.
MIN_SOURCE_CHARACTERS = 200

# How bad each is, to choose between tries that all failed: a text that says too much beats one that says nothing.
_WEIGHTS: Mapping[Guard, int] = {
    "cut": 1,
    "too-long": 2,
    "language": 3,
    "repetition": 4,
    "echo": 5,
    "refusal": 6,
    "empty": 100,
}
_NOT_ABLE = (
    r"(?:cannot|can['\u2019]t|can not|could not|couldn['\u2019]t|do not have|don['\u2019]t have"
    r"|(?:am|are) (?:unable|not able)|(?:do not|don['\u2019]t) see (?:any|a|the) (?:text|document|article))"
)
_NOT_GIVEN = (
    r"(?:have not|haven['\u2019]t|did not|didn['\u2019]t|forgot to) "
    r"(?:provided?|included?|shared?|given?|pasted?|attach(?:ed)?) (?:me (?:with )?)?(?:a|any|anything|the|your)"
)
_TEXT = r"(?:text|document|article|content|passage)"
# What weights say instead of a summary. What a text lacks besides words ("contains no numbers") may well be one.
_REFUSAL = re.compile(
    r"\A\W*(?:(?:unfortunately|sorry|it (?:seems|looks|appears)(?: like| that)?),? (?:but )?)?(?:"
    r"(?:i['\u2019]m|i am|we are) (?:(?:very |so )?sorry|unable|not able|afraid)"
    rf"|i apologi[sz]e|(?:my|our) apologies|(?:i|we) {_NOT_ABLE}|you {_NOT_GIVEN}"
    r"|as an? (?:ai|language model)|please (?:provide|share|paste)"
    r"|let me know (?:if|whether|what|how) you|i hope (?:this|that|it) helps"
    rf"|there (?:is|was|are) no {_TEXT}s? (?:provided|given|here|to summari[sz]e)"
    rf"|(?:no {_TEXT} (?:was|has been|is)|the {_TEXT} (?:was|has) not(?: been)?) (?:provided|given|included|attached)"
    rf"|the (?:provided |given )?{_TEXT}(?: (?:that )?you (?:have )?(?:provided|gave|shared))? "
    rf"(?:is (?:empty|blank|missing)|(?:contains|has) no (?:text|content|words))"
    r")\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?\u3002\uff01\uff1f][\"'\u201d\u2019)\]*_]*(?=\s|\Z)|[\u3002\uff01\uff1f]|\n")


@dataclass(frozen=True, slots=True)
class Mark:
    """A guard that fired.

    Args:
        guard: its name.
        words: what is wrong, for people.
    """

    guard: Guard
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer after the guards.

    Args:
        text: the answer without scaffolding; empty if nothing is left.
        marks: what is wrong with it.
    """

    text: str
    marks: tuple[Mark, ...]

    @property
    def is_clean(self) -> bool:
        """Whether the answer can be used as it is, without another try."""
        return not self.marks

    @property
    def is_usable(self) -> bool:
        """Whether there is a text at all: a step without one has failed."""
        return bool(self.text)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is wrong, in words for people."""
        return tuple(mark.words for mark in self.marks)


def check_output(
    output: str, *, finish_reason: FinishReason, source: str, prompt: Prompt, language: str | None = None
) -> Verdict:
    """Clean an answer and look for everything that a summary must not be.

    Args:
        output: what the engine returned.
        finish_reason: why it ended there.
        source: the texts that the prompt was about (``RenderedStep.source``).
        prompt: what was asked.
        language: English name of the language that was asked for; None means that of the source.
    """
    is_cut = finish_reason is not FinishReason.STOP
    text = remove_scaffolding(output, source=source, prompt=prompt)
    # A rule, three dots or a character that nobody sees says nothing.
    if not any(map(str.isalnum, text)):
        return Verdict("", (Mark("empty", "the answer was empty"),))
    marks = tuple(_find_marks(text, is_cut=is_cut, source=source, prompt=prompt, language=language))
    return Verdict(_end_sentence(text) if is_cut else text, marks)


def choose_best(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the least bad answer of several tries: the one with the mildest and fewest marks.

    Of equals the first: later tries are warmer, and warmth invents.
    """
    return min(verdicts, key=lambda verdict: sum(_WEIGHTS[mark.guard] for mark in verdict.marks))


def _find_marks(text: str, *, is_cut: bool, source: str, prompt: Prompt, language: str | None) -> Iterator[Mark]:
    if is_cut:
        yield Mark("cut", "the answer was cut before its end, at its most tokens")
    if len(text) > max(len(source), MIN_SOURCE_CHARACTERS):
        yield Mark("too-long", f"the answer is longer than its source ({len(text):,} to {len(source):,} characters)")
    if has_loop(text):
        yield Mark("repetition", "the answer repeats itself")
    if repeats_instructions(text, list_instructions(prompt, source)):
        yield Mark("echo", "the answer repeats the prompt")
    elif repeats_source(text, source):
        yield Mark("echo", "the answer repeats its source instead of summarizing it")
    refusal = _REFUSAL.match(text)
    if refusal and refusal[0] not in source:
        yield Mark("refusal", "the answer refuses to summarize")
    found = detect_language(text)
    # Most short answers do not show their language, and then that of a long source need not be found.
    expected = _find_expected_language(source, prompt, language) if found else None
    if found and expected and found != expected:
        yield Mark("language", f"the answer is in {found.title()} instead of {expected.title()}")


def _find_expected_language(source: str, prompt: Prompt, wanted: str | None) -> str | None:
    """Return the language that an answer must have; None if there is no telling."""
    if wanted is not None:
        return find_language(wanted)
    # What is neither ours nor of the source is a user's template, and that may ask for any language.
    has_template = any(part.is_untrusted and part.text not in source for part in prompt.turns[-1].parts)
    return None if has_template else detect_language(source)


def _end_sentence(text: str) -> str:
    """Return a cut text up to its last whole sentence, all of it if there is none."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return text[: ends[-1]].rstrip() if ends else text
