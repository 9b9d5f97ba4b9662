"""Options shared by several commands: options of a job, and filters of jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from models.choices import GROUNDINGS, SPLITTERS, STRATEGIES, STYLES, JobState
from models.sampling_params import PARAMETERS, RANGES, SamplingParams
from producer.wording import parse_since

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models.lookup import JobFilter
    from models.options import JobOptions

ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "\r"}

Command = TypeVar("Command", bound=Callable[..., Any])
READABLE_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
COUNT = click.IntRange(min=1)


def _make_number_option(name: str, explanation: str = "") -> Callable[[Command], Command]:
    """Return the option of a sampling parameter that is a number, with its range and its default."""
    default, allowed = getattr(SamplingParams(), name), RANGES[name]
    kind: click.ParamType[Any] = click.IntRange(int(allowed.minimum), int(allowed.maximum))
    if isinstance(default, float):
        kind = click.FloatRange(allowed.minimum, allowed.maximum, min_open=allowed.is_above)
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
    click.option("--separator", help=r"Where to cut, such as '\n\n'; makes the splitter character."),
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
    _make_number_option("temperature"),
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


def add_job_options(command: Command) -> Command:
    """Add the options of a job to a command."""
    for option in reversed(JOB_OPTIONS):
        command = option(command)
    return command


def build_job_options(given: Mapping[str, Any]) -> JobOptions:
    """Convert options of the command line to the options of a job.

    Raises:
        SettingsError: options exclude each other, or a file is invalid.
    """
    from models.options import make_options

    values = {name: value for name, value in given.items() if value is not None}
    values["generation"] = {name: values.pop(name) for name in PARAMETERS if name in values}
    if "prompt" in values:
        values = {"style": "custom"} | values | {"template": read_text_file(values["prompt"])}
    if "examples" in values:
        values = {"style": "few-shot"} | values | {"examples": _read_examples(values["examples"])}
    if "separator" in values:
        values = {"splitter": "character"} | values | {"separator": _unescape(values["separator"])}
    values.pop("prompt", None)
    return make_options(**values)


def _unescape(text: str) -> str:
    for written, meant in ESCAPES.items():
        text = text.replace(written, meant)
    return text


def read_text_file(path: Path) -> str:
    """Return the text of a file.

    Raises:
        SettingsError: it cannot be read, or is not text that can be stored.
    """
    from models.errors import SettingsError
    from producer.errors import SourceError
    from producer.sources.decoding import decode_text
    from producer.sources.text import normalize_text

    try:
        return normalize_text(decode_text(path.read_bytes()))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error}); give a UTF-8 text file") from None
    except SourceError as error:
        raise SettingsError(f"{path} {error}") from None


def _read_examples(path: Path) -> list[dict[str, str]]:
    """Read texts and summaries from a table of any kind that submission reads."""
    from models.errors import SettingsError
    from producer.errors import SourceError
    from producer.sources.kinds import FileKind
    from producer.sources.source import SourceProblem
    from producer.sources.text_columns import WantedColumn, read_text_columns

    columns = (WantedColumn("", "text"), WantedColumn("", "summary"))
    examples = []
    try:
        for row in read_text_columns(path, columns, otherwise=FileKind.JSON):
            if isinstance(row, SourceProblem):
                raise SettingsError(row.message)
            if not all(map(str.strip, row.texts)):
                raise SettingsError(f"{path}#row {row.number} lacks a text or a summary; give both")
            examples.append(dict(zip(("text", "summary"), row.texts, strict=True)))
    except SourceError as error:
        raise SettingsError(f"{path} {error}") from None
    return examples


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
    click.option("--status", "states", type=click.Choice(STATES), multiple=True, help="Only jobs in this state."),
    click.option("--strategy", "strategies", type=click.Choice(STRATEGIES[1:]), multiple=True, help="Only this one."),
    click.option("--weights", multiple=True, help="Only jobs for weights of this name."),
    click.option("--since", type=Since(), help="Only jobs submitted since: 2026-11-22, 12h, 3d."),
    click.option("--needs-review", is_flag=True, help="Only jobs whose check has something against the summary."),
    click.option("--flagged", is_flag=True, help="Only jobs whose summary has a flagged sentence."),
    click.option("--limit", type=click.IntRange(min=1), help="This many jobs at most."),
)


def add_filters(command: Command) -> Command:
    """Add the filters of jobs to a command."""
    for option in reversed(FILTER_OPTIONS):
        command = option(command)
    return command


def make_filter(session: Session, name: str | None, given: dict[str, Any]) -> JobFilter:
    """Return the filter for a batch or job, or for all batches without a name, and the given options."""
    from models.lookup import JobFilter, find_target

    if name is None:
        return JobFilter(**given)
    target = find_target(session, name)
    return JobFilter(batch_id=target.batch_id, job_id=target.job_id, **given)
