"""Extraction: the most salient sentences of a document, without weights.

TextRank (Mihalcea and Tarau, EMNLP 2004; LexRank, Erkan and Radev, JAIR 2004) with BM25 as the similarity of two
sentences (Barrios et al., 2016): a sentence is salient if it resembles many salient ones. The matrix of similarities
is never built: it is a product of two sparse matrices, so a step of the power iteration costs as much as one reading.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.evaluation.lexical import Word, read_words
from workers.summarization.packing import Span
from workers.summarization.prose import ProseSentence, find_prose

Vector = NDArray[np.float64]

# Without a requested length: about what the packaged weights write, and more for each thousand words of a document.
DEFAULT_WORDS = 60
MORE_WORDS = 20
MAX_DEFAULT_WORDS = 200

# BM25's usual parameters, the share of the mean IDF that words of over half of the sentences get (Barrios et al.), and
# PageRank's damping.
BM25_K1 = 1.2
BM25_B = 0.75
MIN_IDF_SHARE = 0.25
DAMPING = 0.85
ITERATIONS = 30

# A section's first sentence counts this much more than one far below it, and the second half as much.
LEAD_WEIGHT = 2.0

# Factors of a sentence that does not stand alone, or says little by itself.
PENALTIES = (
    # Its subject is in the sentence before.
    (re.compile(r"\W*(?:he|she|it|they|this|that|these|those|which|his|hers?|its|their|such)\b", re.IGNORECASE), 0.5),
    # It continues an argument.
    (
        re.compile(
            r"\W*(?:and|but|or|so|yet|nor|then|however|therefore|thus|hence|moreover|furthermore|also|besides|instead"
            r"|meanwhile|still|otherwise|nevertheless|in addition|as a result|for example|for instance"
            r"|on the other hand"
            r"|because of this|after that|finally|similarly)\b",
            re.IGNORECASE,
        ),
        0.5,
    ),
    (re.compile(r"[\s\S]*\?[\"'”’)]*\Z"), 0.6),  # noqa: RUF001
    (re.compile(r"\W*(?:i|we|my|our|you|your)\b", re.IGNORECASE), 0.7),
    # It points elsewhere.
    (
        re.compile(
            r"\W*(?:please )?(?:(?:see|visit|consult|refer to|check out) (?:the|also|our|its|this|https?|www|[`\[])"
            r"|for (?:more|further|full) (?:information|details|help|about|on)\b)",
            re.IGNORECASE,
        ),
        0.3,
    ),
    # It thanks the reader or others, unlike "thanks to".
    (
        re.compile(
            r"\W*(?:[\w,']+ ){0,9}"
            r"(?:thanks?\b(?! to\b)|congratulat(?:e|ions)\b|(?:my|our|am|are) grat(?:eful|itude)\b)",
            re.IGNORECASE,
        ),
        0.3,
    ),
)

# A sentence with this share of its content words in a chosen one says the same again.
MAX_SHARED = 0.6

# The extract may be this much longer than asked, rather than lose a sentence that nearly fits.
SLACK = 1.15


@dataclass(frozen=True, slots=True)
class _Terms:
    """Content words of sentences as a sparse matrix: sentence, term and BM25 weight of every occurrence.

    Args:
        rows: index of the sentence.
        columns: index of the term.
        counts: occurrences of the term in the sentence.
        weights: BM25 weight of the term in the sentence.
        shape: numbers of sentences and of terms.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    counts: Vector
    weights: Vector
    shape: tuple[int, int]

    def spread(self, values: Vector) -> Vector:
        """Multiply the similarities, from the sentence that asks to the one that answers, by a vector of the former."""
        terms = _sum_by(self.columns, self.counts * values[self.rows], self.shape[1])
        found = _sum_by(self.rows, self.weights * terms[self.columns], self.shape[0])
        return found - self.own * values

    @property
    def own(self) -> Vector:
        """Similarity of every sentence to itself, which does not count."""
        return _sum_by(self.rows, self.counts * self.weights, self.shape[0])

    def sum_outgoing(self) -> Vector:
        """Return the sum of a sentence's similarities to all others."""
        terms = _sum_by(self.columns, self.weights, self.shape[1])
        return _sum_by(self.rows, self.counts * terms[self.columns], self.shape[0]) - self.own


