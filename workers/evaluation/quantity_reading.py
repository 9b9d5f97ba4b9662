"""Reading of quantities: numbers in digits and words with their units, currencies and scales, in any notation."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator

from workers.evaluation.figures import FIGURE, list_parts, read_figure
from workers.evaluation.lexical import STOP_WORDS, find_key
from workers.evaluation.myriads import MYRIAD, MYRIADS, read_myriads
from workers.evaluation.quantities import MONEY, Hedge, NumberPair, Quantity, count_digits
from workers.evaluation.writing import MARKS, UNSPACED

_ONES = {
    word: value
    for value, word in enumerate(["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"], start=1)
}
_TEENS = {
    word: value
    for value, word in enumerate(
        ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"],
        start=10,
    )
}
_TENS = {
    word: 10 * value
    for value, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2
    )
}
_ORDINALS = {
    word: value
    for value, word in enumerate(
        ["third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"], start=3
    )
}
_SPECIAL = {"zero": 0.0, "half": 0.5, "dozen": 12.0, "a dozen": 12.0, "half a dozen": 6.0, "half-dozen": 6.0}
_SCALES = {
    "hundred": 1e2,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "trillion": 1e12,
    "k": 1e3,
    "m": 1e6,
    "mn": 1e6,
    "mln": 1e6,
    "mil": 1e6,
    "bn": 1e9,
    "b": 1e9,
    "tn": 1e12,
    "trn": 1e12,
    "lakh": 1e5,
    "crore": 1e7,
}
# Scales of other languages; those of Chinese, Japanese and Korean stand directly behind the digits.
_FOREIGN_SCALES = {
    **dict.fromkeys(["tausend", "duizend", "mille", "тыс", "тысяч", "тысячи", "тысяча", "हज़ार", "हजार"], 1e3),
    **dict.fromkeys(["लाख", "লক্ষ"], 1e5),
    **dict.fromkeys(["mio", "millionen", "millions", "millones", "milhões", "miljoen", "milioni"], 1e6),
    **dict.fromkeys(["млн", "миллион", "миллиона", "миллионов"], 1e6),
    **dict.fromkeys(["करोड़", "কোটি"], 1e7),
    **dict.fromkeys(["mrd", "milliarde", "milliarden", "milliard", "milliards", "miljard", "miliardi"], 1e9),
    **dict.fromkeys(["млрд", "миллиард", "миллиарда", "миллиардов"], 1e9),
}
_MYRIADS = {"千": 1e3, "천": 1e3, **{sign: float(value) for sign, value in MYRIADS.items()}}
_SCALES |= {unicodedata.normalize("NFC", word): value for word, value in (_FOREIGN_SCALES | _MYRIADS).items()}
_WORD_VALUES = {**_ONES, **_TEENS, **_TENS, **_ORDINALS, **_SPECIAL}

_COMPOUND = rf"(?:{'|'.join(_TENS)})[-\s](?:{'|'.join(_ONES)})\b"
_WORDY = rf"half a dozen|half-dozen|a dozen|{_COMPOUND}|{'|'.join(sorted(_WORD_VALUES, key=len, reverse=True))}"
_SCALE = rf"hundred|thousand|million|billion|trillion|lakhs?|crores?|(?:{'|'.join(_FOREIGN_SCALES)})(?![^\W\d_])"
_SIGNS = "".join(MONEY)
_CURRENCY = rf"(?:US|A|AU|C|CA|NZ|HK|S)?\$|[{_SIGNS}]|USD|GBP|EUR|AUD"
# No letter stands before a number, except in scripts without spaces and in Korean.
_START = rf"(?<![^\W{UNSPACED}\uac00-\ud7a3])(?<!\.)"
_QUANTITY = re.compile(
    rf"(?P<currency>{_CURRENCY})?\s?(?:{_START}|(?<=[{_SIGNS}]))"
    rf"(?:(?P<signs>{MYRIAD})|(?P<digits>{FIGURE})(?:(?P<short>k|mln|mn|mil|m|bn|b|trn|tn)\b|(?P<myriad>[{''.join(_MYRIADS)}])"
    rf"|(?P<ordinal>st|nd|rd|th)\b)?|"
    rf"(?P<words>(?<=\ba\s)(?=hundred|thousand|million|billion|trillion)|(?:{_WORDY})\b))"
    rf"(?:(?:^|(?<=\ba\s)|[\s-]+(?:a\s)?)(?P<scale>(?:{_SCALE})(?:[\s-]+(?:{_SCALE}))?)\b(?:(?<=mio|mrd|тыс|млн|лрд)\.)?)?",
    re.IGNORECASE,
)
# Groups that hold a number, or a part of it.
_NUMBERS = ("signs", "digits", "words", "scale")
_PAIR = re.compile(r"(?<![\w.,/:$£€-])(\d{1,4}(?:\.\d+)?)\s?[-–—:/]\s?(\d{1,4}(?:\.\d+)?)(?![\w:/]|-\d|[.,]\d)")  # noqa: RUF001
_LETTERS = rf"[^\W\d_](?:[^\W\d_]|[{MARKS}])*"
_UNIT = re.compile(rf"\s?%|[\s-]*(?P<word>{_LETTERS}(?:\.[^\W\d_]\.?)?)(?:[\s-]+(?P<next>{_LETTERS}))?")
_PERCENT = re.compile(
    r"\s?[%\u066a\uff05\ufe6a]|[\s-]*(?:(?:per[\s-]?cent(?:age)?|pct|percent)\b(?:age)?"
    r"|(?:prozent|procent|pour cent|por ciento|por cento|per cento|процент\w*)\b|प्रतिशत|퍼센트|パーセント)",
    re.IGNORECASE,
)
# Unit of measurement by the stems and abbreviations of its names.
_UNIT_NAMES = {
    "year": "year yr yrs aged age",
    "month": "month mo",
    "week": "week wk",
    "day": "day",
    "hour": "hour hr hrs h",
    "minute": "minute min mins",
    "second": "second sec secs s",
    "kilometre": "kilometre kilometer km kms",
    "metre": "metre meter",
    "centimetre": "centimetre centimeter cm",
    "millimetre": "millimetre millimeter mm",
    "mile": "mile mi",
    "mph": "mph",
    "foot": "foot feet ft",
    "inch": "inch inches in",
    "yard": "yard yd yards",
    "kilogram": "kilogram kg kgs kilo kilos",
    "gram": "gram g grams",
    "stone": "stone",
    "ounce": "ounce oz",
    "tonne": "tonne ton tons tonnes",
    "litre": "litre liter litres liters",
    "acre": "acre",
    "degree": "degree",
    "GB": "gb gigabyte gigabytes",
    "MB": "mb megabyte megabytes",
    "am": "am",
    "pm": "pm",
    "$": "dollar buck",
    "£": "pound quid sterling",
    "€": "euro",
}
_UNITS = {
    find_key(name): unit for unit, names in _UNIT_NAMES.items() for name in names.split() if name not in ("in", "s")
}
_MONEY_SIGN = re.compile(rf"\s?([{_SIGNS}])(?!\d)")
_AGES = re.compile(r"\baged?(?: of)? $", re.IGNORECASE)
_CURRENCY_CODES = {"USD": "$", "AUD": "$", "GBP": "£", "EUR": "€"}


_HEDGES = {
    **dict.fromkeys(
        ["about", "around", "roughly", "approximately", "some", "circa", "approx", "estimated"], Hedge.AROUND
    ),
    **dict.fromkeys(["over", "than", "least", "exceeding", "above", "past"], Hedge.ABOVE),
    **dict.fromkeys(["nearly", "almost", "under", "below", "to", "most"], Hedge.BELOW),
}
# Words that hedge only behind another: "more than", "at least", "up to", "close to", "less than".
_SECOND_WORDS = {
    "than": {"more": Hedge.ABOVE, "less": Hedge.BELOW, "fewer": Hedge.BELOW, "higher": Hedge.ABOVE},
    "to": {"up": Hedge.BELOW, "close": Hedge.AROUND},
    "least": {"at": Hedge.ABOVE},
    "most": {"at": Hedge.BELOW},
}


def find_pairs(text: str) -> tuple[NumberPair, ...]:
    """Return the scores and ranges of a text."""
    return tuple(
        NumberPair(*match.span(), frozenset((float(match[1]), float(match[2])))) for match in _PAIR.finditer(text)
    )


def find_quantities(text: str) -> Iterator[Quantity]:
    """Yield the numbers of a text, in order."""
    for match in _QUANTITY.finditer(text):
        if any(match[group] for group in _NUMBERS):
            yield _read_quantity(text, match)


def _read_quantity(text: str, match: re.Match[str]) -> Quantity:
    start = min(place for place in map(match.start, ("currency", *_NUMBERS)) if place >= 0)
    unit, counted, end = _read_unit(text, match.end())
    if match["currency"]:
        unit, end = _read_currency(match["currency"]), match.end()
    elif unit is None and _AGES.search(text, 0, start):
        unit = "year"
    word, (value, *others) = (match["words"] or "").lower(), _read_values(match)
    return Quantity(
        start=start,
        end=end,
        value=value,
        unit=unit,
        counted=counted,
        hedge=_read_hedge(text, start),
        is_ordinal=match["ordinal"] is not None or word in _ORDINALS,
        digits=count_digits(read_figure(match["digits"])[0] if match["digits"] else f"{value:.15g}"),
        is_word=bool(word) and match["scale"] is None and unit is None,
        others=frozenset(others),
        parts=frozenset(_read_parts(match)),
    )


def _read_currency(sign: str) -> str:
    return sign[-1] if sign[-1] in MONEY else _CURRENCY_CODES[sign.upper()]


def _read_values(match: re.Match[str]) -> list[float]:
    """Return the value, then the others that the figure may stand for."""
    if match["signs"]:
        return [read_myriads(match["signs"])]
    scale = math.prod(_SCALES.get(word.rstrip("s"), _SCALES.get(word, 1.0)) for word in _list_scales(match))
    if match["digits"]:
        return [float(figure) * scale for figure in read_figure(match["digits"])]
    if match["words"]:
        word = " ".join(match["words"].lower().split())
        parts = re.split(r"[-\s]", word)
        value = _WORD_VALUES[word] if word in _WORD_VALUES else float(sum(_WORD_VALUES[part] for part in parts))
        return [value * scale]
    return [scale]


def _read_parts(match: re.Match[str]) -> Iterator[float]:
    if match["digits"] and not match["scale"]:
        yield from map(float, list_parts(match["digits"]))


def _list_scales(match: re.Match[str]) -> list[str]:
    return [*re.split(r"[-\s]+", (match["scale"] or "").lower()), (match["short"] or match["myriad"] or "").lower()]


def _read_unit(text: str, end: int) -> tuple[str | None, str | None, int]:
    """Return the unit, the stem of what is counted, and the end of the unit."""
    percent = _PERCENT.match(text, end)
    if percent:
        return "%", None, percent.end()
    sign = _MONEY_SIGN.match(text, end)
    if sign:
        return sign[1], None, sign.end()
    found = _UNIT.match(text, end)
    if not found or not found["word"]:
        return None, None, end
    word, key = found["word"], find_key(found["word"].replace(".", ""))
    if key in _UNITS:
        return _UNITS[key], None, found.end("word")
    # One adjective may stand between, as in "eight agonizing months".
    if found["next"] and find_key(found["next"]) in _UNITS and word.lower() not in STOP_WORDS:
        return _UNITS[find_key(found["next"])], None, found.end("next")
    if word.lower() in STOP_WORDS:
        return None, None, end
    return None, key, end


def _read_hedge(text: str, start: int) -> Hedge | None:
    words = text[max(0, start - 24) : start].lower().replace("$", " ").replace("£", " ").split()
    if not words:
        return Hedge.AROUND if text[start - 1 : start] == "~" else None
    last = words[-1]
    if last == "a" and len(words) > 1:
        words, last = words[:-1], words[-2]
    if last in _SECOND_WORDS:
        return _SECOND_WORDS[last].get(words[-2]) if len(words) > 1 else None
    return _HEDGES.get(last)
