"""Scripts of texts: a few words in the wrong one are seen where a language cannot be detected."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

from workers.evaluation.writing import LETTERS, UNSPACED

# More text makes the shares of scripts slower to count, not more reliable.
MAX_CHARACTERS = 4000

# Words of a script that neither the source nor the expected language has: fewer may be names.
MIN_FOREIGN_WORDS = 3

# An answer has most of its words in its script, and a source fewer than this in any but its own.
MAIN_SHARE = 0.5
SIDE_SHARE = 0.3

# A word of a script without spaces has about two letters.
LETTERS_PER_WORD = 2

_WORD = re.compile(LETTERS)
_UNSPACED_LETTER = re.compile(f"[{UNSPACED}]")
# Scripts by the first words of their letters' names, where the name of the script is another one.
_NAMES = {"CJK": "Chinese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HALFWIDTH": "Japanese", "HANGUL": "Korean"}
# Letters of no script: symbols of mathematics, ordinals, modifiers.
_NO_SCRIPTS = frozenset(
    {
        "MATHEMATICAL",
        "MODIFIER",
        "FEMININE",
        "MASCULINE",
        "MICRO",
        "SCRIPT",
        "DOUBLE-STRUCK",
        "OHM",
        "KELVIN",
        "ANGSTROM",
    }
)

# Scripts of the languages that are not written in Latin letters, or not in these alone.
_SCRIPTS: Mapping[str, str] = {
    **dict.fromkeys(["russian", "ukrainian", "belarusian", "bulgarian", "macedonian", "kyrgyz", "tajik"], "Cyrillic"),
    **dict.fromkeys(["kazakh", "mongolian", "serbian", "bosnian", "uzbek", "tatar"], "Cyrillic Latin"),
    **dict.fromkeys(["arabic", "persian", "farsi", "urdu", "pashto", "uyghur", "sindhi", "dari"], "Arabic"),
    **dict.fromkeys(["hindi", "marathi", "nepali", "sanskrit", "konkani"], "Devanagari"),
    **dict.fromkeys(["hebrew", "yiddish"], "Hebrew"),
    **dict.fromkeys(["bengali", "assamese"], "Bengali"),
    **dict.fromkeys(["amharic", "tigrinya"], "Ethiopic"),
    **dict.fromkeys(["chinese", "mandarin", "cantonese"], "Chinese"),
    "japanese": "Japanese",
    "korean": "Korean",
    "greek": "Greek",
    "armenian": "Armenian",
    "georgian": "Georgian",
    "thai": "Thai",
    "lao": "Lao",
    "burmese": "Myanmar",
    "khmer": "Khmer",
    "tibetan": "Tibetan",
    "tamil": "Tamil",
    "telugu": "Telugu",
    "kannada": "Kannada",
    "malayalam": "Malayalam",
    "sinhala": "Sinhala",
    "gujarati": "Gujarati",
    "punjabi": "Gurmukhi Arabic",
    "odia": "Oriya",
    "azerbaijani": "Latin Cyrillic Arabic",
}


def find_scripts(language: str) -> frozenset[str]:
    """Return the scripts of a language in lower case; Latin for one that is not known to have another."""
    return frozenset(_SCRIPTS.get(language, "Latin").split())


def find_scripted_language(name: str) -> str | None:
    """Return the language with a script of its own in a name such as ``Simplified Chinese``; None without one."""
    return next((word for word in re.findall(r"\w+", name.lower()) if word in _SCRIPTS), None)


def find_wrong_script(answer: str, source: str, *, expected: frozenset[str] | None) -> tuple[str, str] | None:
    """Return the wrong script of an answer and the one it should have; None if nothing is wrong.

    Args:
        answer: text without code and addresses.
        source: text that the answer follows from.
        expected: scripts of the requested language; None means those of the source.
    """
    words, there = count_words(answer), count_words(source)
    if not words or not there:
        return None
    (main, _), *_ = words.most_common(1)
    (source_main, _), *_ = there.most_common(1)
    allowed = expected or {script for script, count in there.items() if count >= SIDE_SHARE * there.total()}
    if allowed & {"Japanese", "Korean"}:
        allowed = {*allowed, "Chinese"}
    wanted = source_main if expected is None or source_main in expected else min(expected)
    if main not in allowed and words[main] >= MAIN_SHARE * words.total():
        return (main, wanted) if words[main] >= MIN_FOREIGN_WORDS or len(words) == 1 else None
    # Names and terms in Latin letters stand in texts of every script.
    foreign = {script: count for script, count in words.items() if script not in {*allowed, *there, "Latin"}}
    strange = max(foreign, key=lambda script: foreign[script], default=None)
    return (strange, wanted) if strange and foreign[strange] >= MIN_FOREIGN_WORDS else None


def count_words(text: str) -> Counter[str]:
    """Return the number of words by script, single letters of scripts with spaces not counted."""
    counts: Counter[str] = Counter()
    for match in _WORD.finditer(text, 0, MAX_CHARACTERS):
        is_unspaced = bool(_UNSPACED_LETTER.match(match[0]))
        script = _find_script(match[0][0])
        if script and (is_unspaced or len(match[0]) > 1):
            counts[script] += 1 if is_unspaced else LETTERS_PER_WORD
    if counts["Japanese"]:
        # Japanese has Chinese characters between its own.
        counts["Japanese"] += counts.pop("Chinese", 0)
    return Counter({script: count / LETTERS_PER_WORD for script, count in counts.items() if count})


@lru_cache(maxsize=20_000)
def _find_script(letter: str) -> str | None:
    """Return the name of a letter's script; None for a letter of no script."""
    first = unicodedata.name(letter, "").split(" ")[0]
    return None if not first or first in _NO_SCRIPTS else _NAMES.get(first, first.title())
