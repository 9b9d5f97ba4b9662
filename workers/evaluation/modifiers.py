"""Modifiers: words that negate or hedge others, such as the "almost" of "almost died", by tables without a parser.

A modifier governs the next content word of its clause; one that reports or conditions governs all words behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from workers.evaluation.lexical import find_key
from workers.evaluation.roles import find_base
from workers.evaluation.terms import TextTerm

# Words behind a modifier among which the one that it governs is sought.
MAX_DISTANCE = 4
# Words of a clause that a report or a condition governs.
MAX_CLAUSE_WORDS = 10
# Words on either side of a word that tell whether another text says the same of it.
MAX_NEIGHBOURS = 6


class ModifierKind(StrEnum):
    """Kind of a modifier: denials are negations and near misses; hedges are plans, possibilities and allegations."""

    DENIAL = "denial"
    HEDGE = "hedge"


# Modifiers of the next content word, as patterns; "May" and "Will" are a month and a name.
_NEAR = {
    ModifierKind.DENIAL: (
        r"not(?! only| just| all| every)|\w*n['\u2019]t|never|no longer|no|cannot|neither|nor|without|hardly|scarcely|"
        r"almost|nearly|narrowly|virtually|close to(?= \w+ing\b)|on the (?:brink|verge) of|fail(?:s|ed|ing|ure)? to|"
        r"unable to|(?:refus|declin)(?:e|es|ed|ing|al) to|stop(?:ped|s)? short of"
    ),
    ModifierKind.HEDGE: (
        r"(?-i:may)|might|could|would|(?:plan|want|wish|hope|aim|intend|seek|vow|pledge|promise|threaten|offer|attempt|"
        r"propose|effort|threat|expect)(?:n?ed|d|s|es|n?ing)? to|hoping to|sought to|bid to|tr(?:y|ies|ied|ying) to|"
        r"(?:set|due|scheduled|likely|about|supposed|poised|ready) to|plan(?:s|ned|ning)? on|possibly|perhaps|"
        r"potentially|probably|likely|attempted|planned|alleged|suspected|supposed|purported|rumou?red"
    ),
}
# Modifiers of all verbs behind them in their clause.
_FAR = {
    ModifierKind.DENIAL: r"den(?:y|ies|ied|ying)|reject(?:s|ed)? claims?",
    ModifierKind.HEDGE: (
        r"(?<!even )if|unless|whether|allegedly|reportedly|supposedly|accus(?:e|es|ed|ing)|suspect(?:s|ed) (?:of|that)|"
        r"allegations?|alleg(?:es?|ed|ing) that|(?<!lay )(?<!lays )(?<!laid )claim(?:s|ed|ing)?|rumou?rs?|accusations?|"
        r"charged with|charges of"
    ),
}
# Further words with the sense of a kind.
_FURTHER = {
    ModifierKind.DENIAL: (
        r"rather than|instead|lack\w*|despite|reject\w*|oppos\w*|prevent\w*|un(?!i[tvqonf]|der)\w{4,}|in\w+[ai]ble|"
        r"fail\w*|only|few|less|little|until|refus\w*|denial|none|nothing|nobody|nowhere|bann?(?:ed|s)?|"
        r"turn\w* down|avoid\w*|stop\w*|miss(?:ed|es|ing)?"
    ),
    ModifierKind.HEDGE: (
        r"(?-i:will)|['\u2019]ll|shall|can|should|must|accord\w*|suspect\w*|alleg\w*|accus\w*|plan\w*|possib\w*|propos\w*|"
        r"charg\w*|arrest\w*|indict\w*|trial"
    ),
}
# Irregular verbs besides those that have an agent and a patient (``roles``), each with its base first.
_IRREGULAR = """
begin began begun begins|break broke broken breaks|bring brought brings|build built builds|come came comes|cut cuts
draw drew drawn|drink drank drunk|eat ate eaten|fall fell fallen falls|feel felt|flee fled|fly flew flown|get got
go went gone goes|grow grew grown|have had|hear heard|keep kept|know knew known|lay laid|meet met|put puts
ride rode ridden|rise rose risen|run ran|say said|sink sank sunk|speak spoke spoken|spend spent|stand stood
swim swam swum|think thought|wear wore worn
""".strip()
_BASES = {form: line.split()[0] for row in _IRREGULAR.split("\n") for line in row.split("|") for form in line.split()}


def _compile(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)


_NEAR_WORDS = {kind: _compile(words) for kind, words in _NEAR.items()}
_FAR_WORDS = {kind: _compile(words) for kind, words in _FAR.items()}
_ALL_WORDS = {kind: _compile(f"{_NEAR[kind]}|{_FAR[kind]}|{_FURTHER[kind]}") for kind in ModifierKind}

_BREAK = re.compile(
    r"[.;:,()?!\u2013\u2014]|--|\s-\s|\b(?:but|while|who|which|because|although|though|when|where|after|"
    r"before|until|since)\b",
    re.IGNORECASE,
)
_QUESTION = re.compile(r"\?[\"'\u201d\u2019)\s]*$")
# Words that may stand between a modifier and the word that it governs, besides stop words and adverbs.
_AUXILIARIES = frozenset(
    ["also", "even", "ever", "yet", "still", "quite", "able", "going", "could", "would", "may", "might", "must", "get"]
)


@dataclass(frozen=True, slots=True)
class Governed:
    """Word of a sentence with a modifier that governs it.

    Args:
        term: the word.
        kind: kind of the modifier.
        start: offset of the modifier.
        is_far: whether it governs all verbs of the clause, rather than the next word.
    """

    term: TextTerm
    kind: ModifierKind
    start: int
    is_far: bool


def find_governed(text: str, terms: Sequence[TextTerm]) -> Iterator[Governed]:
    """Yield the words of a sentence that modifiers govern."""
    for kind in ModifierKind:
        for match in _NEAR_WORDS[kind].finditer(text):
            if kind is ModifierKind.HEDGE or not _is_denied(text, match.start()):
                words = filter(_has_sense, list_clause(text, terms, match.end())[:MAX_DISTANCE])
                yield from (
                    Governed(term, kind, match.start(), is_far=False) for term in islice(words, 1) if is_assertive(term)
                )
        for match in _FAR_WORDS[kind].finditer(text):
            words = filter(is_assertive, list_clause(text, terms, match.end())[:MAX_CLAUSE_WORDS])
            yield from (Governed(term, kind, match.start(), is_far=True) for term in words)


def _is_denied(text: str, start: int) -> bool:
    """Tell whether another denial stands before an offset in its clause: a denial of a denial may affirm."""
    return _NEAR_WORDS[ModifierKind.DENIAL].search(text, _find_clause(text, start), start) is not None


def _find_clause(text: str, start: int) -> int:
    """Return the offset at which the clause around an offset begins."""
    return max((match.end() for match in _BREAK.finditer(text, 0, start)), default=0)


def list_clause(text: str, terms: Sequence[TextTerm], start: int) -> list[TextTerm]:
    """Return the words from an offset to the end of its clause."""
    found = _BREAK.search(text, start)
    end = found.start() if found else len(text)
    return [term for term in terms if start <= term.start < end]


def list_neighbours(text: str, terms: Sequence[TextTerm], term: TextTerm) -> list[TextTerm]:
    """Return the content words beside a word in its clause, or in its sentence without any there, the nearest first."""
    clause = list_clause(text, terms, _find_clause(text, term.start))
    return _list_near(clause, term) or _list_near(terms, term)


def _list_near(terms: Sequence[TextTerm], term: TextTerm) -> list[TextTerm]:
    place = terms.index(term)
    near = terms[max(0, place - MAX_NEIGHBOURS) : place + 1 + MAX_NEIGHBOURS]
    words = [word for word in near if word is not term and word.is_content and word.text.lower() not in _AUXILIARIES]
    return sorted(words, key=lambda word: abs(terms.index(word) - place))


def is_assertive(term: TextTerm) -> bool:
    """Tell whether a word may carry an assertion: a word with a sense of its own that is no name and no number."""
    is_name = term.is_capitalized and not term.opens
    return _has_sense(term) and term.key.isalpha() and not is_name


def _has_sense(term: TextTerm) -> bool:
    """Tell whether a word is no stop word, auxiliary or adverb; "won" is a stop word as a part of "won't"."""
    lowered = term.text.lower()
    return (term.is_content or lowered == "won") and lowered not in _AUXILIARIES and not lowered.endswith("ly")


def is_verbal(term: TextTerm) -> bool:
    """Tell whether a word looks like a verb; one in -s is rather a plural."""
    is_form = find_base(term.text) is not None or term.text.lower() in _BASES
    return is_assertive(term) and is_form and not term.text.endswith("s")


def find_verb_key(term: TextTerm) -> str:
    """Return the key of a word, which is that of its base if it is a form of an irregular verb."""
    lowered = term.text.lower()
    return find_key(_BASES[lowered]) if lowered in _BASES else find_base(lowered) or term.key


def is_question(text: str) -> bool:
    """Tell whether a sentence asks."""
    return _QUESTION.search(text) is not None


def has_modifier(text: str, kind: ModifierKind) -> bool:
    """Tell whether a text has any word with the sense of a kind."""
    return _ALL_WORDS[kind].search(text) is not None
