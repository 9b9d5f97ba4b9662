"""Guards: rule-based checks of an answer, without a second generation.

A guard that fires makes the step run again with changed parameters (``retries``). If guards still fire after the last
try, the best answer is kept with its marks, and each mark makes the job partial. An empty answer is never kept. What
can be mended without another try, such as a sentence said twice, is mended and remarked on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from workers.evaluation.writing import SCRIPT_END
from workers.generation import FinishReason, Prompt
from workers.summarization.languages import are_alike, detect_language, find_foreign_script, find_language
from workers.summarization.lengths import limit_sentences
from workers.summarization.repetition import drop_repeated, has_loop, repeats_instructions, repeats_source
from workers.summarization.scaffolding import list_instructions, remove_scaffolding

Guard = Literal["empty", "cut", "too-long", "repetition", "echo", "refusal", "language"]
RemarkName = Literal["said-twice", "length"]

# The summary of a shorter source, such as a heading with a link, may be longer than its source.
MIN_SOURCE_CHARACTERS = 200

# Penalty per guard, to rank tries that all failed; an overlong text beats an empty one.
_PENALTIES: Mapping[Guard, int] = {
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
# Answers that refuse or ask for the text. A text without words is a refusal; one that "contains no numbers" is not.
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
_SENTENCE_END = re.compile(rf"[.!?][\"'\u201d\u2019)\]*_]*(?=\s|\Z)|{SCRIPT_END}[*_]*|\n")


@dataclass(frozen=True, slots=True)
class Mark:
    """Finding of a guard that fired.

    Args:
        guard: name of the guard.
        words: human-readable description of the fault.
    """

    guard: Guard
    words: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Change of an answer that made it better, or an observation: no reason for another try."""

    name: RemarkName
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Cleaned answer with the findings of the guards.

    Args:
        text: the answer without scaffolding; empty if nothing is left.
        marks: one for each guard that fired.
        remarks: changes of the text.
    """

    text: str
    marks: tuple[Mark, ...]
    remarks: tuple[Remark, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether no guard fired, so that no retry is due."""
        return not self.marks

    @property
    def is_usable(self) -> bool:
        """Whether any text is left; a step without text has failed."""
        return bool(self.text)

    @property
    def notes(self) -> tuple[str, ...]:
        """Human-readable descriptions of the faults."""
        return tuple(mark.words for mark in self.marks)


def check_output(
    output: str,
    *,
    finish_reason: FinishReason,
    source: str,
    prompt: Prompt,
    language: str | None = None,
    words: int | None = None,
) -> Verdict:
    """Strip an answer's scaffolding and what it says twice, and run every guard on the rest.

    Args:
        output: text returned by the engine.
        finish_reason: reason for the end of the generation.
        source: texts inside the prompt (``RenderedStep.source``).
        prompt: the prompt of the answer.
        language: English name of the requested language; None means that of the source.
        words: requested length, of a final summary.
    """
    text = remove_scaffolding(output, source=source, prompt=prompt)
    # A horizontal rule, an ellipsis or an invisible character counts as empty.
    if not any(map(str.isalnum, text)):
        return Verdict("", (Mark("empty", "the answer was empty"),))
    whole = text if finish_reason is FinishReason.STOP else _end_sentence(text)
    once = drop_repeated(whole)
    short = once if words is None else limit_sentences(once, words)
    remarks = tuple(_list_remarks(whole, once, short))
    # A loop is one even if it was taken out: what should stand in its place is missing.
    loops = (Mark("repetition", "the answer repeats itself"),) if has_loop(text) else ()
    # The lost end of a text that is too long anyway is no fault.
    is_cut = finish_reason is not FinishReason.STOP and short == once and (whole != text or not _is_whole(text))
    # A copy is one even without what it says twice.
    checked = whole if short == once else short
    found = _find_marks(checked, is_cut=is_cut, source=source, prompt=prompt, language=language)
    return Verdict(short, (*loops, *found), remarks)


def choose_best(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the try with the smallest sum of penalties.

    Ties go to the earliest: later tries have a larger penalty on the words of the source and hallucinate more.
    """
    return min(verdicts, key=lambda verdict: sum(_PENALTIES[mark.guard] for mark in verdict.marks))


def _find_marks(text: str, *, is_cut: bool, source: str, prompt: Prompt, language: str | None) -> Iterator[Mark]:
    if is_cut:
        yield Mark("cut", "the answer was cut at its most tokens: it ends with its last whole sentence")
    if len(text) > max(len(source), MIN_SOURCE_CHARACTERS):
        yield Mark("too-long", f"the answer is longer than its source ({len(text):,} to {len(source):,} characters)")
    if repeats_instructions(text, list_instructions(prompt, source)):
        yield Mark("echo", "the answer repeats the prompt")
    elif repeats_source(text, source):
        yield Mark("echo", "the answer repeats its source instead of summarizing it")
    refusal = _REFUSAL.match(text)
    if refusal and refusal[0] not in source:
        yield Mark("refusal", "the answer refuses to summarize")
    # An untrusted part from outside the source is a user's template, which may ask for any language.
    has_template = any(part.is_untrusted and part.text not in source for part in prompt.turns[-1].parts)
    if (language is not None or not has_template) and (words := _compare_languages(text, source, language)):
        yield Mark("language", words)


def _compare_languages(text: str, source: str, wanted: str | None) -> str | None:
    """Return a description of the wrong language of an answer; None if nothing is known to be wrong."""
    found = detect_language(text)
    # The language of a short answer is often undetectable; only a detected one is worth detection on the long source.
    expected = (find_language(wanted) if wanted is not None else detect_language(source)) if found else None
    if found and expected and not are_alike(found, expected):
        return f"the answer is in {found.title()} instead of {expected.title()}"
    if scripts := find_foreign_script(text, source, language=wanted):
        return f"the answer is in {scripts[0]} letters instead of {scripts[1]} ones"
    return None


def _list_remarks(whole: str, once: str, short: str) -> Iterator[Remark]:
    if once != whole:
        yield Remark("said-twice", "what the answer said twice was left out the second time")
    if short != once:
        yield Remark("length", "the sentences beyond the requested length were left out")


def _is_whole(text: str) -> bool:
    """Tell whether a text ends with a whole sentence."""
    return any(match.end() == len(text) for match in _SENTENCE_END.finditer(text))


def _end_sentence(text: str) -> str:
    """Trim a cut text to its last whole sentence; return it unchanged if it has none."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return text[: ends[-1]].rstrip() if ends else text
