"""Command ``gistmill text``: print the text that was read from documents, and what was left out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gistmill.cli.edge import ExitCode
from gistmill.cli.options import COUNT
from gistmill.cli.output import json_option, print_fields, print_json, print_text
from gistmill.cli.plan import print_event
from producer.wording import count

if TYPE_CHECKING:
    from producer.sources.outline import Outline

# Width of the line between two documents.
RULE = 72


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--text-column", help="Column of a table that holds the text.  [default: the obvious one]")
@click.option("--id-column", help="Column that names the documents.  [default: file and row]")
@click.option("--limit", type=COUNT, help="Print this many documents at most.")
@click.option("--ocr", is_flag=True, help="Recognize the text of pictures and scanned pages; needs the extra `ocr`.")
@json_option
def text(paths: tuple[str, ...], *, as_json: bool, **given: Any) -> int:
    """Print what would be read from documents: title, pages, tables, what is left out, and the text itself.

    Nothing is submitted and no server is needed. Everything that `gistmill submit` reads can be
    printed: text, Markdown, HTML, PDF, DOCX, PPTX, EPUB, mail, notebooks, subtitles, tables, web
    addresses, and - for standard input. With --json the pages have their places in the text, in
    characters.

    \b
    Examples:
      gistmill text report.html
      gistmill text posts.csv --text-column writeup --limit 1
      gistmill text articles/ --json
    """
    from producer.preparation import Reading
    from producer.sources.outline import outline_source
    from producer.sources.source import Source

    codes, outlines = [0], []
    for event in Reading(paths, **given).read():
        codes.append(print_event(event))
        if isinstance(event, Source):
            outlines.append(outline_source(event))
            if not as_json:
                _print_outline(outlines[-1], is_first=len(outlines) == 1)
    if as_json:
        print_json(outlines)
    return ExitCode.INCOMPLETE if outlines and any(codes) else max(codes)


def _print_outline(outline: Outline, *, is_first: bool) -> None:
    if not is_first:
        click.echo(f"\n{'-' * RULE}")
    print_fields(
        {
            "source": outline.name,
            "title": outline.title,
            "format": outline.format,
            "length": f"{count(outline.characters, 'character')}, {count(outline.words, 'word')}",
            "pages": f"{len(outline.pages):,}" if outline.pages else None,
            "tables": f"{outline.tables:,}" if outline.tables else None,
            **outline.details,
            "not read": outline.notes,
        }
    )
    click.echo()
    print_text(outline.text.rstrip())
