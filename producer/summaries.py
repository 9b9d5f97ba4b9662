"""Summaries with the sentences that they are made of, read page by page."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

from sqlalchemy.orm import Session

from models.base import Json
from models.listing import JobPage
from models.lookup import read_details
from models.views import JobSummary
from producer.citations import CitedSentence
from producer.cited_documents import read_cited
from producer.wording import describe_weights


@dataclass(frozen=True, slots=True, repr=False)
class Summary:
    """A job with its summary and the sentences of that.

    Args:
        job: the job: its document, options, state, summary and cost.
        sentences: the sentences of the summary with their verdicts and citations.
        details: facts about the document: other columns of its table, its author, and in "notes" what was not read.
    """

    job: JobSummary
    sentences: tuple[CitedSentence, ...] = ()
    details: Json = field(default_factory=dict)

    @property
    def id(self) -> UUID:
        """Id of the job."""
        return self.job.job_id

    @property
    def source(self) -> str:
        """Name of the document."""
        return self.job.source

    @property
    def state(self) -> str:
        """State of the job: queued, running, succeeded, partial, failed or cancelled."""
        return self.job.state

    @property
    def text(self) -> str | None:
        """The summary; None while there is none."""
        return self.job.summary

    @property
    def data(self) -> Json | None:
        """The summary's fields, in the order of its schema; None while there is none, or if it is prose."""
        # Read from the text: the database keeps no order of fields.
        has_data = self.job.data is not None and self.job.summary is not None
        return cast("Json", json.loads(self.job.summary or "")) if has_data else None

    @property
    def reason(self) -> str | None:
        """Why the job is partial, failed or cancelled."""
        return self.job.reason

    @property
    def review(self) -> str | None:
        """Why a person should review the summary; None if its check found nothing."""
        return self.job.review

    @property
    def weights(self) -> str:
        """Name of the weights and, if they generated anything, what it stood for: base, adapter, precision.

        In parentheses stands the beginning of the fingerprint, which ``job.weights_fingerprint`` has whole.
        """
        return describe_weights(self.job.weights, self.job.served_weights)

    def __repr__(self) -> str:
        return f"Summary(source={self.source!r}, state={str(self.state)!r}, text={self.text!r})"


def read_summaries(session: Session, page: JobPage) -> tuple[Summary, ...]:
    """Return the jobs of a page with the sentences of their summaries."""
    ids = [job.job_id for job in page.jobs]
    cited, details = read_cited(session, ids), read_details(session, ids)
    return tuple(Summary(job, cited.get(job.job_id, ()), details.get(job.job_id, {})) for job in page.jobs)
