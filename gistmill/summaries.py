"""The summaries of a batch, read page by page while they are iterated over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gistmill.cluster import Cluster
from gistmill.errors import MissingLibraryError
from models.listing import JobFilter
from models.schema_fields import SchemaColumn, list_columns
from producer.summaries import Summary

if TYPE_CHECKING:
    from pandas import DataFrame

# What is left of the filter, and the place in the list.
Cursor = tuple[JobFilter, Any]


class Summaries:
    """Summaries in the order of their input; those of several batches with the latest batch first.

    Each iteration reads anew, and holds no transaction open while its reader is busy.

    Args:
        cluster: cluster of the client.
        wanted: which jobs.
    """

    def __init__(self, cluster: Cluster, wanted: JobFilter) -> None:
        self._cluster = cluster
        self.wanted = wanted

    def __repr__(self) -> str:
        return "Summaries(iterate over them, or call to_pandas())"

    def __iter__(self) -> Iterator[Summary]:
        page, cursor = self.read_page(None)
        yield from page
        while cursor is not None:
            page, cursor = self.read_page(cursor)
            yield from page

    def read_page(self, cursor: Cursor | None) -> tuple[tuple[Summary, ...], Cursor | None]:
        """Return the first page, or the one at a cursor, and the cursor of the next; None after the last."""
        wanted, after = cursor or (self.wanted, None)
        found, end = self._cluster.read_summaries(wanted, after)
        rest = wanted if wanted.limit is None else replace(wanted, limit=wanted.limit - len(found))
        return found, None if end is None else (rest, end)

    def read_fields(self) -> list[SchemaColumn]:
        """Return the columns of the fields of structured summaries; none if all are prose."""
        return list_columns(self._cluster.list_schemas(self.wanted))

    def to_pandas(self, columns: Sequence[str] = ()) -> DataFrame:
        """Return a DataFrame of a row a job, with the columns of ``gistmill export``.

        Args:
            columns: names of the columns, those of the documents' table among them; by default all of the job.

        Raises:
            MissingLibraryError: pandas is not installed.
        """
        return make_frame(self, columns)


def make_frame(summaries: Summaries, columns: Sequence[str] = ()) -> DataFrame:
    """Return summaries as a DataFrame.

    Raises:
        MissingLibraryError: pandas is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError as error:
        advice = "run: pip install --constraint constraints.txt '.[pandas]'"
        raise MissingLibraryError(f"to_pandas() needs pandas; {advice}") from error
    from producer.export_columns import JOB_COLUMNS, choose_values

    data = summaries.read_fields()
    names = tuple(columns) or (*JOB_COLUMNS, *(column.name for column in data))
    rows = [choose_values(summary, names, data) for summary in summaries]
    return pandas.DataFrame.from_records(rows, columns=names)
