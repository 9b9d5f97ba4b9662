"""Files of claims: JSONL with a text and its claims a line, or tables of texts and summaries to make claims from.

A line is ``{"source": TEXT, "claims": [{"text": CLAIM, "is_consistent": true, "how": ORIGIN}]}``; ``how`` may be
missing.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workers.finetuning.claim_groups import ClaimSet, TrainingClaim, build_group, identify_document
from workers.finetuning.claim_making import make_claims
from workers.finetuning.errors import DataUnreadableError, TooFewClaimsError, TrainingSettingsError
from workers.finetuning.pairs import RowReader, read_pairs

GIVEN = "given"
LAYOUT = 'one object a line: {"source": TEXT, "claims": [{"text": CLAIM, "is_consistent": true or false}]}'
# Signs of the Penn Treebank's tokens, in which many sets of news are published.
_TREEBANK = (("-lrb-", "("), ("-rrb-", ")"), ("-LRB-", "("), ("-RRB-", ")"), ("``", '"'), ("''", '"'))
_TAG = re.compile(r"<\s*/?\s*t\s*[>\]]")
_SPACED_SIGN = re.compile(r"(?<=\w) (?=(?:[,.;:!?%)]|n't\b|'(?:s|re|ve|ll|d|m)\b)(?:\s|$|\W))|(?<=\() ")


def read_claims(
    paths: Sequence[Path],
    *,
    read_rows: RowReader,
    approved: Sequence[tuple[str, str]] = (),
    seed: int,
) -> ClaimSet:
    """Read claims from files, and make them from tables of pairs.

    Args:
        paths: JSONL files of claims, and CSV, JSONL and Parquet files of pairs.
        read_rows: reads the texts and summaries of tables of pairs.
        approved: approved texts and summaries, appended to those of the tables.
        seed: seed of the choices of claims.

    Raises:
        TrainingSettingsError: there is neither a file nor an approved pair.
        DataError: a file is unusable, or no claim is left.
    """
    if not paths and not approved:
        raise TrainingSettingsError("no data file given: name at least one .jsonl file of claims or a table of pairs")
    files = [path for path in paths if holds_claims(path)]
    tables = [path for path in paths if path not in files]
    claims = ClaimSet(())
    for path in files:
        claims += read_claim_file(path, seed=seed)
    if tables or approved:
        claims += make_claims(read_pairs(tables, read_rows=read_rows, approved=approved), seed=seed)
    if not claims.groups:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in claims.skipped.items())
        raise TooFewClaimsError(f"no usable claim in {', '.join(map(str, paths))}: {reasons or 'no line'}")
    return claims


def holds_claims(path: Path) -> bool:
    """Tell whether a file is JSONL whose first line has claims."""
    if path.suffix.lower() not in (".jsonl", ".json") or not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = next((line for line in file if line.strip()), "")
    try:
        row = json.loads(first)
    except ValueError:
        return False
    return isinstance(row, dict) and "claims" in row


def read_claim_file(path: Path, *, seed: int) -> ClaimSet:
    """Read the groups of claims of one file.

    Raises:
        DataUnreadableError: a line is not in the layout.
    """
    found = ClaimSet(())
    generator = random.Random(seed)  # noqa: S311 - a reproducible choice, not a secret
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeError) as error:
        raise DataUnreadableError(f"{path} cannot be read ({error}); give a UTF-8 file with {LAYOUT}") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                source, claims = parse_row(json.loads(line))
            except (ValueError, TypeError, LookupError) as error:
                raise DataUnreadableError(f"{path}, line {number}: {error}; give {LAYOUT}") from error
            document = identify_document(source)
            group, skipped = build_group(source, claims, document=document, generator=generator)
            found += ClaimSet(() if group is None else (group,), skipped)
    return found


def parse_row(row: Any) -> tuple[str, list[TrainingClaim]]:
    """Return the text and the claims of one line.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value is missing or empty.
    """
    if not isinstance(row, dict) or not isinstance(row.get("claims"), list):
        raise TypeError("it is no object with a list of claims")
    source = row.get("source")
    if not isinstance(source, str) or not source.strip():
        raise ValueError("it has no text under 'source'")
    return detokenize(source), [_parse_claim(claim, place) for place, claim in enumerate(row["claims"], start=1)]


def _parse_claim(claim: Any, place: int) -> TrainingClaim:
    if not isinstance(claim, dict) or not isinstance(claim.get("text"), str):
        raise TypeError(f"claim {place} has no text")
    if not isinstance(claim.get("is_consistent"), bool):
        raise TypeError(f"claim {place} has no true or false under 'is_consistent'")
    text = " ".join(detokenize(claim["text"]).split())
    is_supported = claim["is_consistent"]
    return TrainingClaim(text, is_supported, str(claim.get("how", GIVEN)), () if is_supported else None)


def detokenize(text: str) -> str:
    """Return a text without the spaces, brackets and quotation marks of the Penn Treebank; others stay as they are."""
    text = _TAG.sub(" ", text)
    for sign, usual in _TREEBANK:
        text = text.replace(sign, usual)
    return re.sub(r"[ \t]+", " ", _SPACED_SIGN.sub("", text)).strip()
