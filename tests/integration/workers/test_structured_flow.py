"""Jobs with a schema: every step's output is valid JSON of it, whatever the strategy, and so is what is stored."""

from __future__ import annotations

import csv
import io
import json
import re
from uuid import UUID

import pytest
from jsonschema import validate
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from models.base import Json
from models.job import Job
from models.listing import JobFilter, list_schemas, read_page, select_schemas
from models.options import JobOptions, make_options
from models.output_schema import resolve_schema
from models.schema_fields import list_columns
from models.step import Step, StepState
from producer.export import write_csv
from producer.retry import retry_job
from producer.summaries import Summary, read_summaries
from tests.conftest import Cluster
from tests.fake_engine import FakeGenerator, read_source
from tests.hand_driven import HandDrivenWorker
from tests.jobs import add_jobs
from workers.generation import GenerationParams, Prompt

TOWNS = ("Aldbury", "Brixham", "Corfe", "Dunster")
DOCUMENT = "\n\n".join(
    f"## {town}\n\nThe council of {town} spent {450 + number} pounds on the old bridge. "
    + f"People in {town} talk about nothing else. " * 12
    for number, town in enumerate(TOWNS)
)
SCHEMA = {
    "type": "object",
    "properties": {
        "summary": {"type": "string", "description": "What happened"},
        "towns": {"type": "array", "items": {"type": "string"}},
        "cost": {"type": "object", "properties": {"pounds": {"type": ["integer", "null"]}}, "required": ["pounds"]},
        "topic": {"enum": ["bridges", "other"]},
    },
    "required": ["summary", "towns", "cost", "topic"],
}


def describe_towns(prompt: Prompt, params: GenerationParams) -> str:
    """Answer with JSON of the schema, from what the prompt's text says."""
    found = re.findall(r"council of (\w+) spent (\d+) pounds", read_source(prompt))
    town, pounds = found[0]
    data = {
        "summary": f"The council of {town} spent {pounds} pounds on the old bridge.",
        "towns": [name for name, _ in found],
        "cost": {"pounds": int(pounds)},
        "topic": "bridges",
    }
    return json.dumps(data)


def schema_options(**values: object) -> JobOptions:
    given = {"chunk_tokens": 120, "max_new_tokens": 200, **values}
    sampling = {"do_sample": False, "max_new_tokens": given.pop("max_new_tokens")}
    return make_options(output_schema=resolve_schema(SCHEMA), generation=sampling, **given)


def run(cluster: Cluster, generator: FakeGenerator, options: JobOptions, document: str = DOCUMENT) -> UUID:
    """Run a job to its end."""
    [job], step_messages = add_jobs(cluster.engine, [document], options=options)
    HandDrivenWorker(cluster.engine, generator, max_errors=1).run_all(step_messages)
    return job


def read(cluster: Cluster, job_id: UUID) -> tuple[str, str | None, Json | None]:
    """Return state, reason and data of a job."""
    with Session(cluster.engine) as session:
        row = session.get_one(Job, job_id)
        return row.state, row.reason, row.data


def read_all(session: Session, wanted: JobFilter) -> list[Summary]:
    """Return the summaries that pass a filter."""
    return list(read_summaries(session, read_page(session, wanted)))


@pytest.mark.parametrize("strategy", ["stuff", "map-reduce", "refine"])
def test_every_step_and_the_summary_are_valid_json_of_the_schema(cluster: Cluster, strategy: str) -> None:
    generator = FakeGenerator(describe_towns)

    job = run(cluster, generator, schema_options(strategy=strategy))

    state, reason, data = read(cluster, job)
    assert (state, reason) == ("succeeded", None)
    validate(data, SCHEMA)
    with Session(cluster.engine) as session:
        outputs = session.scalars(select(Step.output).where(Step.job_id == job, Step.kind != "plan")).all()
        summary = session.get_one(Job, job).summary
    assert len(outputs) == {"stuff": 1, "map-reduce": len(TOWNS) + 1, "refine": len(TOWNS)}[strategy]
    for output in outputs:
        validate(json.loads(output or ""), SCHEMA)
    assert json.loads(summary or "") == data
    assert all(prompt.schema for prompt in generator.prompts)


def test_the_database_reads_the_fields(cluster: Cluster) -> None:
    job = run(cluster, FakeGenerator(describe_towns), schema_options(strategy="stuff"))

    with Session(cluster.engine) as session:
        query = text("SELECT data -> 'cost' ->> 'pounds', data ->> 'topic' FROM job_summaries WHERE job_id = :job")
        assert tuple(session.execute(query, {"job": job}).one()) == ("450", "bridges")


def test_an_answer_that_is_not_valid_is_asked_for_again_and_noted(cluster: Cluster) -> None:
    replies = iter(['{"summary": ', '{"summary": 3}'])
    generator = FakeGenerator(lambda prompt, params: next(replies, None) or describe_towns(prompt, params))

    job = run(cluster, generator, schema_options(strategy="stuff"))

    assert read(cluster, job)[0] == "succeeded"
    with Session(cluster.engine) as session:
        guards = session.scalars(select(Step.guards).where(Step.job_id == job, Step.kind == "stuff")).one()
    assert [guard["name"] for guard in guards] == ["invalid", "invalid", "structured"]
    bounds = [json.loads(prompt.schema or "")["properties"]["summary"]["maxLength"] for prompt in generator.prompts]
    assert bounds == sorted(bounds, reverse=True)
    assert len(set(bounds)) == 3


