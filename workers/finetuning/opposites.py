"""Words whose exchange makes a true sentence of a report false: opposites and members of one small class.

Written for this purpose after the error types of FactCC (Kryscinski et al., EMNLP 2020) and FRANK (Pagnoni et al.,
NAACL 2021), which name wrong predicates and circumstances among the errors of summarizers.
"""

from __future__ import annotations

from collections.abc import Iterable

_PAIRS = """
increase/decrease increased/decreased rise/fall rose/fell rising/falling more/fewer higher/lower up/down gain/loss
before/after first/last early/late start/end started/ended begin/stop began/stopped open/closed always/never
win/lose won/lost wins/loses accept/reject accepted/rejected confirm/deny confirmed/denied confirms/denies
support/oppose supports/opposes supported/opposed for/against with/without allow/ban allowed/banned agreed/refused
guilty/innocent convicted/acquitted alive/dead killed/rescued died/survived arrested/released joined/left
bought/sold passed/failed success/failure successful/failed better/worse best/worst strong/weak improve/worsen
largest/smallest biggest/smallest oldest/youngest minor/serious many/few most/few all/some may/will can/cannot
north/south east/west man/woman boy/girl mother/sister father/brother son/brother daughter/sister
wife/daughter husband/brother hundreds/thousands million/billion minutes/hours hours/days days/weeks weeks/months
months/years
"""
_PRONOUNS = (("he", "she"), ("his", "her"), ("him", "her"), ("they", "he"))

MONTHS = tuple(
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _pair_up(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for one, other in pairs:
        found[one] = (*found.get(one, ()), other)
        found[other] = (*found.get(other, ()), one)
    return found


# Other words by each word, in lower case.
OPPOSITES = _pair_up((one, other) for one, other in (pair.split("/") for pair in _PAIRS.split()))
PRONOUNS = _pair_up(_PRONOUNS)
