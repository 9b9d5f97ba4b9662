"""Numbers of Chinese, Japanese and Korean: digits and signs for ten, hundred, thousand and powers of ten thousand."""

from __future__ import annotations

import re
import unicodedata

_DIGITS = {sign: value for value, sign in enumerate("〇一二三四五六七八九")} | {"零": 0, "两": 2, "兩": 2}
UNITS = {"十": 10, "百": 100, "千": 1000, "십": 10, "백": 100, "천": 1000}
MYRIADS = {"万": 10**4, "萬": 10**4, "만": 10**4, "億": 10**8, "亿": 10**8, "억": 10**8, "兆": 10**12, "조": 10**12}
_SIGNS = "".join([*_DIGITS, *UNITS, *MYRIADS])
_FIGURE = r"\d+(?:,\d{3})*(?:\.\d+)?"
# Signs alone, a digit or a ten first: 一万二千, 十二; then digits between signs: 3万5千, 3만 5천.
MYRIAD = (
    rf"[十{''.join(_DIGITS)}][{''.join(_DIGITS)}]*[{''.join([*UNITS, *MYRIADS])}][{_SIGNS}]*"
    rf"|十[{''.join(_DIGITS)}]"
    rf"|{_FIGURE}[{''.join([*UNITS, *MYRIADS])}](?:\s?{_FIGURE}[{''.join([*UNITS, *MYRIADS])}])+"
)
_PART = re.compile(rf"{_FIGURE}|[{_SIGNS}]")


def read_myriads(number: str) -> float:
    """Return the value of a number."""
    total = section = digit = 0.0
    has_digit = False
    for part in _PART.findall(number):
        if part in UNITS:
            section += (digit if has_digit else 1) * UNITS[part]
            digit, has_digit = 0.0, False
        elif part in MYRIADS:
            total += (section + digit or 1) * MYRIADS[part]
            section, digit, has_digit = 0.0, 0.0, False
        else:
            value = float(_DIGITS[part]) if part in _DIGITS else _read_figure(part)
            # Digits one after the other are places, as in 二〇.
            digit, has_digit = (10 * digit + value if has_digit else value), True
    return total + section + digit


def _read_figure(figure: str) -> float:
    return float("".join(sign if sign == "." else str(unicodedata.decimal(sign)) for sign in figure if sign != ","))
