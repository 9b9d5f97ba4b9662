"""Prose: the whole sentences of a document, without headings, captions, code, tables, links and boilerplate.

A quotation must read as a sentence, so only text that ends like one counts. A line break ends a sentence unless the
line was wrapped: the next line continues it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

from workers.evaluation.datelines import measure_dateline
from workers.evaluation.lexical import Sentence, read_words, split_sentences
from workers.evaluation.passages import MIN_VERBATIM_WORDS
from workers.evaluation.writing import MARKS, SCRIPT_END, STOPS, UNSPACED
from workers.summarization.packing import Span, trim_span
from workers.summarization.structure import EDGE, ROW, read_structure

# A wrapped line has about this many characters; a shorter one without a full stop is a title or an item.
WRAPPED_LINE = range(45, 121)

# Fewer words are an exclamation or a fragment; a sentence with more is a list or a table in disguise.
SENTENCE_WORDS = range(5, 81)

# Largest share of a sentence's characters that are neither letters, digits, spaces nor usual punctuation.
MAX_SYMBOLS = 0.06

_LINE = re.compile(r"[^\n]+")
_LINE_ENDS = str.maketrans({EDGE: "\n"})
_ITEM = re.compile(r"[ \t]*(?:[-*+\u2022\u2023\u2013\u25aa\u25e6\u25b8\u00b7\u2713]|\d{1,3}[.)]|>)[ \t]+")
# Hashes, an underline, or a line in bold alone.
_HEADING = re.compile(r"[ \t]{0,3}#{1,6}(?=[ \t]|\Z)|[ \t]*[=~_*-]{3,}[ \t]*\Z|[ \t]*\*\*[^*]*\*\*:?[ \t]*\Z")
_NOT_PROSE = re.compile(
    r"[ \t]*(?:[|<{}@$]|!\[|`{3}|~{3}|https?://|\[[^\]]*\]:|(?:>>>|\.\.\.) "
    rf"|import \w+$|from \S+ import |def \w+\(|class \w+[(:]|pip install )|[^\n]*{ROW}"
)
_CAPTION = re.compile(
    r"\A\W*(?:(?:figure|fig|table|photo|image|picture|source|caption|video|listing|chart|equation)\b\.?\s*(?:\d|:|by\b)"
    r"|(?:read more|related|see also|advertisement|share this|scroll down|click here|follow us|sign up|subscribe"
    r"|log in|all rights reserved|copyright|©|by continuing|we use cookies|this (?:site|website) uses"
    r"|last updated|published|posted|story highlights|editor['’]s note|for confidential support)\b)",  # noqa: RUF001
    re.IGNORECASE,
)
_BOILERPLATE = re.compile(
    r"\b(?:all rights reserved|click here|terms of (?:use|service)|privacy policy|cookie policy|contributed to this "
    r"report|your (?:email|inbox)|newsletter|may not be (?:published|reproduced)|follow @|getty images)\b",
    re.IGNORECASE,
)
_LINKS = re.compile(r"https?://|\]\(|www\.")
_GAP = re.compile(r"[\s\u0f0b\u1361]+")
# What a sentence goes on behind in lower case: a pause, or what somebody says in it.
_GOES_ON = re.compile(r"(?:\.\.\.|\u2026)[\"'\u201d\u2019)\u00bb]*\Z|[.!?](?:[\"'\u201d\u2019]+| ?\u00bb)\Z")
_UNSPACED = re.compile(rf"[{UNSPACED}]")
# The end of a sentence, with closing marks.
ENDS = re.compile(rf"[.!?…][\"'”’)\]*_]*\Z|{SCRIPT_END}[*_]*\Z")  # noqa: RUF001
_STARTS = re.compile(r"[\"'“‘(\[*_]*[^\W_]")  # noqa: RUF001
# A name that begins in lower case, as iPhone and macOS do.
_NAME = re.compile(r"[^\W\d_]{1,3}[A-Z]")
_SYMBOL = re.compile(
    rf"[^\w\s{MARKS}{STOPS}.,;:!?'\"“”‘’()%$€£₹¥&/–—，、；：「」『』（）《》〈〉【】«»・¿¡،؛٪٫٬۔၊፣፤፥፦፡፦։՝՛་༌٬-]"  # noqa: RUF001
)
_FOOTER = re.compile(r"\s*(?:\[[\d,– -]+\])+\Z")  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class ProseSentence:
    """Sentence of a document.

    Args:
        span: its span in the document.
        position: index among the sentences of its section.
    """

    span: Span
    position: int


def find_prose(text: str) -> tuple[ProseSentence, ...]:
    """Return the whole sentences of a document's prose, in order; without any, its lines with words."""
    lines = (ProseSentence(trim_span(text, match.span()), 0) for match in _find_lines(text))
    return find_whole_sentences(text) or tuple(lines)


def find_whole_sentences(text: str) -> tuple[ProseSentence, ...]:
    """Return the whole sentences of a document's prose, in order."""
    sentences = list(_find_sentences(text))
    found = [(span, section) for span, section in sentences if _is_prose(text[slice(*span)])]
    if sum(text[start].islower() for (start, _), _ in found) * 2 > len(found):
        return tuple(_number(found))
    # In a text with capitals a fragment begins in lower case; so do some names, and what says more of a heading.
    opening = {section: span for span, section in reversed(sentences) if section}
    return tuple(
        _number(
            [
                (span, section)
                for span, section in found
                if not text[span[0]].islower() or _NAME.match(text, span[0]) or opening.get(section) == span
            ]
        )
    )


