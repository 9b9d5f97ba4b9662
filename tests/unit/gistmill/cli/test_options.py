from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import get_args

import click
import pytest
from click.testing import CliRunner

from gistmill.cli import options as cli_options
from gistmill.cli.options import add_filters, add_job_options
from gistmill.cli.plan import plan
from gistmill.cli.sections import SectionedCommand
from gistmill.cli.submit import submit
from models import options
from models.choices import STRATEGIES, STYLES
from models.errors import SettingsError
from models.job import JobState
from models.options import GenerationOptions, JobOptions
from models.sampling_params import PARAMETERS, SamplingParams
from producer.export import WRITERS
from producer.options import build_job_options
from producer.wording import EXPORT_FORMATS
from workers.generation import GenerationParams
from workers.summarization import planning, prompts, steps, wording

COMMAND = click.command()(add_job_options(lambda **_: None))


def test_the_choices_are_those_of_the_job_and_of_the_workers() -> None:
    assert tuple(JobState) == cli_options.STATES
    assert tuple(WRITERS) == EXPORT_FORMATS
    assert {"auto", *get_args(steps.Strategy)} == set(STRATEGIES)
    assert {"auto", *get_args(wording.Style)} == set(STYLES)


def test_the_parameters_of_a_job_and_of_the_engine_are_the_same_with_the_same_defaults() -> None:
    assert GenerationOptions().model_dump() == GenerationParams().describe() == asdict(SamplingParams())


def test_what_makes_a_prompt_and_a_plan_is_that_of_the_workers() -> None:
    assert options.LANGUAGE == prompts._LANGUAGE
    assert options.DEFAULT_CHUNK_TOKENS == planning.DEFAULT_CHUNK_TOKENS


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_bounds_of_a_number_are_those_of_the_job(name: str) -> None:
    offered = next(param.type for param in COMMAND.params if param.name == name)
    bounds = {type(each).__name__: each for each in GenerationOptions.model_fields[name].metadata}

    if isinstance(offered, click.IntRange | click.FloatRange):
        lowest = bounds["Gt"].gt if offered.min_open else bounds["Ge"].ge
        assert (offered.min, offered.max) == (lowest, bounds["Le"].le)


def test_every_option_of_a_job_can_be_given() -> None:
    offered = {param.name for param in COMMAND.params}
    # A digest is a command of its own.
    of_a_job = set(JobOptions.model_fields) - {"generation", "template", "digest"} | set(GenerationOptions.model_fields)

    assert offered - {"prompt", "schema"} == of_a_job - {"output_schema"}


@pytest.mark.parametrize(
    "given", [{"words": 19}, {"words": 1001}, {"candidates": 0}, {"candidates": 9}, {"grounding": "loose"}]
)
def test_an_option_of_the_grounding_or_the_length_out_of_range_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(given))):
        build_job_options(given)
    [(name, value)] = given.items()
    refused = CliRunner().invoke(COMMAND, [f"--{name}", str(value)])
    assert (refused.exit_code, f"--{name}" in refused.output) == (2, True)


def test_grounding_is_strict_with_one_candidate_and_no_length() -> None:
    assert (JobOptions().grounding, JobOptions().candidates, JobOptions().words) == ("strict", 1, None)


def test_later_options_with_their_defaults_leave_the_identity_of_a_job_as_it_was() -> None:
    first = JobOptions().model_dump(mode="json", exclude=set(options.LATER_OPTIONS))
    content = json.dumps(["hash", "name", first], sort_keys=True)
    assert JobOptions().identify("hash", "name") == hashlib.sha256(content.encode()).hexdigest()
    others = [JobOptions(words=60), JobOptions(grounding="off"), JobOptions(candidates=2), JobOptions()]
    assert len({other.identify("hash", "name") for other in others}) == 4


def test_a_separator_is_written_with_escapes() -> None:
    command = click.command()(add_job_options(lambda **given: click.echo(repr(given["separator"]))))

    assert CliRunner().invoke(command, ["--separator", r"\n\n"]).output == "'\\n\\n'\n"


@pytest.mark.parametrize("command", [submit, plan])
def test_every_option_of_a_submission_or_a_plan_stands_in_a_section_of_the_help(command: SectionedCommand) -> None:
    named = [name for names in command.sections.values() for name in names]
    options = [param.name for param in command.params if isinstance(param, click.Option)]

    assert len(named) == len({*named})
    assert {*options} - {*named} <= {"as_json"}
    shown = CliRunner().invoke(command, ["--help"]).output
    places = [shown.index(f"\n{heading}:\n") for heading in (*command.sections, "Other")]
    assert places == sorted(places)
    assert "PATH" not in shown[places[0] :].replace("made from PATH", "")
    assert all(kind in shown for kind in ("PDF", "DOCX", "EPUB"))


@pytest.mark.parametrize("option", ["--state", "--status"])
def test_the_filter_of_states_is_called_as_the_column_and_as_the_command(option: str) -> None:
    command = click.command()(add_filters(lambda **given: click.echo(given["status"])))

    assert CliRunner().invoke(command, [option, "failed"]).output == "('failed',)\n"


@pytest.mark.parametrize(("given", "code"), [("0", 0), ("0.0", 0), ("0.5", 0), ("0.001", 2), ("-1", 2)])
def test_a_temperature_of_zero_passes_although_none_so_low_samples(given: str, code: int) -> None:
    assert CliRunner().invoke(COMMAND, [f"--temperature={given}"]).exit_code == code
