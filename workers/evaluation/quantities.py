"""Quantities of a text: numbers with their unit, currency, scale and what they count, whatever the notation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from workers.evaluation.lexical import STOP_WORDS, find_key

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
}
_WORD_VALUES = {**_ONES, **_TEENS, **_TENS, **_ORDINALS, **_SPECIAL}

_COMPOUND = rf"(?:{'|'.join(_TENS)})[-\s](?:{'|'.join(_ONES)})\b"
_WORDY = rf"half a dozen|half-dozen|a dozen|{_COMPOUND}|{'|'.join(sorted(_WORD_VALUES, key=len, reverse=True))}"
_DIGITS = r"\d{1,3}(?:, ?\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?(?:e[-+]?\d+)?|\.\d+"
_SCALE = r"hundred|thousand|million|billion|trillion"
_CURRENCY = r"(?:US|A|AU|C|CA|NZ|HK|S)?\$|[£€¥₹]|USD|GBP|EUR|AUD"
_QUANTITY = re.compile(
    rf"(?P<currency>{_CURRENCY})?\s?(?:(?<![\w.])|(?<=[$£€¥₹]))"
    rf"(?:(?P<digits>{_DIGITS})(?:(?P<short>k|mln|mn|mil|m|bn|b|trn|tn)\b|(?P<ordinal>st|nd|rd|th)\b)?|"
    rf"(?P<words>(?<=\ba\s)(?={_SCALE})|(?:{_WORDY})\b))"
    rf"(?:(?:^|(?<=\ba\s)|[\s-]+(?:a\s)?)(?P<scale>(?:{_SCALE})(?:[\s-]+(?:{_SCALE}))?)\b)?",
    re.IGNORECASE,
)
_PAIR = re.compile(r"(?<![\w.,/:$£€-])(\d{1,4}(?:\.\d+)?)\s?[-–—:/]\s?(\d{1,4}(?:\.\d+)?)(?![\w:/]|-\d|[.,]\d)")  # noqa: RUF001
_UNIT = re.compile(r"\s?%|[\s-]*(?P<word>[^\W\d_]+(?:\.[^\W\d_]\.?)?)(?:[\s-]+(?P<next>[^\W\d_]+))?")
_PERCENT = re.compile(r"\s?%|[\s-]*(?:per[\s-]?cent(?:age)?|pct|percent)\b(?:age)?", re.IGNORECASE)
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
_AGES = re.compile(r"\baged?(?: of)? $", re.IGNORECASE)
_MONEY = frozenset("$£€¥₹")
_CURRENCY_CODES = {"USD": "$", "AUD": "$", "GBP": "£", "EUR": "€"}


class Hedge(StrEnum):
    """Direction in which a rounded number may be wrong."""

    AROUND = "around"
    ABOVE = "above"
    BELOW = "below"


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

# A hedged number is at most this far from the exact one, as a share of it.
MAX_ROUNDING = 0.12

# Smaller ordinals are ranks rather than anniversaries.
MIN_ANNIVERSARY = 13


@dataclass(frozen=True, slots=True)
class Quantity:
    """Number with what belongs to it.

    Args:
        start: offset of the first character.
        end: offset after the last character, unit and scale included.
        value: the number, scale included.
        unit: unit of measurement, ``%`` or a currency; None for a mere count.
        counted: stem of the noun behind the number; None without one.
        hedge: direction of rounding; None for an exact number.
        is_ordinal: whether the number gives a place in an order.
        digits: significant digits.
        is_word: whether the number is written as a word without scale or unit.
    """

    start: int
    end: int
    value: float
    unit: str | None
    counted: str | None
    hedge: Hedge | None
    is_ordinal: bool
    digits: int
    is_word: bool

    def is_borne_out_by(self, other: Quantity) -> bool:
        """Tell whether a number of the source is this one, in a unit that agrees."""
        return self._equals(other) and self._fits_unit(other)

    def _equals(self, other: Quantity) -> bool:
        if self.unit == "%" and other.unit is None and not other.is_ordinal and 0 < other.value < 1:
            return _are_near(self.value, 100 * other.value) or round(100 * other.value) == self.value
        if self.is_ordinal != other.is_ordinal and not self._is_anniversary_of(other):
            return False
        return _are_near(self.value, other.value) or self._rounds(other)

    def _is_anniversary_of(self, other: Quantity) -> bool:
        """Tell whether a place in an order may be an age or a span of years, as in 40th anniversary and 40 years."""
        cardinal = other if self.is_ordinal else self
        return cardinal.unit == "year" or (self.is_ordinal and self.value >= MIN_ANNIVERSARY)

    def _rounds(self, other: Quantity) -> bool:
        """Tell whether this is a rounded form of the other number."""
        if self._is_rounding_of(other):
            return True
        if self.hedge is None or not other.value:
            return False
        away = (other.value - self.value) / other.value
        lowest = 0.0 if self.hedge is Hedge.ABOVE else -MAX_ROUNDING
        return lowest <= away <= (0.0 if self.hedge is Hedge.BELOW else MAX_ROUNDING)

    def _is_rounding_of(self, other: Quantity) -> bool:
        is_coarse = self.digits >= 2 or self.hedge is not None
        rounded = float(f"{other.value:.{self.digits - 1}e}")
        return is_coarse and self.digits < other.digits and _are_near(rounded, self.value)

    def _fits_unit(self, other: Quantity) -> bool:
        mine, theirs = self.unit, other.unit
        if mine == theirs or self.is_ordinal or other.is_ordinal:
            return True
        if "%" in (mine, theirs):
            return mine == "%" and theirs is None and 0 < other.value < 1
        if mine is not None and theirs is not None:
            return False
        if mine is not None:
            return other.counted is None or mine in _MONEY or mine == "year"
        return self.counted is None or theirs in _MONEY


def _are_near(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-9 * max(abs(one), abs(other))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two numbers joined by a dash or colon: a score, a range or a time."""

    start: int
    end: int
    values: frozenset[float]


