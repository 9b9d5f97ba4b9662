"""Structured summaries against prose: validity and time on the same real articles, on a real Postgres.

Blocks of articles are summarized in turn by a schema of five fields and as prose, greedily, with the code that serves.
Every structured summary is validated by the schema, as its text and as the database has it.

Run: ``python -m tests.bench.bench_schema``. Environment: DOCUMENTS, CHARACTERS (of each), NEW_TOKENS (most that a step
writes), BLOCK (articles in a block), DATA (a folder with the table), WEIGHTS (a folder instead of the packaged ones,
which have their adapter). All of it: ``DOCUMENTS=100``.
"""

from __future__ import annotations

import csv
import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jsonschema import Draft202012Validator
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models.job import Job
from models.listing import JobFilter, list_jobs
from models.options import JobOptions, make_options
from models.output_schema import resolve_schema
from models.session import connect
from models.views import JobSummary
from tests.bench.bench_quality import find_weights
from tests.bench.bench_strategies import Runner
from tests.chaos.arena import open_arena
from tests.jobs import add_jobs
from tests.shared_data import SHARED_DATA
from workers.engine.config import EngineConfig
from workers.engine.constraints import Constraint
from workers.engine.engine import load_engine
from workers.weights.packaged import find_packaged_adapter

TABLE = "cnn_dailymail_train.csv"
# Small enough for some minutes on two cores.
DOCUMENTS, CHARACTERS, NEW_TOKENS, BLOCK = "20", "700", "192", "20"
SLOTS = 8
SCHEMA = {
    "type": "object",
    "properties": {
        "headline": {"type": "string", "maxLength": 100, "description": "Headline of the article"},
        "summary": {"type": "string", "description": "What happened, in one or two sentences"},
        "people": {"type": "array", "items": {"type": "string"}, "maxItems": 5, "description": "Persons it names"},
        "year": {"type": ["integer", "null"], "minimum": 1800, "maximum": 2100, "description": "Year it tells of"},
        "topic": {"enum": ["politics", "crime", "sport", "business", "science", "culture", "other"]},
    },
    "required": ["headline", "summary", "people", "year", "topic"],
    "additionalProperties": False,
}


@dataclass(slots=True)
class Side:
    """One way of summarizing.

    Args:
        name: schema or prose.
        options: of its jobs.
        seconds: of all blocks.
        cpu_seconds: of this process in them, which other work of the machine changes less.
        jobs: the jobs when they had ended.
    """

    name: str
    options: JobOptions
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    jobs: list[JobSummary] = field(default_factory=list)

    @property
    def written(self) -> int:
        """Tokens that were generated."""
        return sum(job.completion_tokens for job in self.jobs)

    def describe(self) -> dict[str, object]:
        """Return the figures."""
        return {
            "documents": len(self.jobs),
            "states": dict(Counter(job.state for job in self.jobs)),
            "seconds": round(self.seconds, 1),
            "cpu_seconds": round(self.cpu_seconds, 1),
            "tokens_read": sum(job.prompt_tokens for job in self.jobs),
            "tokens_written": self.written,
            "tokens_per_second": round(self.written / self.seconds, 1),
        }


@dataclass(slots=True)
class MaskTimes:
    """Time of the masks of the sampled tokens."""

    seconds: float = 0.0
    rows: int = 0


@contextmanager
def measure_masks() -> Iterator[MaskTimes]:
    """Measure the time that masks take within a block."""
    times, compute = MaskTimes(), Constraint.compute_masks

    def compute_measured(constraint: Constraint, proposed: Sequence[int]) -> torch.Tensor:
        started = time.perf_counter()
        masks = compute(constraint, proposed)
        times.seconds += time.perf_counter() - started
        times.rows += len(masks)
        return masks

    Constraint.compute_masks = compute_measured  # type: ignore[method-assign]
    try:
        yield times
    finally:
        Constraint.compute_masks = compute  # type: ignore[method-assign]


def read_articles(data: Path, *, documents: int, characters: int) -> list[str]:
    """Return the beginnings of articles."""
    with (data / TABLE).open(encoding="utf-8", newline="") as file:
        return [row["article"][:characters] for _, row in zip(range(documents), csv.DictReader(file), strict=False)]


