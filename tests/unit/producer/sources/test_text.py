"""Plain and Markdown text."""

import pytest

from producer.errors import UnreadableError
from producer.sources import normalize_text
from producer.sources.text import clean_label, find_title, guess_format, read_markdown


def test_line_ends_byte_order_mark_and_characters_are_normalized_and_nothing_else() -> None:
    assert normalize_text("\ufeffa \r\n\tb\rc\u0301\xa0\n\n\n\nd ") == "a \n\tb\nć\xa0\n\n\n\nd "


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_text_that_no_database_stores_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError, match=r"NUL|surrogates"):
        normalize_text(text)


def test_flat_front_matter_becomes_metadata() -> None:
    content = read_markdown('---\ntitle: "My report"\nauthor: A. Writer\n---\n# Other\n\nText\n')
    assert (content.title, content.metadata) == ("My report", {"author": "A. Writer"})
    assert content.text == "# Other\n\nText\n"


@pytest.mark.parametrize(
    ("block", "title", "metadata"),
    [
        ("---\ntags:\n  - a\n  - b\n---\n", "", {"tags": "a, b"}),
        ("---\ntitle: >\n  Two\n  lines\ndraft: false\naliases: []\n---\n", "Two lines", {"draft": "false"}),
        ("---\nTitle: One\ndate: 2025-13-45\n...\n", "One", {"date": "2025-13-45"}),
        ("---\ntitle: No: YAML\n# note\nlayout: post\n---\n", "No: YAML", {"layout": "post"}),
        ("---\nauthors:\n  - name: Ada\n    site: example.org\n---\n", "", {"authors": "name: Ada, site: example.org"}),
        ("---\ntitle: !!python/object/apply:os.system ['true']\n---\n", "true", {}),
        ('+++\ntitle = "T"\ndate = 2025-03-01\ndraft = true\n+++\n', "T", {"date": "2025-03-01", "draft": "true"}),
        ('{\n "title": "J", "tags": ["a", "b"]\n}\n', "J", {"tags": "a, b"}),
    ],
)
def test_front_matter_of_any_kind_becomes_metadata(block: str, title: str, metadata: dict[str, str]) -> None:
    content = read_markdown(f"{block}\nText\n")
    assert (content.title, content.metadata, content.text) == (title, metadata, "Text\n")


@pytest.mark.parametrize(
    "text",
    [
        "---\nNote: this stands between two rules.\n---\n\nText\n",
        "---\n\nA rule.\n\n---\nText\n",
        "---\ntitle: never closed\n\nText\n",
        "+++\ntitle = no TOML\n+++\nText\n",
        "---\n" + "[" * 5000 + "\n---\nText\n",
        '{"a": 1}\nText\n',
    ],
)
def test_a_text_that_only_begins_like_front_matter_stays(text: str) -> None:
    assert (read_markdown(text).text, read_markdown(text).metadata) == (text, {})


def test_aliases_in_front_matter_cannot_make_endless_metadata() -> None:
    lists = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}' if n else 'x'] * 9)}]" for n in range(9))
    metadata = read_markdown(f"---\n{lists}\n---\nText").metadata
    assert all(len(value) <= 1000 for value in metadata.values())


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("# One\n\n<!--\n# Draft\n\nsecret\n-->\n\nText\n", "# One\n\n\nText\n"),
        ("a <!-- gone --> b\n", "a  b\n"),
        ("a `<!-- code -->` b\n", "a `<!-- code -->` b\n"),
        ("```\n<!-- code -->\n```\n", "```\n<!-- code -->\n```\n"),
        ("- item\n\n  ~~~\n  <!-- code -->\n  ~~~\n", "- item\n\n  ~~~\n  <!-- code -->\n  ~~~\n"),
        ("    <!-- code -->\n", "    <!-- code -->\n"),
        ("a <!-- never closed\n", "a <!-- never closed\n"),
    ],
)
def test_comments_are_left_out_except_in_code(text: str, kept: str) -> None:
    assert read_markdown(text).text == kept


@pytest.mark.parametrize(
    ("markdown", "title"),
    [
        ("# One #\n\n## Two", "One"),
        ("One\n===\n\ntext", "One"),
        ("One\n*two*\n=====\n\ntext", "One two"),
        ("# [One](x.md) `two`\n\ntext", "One two"),
        ("<!--\n# Draft\n-->\n# One\n", "One"),
        ("# One\n\n```\n# never closed\n", "One"),
        ("# One\n\n- item\n\n  ```\n  # code\n  ```\n\n    # indented\n", "One"),
        ("> # Quoted\n\ntext", ""),
        ("# One\n\n# Two", ""),
        ("```\n# comment\n```\n\ntext", ""),
        ("## Two", ""),
    ],
)
def test_the_title_is_the_only_top_level_heading(markdown: str, title: str) -> None:
    assert find_title(markdown) == title


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## Head\ntext", "markdown"),
        ("```\ncode\n```", "markdown"),
        ("| a | b |\n|---|---|\n", "markdown"),
        ("#hashtag and # sign", "text"),
        ("plain\n---\ntext", "text"),
        ("Title\n=====\ntext", "markdown"),
        ("---\ntitle: One\n---\ntext", "markdown"),
    ],
)
def test_structure_makes_a_text_markdown(text: str, expected: str) -> None:
    assert guess_format(text) == expected


def test_labels_are_one_short_line_that_can_be_stored() -> None:
    assert clean_label(" a\n\tb\0\ud800 ") == "a b\ufffd?"
    assert clean_label("x" * 2000) == "x" * 999 + "…"


@pytest.mark.parametrize(
    ("markdown", "kept"),
    [
        ("One ![a pump](data:image/png;base64,AAAA) two.", "One a pump two."),
        ("One <img alt='x' src='data:image/png;base64,AAAA'> two.", "One  two."),
        ("![][image1]\n\nOne.\n\n[image1]: <data:image/png;base64,AAAA>\n", "\n\nOne.\n\n"),
        ("![a pump](pump.png) [data: x][y]", "a pump [data: x][y]"),
    ],
)
def test_pictures_as_data_are_left_out(markdown: str, kept: str) -> None:
    assert read_markdown(markdown).text == kept
