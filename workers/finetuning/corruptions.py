"""Corruptions: false claims made from true ones, one function per kind of error.

The kinds are those that summarizers make (FactCC, Kryscinski et al., EMNLP 2020; FRANK, Pagnoni et al., NAACL 2021):
a verifier that is trained on one kind does not recognise the others. Every function returns None if a claim offers
nothing to change. The source is the text that bears out the claim.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from workers.evaluation.lexical import NUMERALS, STOP_WORDS, read_content, split_sentences
from workers.finetuning.opposites import DAYS, MONTHS, OPPOSITES, PRONOUNS

Corruption = Callable[[str, str, random.Random], str | None]
Item = TypeVar("Item")

_CAPITALIZED = r"[A-Z][\w'’-]*"  # noqa: RUF001
_NAME = re.compile(rf"\b{_CAPITALIZED}(?: (?:(?:of|the|de|van|al) )?{_CAPITALIZED})*")
# Stop words and days before a name at the start of a sentence.
_OPENING = re.compile(rf"(?:(?:{'|'.join(sorted((*STOP_WORDS, *DAYS)))})(?: |$))+", re.IGNORECASE)
_POSSESSIVE = re.compile(r"['’]s?$")  # noqa: RUF001
_NUMBER = re.compile(r"[$£€]?\d+(?:[.,]\d+)*%?")
# "one" is rather a pronoun, and "zero" has no neighbours that could be meant.
_NUMERAL = re.compile(rf"\b(?:{'|'.join(word for word in NUMERALS if word not in ('zero', 'one'))})\b")
_AUXILIARY = re.compile(r"\b(?:is|are|was|were|will|has|have|had|can|could|should|would|did|does)\b(?! not)")
_WORD = re.compile(r"\b[A-Za-z]+\b")
_HEDGE = re.compile(
    r" (?:almost|nearly|barely|never|not|allegedly|reportedly|possibly|maybe|perhaps|partly|rarely|unlikely to"
    r"|(?:try|tries|tried|hope|hopes|hoped|plan|plans|planned|want|wants|wanted|fail|fails|failed|refuse|refuses|refused"
    r"|decline|declines|declined|intend|intends|intended|threatened|expected|likely|thought|believed) to)\b"
)
_PAST_VERB = re.compile(r"\b[a-z]{3,}ed\b")
# A noun, by the word before it.
_NOUN = re.compile(
    r"\b(?:the|a|an|his|her|their|its|this) ([a-z]{3,})\b"
    r"(?= (?:of|in|on|at|to|for|from|by|and|was|is|are|were|has|had|who|that)\b|[.,;])"
)
SPEECH_VERBS = ("says", "said", "claims", "warned", "told reporters", "announced", "believes", "admitted")
_SPEECH = re.compile(r"\b(?:say|says|said|tells|told|claims|claimed|according|warns|warned|announced)\b")
# Between two names that stand in a list, whose order means nothing.
LISTING = ("", "and", "or", "&")
# Words of a spliced predicate: shorter ones say nothing, longer ones outweigh the subject.
MIN_PREDICATE_WORDS, MAX_PREDICATE_WORDS = 4, 18
# Share of the predicate's words that the claim may have already.
MAX_SHARED_WORDS = 0.3


def find_names(text: str) -> list[tuple[str, int]]:
    """Return runs of capitalized words and their offsets, without what opens a sentence, and dates."""
    found = []
    for sentence in split_sentences(text):
        for match in _NAME.finditer(sentence.text):
            opening = _OPENING.match(match[0]) if match.start() == 0 else None
            start = opening.end() if opening else 0
            name = _POSSESSIVE.sub("", match[0][start:])
            is_opening = match.start() + start == 0 and " " not in name
            if not is_opening and len(name) > 2 and name not in (*MONTHS, *DAYS):
                found.append((name, sentence.start + match.start() + start))
    return found


def swap_name(claim: str, source: str, generator: random.Random) -> str | None:
    """Replace a name by another one of the source that shares no word with the claim."""
    names = find_names(claim)
    known = {word[:4].lower() for word in _WORD.findall(claim)}
    others = [
        name for name in dict.fromkeys(name for name, _ in find_names(source)) if known.isdisjoint(_list_stems(name))
    ]
    if not names or not others:
        return None
    name, start = generator.choice(names)
    return _replace(claim, start, name, generator.choice(others))


def _list_stems(name: str) -> set[str]:
    return {word[:4].lower() for word in _WORD.findall(name)}


def swap_roles(claim: str, source: str, generator: random.Random) -> str | None:
    """Exchange two names of the claim."""
    names = find_names(claim)
    if len(names) < 2:
        return None
    (one, start), (other, middle) = sorted(generator.sample(names, 2), key=lambda name: name[1])
    between = claim[start + len(one) : middle]
    if one in other or other in one or between.strip(" ,") in LISTING:
        return None
    return _exchange(claim, start, one, middle, other)


def swap_number(claim: str, source: str, generator: random.Random) -> str | None:
    """Replace a number by another one of the source, or change one digit; a numeral by another numeral."""
    numbers, numerals = list(_NUMBER.finditer(claim)), list(_NUMERAL.finditer(claim))
    if numerals and (not numbers or generator.random() < 0.4):
        numeral = generator.choice(numerals)
        near = [word for word in NUMERALS if _NUMERAL.fullmatch(word) and word != numeral[0]]
        return _replace(claim, numeral.start(), numeral[0], generator.choice(near))
    if not numbers:
        return None
    number = generator.choice(numbers)
    others = [found for found in _NUMBER.findall(source) if found not in claim and ("%" in found) == ("%" in number[0])]
    new = generator.choice(others) if others and generator.random() < 0.6 else _change_digit(number[0], generator)
    return _replace(claim, number.start(), number[0], new)


def _change_digit(number: str, generator: random.Random) -> str:
    place = generator.choice([place for place, sign in enumerate(number) if sign.isdigit()])
    new = generator.choice([digit for digit in "123456789" if digit != number[place]])
    return number[:place] + new + number[place + 1 :]


def swap_date(claim: str, source: str, generator: random.Random) -> str | None:
    """Replace a month or a day of the week by another one."""
    choices = {name: [other for other in names if other != name] for names in (DAYS, MONTHS) for name in names}
    return _swap_listed(claim, choices, generator)


def swap_word(claim: str, source: str, generator: random.Random) -> str | None:
    """Replace a word by its opposite."""
    return _swap_listed(claim, OPPOSITES, generator)


def swap_pronoun(claim: str, source: str, generator: random.Random) -> str | None:
    """Replace a pronoun by one of another gender or number."""
    capitalized = {
        word.capitalize(): tuple(other.capitalize() for other in others) for word, others in PRONOUNS.items()
    }
    return _swap_listed(claim, PRONOUNS | capitalized, generator)


def _swap_listed(claim: str, choices: Mapping[str, Sequence[str]], generator: random.Random) -> str | None:
    words = [match for match in _WORD.finditer(claim) if match[0] in choices]
    if not words:
        return None
    word = generator.choice(words)
    return _replace(claim, word.start(), word[0], generator.choice(choices[word[0]]))


def negate(claim: str, source: str, generator: random.Random) -> str | None:
    """Put "not" after an auxiliary verb."""
    verbs = list(_AUXILIARY.finditer(claim))
    if not verbs:
        return None
    verb = generator.choice(verbs)
    return f"{claim[: verb.end()]} not{claim[verb.end() :]}"


def splice_sentences(claim: str, source: str, generator: random.Random) -> str | None:
    """Join the claim's subject and verb with the predicate of a neighbouring sentence that has the same verb."""
    verb = _AUXILIARY.search(claim)
    if verb is None or verb.start() == 0:
        return None
    keys = read_content(claim)
    sentences = [sentence.text for sentence in split_sentences(source)]
    own = _find_place(keys, sentences)
    for place in sorted(range(len(sentences)), key=lambda place: abs(place - own)):
        found = _AUXILIARY.search(sentences[place])
        predicate = sentences[place][found.end() :] if found is not None and found[0] == verb[0] else ""
        if _is_foreign(predicate, keys):
            return claim[: verb.end()] + predicate
    return None


