"""Spans of a document behind a step: those of its own chunks and of the chunks behind the outputs that it reads."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, text

from models.partitions import StepRange

SPANS = """
WITH RECURSIVE behind AS (
    SELECT steps.inputs, steps.job_id, steps.round FROM steps WHERE steps.id = :step_id
    UNION
    SELECT steps.inputs, steps.job_id, steps.round
    FROM behind
    CROSS JOIN jsonb_array_elements(behind.inputs) AS input
    JOIN steps ON steps.job_id = behind.job_id
        AND steps.id BETWEEN :first AND :last
        AND steps.round = behind.round
        AND steps.kind = input ->> 'kind'
        AND steps.level = (input ->> 'level')::integer
        AND steps.index = (input ->> 'index')::integer
)
SELECT chunks.start_at, chunks.end_at
FROM chunks
WHERE (chunks.job_id, chunks.index) IN (
    SELECT behind.job_id, (input ->> 'chunk')::integer
    FROM behind
    CROSS JOIN jsonb_array_elements(behind.inputs) AS input
    WHERE input ? 'chunk'
)
ORDER BY chunks.start_at
"""
_SPANS = text(SPANS)


def read_source_spans(connection: Connection, step: UUID) -> list[tuple[int, int]]:
    """Return the spans (start, end) of the document behind a step, in order, those that meet or overlap as one."""
    spans: list[tuple[int, int]] = []
    steps = StepRange.of_step(step)
    for start, end in connection.execute(_SPANS, {"step_id": step, "first": steps.first, "last": steps.last}):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans
