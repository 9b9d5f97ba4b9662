"""Entry point of reading: turns paths, URLs, standard input and documents in memory into a stream of events."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from producer.errors import SourceError, SourceUsageError, UnreadableError
from producer.sources.documents import explain_os_error, read_file, read_stdin
from producer.sources.given import (
    Document,
    Documents,
    GivenItem,
    NamedFile,
    iterate_documents,
    name_values,
    read_given,
    refuse_item,
)
from producer.sources.kinds import FileKind
from producer.sources.limits import ReadLimits
from producer.sources.locating import STDIN, FileTarget, is_url, locate_files
from producer.sources.rows import RECORDS, read_rows, read_table
from producer.sources.sandbox import Sandbox
from producer.sources.sniffing import check_recognition, correct_kind
from producer.sources.source import (
    Content,
    ReadEvent,
    SeenDigests,
    Source,
    SourceDuplicate,
    SourceNote,
    SourceProblem,
    describe_problem,
)
from producer.sources.table import Row, peek_rows
from producer.sources.text import clean_label

DEFAULT_LIMITS = ReadLimits()
# User name and password of a URL, removed from messages and the database.
PASSWORD = re.compile(r"(?<=://)[^/?#]*@")


def read_sources(
    documents: Documents,
    *,
    text_column: str | None = None,
    id_column: str | None = None,
    limit: int | None = None,
    limits: ReadLimits = DEFAULT_LIMITS,
) -> Iterator[ReadEvent]:
    """Read documents lazily, in the order given.

    Args:
        documents: files, folders (recursively), glob patterns, http(s) URLs, and "-" for standard input; a
            ``Document`` or a mapping for a text in memory; any mixture of them, or a DataFrame.
        text_column: text column of CSV, JSONL and Parquet files, mappings and DataFrames; guessed if unambiguous.
        id_column: column with the names of the documents; without it rows are called ``file.csv#row 3``.
        limit: maximum number of sources; problems, duplicates and notes are not counted.
        limits: limits of reading, per source.

    Yields:
        A ``Source`` for each document; a ``SourceProblem`` for each that cannot be read; a ``SourceDuplicate`` for
        each with the name and text of an earlier one (for rows without an id: the text); a ``SourceNote`` for each
        choice made for the user.

    Raises:
        SourceUsageError: ``limit`` is below 1.
        SubmissionError: ``documents`` is of a type that holds none.
    """
    if limit is not None and limit < 1:
        raise SourceUsageError(f"--limit must be 1 or more, not {limit}")
    items = iterate_documents(documents)
    return _limit_sources(_read_all(items, text_column, id_column, limits), limit)


def _limit_sources(events: Iterator[ReadEvent], limit: int | None) -> Iterator[ReadEvent]:
    count = 0
    for event in events:
        yield event
        count += isinstance(event, Source)
        if count == limit:
            return


def _read_all(
    items: Iterable[GivenItem], text_column: str | None, id_column: str | None, limits: ReadLimits
) -> Iterator[ReadEvent]:
    seen = SeenDigests()
    with Sandbox(limits) as sandbox:
        reader = _Reader(text_column, id_column, limits, sandbox)
        # Neighbouring mappings are the rows of one table; a number is the place of an item among all.
        for is_rows, group in groupby(enumerate(items, start=1), key=lambda numbered: isinstance(numbered[1], Mapping)):
            for event in reader.read_records(group) if is_rows else reader.read_items(group):
                yield _drop_duplicate(event, seen)
        yield from reader.list_unused()


def _drop_duplicate(event: ReadEvent, seen: SeenDigests) -> ReadEvent:
    if not isinstance(event, Source):
        return event
    first_name = seen.find_first(event.name, event.text, name=event.name)
    return event if first_name is None else SourceDuplicate(event.name, first_name)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reader of arguments with the same options."""

    text_column: str | None
    id_column: str | None
    limits: ReadLimits
    sandbox: Sandbox
    tables: list[str] = field(default_factory=list)

    def list_unused(self) -> Iterator[SourceNote]:
        """Yield a note for each option about tables, if no table was read."""
        for option, column in (("--text-column", self.text_column), ("--id-column", self.id_column)):
            if column is not None and not self.tables:
                yield SourceNote(option, f"{option} {column} has no effect: no table was read.")

    def read_records(self, numbered: Iterable[tuple[int, GivenItem]]) -> Iterator[ReadEvent]:
        """Yield the events of mappings, which are rows of one table."""
        self.tables.append(RECORDS)
        options = {"text_column": self.text_column, "id_column": self.id_column}
        try:
            table = peek_rows(Row(number, name_values(record)) for number, record in numbered)
            yield from read_table(table, "", **options, sandbox=self.sandbox, limits=self.limits)
        except SourceError as error:
            yield describe_problem(RECORDS, error)

    def read_items(self, numbered: Iterable[tuple[int, GivenItem]]) -> Iterator[ReadEvent]:
        """Yield the events of paths, URLs and documents; of unnamed documents, a text is read once."""
        seen = SeenDigests()
        for number, item in numbered:
            if isinstance(item, str | Path):
                yield from self.read_argument(str(item))
            elif isinstance(item, NamedFile):
                yield from self._read_target(FileTarget(item.path, clean_label(item.name) or f"document {number}"))
            else:
                yield from self._read_document(item, f"document {number}", seen)

    def _read_document(self, item: object, place: str, seen: SeenDigests) -> Iterator[ReadEvent]:
        try:
            if not isinstance(item, Document):
                raise refuse_item(item)
            content = read_given(item, sandbox=self.sandbox, limits=self.limits)
        except SourceError as error:
            yield describe_problem(place, error)
            return
        name = clean_label(item.name)
        first_name = None if name else seen.find_first("", content.text, name=place)
        if first_name:
            yield SourceDuplicate(place, first_name)
        else:
            yield from content.list_events(name or place)

    def read_argument(self, argument: str) -> Iterator[ReadEvent]:
        """Yield the events of one argument; its errors become problems."""
        name = "standard input" if argument == STDIN else clean_label(PASSWORD.sub("***@", argument)) or "''"
        try:
            if argument == STDIN:
                yield from read_stdin(sandbox=self.sandbox, limits=self.limits).list_events(name)
            elif is_url(argument):
                yield from self._read_url(argument).list_events(name)
            else:
                for target in locate_files(argument):
                    yield from [target] if isinstance(target, SourceProblem) else self._read_target(target)
        except SourceError as error:
            yield describe_problem(name, error)

    def _read_url(self, url: str) -> Content:
        from producer.sources.pages import read_page

        return read_page(url, sandbox=self.sandbox, limits=self.limits)

    def _read_target(self, target: FileTarget) -> Iterator[ReadEvent]:
        try:
            kind = target.find_kind()
            check_recognition(kind, self.limits)
        except SourceError as error:
            problem = describe_problem(target.name, error)
            yield (
                SourceNote(target.name, f"Skipped: {problem.message}", is_skipped=True) if target.is_listed else problem
            )
            return
        try:
            yield from self._read_file(target, kind)
        except SourceError as error:
            yield describe_problem(target.name, error)
        except OSError as error:
            yield describe_problem(target.name, explain_os_error(error))

    def _read_file(self, target: FileTarget, kind: FileKind | None) -> Iterator[ReadEvent]:
        if target.path.exists() and not target.path.is_file():
            raise UnreadableError("is not a regular file; give a file, or '-' for standard input")
        with target.path.open("rb") as stream:
            kind = correct_kind(kind, stream)
        if kind is not None and kind.is_table:
            self.tables.append(target.name)
            yield from read_rows(
                target.path,
                kind,
                target.name,
                text_column=self.text_column,
                id_column=self.id_column,
                sandbox=self.sandbox,
                limits=self.limits,
            )
        else:
            content = read_file(target.path, kind, sandbox=self.sandbox, limits=self.limits)
            yield from content.list_events(target.name)
