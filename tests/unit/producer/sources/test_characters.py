"""Normal form of characters."""

import unicodedata

import pytest

from producer.sources.characters import normalize_characters
from producer.sources.text import clean_label


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("Cafe\u0301", "Café"),
        ("exam\u00adple", "example"),
        ("exam\u00ad\n  ple and", "example and"),
        ("a\u2028b\u0085c", "a\nb\nc"),
        ("e\ufb03cient \ufb01nal", "efficient final"),
        ("\ufee3\ufeae\ufea3\ufe92\ufe8e", "مرحبا"),
        ("\u2f00\u2f26", "一子"),
        ("\uff8a\uff9f\uff9d", "パン"),
        ("\uff27\uff30\uff34\uff14", "GPT4"),
        ("\uff15\uff13\uff0c\uff11\uff19\uff13", "53,193"),
        ("\U0001d407\U0001d41a", "Ha"),
    ],
)
def test_characters_are_stored_as_the_letters_that_they_stand_for(text: str, stored: str) -> None:
    assert normalize_characters(text) == stored


@pytest.mark.parametrize(
    "text",
    ["plain", "x² ½ Ⅷ ™ ℃", "你好，世界。", "می\u200cروم", "क्\u200dष", "ភាសា\u200bខ្មែរ", "a\u00a0b", "Ⓐ ①"],
)
def test_characters_with_a_meaning_of_their_own_stay(text: str) -> None:
    assert normalize_characters(text) == text


def test_the_normal_form_is_its_own() -> None:
    text = "".join(map(chr, [*range(0x20, 0xD800), *range(0xE000, 0x3134B)]))
    once = normalize_characters(text)
    assert normalize_characters(once) == once
    assert unicodedata.is_normalized("NFC", once)


def test_a_name_is_the_same_composed_and_decomposed() -> None:
    assert clean_label("cafe\u0301.txt") == clean_label("caf\u00e9.txt")


@pytest.mark.parametrize(
    ("text", "stored"),
    [("\x1b[31mERROR\x1b[0m é", "ERROR é"), ("one\x0btwo\x0cthree\x1a", "one\ntwo\nthree"), ("a\tb\nc", "a\tb\nc")],
)
def test_signs_to_machines_are_no_characters(text: str, stored: str) -> None:
    assert normalize_characters(text) == stored
