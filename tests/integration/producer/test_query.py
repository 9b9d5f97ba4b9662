from __future__ import annotations

import pytest

from models.views import JobSummary
from tests.conftest import Cluster
from tests.integration.conftest import Gistmill, read_jobs


def test_rows_are_printed_as_a_table_or_as_json(gistmill: Gistmill, submitted: list[JobSummary]) -> None:
    sql = "SELECT source, state FROM job_summaries WHERE source LIKE '%.md' ORDER BY source LIMIT 2"

    assert gistmill("query", sql).out == "source  state\na.md    queued\nb.md    queued\n"
    assert gistmill("query", sql, "--json").json[0] == {"source": "a.md", "state": "queued"}


def test_every_type_of_postgres_has_a_form_in_json(gistmill: Gistmill, submitted: list[JobSummary]) -> None:
    sql = (
        "SELECT avg(steps) AS a, interval '1 hour' AS b, ARRAY[1, 2] AS c, NULL AS d, '\\x00ff'::bytea AS e,"
        " int4range(1, 5) AS f, 'NaN'::float8 AS g, ARRAY['Infinity'::numeric, 2] AS h FROM job_summaries"
    )

    [row] = gistmill("query", sql, "--json").json

    assert (row["a"], row["b"], row["c"], row["d"]) == (1.0, "1:00:00", [1, 2], None)
    assert (row["e"], row["f"], row["g"], row["h"]) == ("00ff", "[1, 5)", None, [None, 2.0])


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM jobs",
        "WITH gone AS (DELETE FROM jobs RETURNING 1) SELECT * FROM gone",
        "SELECT 1; DELETE FROM jobs",
        "SET TRANSACTION READ WRITE",
        "SELECT 1/0",
        "SELEC 1",
        "",
    ],
)
def test_what_is_no_reading_query_is_refused_in_one_sentence(
    sql: str, gistmill: Gistmill, cluster: Cluster, submitted: list[JobSummary]
) -> None:
    done = gistmill("query", sql)

    assert done.code == 2
    assert done.err.startswith("gistmill: error: Postgres says: ")
    assert ("a query here can only read" in done.err) == ("DELETE" in sql)
    assert len(read_jobs(cluster)) == 4