# The steps of a job that read the same part follow each other.
@lru_cache(maxsize=16)
def find_prose_spans(text: str) -> tuple[Span, ...]:
    """Return the spans of the whole sentences of a document's prose, in order."""
    return tuple(sentence.span for sentence in find_whole_sentences(text))


@lru_cache(maxsize=16)
def find_sentence_spans(text: str) -> tuple[Span, ...]:
    """Return the spans of a document's sentences in order, also of those that do not read as prose."""
    return tuple(span for span, _ in _find_sentences(text))


def find_meeting(spans: Sequence[Span], start: int, end: int) -> Span | None:
    """Return the first of some spans that meets the text from a start to an end."""
    return next((span for span in spans if span[0] < end and start < span[1]), None)


def is_cut_off(text: str, span: Span) -> bool:
    """Tell whether a sentence is the end of one that began before a part of a document, in lower case unlike others."""
    is_first = not any(map(str.isalnum, text[: span[0]]))
    return is_first and text[span[0]].islower() and span not in find_prose_spans(text)[:1]


def split_whole(text: str) -> Iterator[Sentence]:
    """Yield the sentences of a text, whole where they go on in lower case behind a pause or direct speech.

    A text without capitals is left as it is: what looks like a pause may end its sentences.
    """
    whole: Sentence | None = None
    for sentence in split_sentences(text):
        if whole and "\n" not in text[whole.end : sentence.start] and _goes_on(whole.text, sentence.text):
            whole = Sentence(text[whole.start : sentence.end], whole.start, sentence.end)
            continue
        if whole:
            yield whole
        whole = sentence
    if whole:
        yield whole


def _goes_on(sentence: str, following: str) -> bool:
    """Tell whether a sentence goes on with the next one; together they are long enough to be found word for word."""
    is_next = following[0].islower() or following[0] in "`-"
    is_long = len(read_words(sentence)) + len(read_words(following)) >= MIN_VERBATIM_WORDS
    first = next(filter(str.isalnum, sentence), "")
    return is_next and not first.islower() and _GOES_ON.search(sentence) is not None and is_long


def has_link(text: str) -> bool:
    """Tell whether a text has an address in it."""
    return _LINKS.search(text) is not None


def _number(found: Sequence[tuple[Span, int]]) -> Iterator[ProseSentence]:
    for _, group in groupby(found, key=itemgetter(1)):
        yield from (ProseSentence(span, position) for position, (span, _) in enumerate(group))


def _find_lines(text: str) -> Iterator[re.Match[str]]:
    return (match for match in re.finditer(r"[^\n]+", text) if any(map(str.isalnum, match[0])))


def _find_sentences(text: str) -> Iterator[tuple[Span, int]]:
    """Yield the spans of sentences, each with the number of its section."""
    section = 0
    for (start, end), is_heading in find_paragraphs(text):
        section += is_heading
        if not is_heading:
            # A line end within a paragraph is a wrap, and of equal length as a space.
            for sentence in split_whole(text[start:end].replace("\n", " ")):
                dateline = measure_dateline(sentence.text)
                yield (start + sentence.start + dateline, start + sentence.end), section


def find_paragraphs(text: str) -> Iterator[tuple[Span, bool]]:
    """Yield the spans of running text, and those of headings, which are marked."""
    # The masks of line ends go, except those inside blocks: a block is one line here.
    masked = read_structure(text, "text").masked.translate(_LINE_ENDS)
    paragraph: Span | None = None
    for match in _LINE.finditer(masked):
        line, item, is_heading = match[0], _ITEM.match(match[0]), bool(_HEADING.match(match[0]))
        if paragraph and not item and not is_heading and _continues(masked, paragraph, match):
            paragraph = (paragraph[0], match.end())
            continue
        if paragraph:
            yield paragraph, False
        is_text = not is_heading and not _NOT_PROSE.match(line)
        paragraph = (item.end() + match.start() if item else match.start(), match.end()) if is_text else None
        if is_heading:
            yield match.span(), True
    if paragraph:
        yield paragraph, False


def _continues(masked: str, paragraph: Span, match: re.Match[str]) -> bool:
    """Tell whether a line goes on with the paragraph before it."""
    start = masked.rfind("\n", *paragraph) + 1 or paragraph[0]
    line, last = match[0], masked[start : paragraph[1]].rstrip()
    is_next = masked[paragraph[1] : match.start()] == "\n" and line.strip() and not _NOT_PROSE.match(line)
    is_wrapped = len(last) in WRAPPED_LINE and len(line) <= WRAPPED_LINE.stop
    return bool(is_next) and (is_wrapped or line.lstrip()[:1].islower())


def _is_prose(sentence: str) -> bool:
    """Tell whether a sentence is whole and reads as prose."""
    bare = _FOOTER.sub("", sentence)
    # In scripts without spaces a word has about two letters; Tibetan and old Ethiopic separate words by points.
    unspaced = len(_UNSPACED.findall(bare))
    count = unspaced // 2 + sum(1 for word in _GAP.split(bare) if not _UNSPACED.search(word))
    return (
        count in SENTENCE_WORDS
        and bool(ENDS.search(bare) and _STARTS.match(bare))
        and not (_CAPTION.match(bare) or _BOILERPLATE.search(bare) or has_link(bare))
        and len(_SYMBOL.findall(bare)) <= MAX_SYMBOLS * len(bare)
    )