def drop_hedge(claim: str, source: str, generator: random.Random) -> str | None:
    """Leave out a word that makes a statement weaker or denies it: "almost", "not", "planned to"."""
    hedges = list(_HEDGE.finditer(claim))
    if not hedges:
        return None
    hedge = generator.choice(hedges)
    return claim[: hedge.start()] + claim[hedge.end() :]


def swap_verb(claim: str, source: str, generator: random.Random) -> str | None:
    """Replace a verb in the past tense by another one of the source."""
    return _swap_found(claim, source, _PAST_VERB, 0, generator)


def swap_noun(claim: str, source: str, generator: random.Random) -> str | None:
    """Replace a noun by another one of the source."""
    return _swap_found(claim, source, _NOUN, 1, generator)


def _swap_found(claim: str, source: str, pattern: re.Pattern[str], group: int, generator: random.Random) -> str | None:
    """Replace a match of a pattern by one of the source that has no word of the claim."""
    found = list(pattern.finditer(claim))
    known = _list_stems(claim)
    words = dict.fromkeys(match[group] for match in pattern.finditer(source))
    others = [word for word in words if known.isdisjoint(_list_stems(word))]
    if not found or not others:
        return None
    word = generator.choice(found)
    return _replace(claim, word.start(group), word[group], generator.choice(others))


