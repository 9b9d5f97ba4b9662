"""Language detection; the detector's tables load at the first call."""

from __future__ import annotations

import re
from functools import cache

from lingua import Language, LanguageDetector, LanguageDetectorBuilder

# Detection on fewer letters is unreliable: code and names pass for Latin or Esperanto.
MIN_LETTERS = 60
MIN_CONFIDENCE = 0.9

# More text makes detection slower, not more reliable.
MAX_CHARACTERS = 4000

# Code, addresses and words with digits belong to no language.
_NOT_PROSE = re.compile(r"(`{3,}).*?\1|`[^`\n]*`|https?://\S+|\S*[\d_/\\<>={}|]\S*", re.DOTALL)


def detect_language(text: str) -> str | None:
    """Return the English name of a text's language, such as ``german``; None below the minimum confidence."""
    prose = _NOT_PROSE.sub(" ", text[:MAX_CHARACTERS])
    if sum(map(str.isalpha, prose)) < MIN_LETTERS:
        return None
    best = _load_detector().compute_language_confidence_values(prose)[0]
    return best.language.name.lower() if best.value >= MIN_CONFIDENCE else None


def find_language(name: str) -> str | None:
    """Return the detectable language in a name such as ``Brazilian Portuguese``; None if there is none."""
    known = {language.name.lower() for language in Language.all()}
    return next((word for word in re.findall(r"\w+", name.lower()) if word in known), None)


def is_in_language(text: str, language: str | None) -> bool:
    """Tell whether a text is known to be in a requested language; None asks for none in particular."""
    return language is None or find_language(language) == detect_language(text) is not None


@cache
def _load_detector() -> LanguageDetector:
    # Low accuracy mode uses trigrams only: as accurate on whole sentences, in 70 MB instead of 1 GB.
    return LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()
