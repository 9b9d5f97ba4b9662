"""Writing systems: words with their marks, scripts without spaces, sentence ends, and forms that compare as equal.

The character classes are the inside of a regular expression's brackets. ``re`` knows letters, but neither combining
marks (vowel signs of Hindi, accents of decomposed text) nor scripts, so the classes are listed or built here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Blocks with combining marks; all other code points would double the time of the import.
_MARK_BLOCKS = (range(0x300, 0x3100), range(0xA600, 0xAC00), range(0xFB1E, 0xFE30), range(0x10A00, 0x12000))
_CASED_BLOCKS = (range(0x41, 0x590),)


def _list_class(blocks: Iterable[range], categories: frozenset[str]) -> str:
    """Return the class of the characters of some general categories."""
    ranges: list[list[int]] = []
    for code in (code for block in blocks for code in block if unicodedata.category(chr(code)) in categories):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


# Signs that belong to the letter before them, and joiners inside words (Persian, Hindi; soft hyphens).
MARKS = _list_class(_MARK_BLOCKS, frozenset({"Mn", "Mc"})) + "\u00ad\u200c\u200d\u2060"
UPPER = _list_class(_CASED_BLOCKS, frozenset({"Lu"}))
LOWER = _list_class(_CASED_BLOCKS, frozenset({"Ll"}))

# Letters of Chinese and Japanese, whose characters stand for words.
CJK = "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
CJK += "\u3105-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U000323af"
# Thai, Lao, Burmese, Khmer, Tai Tham, Balinese and Javanese put no spaces between words either.
UNSPACED = CJK + "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd\u0ec0-\u0ec6\u0edc-\u0edf"
UNSPACED += "\u1000-\u102a\u103f\u1050-\u1055\u105a-\u105d\u1061\u1065\u1066\u106e-\u1070\u1075-\u1081\u108e"
UNSPACED += "\u1780-\u17b3\u17d7\u17dc\u1a20-\u1a54\u1b05-\u1b33\ua984-\ua9b2\ua9e0-\ua9e4\uaa60-\uaa76"

# A word: letters with their marks; in scripts without spaces one letter.
LETTERS = rf"[^\W\d_{UNSPACED}]+(?:[{MARKS}]+[^\W\d_{UNSPACED}]*)*|[{UNSPACED}][{MARKS}]*"

# Full stops, question and exclamation marks that end a sentence wherever they stand (Unicode's Sentence_Terminal,
# without ASCII, commas of Burmese and Balinese, and those that may be a decimal point).
STOPS = (
    "\u0589\u061d-\u061f\u0700-\u0702\u07f9\u0964\u0965\u0f0d\u0f0e\u104b\u1362\u1367\u1368\u166e\u1735\u1736"
    "\u17d4\u17d5\u1803\u1809\u1944\u1945\u1aa8-\u1aab\u1b5a\u1b5b\u1b5f\u1c3b\u1c3c\u1c7e\u1c7f"
    "\u203c\u203d\u2047-\u2049\u2cf9-\u2cfb\u2e2e\u2e3c\u2e53\u2e54\u3002\ua4ff\ua60e\ua60f\ua6f3\ua6f7\ua876\ua877\ua8ce\ua8cf\ua9c8\ua9c9\uaa5d-\uaa5f\uaaf0"
    "\uaaf1\uabeb\ufe12\ufe15\ufe16\ufe52\ufe56\ufe57\uff01\uff1f\uff61\U00010a56\U00010a57\U00011047\U00011048\U000110be-"
    "\U000110c1\U00011141-\U00011143\U000111c5\U000111c6\U0001144b\U0001144c\U00011641\U00011642"
)
# Quotation marks and brackets that close behind a stop and belong to its sentence.
CLOSERS = "\u201d\u2019\u00bb\u203a\u300d\u300f\u300b\u3009\u3011\u3015\uff09\uff3d\\])"

# Characters with which such an end may begin. Some need their surroundings: the stops of Urdu and of full width,
# Ethiopic word separators doubled for a full stop, ASCII marks between Chinese or Japanese letters, the pipe for a
# danda, the Greek question mark and the Armenian colon.
STOP_SIGNS = STOPS + "\u06d4\uff0e\u1361!?|;:"
AFTER_STOP_SIGN = (
    rf"(?:(?<=[{STOPS}])|(?<=[\u06d4\uff0e])(?!\d)|(?<=\u1361)\u1361|(?<=[!?])(?<![!?][!?])[!?]*(?=[{CJK}])"
    r"|(?<=[\u0900-\u0dff]\|)\|?(?=\s|\Z)"
    r"|(?:(?<=[\u0370-\u03ff\u1f00-\u1fff];)|(?<=[\u0531-\u0587]:))(?=\s|\Z))"
    # A quotation of Japanese goes on with the verb of saying behind it.
    rf"[{STOPS}.!?\u2026]*(?:[\"']+(?=\s|\Z))?[{CLOSERS}]*+(?!(?<=[\u300d\u300f])(?:と|って))"
)
# The end of a sentence in any script but those with the ASCII full stop.
SCRIPT_END = rf"[{STOP_SIGNS}]{AFTER_STOP_SIGN}"

_JOINERS = str.maketrans(dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_POINTS = re.compile(
    r"(?<![\u0438])[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c7\u064b-\u0652\u0670]|\u0300|\u0301"
)


def fold(text: str) -> str:
    """Return a text in the form that is compared: composed, without presentation forms, joiners and case."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text.translate(_JOINERS)).lower()


def fold_accents(text: str) -> str:
    """Return a text without the accents and points that a reader may leave out; vowel signs and tones stay.

    Latin, Greek and Cyrillic letters lose their accents (the Russian short i keeps its breve), Hebrew and Arabic ones
    their points. Elsewhere a mark makes another letter, as in Hindi, Thai and Japanese.
    """
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFKD", text.translate(_JOINERS))
    return unicodedata.normalize("NFC", _POINTS.sub("", apart)) or text


def read_digits(figure: str) -> str:
    """Return the digits of a number in any script as ASCII digits, without what stands between them."""
    return "".join(str(unicodedata.decimal(sign)) for sign in figure if sign.isdecimal())