def exchange_nouns(claim: str, source: str, generator: random.Random) -> str | None:
    """Exchange two nouns of the claim."""
    nouns = list(_NOUN.finditer(claim))
    if len(nouns) < 2:
        return None
    one, other = sorted(generator.sample(nouns, 2), key=lambda noun: noun.start())
    between = claim[one.end(1) : other.start(1)]
    if one[1] == other[1] or between.split()[:1] in (["and"], ["or"]):
        return None
    return _exchange(claim, one.start(1), one[1], other.start(1), other[1])


def attribute_falsely(claim: str, source: str, generator: random.Random) -> str | None:
    """Put a statement into the mouth of somebody whom the source names, but not near it."""
    keys = read_content(claim)
    sentences = [sentence.text for sentence in split_sentences(source)]
    own = _find_place(keys, sentences)
    near = _list_stems(" ".join((claim, *sentences[max(0, own - 2) : own + 3])))
    others = [name for name, _ in find_names(source) if " " in name and near.isdisjoint(_list_stems(name))]
    if not others or _SPEECH.search(claim):
        return None
    opens_with_name = any(start == 0 for _, start in find_names(claim))
    opening = claim if opens_with_name else claim[:1].lower() + claim[1:]
    return f"{generator.choice(others)} {generator.choice(SPEECH_VERBS)} that {opening}"


def _is_foreign(predicate: str, keys: frozenset[str]) -> bool:
    """Tell whether a predicate has a fit length and few of the claim's words."""
    found = read_content(predicate)
    is_fit = MIN_PREDICATE_WORDS <= len(predicate.split()) <= MAX_PREDICATE_WORDS
    return is_fit and bool(found) and len(found & keys) <= MAX_SHARED_WORDS * len(found)


def _find_place(keys: frozenset[str], sentences: Sequence[str]) -> int:
    """Return the index of the sentence that shares most words with a claim; 0 without sentences."""
    return max(range(len(sentences)), key=lambda place: len(keys & read_content(sentences[place])), default=0)


def _exchange(text: str, start: int, one: str, middle: int, other: str) -> str:
    """Return a text in which two parts have each other's place."""
    return text[:start] + other + text[start + len(one) : middle] + one + text[middle + len(other) :]


def _replace(text: str, start: int, old: str, new: str) -> str:
    return text[:start] + new + text[start + len(old) :]


# Corruptions by the origin that their claims have; made oftener where summarizers err oftener.
CORRUPTIONS: Mapping[str, Corruption] = {
    "another name": swap_name,
    "roles exchanged": swap_roles,
    "another number": swap_number,
    "another date": swap_date,
    "opposite word": swap_word,
    "negation": negate,
    "another pronoun": swap_pronoun,
    "spliced sentences": splice_sentences,
    "hedge dropped": drop_hedge,
    "another verb": swap_verb,
    "another noun": swap_noun,
    "nouns exchanged": exchange_nouns,
    "another speaker": attribute_falsely,
}
FREQUENT = ("another name", "another number", "opposite word", "spliced sentences", "roles exchanged", "hedge dropped")
