"""Grounding: every sentence of an answer is verified against its source; what fails is quoted instead, or marked.

Under ``strict`` a sentence that the source does not bear out is replaced by the sentence of the source that comes
nearest to it, in quotation marks, or dropped if the answer says that already. Under ``flag`` it stays, with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

from workers.evaluation.datelines import drop_datelines
from workers.evaluation.lexical import Sentence, read_content
from workers.evaluation.verification import SourceText
from workers.summarization.extraction import MAX_SHARED, extract
from workers.summarization.grounded import GroundedAnswer, GroundedSentence, join_answers
from workers.summarization.languages import detect_language, find_language
from workers.summarization.lengths import count_words
from workers.summarization.packing import Span
from workers.summarization.prose import split_whole
from workers.summarization.quotation import CLOSING_MARK, OPENING_MARK, drop_open_quotes, quote_spans, read_quoted
from workers.summarization.refusals import refuse
from workers.summarization.rewriting import Rewriter, drop_lone_mark, keep_sentence

Grounding = Literal["strict", "flag", "off"]

# Marks of a list, a heading or emphasis before a sentence; they say nothing that could be verified.
_LIST_MARK = re.compile(r"(?:[-*+\u2022#>|]+|\(?\d{1,2}[.)]|\*\*)[ \t]+|[*_]{1,3}(?=\w)")
_LIST_NUMBER = re.compile(r"\(?\d{1,2}[.)]")
# Shortest extract that replaces an answer of which nothing is left, in words.
MIN_EXTRACT_WORDS = 20


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
    claims = find_claims(text)
    if mode == "strict" and not is_value and (report := drop_datelines(text, claims)) != text:
        text, claims = report, find_claims(report)
    if mode == "off" or source is None:
        return GroundedAnswer(text, tuple(GroundedSentence(claim.start, claim.end, "unchecked") for claim in claims), 0)
    if language is not None and (spoken := detect_language(source.text)) != find_language(language) and spoken:
        return _flag_translation(text, claims, spoken)
    verdicts = source.verify([read_quoted(claim.text) or claim.text for claim in claims])
    verdicts = refuse(text, claims, verdicts, source, is_value=is_value)
    failed = sum(not verdict.is_borne_out for verdict in verdicts)
    if mode == "flag":
        return GroundedAnswer(text, tuple(map(keep_sentence, claims, verdicts, [source] * len(claims))), failed)
    grounded = Rewriter(text, source).rewrite(claims, verdicts, failed)
    grounded = grounded if is_value else drop_lone_mark(grounded, text)
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
