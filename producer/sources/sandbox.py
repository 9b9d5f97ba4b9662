"""Sandbox for parsers: a child process, because hostile documents make parsers hang, crash or exhaust the memory.

The child starts with the first document that needs it and serves one document after the other; after a timeout it is
killed and replaced. The processes exchange frames of bytes and JSON, never pickles.
"""

from __future__ import annotations

import dataclasses
import json
import os
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import producer
from producer.errors import LimitError, SourceError, SourceUsageError, UnreadableError
from producer.sources.kinds import FileKind
from producer.sources.limits import ReadLimits
from producer.sources.source import Content

# A frame is a length as an unsigned 64-bit number, followed by so many bytes.
FRAME_HEAD = struct.Struct(">Q")
ERRORS: dict[str, type[SourceError]] = {
    error.__name__: error for error in (LimitError, SourceUsageError, UnreadableError)
}


def write_frame(stream: IO[bytes], data: bytes) -> None:
    """Write one frame."""
    stream.write(FRAME_HEAD.pack(len(data)))
    stream.write(data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes | None:
    """Read one frame; return None at the end of the stream."""
    head = stream.read(FRAME_HEAD.size)
    if len(head) < FRAME_HEAD.size:
        return None
    (size,) = FRAME_HEAD.unpack(head)
    data = stream.read(size)
    return data if len(data) == size else None


class Sandbox:
    """Child process that converts documents; as a context manager, it ends the process."""

    def __init__(self, limits: ReadLimits) -> None:
        self._limits = limits
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child process; the next conversion starts a new one."""
        if self._child is not None:
            self._child.kill()
            with suppress(OSError):  # flushing to a dead child fails
                self._child.communicate()
            self._child = None

    def convert(self, kind: FileKind, data: bytes) -> Content:
        """Convert one document.

        Raises:
            UnreadableError: it is corrupted, encrypted or empty, or it crashed its parser.
            LimitError: it exceeds a limit of time, memory, pages or unpacked size.
        """
        self._child = child = self._child or self._start_child()
        timed_out = threading.Event()
        timer = threading.Timer(self._limits.conversion_seconds, _kill_on_timeout, (child, timed_out))
        timer.start()
        try:
            reply = _exchange_frames(child, kind, data)
        except OSError:
            reply = None
        finally:
            timer.cancel()
        if reply is None:
            self.close()
            raise self._explain_failure(kind, is_late=timed_out.is_set())
        return _parse_reply(reply)

    def _start_child(self) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GISTMILL_")}
        # The child must import this package, but nothing from the current directory (-P).
        root = str(Path(producer.__path__[0]).parent)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, environment.get("PYTHONPATH"))))
        limits = json.dumps(dataclasses.asdict(self._limits))
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "producer.sources.sandbox_child", limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        # Wait for the child's first frame, so that its start does not count towards the document's time limit.
        if child.stdout is not None:
            read_frame(child.stdout)
        return child

    def _explain_failure(self, kind: FileKind, *, is_late: bool) -> SourceError:
        if is_late:
            return LimitError(f"took more than {self._limits.conversion_seconds} s to convert; split or simplify it")
        return UnreadableError(f"crashed the {kind} parser, so it is damaged or too large; save it again or split it")


def _exchange_frames(child: subprocess.Popen[bytes], kind: FileKind, data: bytes) -> bytes | None:
    if child.stdin is None or child.stdout is None:
        raise AssertionError("the child is started with both pipes")
    write_frame(child.stdin, kind.encode())
    write_frame(child.stdin, data)
    return read_frame(child.stdout)


def _kill_on_timeout(child: subprocess.Popen[bytes], timed_out: threading.Event) -> None:
    timed_out.set()
    child.kill()


def _parse_reply(reply: bytes) -> Content:
    fields = json.loads(reply)
    if "error" in fields:
        raise ERRORS[fields["error"]](fields["message"])
    return Content(**fields | {"notes": tuple(fields["notes"])})
