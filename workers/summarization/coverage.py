"""Coverage: how much of each input a combining step's output has taken up, by content words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from workers.evaluation.lexical import read_words

# Below this share of an input's own words, the output says nothing of it: one word in twenty is chance.
MIN_COVERAGE = 0.05


def measure_coverage(output: str, inputs: Sequence[str]) -> list[float]:
    """Return for each input the share, from 0 to 1, of its own content words that the output has.

    An input's own words are those that at most half of the inputs have, because all parts of a document share its
    topic; an input without any counts as covered.
    """
    said = _read_content(output)
    contents = [_read_content(text) for text in inputs]
    frequencies = Counter(key for content in contents for key in content)
    shares = []
    for content in contents:
        own = {key for key in content if frequencies[key] * 2 <= len(inputs)}
        shares.append(len(own & said) / len(own) if own else 1.0)
    return shares


def note_coverage(output: str, inputs: Sequence[str]) -> str | None:
    """Return a human-readable note on the inputs that an output says nothing of; None if there are none."""
    shares = measure_coverage(output, inputs)
    missing = [str(number) for number, share in enumerate(shares, start=1) if share < MIN_COVERAGE]
    if not missing:
        return None
    return f"says nothing of {'part' if len(missing) == 1 else 'parts'} {', '.join(missing)} of {len(inputs)}"


def _read_content(text: str) -> frozenset[str]:
    return frozenset(word.key for word in read_words(text) if word.is_content)
