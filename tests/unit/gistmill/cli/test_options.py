from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import click
import pytest
from click.testing import CliRunner

from gistmill.cli import options as cli_options
from gistmill.cli.options import add_job_options, build_job_options
from models import options
from models.choices import STRATEGIES, STYLES
from models.errors import SettingsError
from models.job import JobState
from models.options import GenerationOptions, JobOptions
from models.sampling_params import PARAMETERS, SamplingParams
from producer.export import WRITERS
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
    of_a_job = set(JobOptions.model_fields) - {"generation", "template"} | set(GenerationOptions.model_fields)

    assert offered - {"prompt"} == of_a_job


def test_nothing_given_is_the_default() -> None:
    assert build_job_options(dict.fromkeys(("strategy", "temperature", "cache"))) == JobOptions()


def test_options_reach_the_job() -> None:
    built = build_job_options({"strategy": "refine", "temperature": 0.7, "do_sample": False, "cache": False})

    assert built == JobOptions(
        strategy="refine", generation=GenerationOptions(temperature=0.7, do_sample=False), cache=False
    )


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


@pytest.mark.parametrize(("given", "most"), [({}, 512), ({"max_new_tokens": 48}, 48)])
def test_a_length_raises_the_default_of_the_tokens_alone(given: dict[str, object], most: int) -> None:
    assert build_job_options({"words": 100, **given}).generation.max_new_tokens == most
    assert build_job_options({"words": 1000, **given}).generation.max_new_tokens == max(most, 2000 if not given else 0)


def test_a_prompt_file_makes_the_style_custom(tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("\ufeffIn one line: {text}", encoding="utf-8")

    assert build_job_options({"prompt": prompt}) == JobOptions(style="custom", template="In one line: {text}")


@pytest.mark.parametrize("content", ['[{"text": "t", "summary": "s"}]', '{"text": "t", "summary": "s"}\n\n'])
def test_examples_make_the_style_few_shot(content: str, tmp_path: Path) -> None:
    path = tmp_path / "examples"
    path.write_text(content)

    built = build_job_options({"examples": path})

    assert built.style == "few-shot"
    assert [(example.text, example.summary) for example in built.examples] == [("t", "s")]


def test_a_separator_is_written_with_escapes() -> None:
    assert build_job_options({"separator": r"\n\n"}) == JobOptions(splitter="character", separator="\n\n")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"language": "123"}, "'123' is not the name of a language: give one such as German"),
        ({"language": ""}, "'' is not the name of a language"),
        ({"overlap_tokens": 5000}, "half of --chunk-tokens at most: give 500 or less"),
        ({"chunk_tokens": 20, "overlap_tokens": 19}, "give 10 or less"),
        ({"separator": "x", "splitter": "headers"}, "--separator and --splitter character go together"),
        ({"separator": ""}, "--separator must have a character"),
        ({"seed": 10**22}, r"generation\.seed"),
        ({"temperature": math.inf}, r"generation\.temperature"),
        ({"temperature": math.nan}, r"generation\.temperature"),
        ({"temperature": 1e-40}, r"generation\.temperature"),
        ({"top_p": math.nan}, r"generation\.top_p"),
        ({"repetition_penalty": math.inf}, r"generation\.repetition_penalty"),
        ({"num_beams": 10**6}, r"generation\.num_beams"),
        ({"max_new_tokens": 10**20}, r"generation\.max_new_tokens"),
        ({"gate": math.nan}, "gate"),
    ],
)
def test_options_that_can_never_work_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        build_job_options(given)


def test_a_prompt_says_its_language_itself(tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("In one line: {text}")

    with pytest.raises(SettingsError, match="say the language in the prompt template itself"):
        build_job_options({"prompt": prompt, "language": "German"})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("prompt", b"no place for the document", r"must contain \{text\} exactly once"),
        ("prompt", b"{text} and {text}", r"must contain \{text\} exactly once"),
        ("prompt", b"\xff\xfe\x00", r"is not text in any known encoding"),
        ("prompt", b"Summarize\0 this: {text}", r"is binary"),
        ("examples", b"not JSON", r"is not valid JSON"),
        ("examples", b'[{"text": "t"}]', r"has no column 'summary'; rename one of 'text'"),
        ("examples", b'[{"text": "t", "summary": " "}]', r"#row 1 lacks a text or a summary"),
        ("examples", b'{"text": "a\\u0000", "summary": "s"}', r"#row 1 holds NUL characters"),
        ("examples", b'{"text": "a\\ud83d", "summary": "s"}', r"#row 1 holds broken Unicode"),
    ],
)
def test_a_bad_file_is_named_with_what_to_do(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    with pytest.raises(SettingsError, match=message):
        build_job_options({name: path})
