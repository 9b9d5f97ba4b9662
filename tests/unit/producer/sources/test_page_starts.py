"""A span of a document is named by its page."""

import pytest

from producer.sources.page_starts import find_page, write_page_starts


def test_an_offset_has_the_page_that_holds_it() -> None:
    pages = ["One.", "", "Three."]
    starts = write_page_starts(pages, "\n\n")
    text = "\n\n".join(pages)
    assert starts == "0,6,8"
    assert find_page(starts, text.index("One")) == 1
    assert find_page(starts, text.index("Three")) == 3
    assert find_page(starts, len(text)) == 3


@pytest.mark.parametrize("value", [None, "", "12", "0,x", "0,9,3", "page 3"])
def test_a_value_that_is_no_list_of_offsets_names_no_page(value: str | None) -> None:
    assert find_page(value, 5) is None
