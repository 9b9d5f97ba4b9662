"""Claims made from pairs of a text and its summary: true ones, and false ones of many kinds.

True: the summary's sentences, two of them joined, sentences of the text copied or compressed. False: corruptions of
these (``corruptions``), sentences that the text is then given without, and sentences about another text with this
text's names. Frames such as "According to the article," stand before true and false ones alike.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from workers.evaluation.lexical import STOP_WORDS, read_content, split_sentences
from workers.finetuning.claim_groups import (
    WITHHELD,
    ClaimGroup,
    ClaimSet,
    TrainingClaim,
    build_group,
    identify_document,
)
from workers.finetuning.corruptions import CORRUPTIONS, FREQUENT, find_names
from workers.finetuning.false_words import find_changes, list_content, shift_spans
from workers.finetuning.pairs import PairSet

# Sentences of a text with fewer words are scraps, with more they are lists.
MIN_SENTENCE_WORDS, MAX_SENTENCE_WORDS = 8, 40
MIN_COMPRESSED_WORDS = 6
# Claims of each kind for a text.
REFERENCES, COMPRESSED, CORRUPTED, MAX_WITHHELD = 4, 2, 5, 2
# Shares of texts or claims that get each of these.
JOINED_SHARE, COPIED_SHARE, STRANGER_SHARE, FRAMED_SHARE, LOWERCASE_SHARE = 0.6, 0.4, 0.3, 0.3, 0.1
JOINED_CORRUPTION_SHARE = 0.25
# Share of a sentence's words that another sentence may have, if it is withheld: else the text still bears it out.
MAX_REPEATED_WORDS = 0.55
FRAMES = (
    *("According to the article, ", "The article says that ", "The report states that ", "It is reported that "),
    *("The author notes that ", "Overall, ", "In addition, ", "Additionally, ", "However, "),
)
_SUBORDINATE = re.compile(r",? (?:which|who|where|while|after|before|as|because|despite|saying|according to) [^,]*\.$")
MIN_MAIN_CLAUSE_LETTERS = 25


@dataclass(frozen=True, slots=True)
class Material:
    """Text that claims are made from, and the sentences of its summaries."""

    text: str
    sentences: tuple[str, ...]
    references: tuple[str, ...]


def make_claims(pairs: PairSet, *, seed: int) -> ClaimSet:
    """Make claims from pairs; the seed determines every choice."""
    by_text: dict[str, list[str]] = {}
    for pair in pairs.pairs:
        by_text.setdefault(pair.source, []).append(pair.target)
    materials = [read_material(text, summaries) for text, summaries in by_text.items()]
    skipped = Counter(
        {
            "rows without a text": pairs.empty_sources,
            "rows without a summary": pairs.empty_targets,
            "duplicates": pairs.duplicates,
        }
    )
    groups: list[ClaimGroup] = []
    for place, material in enumerate(materials):
        generator = random.Random(f"{seed} {place}")  # noqa: S311 - a reproducible choice, not a secret
        others = len(materials) - 1
        stranger = materials[place - generator.randint(1, others)] if others else None
        group, left_out = make_group(material, stranger, generator)
        skipped += left_out
        if group is not None:
            groups.append(group)
    return ClaimSet(tuple(groups), +skipped)


def read_material(text: str, summaries: Sequence[str]) -> Material:
    """Return a text with its usable sentences and those of its summaries."""
    sentences = tuple(
        sentence.text
        for sentence in split_sentences(text)
        if MIN_SENTENCE_WORDS <= len(sentence.text.split()) <= MAX_SENTENCE_WORDS and "\n" not in sentence.text
    )
    references = tuple(sentence.text for summary in summaries for sentence in split_sentences(summary))
    return Material(text, sentences, references)


def make_group(
    material: Material, stranger: Material | None, generator: random.Random
) -> tuple[ClaimGroup | None, Counter[str]]:
    """Make the claims on one text.

    Args:
        material: the text.
        stranger: another text; None for none.
        generator: source of all choices.
    """
    shuffled = generator.sample(material.sentences, len(material.sentences))
    withheld = list(islice(pick_withheld(material, shuffled), MAX_WITHHELD))
    kept = [sentence for sentence in shuffled if sentence not in withheld]
    claims = [
        *make_supported(material.references, kept, generator),
        *make_corrupted((*material.references, *kept[:3]), material.text, generator),
        *(withhold(compress(sentence, generator) or sentence) for sentence in withheld),
    ]
    if stranger is not None and generator.random() < STRANGER_SHARE:
        claims += borrow_claim(stranger, material.text, generator)
    text = material.text
    for sentence in withheld:
        text = text.replace(sentence, " ")
    is_lower = generator.random() < LOWERCASE_SHARE
    framed = [frame_claim(claim, generator) for claim in claims]
    return build_group(
        text.lower() if is_lower else text,
        [lower_claim(claim) for claim in framed] if is_lower else framed,
        document=identify_document(material.text),
        generator=generator,
    )


def make_supported(
    references: Sequence[str], sentences: Sequence[str], generator: random.Random
) -> Iterator[TrainingClaim]:
    """Yield true claims: references, two references joined, compressed and copied sentences of the text."""
    yield from (TrainingClaim(reference, True, "reference", ()) for reference in references[:REFERENCES])
    if len(references) > 1 and generator.random() < JOINED_SHARE:
        yield TrainingClaim(join_claims(references[0], references[1], generator), True, "two references", ())
    found = (compress(sentence, generator) for sentence in sentences)
    long = [claim for claim in found if claim and len(claim.split()) >= MIN_COMPRESSED_WORDS]
    yield from (TrainingClaim(claim, True, "compressed", ()) for claim in long[:COMPRESSED])
    if sentences and generator.random() < COPIED_SHARE:
        yield TrainingClaim(generator.choice(sentences), True, "copied", ())


def make_corrupted(claims: Sequence[str], text: str, generator: random.Random) -> Iterator[TrainingClaim]:
    """Yield corrupted claims of different kinds, some joined with a true one."""
    if not claims:
        return
    kinds = [*CORRUPTIONS, *FREQUENT]
    made = 0
    for kind in generator.sample(kinds, len(kinds)):
        claim = generator.choice(claims)
        corrupted = CORRUPTIONS[kind](claim, text, generator)
        if corrupted is None or corrupted == claim or corrupted in text:
            continue
        made_claim = TrainingClaim(corrupted, False, kind, find_changes(corrupted, claim))
        true = generator.choice(claims)
        if true != claim and generator.random() < JOINED_CORRUPTION_SHARE:
            made_claim = _put_before(made_claim, join_claims(true, corrupted, generator))
        yield made_claim
        made += 1
        if made == CORRUPTED:
            return


def pick_withheld(material: Material, shuffled: Sequence[str]) -> Iterator[str]:
    """Yield sentences of the text that nothing else in it, and no reference, repeats."""
    keys = {sentence: read_content(sentence) for sentence in (*material.references, *material.sentences)}
    for sentence in shuffled[len(shuffled) // 2 :]:
        others = [found for other, found in keys.items() if other != sentence]
        if keys[sentence] and measure_repetition(keys[sentence], others) < MAX_REPEATED_WORDS:
            yield sentence


def measure_repetition(keys: frozenset[str], others: Sequence[frozenset[str]]) -> float:
    """Return the largest share of a sentence's words that another sentence has."""
    return max((len(keys & other) / len(keys) for other in others), default=0.0)


