"""Normal form of characters: the one in which every text and name is stored, so that equal texts are equal.

Texts are composed (NFC). Soft hyphens and invisible joiners of lines go; ligatures and presentation forms become the
letters that they stand for, because neither a tokenizer nor a search knows them as those. Forms that carry a meaning
stay: superscripts, fractions, Roman numerals, full-width punctuation of Chinese and Japanese, joiners inside words of
Persian and Hindi. The spans of chunks and citations are offsets in the stored text, so this is their text too.
"""

from __future__ import annotations

import re
import unicodedata

# A soft hyphen at the end of a line joins the parts of a word, as in text that was copied from a page.
_HYPHENS = re.compile(r"\u00ad[ \t]*\n[ \t]*(?=[^\W\d_])|[\u00ad\u2060\ufeff]")
# Colours of terminals, and other signs to machines; line feeds of Word, form feeds and the end of files of DOS.
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x01-\x08\x0e-\x1f\x7f]")
_LINE_CONTROLS = re.compile(r"[\x0b\x0c]")
_LINE_ENDS = re.compile(r"[\u0085\u2028\u2029]")
# Ligatures of Latin and Armenian; Hebrew and Arabic presentation forms; radicals in place of Chinese characters;
# Japanese of half and letters and digits of full width, the signs between such digits included; styled letters.
_LETTER_FORMS = (
    r"\ufb00-\ufb06\ufb13-\ufb17\ufb1d-\ufb4f\ufb50-\ufd3d\ufd40-\ufdfc\ufe70-\ufefc\u2e9f\u2ef3\u2f00-\u2fd5"
    r"\uff61-\uff9f\uff21-\uff3a\uff41-\uff5a\U0001d400-\U0001d7ff"
)
_FORMS = re.compile(rf"[{_LETTER_FORMS}]+|[\uff10-\uff19]+(?:[\uff0c\uff0e][\uff10-\uff19]+)*")
# Most texts have none of these characters, nor surrogates; one set is found ten times as fast as the patterns.
_ODD = re.compile(rf"[\u00ad\u2060\ufeff\u0085\u2028\u2029{_LETTER_FORMS}\uff10-\uff19\ud800-\udfff]")


def normalize_characters(text: str) -> str:
    """Return a text in the form in which it is stored.

    Raises:
        UnicodeEncodeError: it holds lone surrogates.
    """
    if _CONTROL.search(text):
        text = _CONTROLS.sub("", _LINE_CONTROLS.sub("\n", text))
    if text.isascii():
        return text
    if _ODD.search(text):
        text.encode()
        text = _FORMS.sub(_resolve, _LINE_ENDS.sub("\n", _HYPHENS.sub("", text)))
    return unicodedata.normalize("NFC", text)


def compose(name: str) -> str:
    """Return a name with composed letters; file names of macOS have them apart."""
    return unicodedata.normalize("NFC", name)


def _resolve(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", match[0])
