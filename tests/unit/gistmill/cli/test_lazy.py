from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.shell_completion import ShellComplete

from gistmill.cli.lazy import Entry, LazyGroup
from gistmill.cli.main import make_group

HEAVY = ("torch", "transformers", "sqlalchemy", "celery", "rich", "pydantic", "pyarrow")


def modules_after(*arguments: str) -> set[str]:
    script = (
        "import sys; from gistmill.cli.edge import run; from gistmill.cli.main import make_group\n"
        f"code = run(make_group(), name='gistmill', arguments={list(arguments)!r})\n"
        "print('modules:', *sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("modules:")[2].split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        *([name, "--help"] for name in ("submit", "evaluate", "status", "watch", "show", "results", "export", "retry")),
    ],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert modules_after(*arguments).isdisjoint(HEAVY)


def test_scores_and_comparisons_need_no_torch() -> None:
    script = "import sys, workers.comparison, workers.reference_scores; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert {"torch", "transformers"}.isdisjoint(done.stdout.split())


def test_every_entry_leads_to_a_command_with_help() -> None:
    group = make_group()
    context = click.Context(group)

    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert isinstance(command, click.Command)
        assert "Examples:" in (command.help or ""), name


def test_the_shell_completes_commands_without_importing_them() -> None:
    group = LazyGroup({"submit": Entry("no.such:thing", "Put documents on the queue.", "Work")}, help="", epilog="")

    found = ShellComplete(group, {}, "gistmill", "_GISTMILL_COMPLETE").get_completions([], "su")

    assert [(item.value, item.help) for item in found] == [("submit", "Put documents on the queue.")]


def test_the_shell_completes_values_of_options() -> None:
    found = ShellComplete(make_group(), {}, "gistmill", "_GISTMILL_COMPLETE").get_completions(
        ["submit", "--strategy"], "m"
    )

    assert [item.value for item in found] == ["map-reduce"]


def test_the_package_runs_as_the_command_does() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gistmill", "submit", "--help"], capture_output=True, text=True, check=True
    )

    assert "gistmill submit articles/ --strategy map-reduce --wait" in done.stdout
