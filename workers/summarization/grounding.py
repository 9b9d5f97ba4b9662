"""Grounding: every sentence of an answer is verified against its source; what fails is quoted instead, or marked.

Under ``strict`` a sentence that the source does not bear out is replaced by the sentence of the source that comes
nearest to it, in quotation marks, or dropped if the answer says that already. Under ``flag`` it stays, with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from workers.evaluation.lexical import Sentence, read_content
from workers.evaluation.verification import SourceText, Verification
from workers.summarization.extraction import MAX_SHARED, extract
from workers.summarization.languages import detect_language, find_language
from workers.summarization.lengths import count_words
from workers.summarization.packing import Span
from workers.summarization.prose import drop_datelines, find_prose_spans, find_sentence_spans, is_statement, split_whole
from workers.summarization.quotation import (
    CLOSING_MARK,
    OPENING_MARK,
    drop_open_quotes,
    ends_sentence,
    quote_spans,
)
from workers.summarization.refusals import is_heading, is_quotable, refuse

Grounding = Literal["strict", "flag", "off"]
SentenceKind = Literal["verified", "quoted", "flagged", "unchecked"]

# Marks of a list, a heading or emphasis before a sentence; they say nothing that could be verified.
_LIST_MARK = re.compile(r"(?:[-*+\u2022#>|]+|\(?\d{1,2}[.)]|\*\*)[ \t]+|[*_]{1,3}(?=\w)")
# Mark of an item in a list, at the beginning of its line.
_ITEM_MARKS = re.compile(r"^(?:[ \t]*(?:[-*+\u2022]|\(?\d{1,2}[.)])[ \t]+)+", re.MULTILINE)
_NUMERIC = re.compile(r"\d")
# The line below a title makes a heading of it.
_UNDERLINE = re.compile(r"^[ \t]*(?:=+|-+)[ \t]*(?=\n)", re.MULTILINE)
_INDENT = re.compile(r"\n[ \t]+\Z")
_LIST_NUMBER = re.compile(r"\(?\d{1,2}[.)]")
_QUOTED = re.compile(r"[\"\u201c\u201e\u00ab](.*)[\"\u201d\u00bb]\W*", re.DOTALL)
# Shortest extract that replaces an answer of which nothing is left, in words.
MIN_EXTRACT_WORDS = 20


@dataclass(frozen=True, slots=True)
class GroundedSentence:
    """Sentence of an answer with its verdict.

    Args:
        start: offset of its first character in the answer.
        end: offset after its last character.
        kind: verdict.
        score: probability that the source bears it out; None where no judge was asked.
        reason: why it is flagged.
        spans: spans of the source that bear it out, as offsets (start, end).
    """

    start: int
    end: int
    kind: SentenceKind
    score: float | None = None
    reason: str | None = None
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class GroundedAnswer:
    """Answer after grounding.

    Args:
        text: the text to keep; empty if nothing of it could be kept or quoted.
        sentences: its sentences, in order.
        replaced: number of generated sentences that the source did not bear out.
        language: language of the source, if the answer is in another one, so that it cannot be verified.
    """

    text: str
    sentences: tuple[GroundedSentence, ...]
    replaced: int
    language: str | None = None


def find_claims(text: str) -> list[Sentence]:
    """Return the sentences of an answer, without the marks of lists, headings and emphasis before them."""
    sentences = list(split_whole(text))
    numbers = {
        one.start for one, following in pairwise(sentences) if _is_list_number(one, text[one.end : following.start])
    }
    return [skip_marks(sentence) for sentence in sentences if sentence.start not in numbers]


def _is_list_number(sentence: Sentence, gap: str) -> bool:
    return _LIST_NUMBER.fullmatch(sentence.text) is not None and "\n" not in gap


def skip_marks(sentence: Sentence) -> Sentence:
    """Return a sentence without the marks of a list, a heading or emphasis before it."""
    start = 0
    while found := _LIST_MARK.match(sentence.text, start):
        start = found.end()
    return Sentence(sentence.text[start:], sentence.start + start, sentence.end)


def ground_answer(
    text: str, source: SourceText | None, *, mode: Grounding, language: str | None = None, is_value: bool = False
) -> GroundedAnswer:
    """Verify the sentences of an answer, and under ``strict`` replace those that its source does not bear out.

    Args:
        text: the answer.
        source: text that it must follow from; needed unless the mode is ``off``.
        mode: ``strict`` or ``flag``; ``off`` leaves every sentence unchecked.
        language: English name of the language that was asked for; None for that of the source.
        is_value: whether the answer is a value of structured data, which keeps its form.
    """
    text = drop_open_quotes(text) if mode == "strict" else text
    text = drop_datelines(text, find_claims(text)) if mode == "strict" and not is_value else text
    claims = find_claims(text)
    if mode == "off" or source is None:
        return GroundedAnswer(text, tuple(GroundedSentence(claim.start, claim.end, "unchecked") for claim in claims), 0)
    if language is not None and (spoken := detect_language(source.text)) != find_language(language) and spoken:
        return _flag_translation(text, claims, spoken)
    verdicts = source.verify([_strip_quotes(claim.text) for claim in claims])
    verdicts = refuse(text, claims, verdicts, source, is_value=is_value)
    failed = sum(not verdict.is_borne_out for verdict in verdicts)
    if mode == "flag":
        return GroundedAnswer(text, tuple(map(_keep, claims, verdicts, [source] * len(claims))), failed)
    grounded = _Rewriter(text, source).rewrite(claims, verdicts, failed)
    grounded = grounded if is_value else _drop_lone_mark(grounded, text)
    return grounded if grounded.sentences else _quote_instead(text, source, failed)


def quote_salient(source: str, said: str, *, is_cited: Callable[[Span], bool], words: int) -> GroundedAnswer:
    """Return quotations of a source's salient sentences that a text does not say, in the source's order.

    Args:
        source: the source.
        said: the text.
        is_cited: tells whether the text cites a span of the source.
        words: length of the text with the quotations.
    """
    known = read_content(said)
    left = words - count_words(said)
    answer = GroundedAnswer("", (), 0)
    for span in extract(source, words=words):
        quoted = " ".join(source[slice(*span)].split())
        content = read_content(quoted)
        is_said = is_cited(span) or len(content & known) > MAX_SHARED * len(content)
        if is_said or count_words(quoted) > left:
            continue
        left -= count_words(quoted)
        text = OPENING_MARK + quoted + CLOSING_MARK
        one = GroundedAnswer(text, (GroundedSentence(0, len(text), "quoted", 1.0, None, (span,)),), 0)
        answer = join_answers(answer, one) if answer.sentences else one
    return answer


def join_answers(first: GroundedAnswer, second: GroundedAnswer) -> GroundedAnswer:
    """Return two grounded answers as one, the second behind a space, or on a line of its own behind an open end."""
    gap = " " if ends_sentence(first.text, second.text) else "\n"
    offset = len(first.text) + len(gap)
    moved = (
        replace(sentence, start=sentence.start + offset, end=sentence.end + offset) for sentence in second.sentences
    )
    text = first.text + gap + second.text
    return replace(first, text=text, sentences=(*first.sentences, *moved), replaced=first.replaced + second.replaced)


def _flag_translation(text: str, claims: Sequence[Sentence], language: str) -> GroundedAnswer:
    """Return an answer in another language than its source: its words and facts cannot be compared."""
    reason = f"the document is in {language.title()}: a translation cannot be verified"
    sentences = tuple(GroundedSentence(claim.start, claim.end, "flagged", None, reason) for claim in claims)
    return GroundedAnswer(text, sentences, len(claims), language)


def _quote_instead(text: str, source: SourceText, failed: int) -> GroundedAnswer:
    """Return an extract of the source, as long as an answer of which nothing could be kept or replaced."""
    quotation = quote_spans(source.text, extract(source.text, words=max(count_words(text), MIN_EXTRACT_WORDS)))
    sentences = tuple(
        GroundedSentence(sentence.start, sentence.end, "quoted", 1.0, None, (sentence.span,))
        for sentence in quotation.sentences
    )
    return GroundedAnswer(quotation.text, sentences, failed)


def _strip_quotes(claim: str) -> str:
    quoted = _QUOTED.fullmatch(claim)
    return quoted[1] if quoted else claim


def _keep(claim: Sentence, verdict: Verification, source: SourceText) -> GroundedSentence:
    is_quoted = verdict.is_verbatim and _QUOTED.fullmatch(claim.text) is not None
    kind: SentenceKind = "flagged" if not verdict.is_borne_out else "quoted" if is_quoted else "verified"
    spans = (
        ()
        if verdict.reason
        else tuple((source.sentences[place].start, source.sentences[place].end) for place in verdict.support)
    )
    return GroundedSentence(claim.start, claim.end, kind, verdict.score, verdict.reason, spans)


def _drop_lone_mark(answer: GroundedAnswer, before: str) -> GroundedAnswer:
    """Return an answer without the mark of its only item, if that is left of a list.

    Args:
        answer: the grounded answer.
        before: its text before; a number alone is no mark of a list but a part of a date or a name, and a hyphen before
            a number is its sign.
    """
    marks = list(_ITEM_MARKS.finditer(answer.text))
    if len(marks) != 1 or marks[0].start() > 0:
        return answer
    if _NUMERIC.search(answer.text, 0, marks[0].end() + 1) and len(_ITEM_MARKS.findall(before)) < 2:
        return answer
    first, width = answer.sentences[0], marks[0].end()
    if first.start != width or not is_statement(answer.text[first.start : first.end]):
        return answer
    moved = (replace(one, start=one.start - width, end=one.end - width) for one in answer.sentences)
    return replace(answer, text=answer.text[width:], sentences=tuple(moved))


def _find_meeting(line: Sentence, spans: Sequence[Span]) -> Span | None:
    """Return the first span that meets a line."""
    return next((span for span in spans if span[0] < line.end and line.start < span[1]), None)


class _Rewriter:
    """Builds the text of a strict answer, piece by piece.

    Args:
        text: the answer.
        source: text that it must follow from.
    """

    def __init__(self, text: str, source: SourceText) -> None:
        self._text = text
        self._source = source
        self._pieces: list[str] = []
        self._length = 0
        self._sentences: list[GroundedSentence] = []

    def rewrite(self, claims: Sequence[Sentence], verdicts: Sequence[Verification], failed: int) -> GroundedAnswer:
        """Return the answer with every sentence verified, quoted or dropped."""
        copied = {place for one in verdicts if one.is_verbatim and one.is_borne_out for place in one.support}
        said = {span for place in copied if (span := self._find_quotable(place))}
        end, is_kept = 0, True
        for claim, verdict in zip(claims, verdicts, strict=True):
            before, end = self._text[end : claim.start], claim.end
            if not is_kept and not before[:1].isspace():
                # Nothing stood behind the stop of a script without spaces, whose sentence is dropped or replaced.
                before = f" {before}"
            before = before if is_kept and self._pieces else _UNDERLINE.sub("", before)
            is_kept = verdict.is_borne_out
            if is_kept:
                self._add(before, claim.text, _keep(claim, verdict, self._source))
            elif (span := self._choose_quotation(verdict)) is not None and span not in said:
                said.add(span)
                self._quote(before, span)
        text = "".join(self._pieces)
        trailing = self._text[end:] if self._sentences else ""
        return GroundedAnswer((text + trailing).rstrip(), tuple(self._sentences), failed)

    def _choose_quotation(self, verdict: Verification) -> Span | None:
        """Return the span of the source's nearest sentence that can be quoted."""
        return next((span for place in verdict.support if (span := self._find_quotable(place))), None)

    def _find_quotable(self, place: int) -> Span | None:
        """Return the span of the whole sentence that has a sentence of the source; of its line if that is no prose.

        None if it is a heading, code or a table, says nothing, or is too short or too long to be quoted.
        """
        line, text = self._source.sentences[place], self._source.text
        if is_heading(line):
            return None
        prose = _find_meeting(line, find_prose_spans(text))
        whole = prose or _find_meeting(line, find_sentence_spans(text))
        if whole is None:
            return None
        if is_quotable(text, whole):
            return whole
        part = max(whole[0], line.start), min(whole[1], line.end)
        # What begins, or goes on, in lower case is no item of its own.
        is_torn = text[part[0]].islower() or text[part[1] :].lstrip()[:1].islower()
        return part if not prose and not is_torn and is_quotable(text, part) else None

    def _quote(self, before: str, span: Span) -> None:
        # A mark of emphasis would stay open, and an indentation makes code of a quotation.
        before = _INDENT.sub("\n", before.rstrip("*_"))
        text = OPENING_MARK + " ".join(self._source.text[slice(*span)].split()) + CLOSING_MARK
        self._add(before, text, GroundedSentence(0, 0, "quoted", 1.0, None, (span,)))

    def _add(self, before: str, text: str, sentence: GroundedSentence) -> None:
        before = before if self._pieces else before.lstrip()
        if self._pieces and "\n" not in before and not ends_sentence(self._pieces[-1], before.lstrip() + text):
            before = "\n" + before.lstrip()
        start = self._length + len(before)
        self._pieces += [before, text]
        self._length = start + len(text)
        self._sentences.append(
            GroundedSentence(start, self._length, sentence.kind, sentence.score, sentence.reason, sentence.spans)
        )
