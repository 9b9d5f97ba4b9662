"""Differences between the sections of a digest: sentences that say the same of another number or another name.

A digest quotes both with the titles of their documents, because a summary of both would say one of the two, or neither.
The rule compares words alone, so two documents about two events may be told apart by it too: the digest says what each
document says, and not which of them is right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from workers.evaluation.lexical import Word, read_words, split_sentences
from workers.summarization.chunks import find_sections
from workers.summarization.contradictions import MAX_DIFFERENT, MIN_SHARED
from workers.summarization.grounded import GroundedAnswer, GroundedSentence
from workers.summarization.quotation import CLOSING_MARK, OPENING_MARK
from workers.summarization.refusals import MAX_QUOTED_WORDS
from workers.summarization.structure import read_structure

# Differences that a digest quotes, and versions of each; a note counts the others.
MAX_DIFFERENCES = 10
MAX_VERSIONS = 4

Values = frozenset[str]


@dataclass(frozen=True, slots=True)
class SectionSentence:
    """Sentence of a section.

    Args:
        section: number of the section.
        title: its title.
        text: the sentence.
        start: offset of its first character in the document.
    """

    section: int
    title: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """Offset after its last character."""
        return self.start + len(self.text)


# What sections say differently, one sentence of each.
Difference = tuple[SectionSentence, ...]


def find_differences(text: str) -> list[Difference]:
    """Return what the sections of a digest's document say differently, in its order.

    Two sentences differ if they have the same words except for one number or one name, and neither section also says
    what the other does.
    """
    groups: dict[tuple[str, Values], list[tuple[Values, SectionSentence]]] = defaultdict(list)
    for sentence in _list_sentences(text):
        for frame, values in _list_frames(read_words(sentence.text)):
            if len(frame[1]) >= MIN_SHARED:
                groups[frame].append((values, sentence))
    found = {version for group in groups.values() if len(version := tuple(_choose_versions(group))) > 1}
    return sorted(found, key=lambda versions: [version.start for version in versions])


def quote_differences(differences: Sequence[Difference]) -> GroundedAnswer:
    """Return differences as quoted sentences, one a line, that name the section of each version."""
    text = ""
    sentences = []
    for versions in differences[:MAX_DIFFERENCES]:
        shown = versions[:MAX_VERSIONS]
        says = [f"{one.title} says {OPENING_MARK}{' '.join(one.text.split())}{CLOSING_MARK}" for one in shown]
        text += "\n" if text else ""
        start = len(text)
        text += "; ".join(says)
        spans = tuple((one.start, one.end) for one in shown)
        sentences.append(GroundedSentence(start, len(text), "quoted", 1.0, None, spans))
    return GroundedAnswer(text, tuple(sentences), 0)


def note_unquoted(differences: Sequence[Difference]) -> str | None:
    """Return the words about differences that are not quoted; None if all are."""
    versions = sum(max(0, len(difference) - MAX_VERSIONS) for difference in differences[:MAX_DIFFERENCES])
    left_out = len(differences[MAX_DIFFERENCES:]) + versions
    return f"{left_out} more differences between the documents are not quoted" if left_out else None


def _list_sentences(text: str) -> Iterator[SectionSentence]:
    structure = read_structure(text, "markdown")
    for number, (start, end) in enumerate(find_sections(structure)):
        headings = structure.leading_headings(start, end)
        body = headings[-1].end if headings else start
        title = headings[-1].title if headings else ""
        for sentence in split_sentences(text[body:end]):
            if title and len(read_words(sentence.text)) <= MAX_QUOTED_WORDS:
                yield SectionSentence(number, title, sentence.text, body + sentence.start)


def _list_frames(words: Sequence[Word]) -> Iterator[tuple[tuple[str, Values], Values]]:
    """Yield each frame of a sentence with its value: the words without one name, or without one number as 2-1."""
    keys = frozenset(word.key for word in words if word.is_content)
    for kind, run in groupby(words, key=_find_kind):
        value = frozenset(word.key for word in run)
        if kind and len(value) <= MAX_DIFFERENT:
            yield (kind, keys - value), value


def _find_kind(word: Word) -> str:
    if word.key[:1].isdigit():
        return "number"
    return "name" if word.text[:1].isupper() and word.is_content else ""


def _choose_versions(group: Sequence[tuple[Values, SectionSentence]]) -> Iterator[SectionSentence]:
    """Yield a sentence of each section that says otherwise than the sections before it."""
    kept: list[list[Values]] = []
    for _, members in groupby(group, key=lambda member: member[1].section):
        sentences = list(members)
        values = [value for value, _ in sentences]
        if all(_is_exchange(one, other) for earlier in kept for one in earlier for other in values):
            kept.append(values)
            yield sentences[0][1]


def _is_exchange(one: Values, other: Values) -> bool:
    return 0 < len(one - other) <= MAX_DIFFERENT and 0 < len(other - one) <= MAX_DIFFERENT
