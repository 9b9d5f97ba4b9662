"""Rendering of a job's steps, its citations and the evidence of its check as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from models.step import StepKind
from producer.citations import CitedSentence, Passage, shorten_passage
from producer.evidence import Evidence
from producer.provenance import Node, Provenance, StepRecord, build_trees, unroll_chain
from producer.wording import clean_line, count, format_seconds

# Characters of an error, a heading or a guard's words in one line.
WORDS = 120


def render_steps(provenance: Provenance, *, is_full: bool) -> Iterator[str]:
    """Yield the lines of a job's steps: trees from the last step down to its inputs, refine chains in order.

    Args:
        provenance: all records of the job.
        is_full: include the outputs of the steps.
    """
    shown_round = 0
    for plan in (step for step in provenance.steps if step.kind == StepKind.PLAN):
        yield from _render_node(Node(plan, ()), provenance, "", "", is_full=False)
    for root in build_trees(provenance.steps):
        if root.step.round and root.step.round != shown_round:
            shown_round = root.step.round
            yield f"second try, {'kept' if provenance.job.round else 'not kept'}:"
        if root.step.kind == StepKind.REFINE:
            for node in unroll_chain(root):
                yield from _render_node(node, provenance, "", "", is_full=is_full)
        else:
            yield from _render_tree(root, provenance, "", "", is_full=is_full)
    for check in (step for step in provenance.steps if step.kind == StepKind.EVALUATE):
        yield from _render_node(Node(check, ()), provenance, "", "", is_full=is_full)


def _render_tree(node: Node, provenance: Provenance, first: str, rest: str, *, is_full: bool) -> Iterator[str]:
    """Yield the lines of a node and its inputs; the prefixes draw the branches."""
    stem = rest + ("│  " if node.inputs else "   ")
    yield from _render_node(node, provenance, first, stem, is_full=is_full)
    for child in node.inputs:
        is_last = child is node.inputs[-1]
        corner, below = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        yield from _render_tree(child, provenance, rest + corner, rest + below, is_full=is_full)


def _render_node(node: Node, provenance: Provenance, first: str, stem: str, *, is_full: bool) -> Iterator[str]:
    step = node.step
    yield first + _describe_step(step)
    yield from (f"{stem}  {line}" for line in _describe_chunks(step, provenance))
    yield from (f"{stem}  {line}" for line in _describe_failures(step, provenance))
    if is_full and step.output is not None:
        yield from (f"{stem}  > {line}" for line in step.output.strip().splitlines())


def _describe_step(step: StepRecord) -> str:
    name = f"{step.kind} {step.level}.{step.index}" if step.level else f"{step.kind} {step.index}"
    is_alone = step.kind in {StepKind.PLAN, StepKind.STUFF, StepKind.REDUCE, StepKind.EXTRACT, StepKind.EVALUATE}
    facts = [
        "" if step.state == "done" else step.state,
        "" if step.prompt_tokens is None else f"{step.prompt_tokens:,} -> {step.completion_tokens or 0:,} tokens",
        format_seconds(step.seconds),
        (step.worker or "").partition("#")[0],
        "from the cache" if step.cached_from else "",
        "no call: short enough as it is" if _is_short(step) else "",
        "of the second try" if step.round and step.kind == StepKind.EVALUATE else "",
        "cut at the limit" if step.finish_reason == "length" else "",
    ]
    title = "  ".join([step.kind if is_alone else name, *filter(None, facts)])
    return f"{title}: {step.verdicts}" if step.verdicts else title


def _is_short(step: StepRecord) -> bool:
    """Return whether the text that a step read, or the outputs that it combined, stand without a call."""
    is_call = step.kind in {StepKind.STUFF, StepKind.MAP, StepKind.COLLAPSE, StepKind.REDUCE, StepKind.REFINE}
    return is_call and step.state == "done" and step.prompt_tokens is None and not step.cached_from


def _describe_chunks(step: StepRecord, provenance: Provenance) -> Iterator[str]:
    wanted = set(step.chunks)
    for chunk in provenance.chunks:
        if chunk.index in wanted:
            headings = " > ".join(map(str, chunk.headings))
            span = f"characters {chunk.start_at:,}-{chunk.end_at:,}, {count(chunk.tokens, 'token')}"
            yield f"chunk {chunk.index}: {span}" + (f", {_shorten(headings)}" if headings else "")


def _describe_failures(step: StepRecord, provenance: Provenance) -> Iterator[str]:
    for guard in step.guards:
        outcome = "the output stands" if guard.get("stands") else "noted" if guard.get("is_note") else "tried again"
        yield f"guard {guard.get('name')}: {_shorten(str(guard.get('words', '')))} ({outcome})"
    for attempt in provenance.tries.get(str(step.id), []):
        reason = f": {_shorten(str(attempt.error.get('message', '')))}" if attempt.error else ""
        yield f"try {attempt.attempt}: {attempt.outcome}{reason}"
    if step.error:
        yield f"failed: {_shorten(str(step.error.get('message', step.error)))}"


def _shorten(words: str) -> str:
    line = clean_line(words)
    return line if len(line) <= WORDS else line[: WORDS - 1] + "…"


def render_citations(sentences: Iterable[CitedSentence]) -> Iterator[str]:
    """Yield the lines of the marked sentences: number and verdict, then the passages with their places.

    Of a digest, the documents follow, each with its passages; the summaries of it were only in between.
    """
    for sentence in sentences:
        if sentence.number is not None:
            yield f"[{sentence.number}] {clean_line(sentence.verdict)}"
            if not sentence.documents:
                yield from (f"    {_describe_passage(passage)}" for passage in sentence.citations)
            for document in sentence.documents:
                yield f"    {_shorten(document.label)}"
                yield from (f"        {_describe_passage(passage)}" for passage in document.passages)


def _describe_passage(passage: Passage) -> str:
    places = f"  ({_shorten(' > '.join(passage.places))})" if passage.places else ""
    return f"“{clean_line(shorten_passage(passage.text))}”{places}"


def render_evidence(evidence: Evidence) -> Iterator[str]:
    """Yield the lines of the doubtful sentences with their reasons, then of the questions with both answers."""
    for sentence in evidence.doubtful:
        yield f"{'MARKED' if sentence.is_marked else 'doubt'}  {clean_line(sentence.text)}"
        for doubt in sentence.doubts:
            yield f"        “{clean_line(doubt.text)}”: {clean_line(doubt.words)}"
    for question in evidence.questions:
        yield f"asked   {clean_line(question.question)}"
        yield f"        the summary: {clean_line(question.summary_answer)}"
        yield f"        the source: {clean_line(question.source_answer)}  (F1 {question.f1:.2f})"
