"""Reader of Jupyter notebooks: prose, code and what the code printed, as Markdown; pictures are counted."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from producer.errors import UnreadableError
from producer.sources.markdown_marks import drop_marks
from producer.sources.source import Content, describe_unread
from producer.sources.text import drop_pictures, find_title, normalize_text
from producer.wording import count

# Characters of one output that are kept; logs of a training run can have millions.
MAX_OUTPUT_CHARS = 2000
# Types of outputs that are errors, in versions 4 and 3 of the format.
ERRORS = frozenset({"error", "pyerr"})
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# What a terminal overwrites: the states of a progress bar.
OVERWRITTEN = re.compile(r"[^\n]*\r(?!\n)")
# The name of an object that shows itself in another form.
OBJECT = re.compile(r"<[^<>\n]*>")


def read_notebook(text: str) -> Content:
    """Return the cells of a notebook.

    Raises:
        UnreadableError: it is no notebook.
    """
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"is not a readable notebook ({error}); save it again from Jupyter") from error
    cells = _find_cells(notebook)
    language = _find_language(notebook)
    cut = 0
    unread: Counter[str] = Counter()
    blocks: list[str] = []
    for cell in cells:
        source = _join(cell.get("source", cell.get("input"))).strip()
        unread += _count_unread(cell)
        if cell.get("cell_type") == "code":
            blocks += [_fence(source, language)] if source else []
            for output in _list_outputs(cell):
                cut += len(output) > MAX_OUTPUT_CHARS
                blocks.append(_fence(output[:MAX_OUTPUT_CHARS]))
        else:
            level = cell.get("level") if cell.get("cell_type") == "heading" else None
            prose = drop_pictures(source)
            blocks.append(f"{'#' * level} {prose}" if isinstance(level, int) and 0 < level < 7 else prose)
    markdown = drop_marks(normalize_text("\n\n".join(filter(None, blocks)))).strip()
    notes = (
        (f"has {count(cut, 'long output')}, of which the first {MAX_OUTPUT_CHARS:,} characters are read",)
        if cut
        else ()
    )
    return Content(markdown, "markdown", find_title(markdown), notes=notes + describe_unread(unread))


def _count_unread(cell: dict[str, Any]) -> Counter[str]:
    """Return the numbers of pictures and of tracebacks in a cell, which are not read."""
    outputs = cell.get("outputs")
    found = [output for output in outputs if isinstance(output, dict)] if isinstance(outputs, list) else []
    attachments = cell.get("attachments")
    pictures = len(attachments) if isinstance(attachments, dict) else 0
    return Counter(
        picture=pictures + sum(map(_is_picture, found)),
        traceback=sum(output.get("output_type") in ERRORS and bool(output.get("traceback")) for output in found),
    )


def _is_picture(output: dict[str, Any]) -> bool:
    """Return True for an output with a picture; version 3 of the format has its forms in the output itself."""
    data = output.get("data")
    names = data if isinstance(data, dict) else ({"png", "jpeg", "svg"} & set(output))
    return any(str(name).startswith("image/") or name in {"png", "jpeg", "svg"} for name in names)


def _find_cells(notebook: Any) -> list[dict[str, Any]]:
    """Return the cells; those of version 3 are in worksheets."""
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if cells is None and isinstance(notebook, dict) and isinstance(notebook.get("worksheets"), list):
        sheets = [sheet for sheet in notebook["worksheets"] if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets for cell in sheet.get("cells") or ()]
    if not isinstance(cells, list):
        raise UnreadableError("is no notebook: it has no cells; save it again from Jupyter")
    return [cell for cell in cells if isinstance(cell, dict)]


def _find_language(notebook: dict[str, Any]) -> str:
    metadata = notebook.get("metadata")
    for key in ("language_info", "kernelspec"):
        part = metadata.get(key) if isinstance(metadata, dict) else None
        name = (part.get("name"), part.get("language")) if isinstance(part, dict) else ()
        for word in reversed(name):
            if isinstance(word, str) and re.fullmatch(r"[\w+#-]{1,20}", word):
                return word
    return ""


def _join(source: object) -> str:
    """Return the text of a cell, which is a string or a list of lines."""
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def _list_outputs(cell: dict[str, Any]) -> Iterator[str]:
    """Yield what the code printed and the value of its last line; errors without the lines of their stack."""
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else ():
        text = _read_output(output) if isinstance(output, dict) else ""
        if text := OVERWRITTEN.sub("", ESCAPES.sub("", text)).strip():
            yield text


def _read_output(output: dict[str, Any]) -> str:
    if output.get("output_type") in ERRORS:
        return f"{output.get('ename', 'error')}: {output.get('evalue', '')}"
    if _is_picture(output):
        return ""
    data = output.get("data")
    forms = data if isinstance(data, dict) else {}
    plain = _join(output.get("text")) or _join(forms.get("text/plain"))
    return (_join(forms.get("text/markdown")) or _join(forms.get("text/latex"))) if OBJECT.fullmatch(plain) else plain


def _fence(code: str, language: str = "") -> str:
    """Return code between more backticks than it has in a row."""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`{3,}", code)), default=0))
    return f"{ticks}{language}\n{code}\n{ticks}"
