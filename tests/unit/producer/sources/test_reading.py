"""Reading whatever a user names: nothing is lost, and nothing is dropped in silence."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from producer.errors import SourceUsageError
from producer.sources import (
    ReadEvent,
    ReadLimits,
    Source,
    SourceDuplicate,
    SourceNote,
    SourceProblem,
    read_sources,
)
from tests.unit.producer.sources.made_files import make_docx, make_epub, make_pdf, make_xlsx


def read_one(path: Path | str, *, limits: ReadLimits | None = None) -> ReadEvent:
    (event,) = read_sources([path], limits=limits or ReadLimits())
    return event


def read_message(path: Path | str, *, limits: ReadLimits | None = None) -> str:
    event = read_one(path, limits=limits)
    assert isinstance(event, SourceProblem)
    return event.message


class StandardInput(io.TextIOWrapper):
    """Standard input that holds some bytes."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.buffer: BinaryIO


@pytest.mark.parametrize(
    ("name", "data", "text", "text_format"),
    [
        ("a.html", b"<h1>Head</h1><p>b</p>", "# Head\n\nb", "markdown"),
        ("a.md", b"# Head\r\nb *c*", "# Head\nb c", "markdown"),
        ("a.txt", b"# no <b>head</b>\r\n  b", "# no <b>head</b>\n  b", "text"),
        ("a.log", b"12:00 start", "12:00 start", "text"),
        ("README", b"# Head\n\ntext", "# Head\n\ntext", "markdown"),
        ("page", b"<html><body><p>a</p></body></html>", "a", "markdown"),
        ("a.docx", make_docx(), "# Findings *here*\n\nThe pump_rate fell by 12 percent.", "markdown"),
        ("a.pdf", make_pdf("Hello"), "Hello", "text"),
        ("no_suffix", make_pdf("Hello"), "Hello", "text"),
        ("a.txt", make_pdf("Hello"), "Hello", "text"),
    ],
)
def test_every_kind_of_file_is_read(tmp_path: Path, name: str, data: bytes, text: str, text_format: str) -> None:
    (tmp_path / name).write_bytes(data)
    source = read_one(tmp_path / name)
    assert isinstance(source, Source)
    assert (source.name, source.text, source.format) == (name, text, text_format)


HEADER = (
    "From: Ann <ann@example.org>\nTo: Bob\nDate: Tue, 5 May 2026 09:14:22 +0200\nSubject: The gr\u00f6\u00dfere pump\n"
)


def test_a_message_that_was_saved_as_text_is_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"{HEADER}\nDear Bob,\n\nthe gr\u00f6\u00dfere pump leaks.\n", encoding="utf-8")
    source = read_one(tmp_path / "a.txt")
    assert isinstance(source, Source)
    assert source.title == "The gr\u00f6\u00dfere pump"
    assert source.text.strip() == "Dear Bob,\n\nthe gr\u00f6\u00dfere pump leaks."


@pytest.mark.parametrize("text", [HEADER, f"Minutes\n{HEADER}\nText", "From: Kent\nTo: Dover\n\nThe road is closed."])
def test_a_text_that_only_names_the_fields_of_a_message_stays(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    source = read_one(tmp_path / "a.txt")
    assert isinstance(source, Source)
    assert source.text == text


@pytest.mark.parametrize("text", ["\u200b\ufeff", "---\n...\n"])
def test_a_document_without_a_word_holds_no_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.md").write_text(text)
    assert "holds no visible text" in read_message(tmp_path / "a.md")


def test_an_epub_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.epub").write_bytes(make_epub())
    source = read_one(tmp_path / "a.epub")
    assert isinstance(source, Source)
    assert source.title == "Two chapters"


def test_a_folder_is_read_in_order_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.md", "a/.hidden.txt", ".git/config", "c/d/e.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"text of {name}")
    assert [event.name for event in read_sources([tmp_path])] == ["b.txt", "a/z.md", "c/d/e.txt"]


def test_a_workbook_that_is_named_as_a_table_of_text_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(make_xlsx([["text"], ["Hello"]]))
    _, source = read_sources([tmp_path / "a.csv"])
    assert isinstance(source, Source)
    assert source.text == "Hello"


