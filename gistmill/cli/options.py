"""Options shared by several commands: options of a job, and filters of jobs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from models.choices import GROUNDINGS, SPLITTERS, STRATEGIES, STYLES, JobState
from models.sampling_params import RANGES, SamplingParams
from producer.wording import parse_since

ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "\r"}

Command = TypeVar("Command", bound=Callable[..., Any])
READABLE_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
COUNT = click.IntRange(min=1)


def _unescape(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Return a text with the characters that its escapes stand for, because a shell passes them on as they are."""
    for written, meant in ESCAPES.items() if text else ():
        text = text.replace(written, meant) if text else text
    return text


class Temperature(click.FloatRange):
    """Type of ``--temperature``: the range in which sampling works, or 0 for greedy decoding."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse the value; 0 passes although it is below the range."""
        number = click.FLOAT.convert(value, param, ctx)
        return number if number == 0 else super().convert(value, param, ctx)


def _make_number_option(name: str, explanation: str = "") -> Callable[[Command], Command]:
    """Return the option of a sampling parameter that is a number, with its range and its default."""
    default, allowed = getattr(SamplingParams(), name), RANGES[name]
    kind: click.ParamType[Any] = click.IntRange(int(allowed.minimum), int(allowed.maximum))
    if isinstance(default, float):
        number_type = Temperature if name == "temperature" else click.FloatRange
        kind = number_type(allowed.minimum, allowed.maximum, min_open=allowed.is_above)
    return click.option(f"--{name.replace('_', '-')}", type=kind, help=f"{explanation}[default: {default}]")


JOB_OPTIONS = (
    click.option("--strategy", type=click.Choice(STRATEGIES), help="How to go through a document.  [default: auto]"),
    click.option(
        "--style", type=click.Choice(STYLES), help="How to write.  [default: auto, as the weights were trained]"
    ),
    click.option(
        "--prompt", type=READABLE_FILE, help="File with a prompt of your own; {text} stands for the document."
    ),
    click.option(
        "--examples",
        type=READABLE_FILE,
        help="Table of texts to imitate, columns text and summary.",
    ),
    click.option("--language", help="Language to write in, such as German.  [default: the document's]"),
    click.option("--splitter", type=click.Choice(SPLITTERS), help="How to cut long documents.  [default: auto]"),
    click.option(
        "--separator", callback=_unescape, help=r"Where to cut, such as '\n\n'; makes the splitter character."
    ),
    click.option("--chunk-tokens", type=click.IntRange(min=16), help="Most tokens of a chunk.  [default: 1000]"),
    click.option(
        "--overlap-tokens",
        type=click.IntRange(min=0),
        help="Tokens that neighbours share.  [default: 50, at most an eighth of a chunk]",
    ),
    click.option("--stuff-tokens", type=COUNT, help="Longest document that auto puts into one prompt."),
    click.option(
        "--words", type=click.IntRange(20, 1000), help="Length to aim at, in words.  [default: as the weights write]"
    ),
    click.option(
        "--grounding",
        type=click.Choice(GROUNDINGS),
        help="Replace sentences that the document does not bear out by its own, flag them, or look for none.  "
        "[default: strict]",
    ),
    click.option(
        "--candidates", type=click.IntRange(1, 8), help="Tries of a sentence that must be written again.  [default: 1]"
    ),
    click.option("--do-sample/--greedy", default=None, help="Sample, or take the likeliest token.  [default: sample]"),
    _make_number_option("temperature", "Of the sampling; 0 is --greedy.  "),
    _make_number_option("top_k"),
    _make_number_option("top_p"),
    _make_number_option("num_beams"),
    _make_number_option("max_new_tokens", "Longest output of a step.  "),
    _make_number_option("repetition_penalty"),
    click.option("--seed", type=int, help="Seed of the sampling."),
    click.option("--weights", help="Name that a worker serves its weights under.  [default: default]"),
    click.option("--check/--no-check", default=None, help="Measure whether each summary is true.  [default: no]"),
    click.option(
        "--gate",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        help="Make a summary with a sentence of less support once more, then mark it for review; checks all.",
    ),
    click.option("--cache/--no-cache", default=None, help="Reuse equal finished steps.  [default: if deterministic]"),
)


# The options of a submission and of a plan by subject, in the order of their help.
READING_SECTION = {"Reading": ("text_column", "id_column", "limit", "ocr", "strict")}
JOB_SECTIONS = {
    "Summary": ("strategy", "style", "prompt", "examples", "language", "words"),
    "Truth": ("grounding", "candidates", "check", "gate"),
    "Splitting": ("splitter", "separator", "chunk_tokens", "overlap_tokens", "stuff_tokens"),
    "Generation": (
        *("weights", "do_sample", "temperature", "top_k", "top_p", "num_beams", "max_new_tokens"),
        *("repetition_penalty", "seed", "cache"),
    ),
}


def add_job_options(command: Command) -> Command:
    """Add the options of a job to a command."""
    for option in reversed(JOB_OPTIONS):
        command = option(command)
    return command


# As strings: for the members of an enumeration click would list their names, not their values.
STATES = tuple(state.value for state in JobState)


class Since(click.ParamType[datetime]):
    """Type of ``--since``: a date, a date with a time, or an age."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Parse the value."""
        try:
            return parse_since(value, datetime.now().astimezone())
        except ValueError:
            self.fail(f"{value!r} is no moment; give 2026-11-22, 2026-11-22T18:30 or an age such as 90min, 12h, 3d")


FILTER_OPTIONS = (
    click.option(
        "--state", "--status", "status", type=click.Choice(STATES), multiple=True, help="Only jobs in this state."
    ),
    click.option("--strategy", type=click.Choice(STRATEGIES[1:]), multiple=True, help="Only this one."),
    click.option("--weights", multiple=True, help="Only jobs for weights of this name."),
    click.option("--since", type=Since(), help="Only jobs submitted since: 2026-11-22, 12h, 3d."),
    click.option("--needs-review", is_flag=True, help="Only jobs whose check has something against the summary."),
    click.option("--flagged", is_flag=True, help="Only jobs whose summary has a flagged sentence."),
    click.option("--marked", is_flag=True, help="Only jobs whose check found a fact that is nowhere in the document."),
    click.option("--limit", type=click.IntRange(min=1), help="This many jobs at most."),
)


def add_filters(command: Command) -> Command:
    """Add the filters of jobs to a command."""
    for option in reversed(FILTER_OPTIONS):
        command = option(command)
    return command
