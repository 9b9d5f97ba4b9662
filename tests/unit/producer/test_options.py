from __future__ import annotations

import math
from pathlib import Path

import pytest

from gistmill.cli.submit import submit
from models.errors import SettingsError
from models.options import GenerationOptions, JobOptions
from producer.options import SubmitOptions, build_job_options


def test_nothing_given_is_the_default() -> None:
    assert build_job_options(dict.fromkeys(("strategy", "temperature", "cache"))) == JobOptions()


def test_options_reach_the_job() -> None:
    built = build_job_options({"strategy": "refine", "temperature": 0.7, "do_sample": True, "cache": False})

    assert built == JobOptions(
        strategy="refine", generation=GenerationOptions(temperature=0.7, do_sample=True), cache=False
    )


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


def test_a_prompt_and_examples_can_be_given_themselves() -> None:
    assert build_job_options({"prompt": "In one line: {text}"}).template == "In one line: {text}"
    examples = build_job_options({"examples": [{"text": "t", "summary": "s"}]}).examples
    assert [(example.text, example.summary) for example in examples] == [("t", "s")]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prompt": "a\0 {text}"}, "option prompt holds NUL characters"),
        ({"weights": "a\0"}, "option weights holds NUL characters"),
        ({"separator": "\ud800"}, "option separator holds broken Unicode"),
        ({"examples": ["text"]}, "examples are mappings of a text and a summary"),
        ({"examples": [{"text": "a\ud800", "summary": "s"}]}, "an example holds broken Unicode"),
        ({"temprature": 1}, "there is no option 'temprature'; the nearest are temperature"),
        ({"xyzzy": 1}, "there is no option 'xyzzy'; `gistmill submit --help` lists all"),
    ],
)
def test_what_a_command_line_cannot_give_is_refused_in_one_sentence(given: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        build_job_options(given)


def test_greedy_is_the_opposite_of_sampling() -> None:
    assert not build_job_options({"greedy": True}).generation.do_sample
    assert build_job_options({"greedy": False}).generation.do_sample


def test_a_program_has_every_option_of_the_command_line_by_its_name() -> None:
    offered = {name.removeprefix("--").replace("-", "_") for option in submit.params for name in option.opts}
    # The batch is the argument ``name``; the methods of a batch wait, and ``plan`` reads without submitting.
    elsewhere = {"paths", "batch", "wait", "watch", "dry_run", "json"}

    assert offered - elsewhere == SubmitOptions.__annotations__.keys() - {"greedy"}
