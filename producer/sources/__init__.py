"""Reading of files, folders, tables, standard input and web pages as normalized sources.

Importing this package loads only the standard library; parsers are imported on first use.
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
