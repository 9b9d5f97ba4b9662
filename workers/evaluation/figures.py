"""Figures: numbers in the digits of any script, with the group and decimal signs of any country.

A figure may have two readings: 53.193 is 53193 in German, and 53 193 is one number in French, though two in a table.
"""

from __future__ import annotations

import re
import unicodedata

from workers.evaluation.writing import read_digits

# Signs between groups of three digits, besides comma, full stop and space; the Arabic comma, and that of full width.
_GROUP = "\u00a0\u2007\u2009\u202f'\u2019\u066c\uff0c"
# Decimal signs besides the full stop: the Arabic one, the middle dot and that of full width.
_POINT = "\u066b\u00b7\uff0e"
# Fractions that are one character, alone or behind a whole number.
FRACTIONS = "\u00bc-\u00be\u2150-\u215e"
# Groups of three with one sign, of two in India; then a decimal comma, which has another number of digits behind it.
FIGURE = (
    rf"\d*[{FRACTIONS}]|"
    rf"\d{{1,3}}(?:, ?\d{{3}})+(?:[.{_POINT}]\d+)?(?!\d)|\d{{1,3}}(?:\.\d{{3}})+(?:,\d+)?(?![\d.])"
    rf"|\d{{1,3}}(?:[{_GROUP}]\d{{3}})+(?:[.,{_POINT}]\d+)?(?!\d)"
    rf"|[1-9]\d{{0,2}}(?: \d{{3}})+(?:[.,]\d+)?(?![\d,.]\d|\d| \d)"
    rf"|\d{{1,2}}(?:,\d{{2}})+,\d{{3}}(?:\.\d+)?(?!\d)"
    rf"|\d+(?:,\d{{1,2}}(?![\d,.]|\s?[-\u2013:])|[.{_POINT}]\d+)?(?:e[-+]?\d+)?|[.{_POINT}]\d+"
)

_SEPARATOR = re.compile(r"(?: |, ?|[^\w ])(?=\d)")
_EXPONENT = re.compile(r"e[-+]?\d+\Z", re.IGNORECASE)


def read_figure(figure: str) -> list[str]:
    """Return the numbers that a figure may stand for, the likeliest first, in ASCII digits with a decimal point."""
    if unicodedata.category(figure[-1]) == "No":
        return [f"{int(read_digits(figure) or 0) + unicodedata.numeric(figure[-1]):.15g}"]
    exponent = match[0] if (match := _EXPONENT.search(figure)) else ""
    figure = figure.removesuffix(exponent)
    parts = [read_digits(part) for part in _SEPARATOR.split(figure)]
    signs = _SEPARATOR.findall(figure)
    whole, point = "".join(parts), f"{''.join(parts[:-1]) or '0'}.{parts[-1]}"
    if not signs:
        return [whole + exponent]
    is_grouped = all(len(part) == 3 for part in parts[1:]) and len(set(signs)) == 1
    if len(signs) > 1 and (is_grouped or (len(parts[-1]) == 3 and signs[-1] == ",")):
        return [whole]
    if signs[-1] == " ":
        return [whole]
    if not is_grouped or not 1 <= len(parts[0]) <= 3 or parts[0].startswith("0"):
        return [point + exponent]
    if signs[-1].startswith(","):
        return [whole, point] if signs == [","] else [whole]
    return [point + exponent, whole] if signs[-1] in (".", *_POINT) else [whole]


def list_parts(figure: str) -> list[str]:
    """Return the numbers of a figure with spaces, which may be several: 12 345, or 12, 345."""
    return [read_digits(part) for part in re.split(",? ", figure)] if " " in figure else []
