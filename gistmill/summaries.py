"""The summaries of a batch, read page by page while they are iterated over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gistmill.connection import Connection
from gistmill.errors import MissingLibraryError
from models.listing import JobFilter, Place, read_page, take_rest
from producer.summaries import Summary, read_summaries

if TYPE_CHECKING:
    from pandas import DataFrame

Cursor = tuple[JobFilter, Place]


class Summaries:
    """Summaries in the order of their input; those of several batches with the latest batch first.

    Each iteration reads anew, and holds no transaction open while its reader is busy.

    Args:
        connection: connection of the client.
        wanted: which jobs.
    """

    def __init__(self, connection: Connection, wanted: JobFilter) -> None:
        self._connection = connection
        self.wanted = wanted

    def __iter__(self) -> Iterator[Summary]:
        page, cursor = self.read_page(None)
        yield from page
        while cursor is not None:
            page, cursor = self.read_page(cursor)
            yield from page

    def read_page(self, cursor: Cursor | None) -> tuple[tuple[Summary, ...], Cursor | None]:
        """Return the first page, or the one at a cursor, and the cursor of the next; None after the last."""
        wanted, after = cursor or (self.wanted, None)
        with self._connection.open_session() as session:
            page = read_page(session, wanted, after=after)
            found = read_summaries(session, page)
        return found, None if page.end is None else (take_rest(wanted, page), page.end)

    def to_pandas(self, columns: Sequence[str] = ()) -> DataFrame:
        """Return a DataFrame of a row a job, with the columns of ``gistmill export``.

        Args:
            columns: names of the columns, those of the documents' table among them; by default all of the job.

        Raises:
            MissingLibraryError: pandas is not installed.
        """
        return make_frame(self, columns)


def make_frame(summaries: Iterator[Summary] | Summaries, columns: Sequence[str] = ()) -> DataFrame:
    """Return summaries as a DataFrame.

    Raises:
        MissingLibraryError: pandas is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise MissingLibraryError("to_pandas() needs pandas; run: pip install pandas") from error
    from producer.export_columns import JOB_COLUMNS, choose_values

    names = tuple(columns) or JOB_COLUMNS
    return pandas.DataFrame.from_records([choose_values(summary, names) for summary in summaries], columns=names)
