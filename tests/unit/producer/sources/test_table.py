"""Which columns of a table are read."""

import pytest

from producer.errors import SourceUsageError
from producer.sources.table import Columns, choose_columns


def test_given_columns_are_taken() -> None:
    chosen = choose_columns(("url", "text", "words", "Title"), text_column="words", id_column="url")
    assert chosen == Columns("words", "url", "Title", is_guessed=False)
    assert (
        choose_columns(("re\u0301sume\u0301",), text_column="r\u00e9sum\u00e9", id_column=None).text
        == "re\u0301sume\u0301"
    )


@pytest.mark.parametrize("columns", [("id", "Article"), ("body", "a", "b"), ("anything",)])
def test_an_obvious_text_column_is_guessed(columns: tuple[str, ...]) -> None:
    chosen = choose_columns(columns, text_column=None, id_column=None)
    assert chosen.is_guessed
    assert chosen.text in {"Article", "body", "anything"}


def test_a_missing_column_lists_the_others_nearest_first() -> None:
    with pytest.raises(
        SourceUsageError, match="has no column 'writup'; give --text-column one of 'writeup', 'title', 'id'"
    ):
        choose_columns(("id", "title", "writeup"), text_column="writup", id_column=None)


def test_a_missing_id_column_names_its_option() -> None:
    with pytest.raises(SourceUsageError, match="has no column 'key'; give --id-column one of"):
        choose_columns(("id", "text"), text_column="text", id_column="key")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [(("a", "b"), "no column is obviously the text"), (("text", "body"), "several columns could be the text")],
)
def test_a_text_column_that_is_not_obvious_is_asked_for(columns: tuple[str, ...], reason: str) -> None:
    with pytest.raises(SourceUsageError, match=f"{reason}; give --text-column"):
        choose_columns(columns, text_column=None, id_column=None)


def test_a_wide_table_lists_only_the_nearest_columns() -> None:
    columns = tuple(f"feature_{number}" for number in range(500))
    with pytest.raises(SourceUsageError, match=r"'feature_499'.* and 488 more"):
        choose_columns(columns, text_column="feature_499x", id_column=None)
