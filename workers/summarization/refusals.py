"""Refusal of sentences that hold for themselves but say nothing, or not what the source says.

A sentence that says of one name what the next says of another, one that only repeats a heading, a title or a name or
announces what does not follow, and a copy that breaks off within a sentence of the source.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from workers.evaluation.lexical import Sentence, read_words
from workers.evaluation.verification import SourceText, Verification
from workers.evaluation.writing import fold
from workers.summarization.contradictions import find_contradictions
from workers.summarization.packing import Span
from workers.summarization.prose import find_meeting, find_prose_spans, find_sentence_spans, has_link, is_cut_off
from workers.summarization.quotation import ends_sentence
from workers.summarization.statements import is_announcement, is_statement

# Words of a sentence that is quoted: a shorter one is rather a heading, a longer one a table or a list.
MIN_QUOTED_WORDS, MAX_QUOTED_WORDS = 4, 60
# What stands before the text of an item or a heading, also where the line before it has become its own.
_ITEM_BEGINNING = re.compile(r"(?<!\S)(?:[-*+\u2022#>|]+|\(?\d{1,2}[.)])[ \t]+\W*\Z")


def refuse(
    text: str, claims: Sequence[Sentence], verdicts: Sequence[Verification], source: SourceText, *, is_value: bool
) -> list[Verification]:
    """Return the verdicts on the sentences of an answer, with a reason against each that is refused.

    Args:
        text: the answer.
        claims: its sentences.
        verdicts: on them.
        source: text that they must follow from.
        is_value: whether it is a value of structured data, which may be a title, a name or a part of a sentence.
    """
    verdicts = _refuse_headings(text, claims, _refuse_contradictions(claims, verdicts), source)
    if is_value:
        return verdicts
    return _refuse_titles(text, claims, _refuse_fragments(claims, verdicts, source), source)


def _refuse_contradictions(claims: Sequence[Sentence], verdicts: Sequence[Verification]) -> list[Verification]:
    """Return the verdicts with a reason against sentences that say the same of different names, except for copies."""
    refused = {place for place in find_contradictions(claims) if not verdicts[place].is_verbatim}
    reason = "a sentence beside it says the same of another name or number"
    return [
        replace(verdict, reason=verdict.reason or reason) if place in refused else verdict
        for place, verdict in enumerate(verdicts)
    ]


def _refuse_headings(
    text: str, claims: Sequence[Sentence], verdicts: Sequence[Verification], source: SourceText
) -> list[Verification]:
    """Return the verdicts with a reason against repetitions of a heading, except for headings of sections."""
    reason = "it repeats a heading of the source, which asserts nothing"
    title = next((_list_words(one.text) for one in source.sentences[:1] if one.text.startswith("# ")), None)
    refused: list[Verification] = []
    for claim, verdict in zip(claims, verdicts, strict=True):
        is_marked = text[: claim.start].rstrip(" \t").endswith("#")
        is_copy = verdict.is_verbatim and all(is_heading(source.sentences[place]) for place in verdict.support)
        is_title = is_marked and _list_words(claim.text) == title
        refused.append(replace(verdict, reason=reason) if is_title or (is_copy and not is_marked) else verdict)
    return refused


def _refuse_fragments(
    claims: Sequence[Sentence], verdicts: Sequence[Verification], source: SourceText
) -> list[Verification]:
    """Return the verdicts with a reason against copies of a part of a sentence of the source."""
    reason = "it breaks off within a sentence of the source"
    return [
        replace(verdict, reason=reason)
        if verdict.is_verbatim
        and _is_fragment(claim.text, [source.sentences[place] for place in verdict.support], source.text)
        else verdict
        for claim, verdict in zip(claims, verdicts, strict=True)
    ]


def _refuse_titles(
    text: str, claims: Sequence[Sentence], verdicts: Sequence[Verification], source: SourceText
) -> list[Verification]:
    """Return the verdicts with a reason against announcements and copies of titles and names, if the source has prose.

    Headings and items of the answer may be titles, and what announces the next line stays with it.
    """
    if all(is_statement(claim.text) for claim in claims) or not find_prose_spans(source.text):
        return list(verdicts)
    reason = "it is a title, a name or an announcement, which asserts nothing"
    refused: list[Verification] = []
    # Whether what follows stays: at the end of the answer that may be code or a formula.
    stays, end = True, len(text.rstrip())
    for claim, verdict in zip(reversed(claims), reversed(verdicts), strict=True):
        is_item = _ITEM_BEGINNING.search(text[: claim.start].rpartition("\n")[2]) is not None
        announces_line = stays and "\n" in text[claim.end : end].strip(" \t") and not is_item
        is_empty = not any(word.is_content for word in read_words(claim.text))
        is_excused = announces_line if is_announcement(claim.text) else is_item or not (verdict.is_verbatim or is_empty)
        if not is_excused and not is_statement(claim.text):
            verdict = replace(verdict, reason=verdict.reason or reason)
        stays, end = verdict.is_borne_out, claim.start
        refused.append(verdict)
    return refused[::-1]


def _is_fragment(claim: str, lines: Sequence[Sentence], text: str) -> bool:
    """Tell whether a copy ends, or begins, where a whole sentence goes on, in a text with capitals.

    Behind the end of a line it goes on in lower case, unlike a list of headlines.
    """
    is_open = not ends_sentence(claim)
    if not is_open and not claim[:1].islower():
        return False
    first, last = min(line.start for line in lines), max(line.end for line in lines)
    whole = find_meeting(find_sentence_spans(text), first, last)
    has_capitals = any(not text[start].islower() for start, _ in find_prose_spans(text)[:1])
    if whole is None or not has_capitals or not is_quotable(text, whole) or whole[1] < last:
        return False
    words, said = _list_words(text[slice(*whole)]), _list_words(claim)
    ends_line = _list_words(text[first:last])[-len(said) :] == said
    is_cut = is_open and words[-len(said) :] != said and (not ends_line or text[last:].lstrip()[:1].islower())
    # Behind a colon an item begins, behind a mark a sentence of its own.
    before, found, _ = " ".join(text[slice(*whole)].split()).partition(claim)
    last_sign = before.rstrip()[-1:]
    return is_cut or bool(found and claim[:1].islower() and (last_sign.isalnum() or last_sign == ","))


def _list_words(text: str) -> list[str]:
    return [fold(word.text) for word in read_words(text)]


def is_quotable(source: str, span: Span) -> bool:
    """Tell whether a sentence of a source can stand for one that is refused."""
    text = source[slice(*span)]
    is_short = MIN_QUOTED_WORDS <= len(read_words(text)) <= MAX_QUOTED_WORDS
    return is_short and is_statement(text) and not has_link(text) and not is_cut_off(source, span)


def is_heading(sentence: Sentence) -> bool:
    """Tell whether a sentence of a source is a heading of Markdown."""
    return sentence.text.startswith("#")
