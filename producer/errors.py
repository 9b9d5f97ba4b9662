"""Errors of the producer.

GistmillError (models.errors)
└── ProducerError
    ├── SubmissionError           a submission was refused (exit code 2)
    │   └── NothingSubmittedError none of its documents could be read (``submit``)
    ├── WaitTimeoutError          a batch has not ended in time; also a TimeoutError
    ├── ReferencesError           a file of references cannot be used (exit code 2; ``sources.references``)
    ├── WebhookError              an address cannot be called (``webhooks``)
    ├── ChatFileError             a file of chat requests is refused (``chat.files``)
    ├── ChatRequestError          one chat request is refused (``chat.lines``)
    └── SourceError               a source cannot be read; its message continues a sentence that begins with its name
        ├── SourceUsageError      the path, column, kind or scheme does not exist (exit code 2)
        ├── UnreadableError       the source is empty, binary, corrupted, encrypted or unreachable
        └── LimitError            reading would exceed a limit: size, unpacked size, pages, memory or time

``sources.table.BrokenTableError`` is internal to ``sources``, which converts it to one of these.
"""

from __future__ import annotations

from models.errors import GistmillError


class ProducerError(GistmillError):
    """Root of every error that the producer raises on purpose."""


class SubmissionError(ProducerError):
    """A submission was refused before anything was stored."""

    exit_code = 2


class WaitTimeoutError(ProducerError, TimeoutError):
    """A batch has not ended in time; its work goes on."""


class WebhookError(ProducerError):
    """An address cannot be called.

    Args:
        message: the reason.
        is_final: no further call can succeed.
    """

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class ChatFileError(ProducerError):
    """A file of chat requests is refused."""


class ChatRequestError(ProducerError):
    """One chat request is refused, in the terms of OpenAI's API.

    Args:
        message: a sentence that says what to do.
        param: field of the request that is wrong.
        code: short name of the error, for programs.
    """

    def __init__(self, message: str, *, param: str, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class SourceError(ProducerError):
    """A source cannot be read.

    The message has no subject ("is empty; ..."): ``describe_problem`` puts the source's name in front.
    """


class SourceUsageError(SourceError):
    """The path, column, kind or URL scheme does not exist or is not supported."""

    exit_code = 2


class UnreadableError(SourceError):
    """The source exists, but is empty, binary, corrupted, encrypted or unreachable."""


class LimitError(SourceError):
    """Reading the source would take more bytes, pages, memory or time than ``ReadLimits`` allows."""
