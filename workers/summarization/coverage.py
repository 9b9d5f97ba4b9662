"""Coverage: how much of each input a combining step's output has taken up, by content words; and what it left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from workers.evaluation.lexical import read_content, split_sentences
from workers.summarization.lengths import count_words

# Below this share of an input's own words, the output says nothing of it: one word in twenty is chance.
MIN_COVERAGE = 0.05


def measure_coverage(output: str, inputs: Sequence[str]) -> list[float]:
    """Return for each input the share, from 0 to 1, of its own content words that the output has.

    An input's own words are those that at most half of the inputs have, because all parts of a document share its
    topic; an input without any counts as covered.
    """
    said = read_content(output)
    contents = [read_content(text) for text in inputs]
    frequencies = Counter(key for content in contents for key in content)
    shares = []
    for content in contents:
        own = {key for key in content if frequencies[key] * 2 <= len(inputs)}
        shares.append(len(own & said) / len(own) if own else 1.0)
    return shares


def note_coverage(output: str, inputs: Sequence[str]) -> str | None:
    """Return a human-readable note on the inputs that an output says nothing of; None if there are none."""
    missing = [str(place + 1) for place in _find_missing(output, inputs)]
    if not missing:
        return None
    return f"says nothing of {'part' if len(missing) == 1 else 'parts'} {', '.join(missing)} of {len(inputs)}"


def pick_missing(output: str, inputs: Sequence[str], *, words: int) -> list[str]:
    """Return the first sentence of every input that an output says nothing of, as far as a length allows.

    Args:
        output: what combines the inputs.
        inputs: the summaries of consecutive parts, in order.
        words: length of the output with these sentences.
    """
    left = words - count_words(output)
    picked: list[str] = []
    for place in _find_missing(output, inputs):
        sentence = next((found.text for found in split_sentences(inputs[place])), "")
        if not sentence or sentence in picked:
            continue
        left -= count_words(sentence)
        if left < 0:
            break
        picked.append(sentence)
    return picked


def _find_missing(output: str, inputs: Sequence[str]) -> list[int]:
    return [place for place, share in enumerate(measure_coverage(output, inputs)) if share < MIN_COVERAGE]
