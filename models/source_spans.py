"""Spans of a document behind a step: those of its own chunks and of the chunks behind the outputs that it reads."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Connection, select

from models.base import Json
from models.claims import Claim
from models.job import Chunk
from models.partitions import step_id
from models.step import Step


def read_source_spans(connection: Connection, claim: Claim) -> list[tuple[int, int]]:
    """Return the spans (start, end) of the document behind a step, in order, those that meet or overlap as one."""
    chunks = _find_chunks(connection, claim)
    found = select(Chunk.start_at, Chunk.end_at).where(Chunk.job_id == claim.job_id, Chunk.index.in_(chunks))
    spans: list[tuple[int, int]] = []
    for start, end in connection.execute(found.order_by(Chunk.start_at)):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _find_chunks(connection: Connection, claim: Claim) -> set[int]:
    """Return the indexes of the chunks behind a step, wave by wave backwards."""
    chunks: set[int] = set()
    inputs: Iterable[Json] = claim.inputs
    seen: set[UUID] = set()
    while inputs := list(inputs):
        chunks |= {source["chunk"] for source in inputs if "chunk" in source}
        places = ((source["kind"], source["level"], source["index"]) for source in inputs if "kind" in source)
        steps = {step_id(claim.job_id, *place, round_number=claim.round) for place in places} - seen
        seen |= steps
        read = connection.scalars(select(Step.inputs).where(Step.id.in_(steps))) if steps else ()
        inputs = [source for listed in read for source in listed]
    return chunks
