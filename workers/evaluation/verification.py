"""Verification: is each sentence of a text borne out by its source, and by which of the source's sentences?

A sentence that stands in the source word for word is borne out, unless the rest of the source's sentence denies or
hedges it. Any other must have all its names, numbers and dates in the source (``fact_check``) and most of its words in
one sentence of it, must drop or add no word that changes what is asserted (``alterations``), and the judge, if there is
one, must find it supported by the passages that match it best.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from workers.evaluation.fact_check import FactCheck, check_facts
from workers.evaluation.judgement import Judgement, Span, find_doubtful
from workers.evaluation.lexical import Sentence
from workers.evaluation.passages import PassageIndex
from workers.evaluation.source_facts import read_source

# Tokens of an excerpt that a sentence is judged by, about as many as in the longest of a verifier's training.
EXCERPT_TOKENS = 320
# Sentences that share an excerpt.
GROUP_SIZE = 6
# Smallest share of a sentence's content words that stand in one sentence of the source: a sentence fused of several is
# where weights err (Lebanoff et al., 2019). Of sentences by language models whose facts stand in the source (RAGTruth),
# this refuses 92 % of the unsupported and 82 % of the others.
MIN_COVERAGE = 0.8
# A time and a speaker before what is said, as in a record of a chat.
_SPEAKER = re.compile(r"\W*\d[\d:./T -]*\W+[^\W\d_][^:\n]{0,30}:(?=\s)")
# Longest sentence that can be judged, in tokens; a longer one is no sentence but a run of text.
MAX_CLAIM_TOKENS = 160


class ClaimJudge(Protocol):
    """Judge of claims, such as the engine's verifier; thread-safe."""

    @property
    def threshold(self) -> float:
        """Smallest probability of a claim that counts as supported."""
        ...

    @property
    def mark_threshold(self) -> float:
        """Probability below which a claim is marked as a likely hallucination."""
        ...

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the judge: equal ones give equal probabilities."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a plain text."""
        ...

    def judge(self, excerpt: str, claims: Sequence[str]) -> list[Judgement]:
        """Return how probably an excerpt bears out each claim, and each of its tokens."""
        ...


@dataclass(frozen=True, slots=True)
class Verification:
    """Verdict on one sentence.

    Args:
        is_verbatim: whether the source has the sentence word for word.
        reason: why the source does not bear the sentence out; None if it does.
        score: probability that it does, from 0 to 1; None without a judge.
        support: indices of the source's sentences that bear it out, or that come nearest, the best first.
        check: its facts, compared with the source's.
        is_marked: whether it is a likely hallucination, a stricter verdict than the lack of support.
        doubtful: span of it that the judge doubts most; None if the judge finds it supported, or without one.
    """

    is_verbatim: bool
    reason: str | None
    score: float | None
    support: tuple[int, ...]
    check: FactCheck
    is_marked: bool
    doubtful: Span | None = None

    @property
    def is_borne_out(self) -> bool:
        """Whether the source bears the sentence out."""
        return self.reason is None


class SourceText:
    """Text that sentences are verified against, indexed once.

    Args:
        text: the source.
        judge: judge of claims; None to check facts only.
    """

    def __init__(self, text: str, judge: ClaimJudge | None) -> None:
        self.text = text
        self._facts = read_source(text)
        self._passages = PassageIndex(self._facts.sentences)
        self._judge = judge

    @property
    def sentences(self) -> Sequence[Sentence]:
        """Sentences of the source, in order."""
        return self._facts.sentences

    def verify(self, sentences: Sequence[str]) -> list[Verification]:
        """Return the verdict on every sentence."""
        copies = [self._passages.find_verbatim(sentence) for sentence in sentences]
        checks = [
            check_facts(sentence, self._facts, support=places)
            for sentence, places in zip(sentences, copies, strict=True)
        ]
        verbatim = [[] if check.altered else places for check, places in zip(checks, copies, strict=True)]
        asked = [place for place, found in enumerate(verbatim) if not found]
        judged: dict[int, Judgement | None] = {}
        for start in range(0, len(asked), GROUP_SIZE):
            group = asked[start : start + GROUP_SIZE]
            judged.update(zip(group, self._judge_claims([sentences[place] for place in group]), strict=True))
        return [
            Verification(True, None, 1.0, tuple(verbatim[place]), checks[place], is_marked=False)
            if verbatim[place]
            else self._decide(sentence, checks[place], judged.get(place))
            for place, sentence in enumerate(sentences)
        ]

    def _judge_claims(self, claims: Sequence[str]) -> list[Judgement | None]:
        """Return the judgements of claims that share an excerpt; one that is too long to be judged is improbable."""
        judge = self._judge
        if judge is None:
            return [None] * len(claims)
        excerpt = self._passages.pick_excerpt(claims, count_tokens=judge.count_tokens, budget_tokens=EXCERPT_TOKENS)
        short = [claim for claim in claims if judge.count_tokens(claim) <= MAX_CLAIM_TOKENS]
        judged = dict(zip(short, judge.judge(excerpt, short) if short else [], strict=True))
        return [judged.get(claim, Judgement(0.0, ())) for claim in claims]

    def _decide(self, sentence: str, check: FactCheck, judgement: Judgement | None) -> Verification:
        score = None if judgement is None else judgement.probability
        coverage = self._passages.measure_coverage(sentence)
        return Verification(
            False,
            self._find_objection(check, score, coverage) or self._find_false_speaker(sentence),
            score,
            check.support,
            check,
            self._is_marked(check, score),
            self._find_doubtful(sentence, check, judgement),
        )

    def _find_false_speaker(self, sentence: str) -> str | None:
        speaker = _SPEAKER.match(sentence)
        if speaker is None or self._passages.has_run(speaker[0]):
            return None
        return f"the source has these, but not together: {speaker[0].rstrip(':')}"

    def _find_doubtful(self, sentence: str, check: FactCheck, judgement: Judgement | None) -> Span | None:
        if judgement is None or self._judge is None or judgement.probability >= self._judge.threshold:
            return None
        return find_doubtful(sentence, [(fact.start, fact.end) for fact in check.facts], judgement)

    def _is_marked(self, check: FactCheck, score: float | None) -> bool:
        is_unlikely = score is not None and self._judge is not None and score < self._judge.mark_threshold
        return bool(check.missing or check.swapped) or is_unlikely

    def _find_objection(self, check: FactCheck, score: float | None, coverage: float) -> str | None:
        if check.missing:
            return f"the source has nowhere: {', '.join(fact.text for fact in check.missing)}"
        if check.swapped:
            return f"the source has these in other roles: {', '.join(fact.text for fact in check.swapped)}"
        if check.apart:
            return f"the source has these, but not together: {', '.join(fact.text for fact in check.apart)}"
        if check.altered:
            return check.altered[0].reason
        if coverage < MIN_COVERAGE:
            return f"only {coverage:.0%} of its words stand in one sentence of the source"
        if score is not None and self._judge is not None and score < self._judge.threshold:
            return f"the verifier finds it supported with a probability of {score:.2f} only"
        return None