def test_a_job_without_a_valid_answer_fails_with_a_reason(cluster: Cluster) -> None:
    job = run(cluster, FakeGenerator(lambda *_: '{"summary": "and so on'), schema_options(strategy="stuff"))

    state, reason, data = read(cluster, job)
    assert (state, data) == ("failed", None)
    assert "3 tries gave no valid JSON of the schema" in (reason or "")
    assert "--max-new-tokens" in (reason or "")


def test_what_the_document_does_not_say_is_quoted_left_out_or_null(cluster: Cluster) -> None:
    def invent(prompt: Prompt, params: GenerationParams) -> str:
        data = json.loads(describe_towns(prompt, params))
        data["summary"] = "Boris Zhukov replaced 9173 cables in Qatar before breakfast."
        data["towns"] += ["Sumatra", data["towns"][0], " "]
        data["cost"]["pounds"] = 8264
        return json.dumps(data)

    job = run(cluster, FakeGenerator(invent), schema_options(strategy="stuff"))

    state, _, data = read(cluster, job)
    assert state == "succeeded"
    assert data is not None
    validate(data, SCHEMA)
    assert data["towns"] == list(TOWNS)
    assert data["cost"] == {"pounds": None}
    assert "Zhukov" not in data["summary"]
    assert "bridge" in data["summary"] or "talk about" in data["summary"]


def test_a_false_value_that_must_stay_makes_the_job_partial(cluster: Cluster) -> None:
    schema = {"type": "object", "properties": {"mayor": {"type": "string"}}, "required": ["mayor"]}
    options = make_options(output_schema=resolve_schema(schema), strategy="stuff")

    job = run(cluster, FakeGenerator(lambda *_: '{"mayor": "Boris Zhukov"}'), options)

    state, reason, data = read(cluster, job)
    assert (state, data) == ("partial", {"mayor": "Boris Zhukov"})
    assert "not borne out by the document: mayor" in (reason or "")


def test_sentences_cite_their_place_in_the_json(cluster: Cluster) -> None:
    job = run(cluster, FakeGenerator(describe_towns), schema_options(strategy="stuff"))

    with Session(cluster.engine) as session:
        [summary] = read_all(session, JobFilter(job_id=job))
    cited = {sentence.text: sentence for sentence in summary.sentences}
    assert {"Aldbury", "450", "The council of Aldbury spent 450 pounds on the old bridge."} <= cited.keys()
    assert all(sentence.kind == "verified" for sentence in cited.values())
    assert "Aldbury" in cited["450"].citations[0].text


def test_the_fields_are_columns_in_the_order_of_the_schema(cluster: Cluster) -> None:
    job = run(cluster, FakeGenerator(describe_towns), schema_options(strategy="stuff"))
    wanted, file = JobFilter(job_id=job), io.BytesIO()

    with Session(cluster.engine) as session:
        columns = list_columns(list_schemas(session, wanted))
        write_csv(read_all(session, wanted), file, None, columns)
        [summary] = read_all(session, wanted)

    [row] = csv.DictReader(io.StringIO(file.getvalue().decode(), newline=""))
    assert list(row)[-4:] == ["data.summary", "data.towns", "data.cost.pounds", "data.topic"]
    assert row["data.cost.pounds"] == "450"
    assert json.loads(row["data.towns"]) == list(TOWNS)
    assert summary.data is not None
    assert list(summary.data) == ["summary", "towns", "cost", "topic"]


def test_the_schemas_of_all_batches_are_found_by_an_index(cluster: Cluster) -> None:
    run(cluster, FakeGenerator(describe_towns), schema_options(strategy="stuff"))

    with Session(cluster.engine) as session:
        assert len(list_schemas(session, JobFilter())) == 1
        # So small a table is read whole otherwise.
        session.execute(text("SET LOCAL enable_seqscan = off"))
        query = select_schemas(JobFilter()).compile(cluster.engine, compile_kwargs={"literal_binds": True})
        plan = "\n".join(session.scalars(text(f"EXPLAIN {query}")))
    assert "ix_jobs_output_schema" in plan


def test_a_job_that_is_run_again_loses_its_data_first(cluster: Cluster) -> None:
    job = run(cluster, FakeGenerator(describe_towns), schema_options(strategy="stuff"))
    with Session(cluster.engine) as session, session.begin():
        session.execute(text("UPDATE jobs SET state = 'partial', reason = 'r' WHERE id = :job"), {"job": job})
        stuff = session.scalars(select(Step).where(Step.job_id == job, Step.kind == "stuff")).one()
        stuff.state, stuff.output, stuff.error = StepState.FAILED, None, {"message": "m"}
    with Session(cluster.engine) as session, session.begin():
        retry_job(session, job)

    assert read(cluster, job) == ("running", None, None)


def test_answers_for_different_schemas_are_not_mixed(cluster: Cluster) -> None:
    generator = FakeGenerator(describe_towns)
    run(cluster, generator, schema_options(strategy="stuff"))
    run(cluster, generator, schema_options(strategy="stuff"))
    assert len(generator.prompts) == 1

    narrower = SCHEMA | {"properties": SCHEMA["properties"] | {"topic": {"enum": ["bridges"]}}}  # type: ignore[operator]
    options = schema_options(strategy="stuff").model_copy(update={"output_schema": resolve_schema(narrower)})
    run(cluster, generator, options)
    assert len(generator.prompts) == 2