def _sum_by(places: NDArray[np.intp], values: Vector, size: int) -> Vector:
    """Return the sums of the values by place."""
    return np.bincount(places, values, size).astype(np.float64)


def extract(text: str, *, words: int | None = None) -> tuple[Span, ...]:
    """Return the spans of a document's most salient sentences, in the order of the document.

    Args:
        text: the document, in Markdown or plain.
        words: length of the extract in words; by default 60, and 20 more for every thousand words of the document,
            up to 200.

    Returns:
        At least one span, unless the document has no words at all.
    """
    found = find_prose(text)
    sentences = [read_words(text[slice(*sentence.span)]) for sentence in found]
    length = words or default_length(len(text.split()))
    chosen = _choose(sentences, _score(text, found, sentences), length)
    return tuple(found[index].span for index in sorted(chosen))


def default_length(document_words: int) -> int:
    """Return the length of an extract, in words, of a document of some length."""
    return min(MAX_DEFAULT_WORDS, DEFAULT_WORDS + document_words // 1000 * MORE_WORDS)


def _score(text: str, found: Sequence[ProseSentence], sentences: Sequence[Sequence[Word]]) -> Vector:
    """Return the salience of every sentence, weighted by its place and by how well it stands alone."""
    lead = np.array([1 + LEAD_WEIGHT / (1 + sentence.position) for sentence in found])
    alone = np.array([_find_penalty(text[slice(*sentence.span)]) for sentence in found])
    scores: Vector = rank_sentences(sentences) * lead * alone
    return scores


def _find_penalty(sentence: str) -> float:
    penalty = 0.5 if sentence.count('"') % 2 or sentence.count("“") != sentence.count("”") else 1.0
    for pattern, factor in PENALTIES:
        if pattern.match(sentence):
            penalty *= factor
    return penalty


def rank_sentences(sentences: Sequence[Sequence[Word]]) -> Vector:
    """Return the TextRank of every sentence; the ranks add up to 1."""
    count = len(sentences)
    terms = _weigh_terms(sentences)
    outgoing = terms.sum_outgoing()
    shares = np.divide(1.0, outgoing, out=np.zeros(count), where=outgoing > 1e-9)
    ranks: Vector = np.full(count, 1 / max(1, count))
    for _ in range(ITERATIONS):
        ranks = (1 - DAMPING) / max(1, count) + DAMPING * terms.spread(ranks * shares)
        ranks /= ranks.sum() or 1.0
    return ranks


def _weigh_terms(sentences: Sequence[Sequence[Word]]) -> _Terms:
    counted = [Counter(word.key for word in sentence if word.is_content) for sentence in sentences]
    places = {key: place for place, key in enumerate(dict.fromkeys(key for counts in counted for key in counts))}
    rows = np.array([row for row, counts in enumerate(counted) for _ in counts], np.intp)
    columns = np.array([places[key] for counts in counted for key in counts], np.intp)
    counts = np.array([count for counter in counted for count in counter.values()], np.float64)
    shape = (len(sentences), len(places))
    lengths = _sum_by(rows, counts, shape[0])
    frequencies = np.bincount(columns, minlength=shape[1])
    idf = np.log(shape[0] - frequencies + 0.5) - np.log(frequencies + 0.5)
    idf = np.where(idf > 0, idf, MIN_IDF_SHARE * max(float(idf.mean()) if idf.size else 0.0, 0.1))
    norm = BM25_K1 * (1 - BM25_B + BM25_B * lengths / max(float(lengths.mean()) if lengths.size else 0.0, 1.0))
    weights = idf[columns] * counts * (BM25_K1 + 1) / (counts + norm[rows])
    return _Terms(rows, columns, counts, weights, shape)


def _choose(sentences: Sequence[Sequence[Word]], scores: Vector, length: int) -> list[int]:
    """Return the best sentences that fit together into a length and say different things."""
    contents = [frozenset(word.key for word in sentence if word.is_content) for sentence in sentences]
    chosen: list[int] = []
    taken = 0
    for index in np.argsort(-scores, kind="stable").tolist():
        size = len(sentences[index])
        is_new = all(_share(contents[index], contents[other]) < MAX_SHARED for other in chosen)
        if is_new and (not chosen or taken + size <= length * SLACK):
            chosen.append(index)
            taken += size
        if taken >= length * (2 - SLACK):
            break
    return chosen


def _share(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, min(len(one), len(other)))
