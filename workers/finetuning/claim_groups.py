"""Claims to train a verifier on: groups of true and false claims about one text, split by document."""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from workers.finetuning.errors import TooFewClaimsError
from workers.finetuning.false_words import Span

# Words of a claim: shorter ones are headings or scraps, longer ones are no sentences.
MIN_CLAIM_WORDS, MAX_CLAIM_WORDS = 4, 90
# Claims of each kind that share a text; more would repeat it, and lengthen the forward pass.
MAX_SUPPORTED, MAX_UNSUPPORTED = 5, 7
# Letters at the beginning of a text by which two versions of one document are known.
DOCUMENT_LETTERS = 200
# Groups that training and measuring need at least.
MIN_GROUPS = 2
# Origin of claims about what their text lacks.
WITHHELD = "withheld"


@dataclass(frozen=True, slots=True)
class TrainingClaim:
    """Claim about a text.

    Args:
        text: one sentence or a few.
        is_supported: whether the text bears it out.
        origin: how the claim was made; the metrics are also given by origin.
        unsupported: the claim's false words; empty for a true claim, None if only the whole is known to be false. In a
            withheld claim, its content words, of which those are false that the excerpt lacks.
    """

    text: str
    is_supported: bool
    origin: str
    unsupported: tuple[Span, ...] | None = None


@dataclass(frozen=True, slots=True)
class ClaimGroup:
    """Claims about one text.

    Args:
        source: the text.
        claims: true and false claims.
        document: identity of the whole document, which the text may be a part of.
    """

    source: str
    claims: tuple[TrainingClaim, ...]
    document: str


@dataclass(frozen=True, slots=True)
class ClaimSet:
    """Usable groups of claims, and the numbers of what was skipped by reason."""

    groups: tuple[ClaimGroup, ...]
    skipped: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: ClaimSet) -> ClaimSet:
        return ClaimSet((*self.groups, *other.groups), self.skipped + other.skipped)

    @property
    def claims(self) -> list[TrainingClaim]:
        """All claims, in order."""
        return [claim for group in self.groups for claim in group.claims]

    @property
    def data_hash(self) -> str:
        """SHA-256 over all groups in order."""
        digest = hashlib.sha256()
        for group in self.groups:
            digest.update(f"{group.source}\x1e".encode())
            for claim in group.claims:
                values = (claim.text, claim.is_supported, claim.origin, claim.unsupported)
                digest.update(("\x1f".join(map(str, values)) + "\x1e").encode())
        return digest.hexdigest()

    def split(self, held_out: int, *, seed: int) -> tuple[list[ClaimGroup], list[ClaimGroup]]:
        """Return the groups to train on, and those of held-out documents, shuffled reproducibly by the seed.

        Raises:
            TooFewClaimsError: the held-out documents would leave less than half for training.
        """
        documents = list(dict.fromkeys(group.document for group in self.groups))
        if len(documents) < MIN_GROUPS or 2 * held_out > len(documents):
            raise TooFewClaimsError(
                f"claims on {len(documents)} texts cannot give {held_out} held-out texts: "
                f"bring at least {max(MIN_GROUPS, 2 * held_out)} texts or lower the held-out number"
            )
        generator = random.Random(seed)  # noqa: S311 - a reproducible order, not a secret
        kept = set(generator.sample(documents, held_out))
        shuffled = generator.sample(self.groups, len(self.groups))
        train = [group for group in shuffled if group.document not in kept]
        return train, [group for group in shuffled if group.document in kept]


def build_group(
    source: str, claims: Sequence[TrainingClaim], *, document: str, generator: random.Random
) -> tuple[ClaimGroup | None, Counter[str]]:
    """Return a group of claims in random order, and the numbers of skipped ones by reason.

    Repeated claims, scraps, and claims over the limits of a group are skipped; without any other there is no group.
    """
    unique = {claim.text.casefold(): claim for claim in reversed(claims)}
    fit = [claim for claim in unique.values() if MIN_CLAIM_WORDS <= len(claim.text.split()) <= MAX_CLAIM_WORDS]
    shuffled = generator.sample(fit, len(fit))
    kept = [claim for claim in shuffled if claim.is_supported][:MAX_SUPPORTED]
    kept += [claim for claim in shuffled if not claim.is_supported][:MAX_UNSUPPORTED]
    skipped = Counter(
        {
            "claims that occur twice": len(claims) - len(unique),
            "claims too short or too long": len(unique) - len(fit),
            f"claims over {MAX_SUPPORTED} true or {MAX_UNSUPPORTED} false ones of a text": len(fit) - len(kept),
        }
    )
    group = ClaimGroup(source, tuple(generator.sample(kept, len(kept))), document)
    return (group if kept else None), +skipped


def identify_document(text: str) -> str:
    """Return the identity of a document, equal for its versions with other spaces, capitals and punctuation."""
    letters = re.sub(r"[\W_]+", "", text.casefold())[:DOCUMENT_LETTERS]
    return hashlib.sha256(letters.encode()).hexdigest()[:16]
