"""Language detection; the detector's tables load at the first call."""

from __future__ import annotations

import re
from functools import cache

from lingua import Language, LanguageDetector, LanguageDetectorBuilder

from workers.evaluation.writing import CJK, MARKS, UPPER
from workers.summarization.alphabets import find_scripted_language, find_scripts, find_wrong_script

# Detection on fewer letters is unreliable: code and names pass for Latin or Esperanto. A Chinese character says as much
# as several letters.
MIN_LETTERS = 60
MIN_CONFIDENCE = 0.9
LETTERS_PER_CHARACTER = 3

# Names pass for the language that they come from, so the words without a capital must say the same.
MIN_LETTERS_BESIDE_NAMES = 20
MIN_CONFIDENCE_BESIDE_NAMES = 0.5

# More text makes detection slower, not more reliable.
MAX_CHARACTERS = 4000

# Code, addresses and words with digits belong to no language.
_NOT_PROSE = re.compile(r"(`{3,}).*?\1|`[^`\n]*`|https?://\S+|\S*[\d_/\\<>={}|]\S*", re.DOTALL)
# Words with a capital, except the first of a sentence or line.
_NAME = re.compile(rf"(?<![.!?:]\s)(?<=[^\n]\s)[(\"'\u201c\u201e\u00ab]*[{UPPER}][\w{MARKS}'\u2019-]*")
_CHARACTER = re.compile(f"[{CJK}]")

# Names of languages besides those of the detector.
_ALIASES = {
    "norwegian": "bokmal",
    "farsi": "persian",
    "mandarin": "chinese",
    "cantonese": "chinese",
    "slovenian": "slovene",
    "filipino": "tagalog",
    "castilian": "spanish",
    "flemish": "dutch",
}
# Languages that a few sentences do not tell apart.
_ALIKE = (
    frozenset({"bokmal", "nynorsk", "danish"}),
    frozenset({"indonesian", "malay"}),
    frozenset({"bosnian", "croatian", "serbian"}),
)


def detect_language(text: str) -> str | None:
    """Return the English name of a text's language, such as ``german``; None below the minimum confidence."""
    prose = _NOT_PROSE.sub(" ", text[:MAX_CHARACTERS])
    if count_letters(prose) < MIN_LETTERS:
        return None
    language, confidence = _detect(prose)
    if confidence < MIN_CONFIDENCE:
        return None
    rest, names = _NAME.subn(" ", prose)
    if names:
        beside, confidence = _detect(rest)
        if beside != language or confidence < MIN_CONFIDENCE_BESIDE_NAMES:
            return None
        if count_letters(rest) < MIN_LETTERS_BESIDE_NAMES:
            return None
    return language


def find_language(name: str) -> str | None:
    """Return the detectable language in a name such as ``Brazilian Portuguese``; None if there is none."""
    known = {language.name.lower() for language in Language.all()}
    words = (_ALIASES.get(word, word) for word in re.findall(r"\w+", name.lower()))
    return next((word for word in words if word in known), None)


def are_alike(one: str, other: str) -> bool:
    """Tell whether two languages are the same, or so close that a few sentences do not tell them apart."""
    return one == other or any({one, other} <= group for group in _ALIKE)


def find_foreign_script(answer: str, source: str, *, language: str | None) -> tuple[str, str] | None:
    """Return the wrong script of an answer and the one it should have; None if nothing is wrong.

    Args:
        answer: the answer.
        source: text that it follows from.
        language: English name of the requested language; None means that of the source.
    """
    expected = None
    if language is not None:
        known = find_scripted_language(language) or find_language(language)
        if known is None:
            return None
        expected = find_scripts(known)
    prose = [_NOT_PROSE.sub(" ", text[:MAX_CHARACTERS]) for text in (answer, source)]
    return find_wrong_script(*prose, expected=expected)


def count_letters(text: str) -> int:
    """Return the number of letters, those of Chinese and Japanese several times."""
    return sum(map(str.isalpha, text)) + (LETTERS_PER_CHARACTER - 1) * len(_CHARACTER.findall(text))


def _detect(text: str) -> tuple[str, float]:
    best = _load_detector().compute_language_confidence_values(text)[0]
    return best.language.name.lower(), best.value


def is_in_language(text: str, language: str | None) -> bool:
    """Tell whether a text is known to be in a requested language; None asks for none in particular."""
    return language is None or find_language(language) == detect_language(text) is not None


@cache
def _load_detector() -> LanguageDetector:
    # Low accuracy mode uses trigrams only: as accurate on whole sentences, in 70 MB instead of 1 GB.
    return LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()
