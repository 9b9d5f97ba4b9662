"""Command ``gistmill watch-folder``: submit the files of a folder as they come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gistmill.cli.database import open_client
from gistmill.cli.edge import ExitCode
from gistmill.cli.options import COUNT, JOB_SECTIONS, READING_SECTION, add_job_options
from gistmill.cli.sections import SectionedCommand

FOLDER = click.Path(file_okay=False, path_type=Path)

SECTIONS = {
    "Folder": ("batch", "move_to", "interval", "once", "priority", "keep_days"),
    **READING_SECTION,
    **JOB_SECTIONS,
}


@click.command("watch-folder", cls=SectionedCommand, sections=SECTIONS)
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--batch", required=True, help="Name of the batch that the files go into.")
@click.option(
    "--move-to", type=FOLDER, help="Folder, made if missing, for files that have been read.  [default: they stay]"
)
@click.option(
    "--interval", type=click.FloatRange(min=0.1), default=1.0, show_default=True, help="Seconds between looks."
)
@click.option("--once", is_flag=True, help="Submit what is there and end, as for a cron job.")
@click.option("--text-column", help="Column of a table that holds the text.  [default: the obvious one]")
@click.option("--id-column", help="Column that names the documents.  [default: file and row]")
@click.option("--ocr", is_flag=True, help="Recognize the text of pictures and scanned pages; needs the extra `ocr`.")
@click.option("--priority", type=click.Choice(("low", "normal", "high")), default="normal", show_default=True)
@click.option("--keep-days", type=COUNT, help="Delete each job so many days after its end.  [default: the cluster's]")
@add_job_options
def watch_folder(folder: Path, batch: str, move_to: Path | None, interval: float, *, once: bool, **options: Any) -> int:
    """Submit new and changed files of DIR to a batch as soon as they are complete, until Ctrl-C.

    A file is complete when it has not changed between two looks and no program has it open for
    writing; names that begin with a dot or end with .part or .tmp are left alone, and so are
    subfolders. Beside a file that cannot be read appears NAME.gistmill-error.txt with the reason, and the
    exit code with --once is 3. A restart submits nothing twice.

    \b
    Examples:
      gistmill watch-folder inbox --batch incoming
      gistmill watch-folder inbox --batch incoming --move-to done --style news
      gistmill watch-folder inbox --batch incoming --once
    """
    with open_client() as client:
        unread = client.watch_folder(
            folder, batch=batch, move_to=move_to, interval=interval, once=once, report=click.echo, **options
        )
    return ExitCode.INCOMPLETE if unread else ExitCode.DONE
