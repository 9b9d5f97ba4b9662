from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy
import pandas
import pytest

from producer.errors import SubmissionError
from producer.sources.given import Document, list_paths
from producer.sources.reading import read_sources
from producer.sources.source import Source, SourceDuplicate, SourceNote, SourceProblem


def read(documents: object, **options: str) -> list[object]:
    return list(read_sources(documents, **options))  # type: ignore[arg-type]


def test_a_text_keeps_its_name_title_and_metadata() -> None:
    given = Document("# One\n\nWords.", name="a\nname", title="Two", metadata={"author": "Ada\tL."})

    assert read(given) == [Source("a name", "# One\n\nWords.", "markdown", "Two", {"author": "Ada L."})]


def test_markup_is_recognized_unless_the_format_is_given() -> None:
    page = "<html><body><h1>Title</h1><p>Some words.</p></body></html>"

    texts = [source.text for source in read([Document(page), Document(page, format="text")])]  # type: ignore[attr-defined]

    assert texts == ["# Title\n\nSome words.", page]


def test_a_document_without_a_name_is_called_by_its_place_and_read_once() -> None:
    given = [Document("One."), Document("One."), Document("One.", name="b"), Document("One.", name="b")]

    assert read(given) == [
        Source("document 1", "One.", "text"),
        SourceDuplicate("document 2", "document 1"),
        Source("b", "One.", "text"),
        SourceDuplicate("b", "b"),
    ]


def test_neighbouring_mappings_are_the_rows_of_one_table() -> None:
    given = [{"id": 7, "text": "One.", 1999: "year"}, {"text": None}, Document("Two."), {"body": "Three."}]

    assert read(given, id_column="id")[:3] == [
        SourceNote("the input", "the input: the text is taken from column 'text' (change it with --text-column)."),
        Source("7", "One.", "text", metadata={"row": "1", "1999": "year"}),
        SourceProblem("row 2", "row 2 has no text in column 'text'; fill it in or leave the row out."),
    ]
    assert read(given, id_column="id")[4:] == [
        SourceProblem("the input", "the input has no column 'id'; give --id-column one of 'body'.", 2)
    ]


def test_missing_cells_of_a_dataframe_are_problems_of_their_rows() -> None:
    frame = pandas.DataFrame({"text": ["One.", None, numpy.nan], 5: [1.5, None, 2.0]})

    _, first, *problems = read(frame)

    assert first == Source("row 1", "One.", "text", metadata={"row": "1", "5": "1.5"})
    assert [problem.name for problem in problems] == ["row 2", "row 3"]  # type: ignore[attr-defined]


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(SubmissionError, match="the DataFrame has 2 columns 'text'; rename all but one"):
        read(pandas.DataFrame([["a", "b"]], columns=["text", "text"]))


@pytest.mark.parametrize("item", [None, 1.5, b"bytes", ["nested"]])
def test_an_item_that_is_no_document_is_a_problem(item: object) -> None:
    [problem] = read([item])

    assert isinstance(problem, SourceProblem)
    assert f"document 1 is a value of type {type(item).__name__}, which is no document" in problem.message


def test_what_is_lazy_is_read_lazily() -> None:
    taken = []

    def give() -> Iterator[Document]:
        for number in range(3):
            taken.append(number)
            yield Document(f"Text {number}.")

    next(read_sources(give()))

    assert taken == [0]


def test_only_paths_are_arguments_of_a_command_line() -> None:
    assert list_paths(Path("a")) == ("a",)
    assert list_paths(["a", Path("b")]) == ("a", "b")
    assert list_paths([Document("a"), "b"]) is None
    assert list_paths(iter(["a"])) is None


def test_a_text_given_as_a_path_is_not_repeated_in_full() -> None:
    [problem] = read("words " * 2000)

    assert isinstance(problem, SourceProblem)
    assert "cannot be a path (File name too long)" in problem.message
    assert len(problem.message) < 1200
