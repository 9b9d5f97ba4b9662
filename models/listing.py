"""Listing of jobs page by page: the latest batch first, each batch in the order of its input.

A page is one short query that begins after a place, so that a slow reader holds no transaction open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, and_, exists, func, literal_column, or_, select, tuple_
from sqlalchemy.orm import Session

from models.job import Job
from models.tables import Batch, Document, Evaluation
from models.views import JobSummary, read_rows, view_of

# Jobs of a page: enough to hide the round trip, few enough to hold in memory with their sentences.
PAGE_JOBS = 200

# Time of the batch, batch, position in it, job.
Place = tuple[datetime, UUID, int, UUID]


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Conditions on the jobs to list; an empty field does not restrict.

    ``source`` is part of the document's name, whatever its case.
    """

    batch_id: UUID | None = None
    job_id: UUID | None = None
    states: Sequence[str] = ()
    strategies: Sequence[str] = ()
    weights: Sequence[str] = ()
    since: datetime | None = None
    needs_review: bool = False
    flagged: bool = False
    marked: bool = False
    source: str = ""
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of jobs, and the place after which the next page begins; None after the last."""

    jobs: tuple[JobSummary, ...]
    end: Place | None


def list_jobs(session: Session, wanted: JobFilter) -> Iterator[JobSummary]:
    """Yield the jobs that pass a filter: the latest batch first, each batch in the order of its input."""
    for page in list_pages(session, wanted):
        yield from page.jobs


def list_schemas(session: Session, wanted: JobFilter) -> list[str]:
    """Return the schemas of the structured summaries among the jobs that pass a filter, as texts, the latest first."""
    return list(session.scalars(select_schemas(wanted)))


def select_schemas(wanted: JobFilter) -> Select[str]:
    """Return the query of ``list_schemas``; of all batches it reads the jobs with a schema alone, by their index."""
    # The name is a literal, as in the condition of the index: a generic plan cannot prove that of a parameter.
    schema = Job.options.op("->>", return_type=Text())(literal_column("'output_schema'"))
    found = select(schema).where(*_list_conditions(wanted), schema.is_not(None)).group_by(schema)
    return found.order_by(func.max(Job.created_at).desc(), schema)


def list_pages(session: Session, wanted: JobFilter) -> Iterator[JobPage]:
    """Yield the jobs that pass a filter page by page, in the order of ``list_jobs``."""
    page = read_page(session, wanted)
    yield page
    while page.end is not None:
        wanted = take_rest(wanted, page)
        page = read_page(session, wanted, after=page.end)
        yield page


def take_rest(wanted: JobFilter, page: JobPage) -> JobFilter:
    """Return the filter of the jobs after a page: the same, with what is left of its limit."""
    return wanted if wanted.limit is None else replace(wanted, limit=wanted.limit - len(page.jobs))


def read_page(
    session: Session, wanted: JobFilter, *, after: Place | None = None, page_jobs: int | None = None
) -> JobPage:
    """Return the first jobs after a place that pass a filter, at most as many as a page has."""
    size = page_jobs or PAGE_JOBS
    size = size if wanted.limit is None else min(size, wanted.limit)
    statement = select(Batch.created_at, Job.batch_id, Job.position, Job.id).join(Batch, Batch.id == Job.batch_id)
    statement = _order(statement.where(*_list_conditions(wanted)), wanted, after)
    # One row more than the page tells whether there is another.
    places: list[Place] = [tuple(row) for row in session.execute(statement.limit(size + 1))]  # type: ignore[misc]
    shown = places[:size]
    is_last = len(places) <= size or len(shown) == wanted.limit
    return JobPage(_read_jobs(session, [place[-1] for place in shown]), None if is_last else shown[-1])


def list_detail_names(session: Session, wanted: JobFilter) -> list[str]:
    """Return the names of all details of the documents whose jobs pass a filter, in order of the alphabet."""
    name = func.jsonb_object_keys(Document.details).label("name")
    statement = select(name).join(Job, Job.document_sha256 == Document.sha256).join(Batch, Batch.id == Job.batch_id)
    return sorted(session.scalars(statement.where(*_list_conditions(wanted)).distinct()))


def count_jobs(session: Session, wanted: JobFilter) -> int:
    """Count the jobs that pass a filter."""
    statement = select(func.count()).select_from(Job).where(*_list_conditions(wanted))
    return session.execute(statement).scalar_one()


def find_neighbours(session: Session, job: JobSummary) -> tuple[UUID | None, UUID | None]:
    """Return the jobs before and after a job in the order of the input of its batch."""
    order, place = (Job.position, Job.id), (job.position, job.job_id)
    jobs = select(Job.id).where(Job.batch_id == job.batch_id).limit(1)
    before = jobs.where(tuple_(*order) < tuple_(*place)).order_by(Job.position.desc(), Job.id.desc())
    after = jobs.where(tuple_(*order) > tuple_(*place)).order_by(*order)
    return session.scalar(before), session.scalar(after)


def _list_conditions(wanted: JobFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.batch_id is not None:
        yield Job.batch_id == wanted.batch_id
    if wanted.job_id is not None:
        yield Job.id == wanted.job_id
    if wanted.states:
        yield Job.state.in_(wanted.states)
    if wanted.strategies:
        yield func.coalesce(Job.strategy, Job.options["strategy"].astext).in_(wanted.strategies)
    if wanted.weights:
        yield Job.weights.in_(wanted.weights)
    if wanted.since is not None:
        yield Job.created_at >= wanted.since
    if wanted.needs_review:
        yield Job.review.is_not(None)
    if wanted.flagged:
        yield Job.flagged > 0
    if wanted.marked:
        has_mark = Evaluation.evidence.contains({"sentences": [{"is_marked": True}]})
        yield exists().where(Evaluation.job_id == Job.id, has_mark)
    if wanted.source:
        yield Job.source.icontains(wanted.source, autoescape=True)


def _order(
    statement: Select[datetime, UUID, int, UUID], wanted: JobFilter, after: Place | None
) -> Select[datetime, UUID, int, UUID]:
    in_batch = (Job.position, Job.id)
    if wanted.batch_id is not None:
        # Without the batch's columns, so that the index of positions gives the order.
        statement = statement.order_by(*in_batch)
        return statement if after is None else statement.where(tuple_(*in_batch) > tuple_(*after[2:]))
    statement = statement.order_by(Batch.created_at.desc(), Job.batch_id, *in_batch)
    return statement if after is None else statement.where(_is_after(after))


def _is_after(place: Place) -> ColumnElement[bool]:
    created_at, *rest = place
    is_next = tuple_(Job.batch_id, Job.position, Job.id) > tuple_(*rest)
    return or_(Batch.created_at < created_at, and_(Batch.created_at == created_at, is_next))


def _read_jobs(session: Session, ids: Sequence[UUID]) -> tuple[JobSummary, ...]:
    view = view_of(JobSummary)
    rows = read_rows(session, JobSummary, select(view).where(view.c.job_id.in_(ids)))
    jobs = {job.job_id: job for job in rows} if ids else {}
    # A job may have been deleted since its place was read.
    return tuple(jobs[job_id] for job_id in ids if job_id in jobs)
