"""Quantities: numbers with their unit, scale and what they count, and whether one bears out another."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import product

# Signs of currencies; other units are those of measurement.
MONEY = frozenset("$£€¥₹₩₽₺₴₪₫฿₦")

# A hedged number is at most this far from the exact one, as a share of it.
MAX_ROUNDING = 0.12

# Smaller ordinals are ranks rather than anniversaries.
MIN_ANNIVERSARY = 13


class Hedge(StrEnum):
    """Direction in which a rounded number may be wrong."""

    AROUND = "around"
    ABOVE = "above"
    BELOW = "below"


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
        others: further values that the figure may stand for, as 53.193 does for 53193 in German.
        parts: numbers that the figure may consist of, as 12 345 does in a table.
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
    others: frozenset[float] = frozenset()
    parts: frozenset[float] = frozenset()

    def is_borne_out_by(self, other: Quantity) -> bool:
        """Tell whether a number of the source is this one, in a unit that agrees."""
        return self._fits_unit(other) and (self._equals(other) or self._has_reading_of(other))

    def _has_reading_of(self, other: Quantity) -> bool:
        """Tell whether the figures have a reading in common; only those of one notation may be rounded."""
        if len(self.others) == len(other.others) == 1 and self._swap().rounds(other._swap()):
            return True
        theirs = other.others if self.parts else other.others | other.parts
        pairs = product((self.value, *self.others), (other.value, *theirs))
        return self.is_ordinal == other.is_ordinal and any(_are_near(one, another) for one, another in pairs)

    def _swap(self) -> Quantity:
        """Return the number with the only other reading of its figure."""
        (value,) = self.others
        return replace(self, value=value, digits=count_digits(f"{value:.15g}"), others=frozenset())

    def _equals(self, other: Quantity) -> bool:
        if self.unit == "%" and other.unit is None and not other.is_ordinal and 0 < other.value < 1:
            return _are_near(self.value, 100 * other.value) or round(100 * other.value) == self.value
        if self.is_ordinal != other.is_ordinal and not self._is_anniversary_of(other):
            return False
        return _are_near(self.value, other.value) or self.rounds(other)

    def _is_anniversary_of(self, other: Quantity) -> bool:
        """Tell whether a place in an order may be an age or a span of years, as in 40th anniversary and 40 years."""
        cardinal = other if self.is_ordinal else self
        return cardinal.unit == "year" or (self.is_ordinal and self.value >= MIN_ANNIVERSARY)

    def rounds(self, other: Quantity) -> bool:
        """Tell whether this is a rounded form of the other number."""
        if self._is_rounding_of(other):
            return True
        if self.hedge is None or not other.value or self.digits >= other.digits:
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
            return other.counted is None or mine in MONEY or mine == "year"
        return self.counted is None or theirs in MONEY


def count_digits(figure: str) -> int:
    """Return the significant digits of a number in ASCII digits."""
    digits = re.sub(r"e.*|\D", "", figure.lower()).lstrip("0")
    return max(1, len(digits) if "." in figure else len(digits.rstrip("0")))


def _are_near(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-9 * max(abs(one), abs(other))


@dataclass(frozen=True, slots=True)
class NumberPair:
    """Two numbers joined by a dash or colon: a score, a range or a time."""

    start: int
    end: int
    values: frozenset[float]
