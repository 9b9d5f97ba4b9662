"""Rewriting: a strict answer piece by piece, every sentence kept, quoted from the source or dropped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from workers.evaluation.lexical import Sentence
from workers.evaluation.verification import SourceText, Verification
from workers.summarization.grounded import GroundedAnswer, GroundedSentence, SentenceKind
from workers.summarization.packing import Span
from workers.summarization.prose import find_meeting, find_prose_spans, find_sentence_spans
from workers.summarization.quotation import CLOSING_MARK, OPENING_MARK, ends_sentence, read_quoted
from workers.summarization.refusals import is_heading, is_quotable
from workers.summarization.statements import is_statement

# Mark of an item in a list, at the beginning of its line.
_ITEM_MARKS = re.compile(r"^(?:[ \t]*(?:[-*+\u2022]|\(?\d{1,2}[.)])[ \t]+)+", re.MULTILINE)
# Hashes before a whole sentence, which is no heading.
_HASHES = re.compile(r"(?:\A|(?<=\n))[ \t]*#{1,6}[ \t]+\Z")
_ENDS_STATEMENT = re.compile(r"[.!][\"\u201d*_]*\Z")
# The line below a title makes a heading of it.
_UNDERLINE = re.compile(r"^[ \t]*(?:=+|-+)[ \t]*(?=\n)", re.MULTILINE)
_INDENT = re.compile(r"\n[ \t]+\Z")
_NUMERIC = re.compile(r"\d")


def keep_sentence(claim: Sentence, verdict: Verification, source: SourceText) -> GroundedSentence:
    """Return a sentence of an answer as it is, with its verdict."""
    is_quoted = verdict.is_verbatim and read_quoted(claim.text) is not None
    kind: SentenceKind = "flagged" if not verdict.is_borne_out else "quoted" if is_quoted else "verified"
    spans = (
        ()
        if verdict.reason
        else tuple((source.sentences[place].start, source.sentences[place].end) for place in verdict.support)
    )
    return GroundedSentence(claim.start, claim.end, kind, verdict.score, verdict.reason, spans)


def drop_lone_mark(answer: GroundedAnswer, before: str) -> GroundedAnswer:
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


class Rewriter:
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
        # Only an answer of which something failed quotes, and may not say a copied sentence again.
        copied = {place for one in verdicts if failed and one.is_verbatim and one.is_borne_out for place in one.support}
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
                self._add(before, claim.text, keep_sentence(claim, verdict, self._source))
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
        prose = find_meeting(find_prose_spans(text), line.start, line.end)
        whole = prose or find_meeting(find_sentence_spans(text), line.start, line.end)
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
        before = _HASHES.sub("", before) if _ENDS_STATEMENT.search(text) else before
        if self._pieces and "\n" not in before and not ends_sentence(self._pieces[-1], before.lstrip() + text):
            before = "\n" + before.lstrip()
        start = self._length + len(before)
        self._pieces += [before, text]
        self._length = start + len(text)
        self._sentences.append(
            GroundedSentence(start, self._length, sentence.kind, sentence.score, sentence.reason, sentence.spans)
        )