def test_other_kinds_in_a_folder_are_notes_and_broken_files_are_problems(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    (tmp_path / "b.pdf").write_bytes(b"%PDF-broken")
    note, problem = read_sources([tmp_path])
    assert isinstance(note, SourceNote)
    assert note.message.startswith(
        "Skipped: a.png is a picture; submit it with --ocr (pip install --constraint constraints.txt '.[ocr]'), or"
    )
    assert note.is_skipped
    assert isinstance(problem, SourceProblem)
    assert problem.name == "b.pdf"


def test_a_pattern_matches_files_named_from_its_fixed_folder(tmp_path: Path) -> None:
    for name in ("x/a.txt", "x/y/b.txt", "x/c.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    events = list(read_sources([f"{tmp_path}/x/**/*.txt"]))
    assert [event.name for event in events] == ["a.txt", "y/b.txt"]


def test_a_file_whose_name_looks_like_a_pattern_is_read(tmp_path: Path) -> None:
    (tmp_path / "a[1].txt").write_text("text")
    assert read_one(tmp_path / "a[1].txt").name == "a[1].txt"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"", "a.txt is empty; give a file with text in it."),
        ("a.txt", b" \n\t", "a.txt is empty; give a file with text in it."),
        ("a.html", b"<style>x</style>", "a.html holds no visible text; give a document with text in it."),
        (
            "a.html",
            b"<div id='root'></div><script>x</script>",
            "a.html holds no text until a script runs; open it in a browser and save it from there.",
        ),
        ("a.bin", bytes(range(256)), "a.bin is binary, not text; give a text, HTML, Markdown, PDF, DOCX or EPUB file."),
        ("a.ods", b"PK", "a.ods is a .ods file, which cannot be read; export it as CSV or .xlsx."),
    ],
)
def test_what_cannot_be_read_says_why_in_one_sentence(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    assert read_message(tmp_path / name) == message


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("missing.txt", "missing.txt does not exist; check the path."),
        ("*.missing", "*.missing matches no files; check the pattern."),
        ("empty", "empty holds no files that are not hidden; give another folder."),
        ("ftp://a.example/b", "ftp://a.example/b leads to ftp://, not to http:// or https://; give such a URL."),
    ],
)
def test_what_is_not_there_is_wrong_usage(
    argument: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    assert read_one(argument) == SourceProblem(argument, message, exit_code=2)


def test_a_path_that_cannot_exist_is_a_clear_error() -> None:
    assert "check" in read_message("x" * 5000)
    assert "check" in read_message("a\0b")


def test_a_pipe_or_device_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in read_message(tmp_path / "pipe")
    assert "is not a regular file" in read_message("/dev/zero")


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * 2000)
    assert "is larger than the 1,000 bytes allowed" in read_message(
        tmp_path / "a.txt", limits=ReadLimits(file_bytes=1000)
    )
    assert "has 2,000 characters, more than" in read_message(tmp_path / "a.txt", limits=ReadLimits(text_chars=1000))


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("text")
    events = list(read_sources(["missing.txt", tmp_path / "good.txt"]))
    assert [type(event) for event in events] == [SourceProblem, Source]


def test_the_same_file_twice_is_a_duplicate_and_the_same_text_under_another_name_is_not(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("text")
    events = list(read_sources([tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "a.txt"]))
    assert [type(event) for event in events] == [Source, Source, SourceDuplicate]
    assert events[2] == SourceDuplicate("a.txt", "a.txt")


def test_the_limit_counts_sources_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\none\none\n \ntwo\nthree\n")
    events = list(read_sources([tmp_path / "a.csv"], text_column="text", limit=2))
    assert [event.name for event in events if isinstance(event, Source)] == ["a.csv#row 1", "a.csv#row 4"]
    assert len(events) == 4


def test_a_limit_below_one_is_wrong_usage() -> None:
    with pytest.raises(SourceUsageError, match="--limit must be 1 or more, not 0"):
        read_sources(["a.txt"], limit=0)


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"plain", "plain"), (b"<!doctype html><p>a</p>", "a"), (make_pdf("Hello"), "Hello")],
)
def test_standard_input_is_read_by_what_it_holds(data: bytes, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", StandardInput(data))
    source = read_one("-")
    assert isinstance(source, Source)
    assert (source.name, source.text) == ("standard input", text)


def test_reading_can_be_stopped_at_any_time(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\n<p>one</p>\n<p>two</p>\n")
    events = read_sources([tmp_path / "a.csv"], text_column="text")
    first = next(events)
    assert isinstance(first, Source)
    assert first.text == "one"
    events.close()  # type: ignore[attr-defined]
    assert list(events) == []


def test_importing_loads_no_parser() -> None:
    heavy = "{'pyarrow', 'markitdown', 'httpx', 'bs4', 'lxml', 'markdownify', 'charset_normalizer', 'torch', 'asyncio'}"
    code = f"import sys, producer.sources; print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize("argument", ["", " "])
def test_a_blank_argument_is_no_path(argument: str) -> None:
    assert read_message(argument) == "'' is blank, which is no path; give a file, or . for this folder."


def test_files_of_a_folder_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("10.md", "2.md", "1.md", "part 9.md", "part 11.md"):
        (tmp_path / name).write_text(f"Text of {name}.")

    for given in (tmp_path, str(tmp_path / "*.md")):
        names = [event.name for event in read_sources([given]) if isinstance(event, Source)]
        assert names == ["1.md", "2.md", "10.md", "part 9.md", "part 11.md"]


def test_a_named_column_without_any_table_is_noted(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Some text.")
    noted = "--text-column text has no effect: no table was read."

    events = list(read_sources([tmp_path], text_column="text"))
    assert [event.message for event in events if isinstance(event, SourceNote)] == [noted]
    (tmp_path / "b.csv").write_text("text\nAnother text.\n")
    assert [event for event in read_sources([tmp_path], text_column="text") if isinstance(event, SourceNote)] == []
