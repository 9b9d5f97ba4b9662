"""Errors of the producer.

GistmillError (models.errors)
└── ProducerError
    ├── SubmissionError           nothing was submitted, because not everything could be (exit code 2)
    └── SourceError               a source cannot be read; its message is a predicate about the source's name
        ├── SourceUsageError      what was asked for does not exist: path, column, kind, scheme (exit code 2)
        ├── UnreadableError       what is there cannot be read: empty, binary, corrupted, encrypted, unreachable
        └── LimitError            reading it would break a bound: size, unpacked size, pages, memory or time
"""

from __future__ import annotations

from models.errors import GistmillError


class ProducerError(GistmillError):
    """Root of every error that the producer raises on purpose."""


class SubmissionError(ProducerError):
    """A submission that takes all or nothing was refused as a whole."""

    exit_code = 2


class SourceError(ProducerError):
    """A source cannot be read.

    The message has no subject ("is empty; ..."): whoever knows the source's name puts it in front.
    """


class SourceUsageError(SourceError):
    """A path, column, kind or URL scheme was asked for that does not exist or is not supported."""

    exit_code = 2


class UnreadableError(SourceError):
    """The source exists, and its content is empty, binary, corrupted, encrypted or out of reach."""


class LimitError(SourceError):
    """Reading the source would take more bytes, pages, memory or time than ``ReadLimits`` allows."""
