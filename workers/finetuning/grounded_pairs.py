"""Grounded pairs: training pairs whose summaries hold only what their texts bear out.

A text that is cut, or a summary that its writer knew more than the text for, teaches weights to invent. So every
sentence of a summary that its text does not bear out is left out (Nan et al., EACL 2021, and Goyal and Durrett, NAACL
2021, filter their targets so), and texts of the other kinds that weights are served are made from the same pairs: parts
from inside a text, and summaries of consecutive parts to be combined. Where the summary says nothing of a text, the
text's most salient sentences are its summary. Some prompts ask for the length that the summary has.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workers.evaluation.lexical import Sentence, split_sentences
from workers.evaluation.verification import SourceText
from workers.finetuning.pairs import Pair
from workers.summarization.extraction import extract
from workers.summarization.lengths import count_words
from workers.summarization.wording import OUTPUT_SEPARATOR

# Shares of the texts that are a part from inside, or the summaries of consecutive parts; the others are beginnings.
INSIDE_SHARE = 0.3
COMBINED_SHARE = 0.25
# Share of the prompts that ask for a length, in steps of so many words.
LENGTH_SHARE = 0.3
LENGTH_STEP = 5
# Words of an extract that stands for a summary, at least and at most.
EXTRACT_WORDS = (20, 45)
# Words of a part whose summary is to be combined with others, and the most of such parts.
PART_WORDS = 250
MAX_PARTS = 8
# Shortest summary worth learning.
MIN_WORDS = 6


@dataclass(frozen=True, slots=True)
class GroundedPair:
    """Text with a summary that it bears out.

    Args:
        pair: the text, already cut, and the summary.
        words: length to ask for in the prompt; None asks for none.
        is_cut: whether the text was cut.
        dropped: number of sentences of the given summary that the text does not bear out.
    """

    pair: Pair
    words: int | None
    is_cut: bool
    dropped: int


def ground_pair(
    pair: Pair, *, truncate: Callable[[str], tuple[str, bool]], generator: random.Random
) -> GroundedPair | None:
    """Return a grounded pair made from a given one; None if its text has no sentence to say.

    Args:
        pair: the given text and summary.
        truncate: returns a text cut to its budget, and whether it was cut.
        generator: source of the draws.
    """
    text, is_cut = truncate(_draw_text(pair.source, generator))
    length = generator.randint(*EXTRACT_WORDS)
    wants_length = generator.random() < LENGTH_SHARE
    given = [sentence.text for sentence in split_sentences(pair.target)]
    kept = _keep_supported(text, given)
    summary = " ".join(kept)
    if count_words(summary) < MIN_WORDS:
        summary = _extract(text, length)
    words = count_words(summary)
    if words < MIN_WORDS or summary == text:
        return None
    asked = max(LENGTH_STEP, LENGTH_STEP * round(words / LENGTH_STEP)) if wants_length else None
    return GroundedPair(Pair(text, summary), asked, is_cut, len(given) - len(kept))


def _draw_text(source: str, generator: random.Random) -> str:
    """Return the text itself, the rest of it from a sentence on, or the summaries of its first parts."""
    draw = generator.random()
    sentences = split_sentences(source)
    if draw < INSIDE_SHARE:
        return source[generator.choice(sentences[: max(1, 2 * len(sentences) // 3)]).start :] if sentences else source
    if draw < INSIDE_SHARE + COMBINED_SHARE:
        parts = _cut_parts(source, sentences)[:MAX_PARTS]
        if len(parts) > 1:
            return OUTPUT_SEPARATOR.join(_extract(part, generator.randint(*EXTRACT_WORDS)) for part in parts)
    return source


def _cut_parts(source: str, sentences: Sequence[Sentence]) -> list[str]:
    """Return consecutive parts of whole sentences, each of about ``PART_WORDS`` words."""
    parts: list[str] = []
    start = words = 0
    for sentence in sentences:
        words += count_words(sentence.text)
        if words >= PART_WORDS:
            parts.append(source[start : sentence.end])
            start, words = sentence.end, 0
    return [*parts, source[start:]] if words else parts


def _keep_supported(text: str, sentences: Sequence[str]) -> list[str]:
    verdicts = SourceText(text, judge=None).verify(sentences)
    return [sentence for sentence, verdict in zip(sentences, verdicts, strict=True) if verdict.is_borne_out]


def _extract(text: str, words: int) -> str:
    return " ".join(" ".join(text[slice(*span)].split()) for span in extract(text, words=words))
