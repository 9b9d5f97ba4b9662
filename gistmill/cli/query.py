"""Command ``gistmill query``: run a read-only SQL query on the results."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from gistmill.cli.database import open_session
from gistmill.cli.output import json_option, print_json_array, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

# Keywords of statements that write. Only chooses the advice: Postgres rejects them in a read-only transaction.
CHANGE = re.compile(r"\b(insert|update|delete|merge|truncate|drop|alter|create|grant|revoke|copy|call|vacuum)\b", re.I)


@click.command()
@click.argument("sql")
@json_option
def query(sql: str, *, as_json: bool) -> None:
    """Run one SQL query on the results and print its rows; it cannot change anything.

    The views job_summaries, batch_progress, step_timeline, weights_comparison, chunk_texts and
    summary_sentences answer most questions; docs/querying.md has worked queries.

    \b
    Examples:
      gistmill query "SELECT source, state, seconds FROM job_summaries WHERE batch = 'nightly'"
      gistmill query "SELECT batch, succeeded, failed FROM batch_progress" --json
    """
    from sqlalchemy.exc import DBAPIError, OperationalError

    with open_session() as session:
        try:
            columns, rows = _run(session, sql)
            if as_json:
                print_json_array(dict(zip(columns, row, strict=True)) for row in rows)
            else:
                print_table(columns, rows)
        except OperationalError:
            raise
        except DBAPIError as error:
            # The first line is the error; the others quote the statement with doubled percent signs.
            words = str(error.orig).splitlines()[0]
            is_write = CHANGE.search(sql) is not None
            advice = "; a query here can only read: SELECT, WITH, VALUES or TABLE" if is_write else ""
            raise click.UsageError(f"Postgres says: {words}{advice}") from None


def _run(session: Session, sql: str) -> tuple[tuple[str, ...], Iterator[tuple[object, ...]]]:
    """Return the names of the columns, and a lazy iterator over the rows."""
    connection = session.connection(execution_options={"postgresql_readonly": True, "stream_results": True})
    # Sent by the driver, so that SQLAlchemy does not take colons for parameters; the driver needs %% for %.
    result = connection.exec_driver_sql(sql.replace("%", "%%") if "%" in sql else sql)
    return tuple(result.keys()), (tuple(row) for row in result)
