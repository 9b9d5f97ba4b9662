"""Command ``gistmill approve``: approve summaries as training examples."""

from __future__ import annotations

import getpass
from shlex import quote

import click

from gistmill.cli.database import open_engine
from gistmill.cli.edge import ExitCode, fail
from producer.wording import count


@click.command()
@click.argument("name", metavar="BATCH|JOB")
@click.option("--revoke", is_flag=True, help="Take the approval back.")
def approve(name: str, *, revoke: bool) -> int:
    """Say that a job's summary, or all whole summaries of a batch, are good enough to learn from.

    `gistmill finetune --from-batch` trains on approved summaries alone. Approve what you have read:
    an adapter repeats the errors that it was shown. A retry of the job takes its approval back.

    \b
    Examples:
      gistmill approve nightly
      gistmill approve 3f9a1c2e
      gistmill approve 3f9a1c2e --revoke
    """
    from sqlalchemy.orm import Session

    from models.approval import approve_jobs, revoke_approvals
    from models.lookup import find_target

    with open_engine() as engine, Session(engine) as session, session.begin():
        target = find_target(session, name)
        changed = revoke_approvals(session, target) if revoke else approve_jobs(session, target, by=getpass.getuser())
    if not revoke and not changed:
        return fail(f"{name} has no whole summary to approve; see `gistmill status {quote(name)}`", ExitCode.FAILED)
    words = "approval taken back" if revoke else "approved"
    click.echo(f"{count(changed, 'summary', 'summaries')}: {words}")
    return ExitCode.DONE