def borrow_claim(stranger: Material, text: str, generator: random.Random) -> Iterator[TrainingClaim]:
    """Yield a claim about another text with a name of this one in place of its first name."""
    names = [name for name, _ in find_names(text)]
    if not stranger.references:
        return
    claim = generator.choice(stranger.references)
    found = find_names(claim)
    if found and names:
        (name, start), new = found[0], generator.choice(names)
        claim = claim[:start] + new + claim[start + len(name) :]
    yield TrainingClaim(claim, False, "another text")


def compress(sentence: str, generator: random.Random) -> str | None:
    """Return a sentence without a clause that its truth does not depend on; None if it has none."""
    parts = sentence.split(", ")
    if len(parts) >= 3 and generator.random() < 0.7:
        # An insertion goes with the commas on both its sides.
        place = generator.randrange(1, len(parts) - 1)
        return f"{', '.join(parts[:place])} {', '.join(parts[place + 1 :])}"
    clause = _SUBORDINATE.search(sentence)
    return (
        f"{sentence[: clause.start()].rstrip(' ,')}." if clause and clause.start() > MIN_MAIN_CLAUSE_LETTERS else None
    )


def join_claims(one: str, other: str, generator: random.Random) -> str:
    """Join two claims to one sentence."""
    return one.rstrip(".") + generator.choice((", and ", ", while ", "; ")) + _lower_opening(other)


def frame_claim(claim: TrainingClaim, generator: random.Random) -> TrainingClaim:
    """Put wording that chat models use before some claims."""
    if generator.random() >= FRAMED_SHARE:
        return claim
    return _put_before(claim, generator.choice(FRAMES) + _lower_opening(claim.text))


def _put_before(claim: TrainingClaim, text: str) -> TrainingClaim:
    """Return a claim with a text that ends with it, in place of its own."""
    added = len(text) - len(claim.text)
    return replace(claim, text=text, unsupported=claim.unsupported and shift_spans(claim.unsupported, added))


def withhold(sentence: str) -> TrainingClaim:
    """Return the claim of a sentence that the text is given without."""
    return TrainingClaim(sentence, False, WITHHELD, list_content(sentence))


def lower_claim(claim: TrainingClaim) -> TrainingClaim:
    """Return a claim in lower case."""
    if claim.unsupported is None:
        return replace(claim, text=claim.text.lower())
    # Some letters have two in lower case.
    moved = [len(claim.text[:end].lower()) for span in claim.unsupported for end in span]
    spans = tuple(zip(moved[::2], moved[1::2], strict=True))
    return replace(claim, text=claim.text.lower(), unsupported=spans)


def _lower_opening(sentence: str) -> str:
    """Return a sentence that opens in lower case if its first word is a stop word, and no name."""
    first = re.match(r"\w+", sentence)
    is_name = first is None or first[0] == "I" or first[0].lower() not in STOP_WORDS
    return sentence if is_name else sentence[0].lower() + sentence[1:]
