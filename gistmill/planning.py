"""Plans of documents: how each would be summarized, and what that would take at most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gistmill.errors import explain_missing

if TYPE_CHECKING:
    from models.options import JobOptions
    from models.settings import Settings
    from producer.sources.given import Documents
    from producer.sources.source import ReadEvent
    from workers.planner import Planner


@dataclass(frozen=True, slots=True)
class DocumentPlan:
    """The plan of one document.

    Args:
        source: name of the document.
        strategy: strategy that would be taken.
        reason: why.
        splitter: how the document would be cut.
        split_reason: why.
        chunks: number of chunks.
        document_tokens: tokens of the chunks.
        calls: calls of the engine, at most.
        prompt_tokens: tokens read, at most.
        completion_tokens: tokens written, at most.
        depth: calls one after the other.
        seconds: time of the job alone on one worker, at most.
        rates: speeds that the time was estimated with, and where they come from.
    """

    source: str
    strategy: str
    reason: str
    splitter: str
    split_reason: str
    chunks: int
    document_tokens: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    depth: int
    seconds: float
    rates: dict[str, Any]


def plan_documents(
    settings: Settings, documents: Documents, given: Mapping[str, Any], *, on_read: Callable[[ReadEvent], object]
) -> list[DocumentPlan]:
    """Read documents and plan each; nothing is submitted.

    Args:
        settings: settings of this process.
        documents: paths, URLs, documents in memory or a DataFrame.
        given: options of reading and of the jobs by name.
        on_read: called with every event of reading.

    Raises:
        GistmillError: an option is invalid, or no plan fits.
        MissingLibraryError: the tokenizer's libraries are not installed.
    """
    from producer.options import build_job_options
    from producer.preparation import Reading, split_options
    from producer.sources.source import Source

    of_reading, of_jobs = split_options(given)
    options = build_job_options(of_jobs)
    planner: Planner | None = None
    plans = []
    for event in Reading(documents, **of_reading).read():
        on_read(event)
        if isinstance(event, Source):
            # It takes seconds to load, and nothing may be there to plan.
            planner = planner or _load_planner(settings, options)
            plans.append(DocumentPlan(source=event.name, **planner.plan(event.text, event.format)))
    return plans


def _load_planner(settings: Settings, options: JobOptions) -> Planner:
    with explain_missing("a plan"):
        from workers.planner import Planner
    return Planner(settings, options)
