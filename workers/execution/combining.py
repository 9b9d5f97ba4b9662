"""The last step beyond its generated answer: outputs too short to be combined, outputs left out, and a short summary.

Under ``strict`` every output is borne out by its part of the document, so it can stand in the summary as it is; and a
summary that small weights left far shorter than an extract would be goes on with the document's salient sentences.
The summary of a digest ends with what its documents say differently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from models.base import Json
from models.claims import Claim
from models.options import JobOptions
from models.results import StepResult
from models.step import StepKind
from workers.execution.attempts import note_guard
from workers.execution.grounding import Grounder, describe_sentences
from workers.summarization.coverage import note_coverage, pick_missing
from workers.summarization.differences import find_differences, note_unquoted, quote_differences
from workers.summarization.extraction import default_length
from workers.summarization.grounded import GroundedAnswer, join_answers
from workers.summarization.languages import is_in_language
from workers.summarization.lengths import count_words, limit_sentences
from workers.summarization.quotation import PLAIN_STYLES

COMBINING_KINDS = (StepKind.COLLAPSE, StepKind.REDUCE)
# Share of its length below which a summary is short.
SHORT_SHARE = 0.5
# Between the summary of a digest and the differences of its documents.
DIFFERENCES_GAP = "\n\n"


def join_short(grounder: Grounder, claim: Claim, outputs: Sequence[str], options: JobOptions) -> GroundedAnswer | None:
    """Return the outputs that a step combines as one text, if together they are no longer than a summary may be.

    Args:
        grounder: grounds the text.
        claim: the step.
        outputs: the outputs, in order.
        options: options of its job.
    """
    text = " ".join(outputs)
    is_plain = options.style in PLAIN_STYLES and is_in_language(text, options.language)
    if claim.kind != StepKind.REDUCE or options.grounding != "strict" or not is_plain:
        return None
    if count_words(text) > _measure_length(grounder, claim, options):
        return None
    joined = grounder.ground(claim, text, mode="strict", language=options.language)
    return complete(grounder, claim, joined, outputs, options)


def complete(
    grounder: Grounder, claim: Claim, grounded: GroundedAnswer, outputs: Sequence[str], options: JobOptions
) -> GroundedAnswer:
    """Return a step's answer with what it leaves out, as far as its length allows.

    A sentence of every output that it says nothing of is added; if the summary is short even then, so are quotations
    of salient sentences.

    Args:
        grounder: grounds the sentences.
        claim: the step.
        grounded: its grounded answer.
        outputs: the outputs that it combines, in order; none for a step that reads the document.
        options: options of its job.
    """
    if not is_last(claim) or options.grounding != "strict" or grounded.language is not None:
        return grounded
    length = _measure_length(grounder, claim, options)
    if missing := pick_missing(grounded.text, outputs, words=length):
        further = grounder.ground(claim, " ".join(missing), mode="strict", language=options.language)
        grounded = join_answers(grounded, further)
    if options.style not in PLAIN_STYLES or count_words(grounded.text) >= SHORT_SHARE * length:
        return grounded
    salient = grounder.quote_salient(claim, grounded, words=length)
    return join_answers(grounded, salient) if salient.sentences else grounded


def is_last(claim: Claim) -> bool:
    """Tell whether all that its summary is of is behind a step, as behind a map step of the only chunk."""
    is_end = claim.kind == StepKind.REFINE and claim.index + 1 == claim.chunk_count
    is_only = claim.kind == StepKind.MAP and claim.chunk_count == 1
    return is_end or is_only or claim.kind in (StepKind.STUFF, StepKind.REDUCE)


def ends_digest(claim: Claim, options: JobOptions) -> bool:
    """Tell whether a step's output is the summary of a digest, to which the differences of its documents belong."""
    is_end = claim.kind == StepKind.EXTRACT or is_last(claim)
    return options.digest and options.output_schema is None and is_end


def add_differences(result: StepResult, document: str, count_tokens: Callable[[str], int]) -> StepResult:
    """Return the last result of a digest with what its documents say differently, quoted below it.

    The result has no identity then: its prompt alone does not determine it, and no other step may reuse it.
    """
    differences = find_differences(document)
    if not differences:
        return result
    quoted = quote_differences(differences)
    offset = len(result.output) + len(DIFFERENCES_GAP)
    moved = (
        replace(sentence, start=sentence.start + offset, end=sentence.end + offset) for sentence in quoted.sentences
    )
    output = result.output + DIFFERENCES_GAP + quoted.text
    unquoted = note_unquoted(differences)
    return replace(
        result,
        output=output,
        output_tokens=count_tokens(output),
        identity=None,
        sentences=(*result.sentences, *describe_sentences(tuple(moved))),
        guards=result.guards if unquoted is None else (*result.guards, note_guard("differences", unquoted)),
    )


def describe_coverage(claim: Claim, text: str, outputs: Sequence[str]) -> tuple[Json, ...]:
    """Return the note on outputs that a combining step's text says nothing of, as an entry of ``steps.guards``."""
    uncovered = note_coverage(text, outputs) if claim.kind in COMBINING_KINDS else None
    return () if uncovered is None else (note_guard("coverage", uncovered),)


def _measure_length(grounder: Grounder, claim: Claim, options: JobOptions) -> int:
    """Return the requested length in words, or that of an extract of the same text."""
    return options.words or default_length(count_words(grounder.find_source(claim).text.text))


def limit_grounded(grounded: GroundedAnswer, words: int | None) -> GroundedAnswer:
    """Return an answer without the sentences beyond a requested length."""
    if words is None:
        return grounded
    text = limit_sentences(grounded.text, words)
    kept = tuple(sentence for sentence in grounded.sentences if sentence.end <= len(text))
    return replace(grounded, text=text, sentences=kept)


def is_final(claim: Claim) -> bool:
    """Tell whether a step's output may be the summary; every refine step's may, if later ones fail."""
    return claim.kind in (StepKind.STUFF, StepKind.REDUCE, StepKind.REFINE) or is_last(claim)