def find_pairs(text: str) -> tuple[Pair, ...]:
    """Return the scores and ranges of a text."""
    return tuple(Pair(*match.span(), frozenset((float(match[1]), float(match[2])))) for match in _PAIR.finditer(text))


def find_quantities(text: str) -> Iterator[Quantity]:
    """Yield the numbers of a text, in order."""
    for match in _QUANTITY.finditer(text):
        if match["digits"] or match["words"] or match["scale"]:
            yield _read_quantity(text, match)


def _read_quantity(text: str, match: re.Match[str]) -> Quantity:
    start = min(place for place in map(match.start, ("currency", "digits", "words", "scale")) if place >= 0)
    unit, counted, end = _read_unit(text, match.end())
    if match["currency"]:
        unit, end = _read_currency(match["currency"]), match.end()
    elif unit is None and _AGES.search(text, 0, start):
        unit = "year"
    word, value = (match["words"] or "").lower(), _read_value(match)
    return Quantity(
        start=start,
        end=end,
        value=value,
        unit=unit,
        counted=counted,
        hedge=_read_hedge(text, start),
        is_ordinal=match["ordinal"] is not None or word in _ORDINALS,
        digits=_count_digits(match["digits"] or f"{value:g}"),
        is_word=bool(word) and match["scale"] is None and unit is None,
    )


def _read_currency(sign: str) -> str:
    return sign[-1] if sign[-1] in _MONEY else _CURRENCY_CODES[sign.upper()]


def _read_value(match: re.Match[str]) -> float:
    if match["digits"]:
        value = float(match["digits"].replace(",", "").replace(" ", ""))
    elif match["words"]:
        word = " ".join(match["words"].lower().split())
        parts = re.split(r"[-\s]", word)
        value = _WORD_VALUES[word] if word in _WORD_VALUES else float(sum(_WORD_VALUES[part] for part in parts))
    else:
        value = 1.0
    for scale in re.split(r"[-\s]+", (match["scale"] or "").lower()):
        value *= _SCALES.get(scale, 1.0)
    return value * _SCALES.get((match["short"] or "").lower(), 1.0)


def _count_digits(figure: str) -> int:
    digits = re.sub(r"e.*|\D", "", figure.lower()).lstrip("0")
    return max(1, len(digits) if "." in figure else len(digits.rstrip("0")))


def _read_unit(text: str, end: int) -> tuple[str | None, str | None, int]:
    """Return the unit, the stem of what is counted, and the end of the unit."""
    percent = _PERCENT.match(text, end)
    if percent:
        return "%", None, percent.end()
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
