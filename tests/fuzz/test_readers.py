"""A short run of the fuzzer with a fixed seed; ``python -m tests.fuzz.readers`` is the long one."""

from __future__ import annotations

import random

from producer.sources.kinds import SUFFIXES, FileKind
from tests.fuzz.mutations import SEEDS, mutate
from tests.fuzz.readers import FOLDER_FILES, LIMITS, Findings, fuzz


def test_mutated_documents_are_read_or_refused_in_one_clear_sentence() -> None:
    findings = fuzz(FOLDER_FILES, 20, Findings())
    assert findings.violations == []
    assert findings.inputs == FOLDER_FILES
    assert findings.outcomes["clear error"] > 0
    assert findings.outcomes["read"] > 0
    assert findings.outcomes["parser died"] == 0
    # Nothing hangs: even the slowest document ends at its bound, plus the start of another sandbox on a loaded machine.
    assert findings.slowest < 6 * LIMITS.conversion_seconds


def test_a_seed_makes_the_same_documents_again() -> None:
    first, second = random.Random(3), random.Random(3)
    assert [mutate(suffix, first) for suffix in SEEDS] == [mutate(suffix, second) for suffix in SEEDS]


def test_every_reader_that_parses_is_fuzzed() -> None:
    assert {SUFFIXES.get(suffix) for suffix in SEEDS} >= set(FileKind)