def run_block(side: Side, texts: Sequence[str], *, database: Engine, runner: Runner) -> None:
    """Summarize a block of articles one way."""
    jobs, step_messages = add_jobs(database, texts, options=side.options, document_format="text")
    started = time.process_time()
    side.seconds += runner.run(step_messages)
    side.cpu_seconds += time.process_time() - started
    with Session(database) as session:
        batch = session.get_one(Job, jobs[0]).batch_id
        side.jobs += list_jobs(session, JobFilter(batch_id=batch))


def count_valid(jobs: Sequence[JobSummary]) -> int:
    """Return the number of jobs whose summary is valid JSON of the schema, as text and as data."""
    validator = Draft202012Validator(SCHEMA)
    return sum(
        job.summary is not None and job.data == json.loads(job.summary) and validator.is_valid(job.data) for job in jobs
    )


def count_reasons(jobs: Sequence[JobSummary]) -> Counter[str]:
    """Return how many structured jobs are partial for which fields that the document does not bear out, or are cut."""
    reasons = [job.reason for job in jobs if job.reason is not None]
    fields = (name for reason in reasons for name in re.findall(r"(?:document: |, )([\w.]+)", reason))
    return Counter(fields) + Counter("cut" for reason in reasons if "most tokens" in reason)


def main() -> None:
    """Summarize both ways in turn, print the table and one line of JSON."""
    data = Path(os.environ.get("DATA", SHARED_DATA))
    documents = int(os.environ.get("DOCUMENTS", DOCUMENTS))
    block = int(os.environ.get("BLOCK", BLOCK))
    texts = read_articles(data, documents=documents, characters=int(os.environ.get("CHARACTERS", CHARACTERS)))
    limits = {"do_sample": False, "max_new_tokens": int(os.environ.get("NEW_TOKENS", NEW_TOKENS))}
    common = {"strategy": "stuff", "style": "news", "cache": False, "generation": limits}
    structured = Side("schema", make_options(output_schema=resolve_schema(SCHEMA), **common))
    sides = (structured, Side("prose", make_options(**common)))
    adapter = None if "WEIGHTS" in os.environ else find_packaged_adapter()
    config = EngineConfig(weights=str(find_weights()), adapter=adapter and str(adapter), slots=SLOTS)
    with open_arena() as arena, closing(load_engine(config)) as engine, measure_masks() as masks:
        database = connect(arena.database_url, pool_size=SLOTS + 2)
        runner = Runner(database, engine)
        for side in sides:
            # Loads what is loaded once: the grammar's vocabulary, the packages of the facts.
            run_block(Side(side.name, side.options), texts[:1], database=database, runner=runner)
        masks.seconds = masks.rows = 0
        for start in range(0, len(texts), block):
            for side in sides:
                run_block(side, texts[start : start + block], database=database, runner=runner)
                print(f"{len(side.jobs)} {side.name}: {side.seconds:.0f} s", flush=True)
        database.dispose()
    valid = count_valid(structured.jobs)
    print("\n| way | documents | valid | seconds | CPU seconds | tokens read | tokens written | tokens/s |")
    print("|---|---|---|---|---|---|---|---|")
    for side in sides:
        found = side.describe()
        shown = f"{valid} of {len(side.jobs)}" if side is structured else "-"
        names = ("seconds", "cpu_seconds", "tokens_read", "tokens_written")
        cells = [side.name, found["documents"], shown, *(found[name] for name in names)]
        print(f"| {' | '.join(map(str, cells))} | {found['tokens_per_second']} |")
    mask_ms = 1000 * masks.seconds / max(masks.rows, 1)
    states = "; ".join(f"{side.name} {dict(Counter(job.state for job in side.jobs))}" for side in sides)
    print(f"\nstates: {states}; a mask takes {mask_ms:.2f} ms")
    print(f"why partial: {dict(count_reasons(structured.jobs))}")
    print(json.dumps({side.name: side.describe() for side in sides} | {"valid": valid, "mask_ms": round(mask_ms, 3)}))


if __name__ == "__main__":
    main()
