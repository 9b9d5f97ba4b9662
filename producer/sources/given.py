"""Documents that a program has in memory: texts, records and rows of a DataFrame, beside paths and URLs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from producer.errors import SourceUsageError, SubmissionError
from producer.sources.documents import check_content, read_text
from producer.sources.kinds import FileKind
from producer.sources.limits import ReadLimits
from producer.sources.sandbox import Sandbox
from producer.sources.source import Content
from producer.sources.table import Record, check_names
from producer.sources.text import clean_label

TextKind = Literal["markdown", "text", "html"]
KINDS = {"markdown": FileKind.MARKDOWN, "text": FileKind.TEXT, "html": FileKind.HTML}
ADVICE = "give paths, URLs, gistmill.Document(text), mappings or a DataFrame"


@dataclass(frozen=True, slots=True)
class Document:
    """A text to summarize.

    Args:
        text: the text.
        name: name of its summary in results; without one its place, "document 3".
        title: title, if the text has none.
        format: form of the text; None recognizes Markdown and HTML.
        metadata: further facts, stored with the document.

    Raises:
        SubmissionError: a value has the wrong type.
    """

    text: str
    name: str = ""
    title: str = ""
    format: TextKind | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part, kind in (("text", str), ("name", str), ("title", str), ("metadata", Mapping)):
            value = getattr(self, part)
            if not isinstance(value, kind):
                raise SubmissionError(f"the {part} of a Document must be a {kind.__name__}, not {type(value).__name__}")
        if self.format is not None and self.format not in get_args(TextKind):
            raise SubmissionError(f"the format of a Document is one of {', '.join(get_args(TextKind))}")


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file under another name than that of its path, such as an upload; its path's suffix tells its kind."""

    path: Path
    name: str


# A str is a path or a URL, as on the command line.
GivenItem = str | Path | Document | NamedFile | Mapping[str, Any]
# Any: a DataFrame, whose library need not be installed.
Documents = GivenItem | Iterable[GivenItem] | Any


def list_paths(documents: Documents) -> tuple[str, ...] | None:
    """Return the documents as arguments of a command line; None if any is not a path or a URL."""
    if isinstance(documents, str | Path):
        return (str(documents),)
    if isinstance(documents, list | tuple) and all(isinstance(item, str | Path) for item in documents):
        return tuple(map(str, documents))
    return None


def iterate_documents(documents: Documents) -> Iterator[GivenItem]:
    """Return what was given as an iterator over single documents.

    Raises:
        SubmissionError: it is of a type that holds no documents.
    """
    if isinstance(documents, str | Path | Document | NamedFile | Mapping):
        return iter([documents])
    if hasattr(documents, "itertuples"):
        return _iterate_rows(documents)
    if isinstance(documents, Iterable) and not isinstance(documents, bytes | bytearray):
        return iter(documents)
    raise SubmissionError(f"a value of type {type(documents).__name__} holds no documents; {ADVICE}")


def _iterate_rows(frame: Any) -> Iterator[Record]:
    """Return the rows of a pandas DataFrame, with None for missing values.

    Raises:
        SubmissionError: two columns have one name.
    """
    names = tuple(str(name) for name in frame.columns)
    try:
        check_names(names)
    except SourceUsageError as error:
        raise SubmissionError(f"the DataFrame {error}") from None
    whole = frame.astype(object).where(frame.notna(), None)
    return (dict(zip(names, row, strict=True)) for row in whole.itertuples(index=False, name=None))


def name_values(record: GivenItem) -> Record:
    """Return a mapping as a record, whose names are texts."""
    return {str(name): value for name, value in record.items()} if isinstance(record, Mapping) else {}


def read_given(document: Document, *, sandbox: Sandbox, limits: ReadLimits) -> Content:
    """Return the content of a document in memory.

    Raises:
        SourceError: it cannot be read, or exceeds a limit.
    """
    kind = KINDS[document.format] if document.format else None
    content = check_content(read_text(document.text, kind, sandbox), limits)
    given = {clean_label(str(key)): clean_label(str(value)) for key, value in document.metadata.items()}
    return replace(content, title=clean_label(document.title) or content.title, metadata=content.metadata | given)


def refuse_item(item: object) -> SourceUsageError:
    """Return the error for a value that is no document."""
    return SourceUsageError(f"is a value of type {type(item).__name__}, which is no document; {ADVICE}")
