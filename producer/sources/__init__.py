"""Reading: files, folders, tables, standard input and web pages become normalized sources.

Importing this package loads the standard library only; every parser is loaded when a document needs it.
"""

from producer.sources.html import normalize_html
from producer.sources.limits import ReadLimits
from producer.sources.reading import read_sources
from producer.sources.source import (
    Content,
    ReadEvent,
    Source,
    SourceDuplicate,
    SourceNote,
    SourceProblem,
    TextFormat,
)
from producer.sources.text import normalize_text

__all__ = [
    "Content",
    "ReadEvent",
    "ReadLimits",
    "Source",
    "SourceDuplicate",
    "SourceNote",
    "SourceProblem",
    "TextFormat",
    "normalize_html",
    "normalize_text",
    "read_sources",
]
