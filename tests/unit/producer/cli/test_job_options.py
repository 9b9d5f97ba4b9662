from __future__ import annotations

from pathlib import Path
from typing import get_args

import click
import pytest

from models import options
from models.errors import SettingsError
from models.job import JobState
from models.options import GenerationOptions, JobOptions
from producer.cli import export, filters, job_options
from producer.cli.job_options import add_job_options, build_job_options
from producer.export import WRITERS


def test_the_choices_are_those_of_the_job() -> None:
    assert get_args(options.Strategy) == job_options.STRATEGIES
    assert get_args(options.Style) == job_options.STYLES
    assert get_args(options.Splitter) == job_options.SPLITTERS
    assert tuple(JobState) == filters.STATES
    assert tuple(WRITERS) == export.FORMATS


def test_every_option_of_a_job_can_be_given() -> None:
    offered = {param.name for param in click.command()(add_job_options(lambda **_: None)).params}
    of_a_job = set(JobOptions.model_fields) - {"generation", "template"} | set(GenerationOptions.model_fields)

    assert offered - {"prompt"} == of_a_job


def test_nothing_given_is_the_default() -> None:
    assert build_job_options(dict.fromkeys(("strategy", "temperature", "cache"))) == JobOptions()


def test_options_reach_the_job() -> None:
    built = build_job_options({"strategy": "refine", "temperature": 0.7, "do_sample": False, "cache": False})

    assert built == JobOptions(
        strategy="refine", generation=GenerationOptions(temperature=0.7, do_sample=False), cache=False
    )


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
    assert build_job_options({"separator": r"\n\n"}).separator == "\n\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("prompt", b"no place for the document", r"must contain \{text\}"),
        ("prompt", b"\xff\xfe\x00", r"cannot be read .* give a UTF-8 text file"),
        ("examples", b"not JSON", r"is not JSON"),
        ("examples", b'[{"text": "t"}]', r"examples.0.summary"),
    ],
)
def test_a_bad_file_is_named_with_what_to_do(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    with pytest.raises(SettingsError, match=message):
        build_job_options({name: path})
