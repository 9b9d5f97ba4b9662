"""Numbers in the digits, groups and scales of several scripts."""

import pytest

from workers.evaluation.fact_check import check_facts
from workers.evaluation.figures import read_figure
from workers.evaluation.quantity_reading import find_quantities
from workers.evaluation.source_facts import read_source


@pytest.mark.parametrize(
    ("figure", "readings"),
    [
        ("53193", ["53193"]),
        ("५३१९३", ["53193"]),
        ("53,193", ["53193", "53.193"]),
        ("53.193", ["53.193", "53193"]),
        ("53'193", ["53193"]),
        ("53\u202f193", ["53193"]),
        ("53 193", ["53193"]),
        ("1,00,000", ["100000"]),
        ("1.200.000,5", ["1200000.5"]),
        ("1,234.5", ["1234.5"]),
        ("2,5", ["2.5"]),
        ("0.871", ["0.871"]),
        ("٣٫٥", ["3.5"]),
        ("2.5e3", ["2.5e3"]),
    ],
)
def test_a_figure_is_read_in_every_notation(figure: str, readings: list[str]) -> None:
    assert read_figure(figure) == readings


SOURCE = (
    "The town has 53,193 inhabitants and spent 1,200,000 euros. About 20 percent are lorries. It is ２４ metres wide."
)


@pytest.mark.parametrize(
    "sentence",
    [
        "The town has 53193 inhabitants.",
        "The town has ５３１９３ inhabitants.",
        "The town has ५३१९३ inhabitants.",
        "The town has 53.193 inhabitants.",
        "The town has 53 193 inhabitants.",
        "It spent 1.2 million euros.",
        "It spent 12,00,000 euros, or 12 lakh.",
        "It spent 1.200.000 € on it.",
        "It is 24 metres wide.",
        "20 % are lorries.",
    ],
)
def test_a_number_of_the_source_is_borne_out_in_any_notation(sentence: str) -> None:
    assert not check_facts(sentence, read_source(SOURCE)).missing


@pytest.mark.parametrize("sentence", ["The town has 53,194 inhabitants.", "It is 25 metres wide.", "५३१९४ live there."])
def test_another_number_is_missing(sentence: str) -> None:
    assert check_facts(sentence, read_source(SOURCE)).missing


@pytest.mark.parametrize(
    ("source", "sentence", "other"),
    [
        ("Die Stadt hat 53.193 Einwohner.", "Sie hat rund 53.000 Einwohner.", "Sie hat 54.000 Einwohner."),
        ("Es kostete 1,5 Milliarden Euro.", "Es kostete 1.500.000.000 Euro.", "Es kostete 1,6 Milliarden Euro."),
        ("Elle a 53 193 habitants.", "Il y a 53193 habitants.", "Elle a 53 194 habitants."),
        ("Das sind 2,5 Prozent mehr.", "Das sind 2,5 % mehr.", "Das sind 3,5 % mehr."),
        ("La ville compte 53\u202f193 habitants.", "Elle a 53 193 habitants.", "Elle a 53 194 habitants."),
        ("Город потратил 1,2 млн рублей.", "Это 1 200 000 рублей.", "Это 1 300 000 рублей."),
        ("शहर में ५ लाख लोग हैं।", "यहाँ 5,00,000 लोग हैं।", "यहाँ 6,00,000 लोग हैं।"),
        ("该市人口53193人。", "人口５３，１９３人。", "人口53194人。"),
        ("人口は5.3万人です。", "人口は53,000人です。", "人口は54,000人です。"),
        ("인구는 5만 명이다.", "약50,000명이 산다.", "약60,000명이 산다."),
        ("عدد السكان ٥٣٬١٩٣ نسمة.", "يعيش 53193 شخصا.", "يعيش 53194 شخصا."),
    ],
)
def test_numbers_are_compared_in_the_notation_of_their_country(source: str, sentence: str, other: str) -> None:
    assert not check_facts(sentence, read_source(source)).missing
    assert check_facts(other, read_source(source)).missing


def test_another_reading_of_a_figure_bears_out_no_rounded_number() -> None:
    assert check_facts("It rose over the past five years.", read_source("It rose from 3,001 to 5,288.")).missing


def test_two_numbers_of_a_table_are_both_there() -> None:
    source = read_source("Year 12 345 678 cars\nWest 12 345\nEast 4")
    assert not check_facts("The west has 345 cars.", source).missing


def test_letters_beside_a_number_belong_to_it_only_where_words_have_spaces() -> None:
    assert [quantity.value for quantity in find_quantities("人口53193人、GPT4")] == [53193.0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("人口は一万二千人。", 12_000),
        ("約3万5千人", 35_000),
        ("3만 5천 명", 35_000),
        ("三百二十米", 320),
        ("二百零五", 205),
        ("1億2000万円", 120_000_000),
        ("12.5億円", 1_250_000_000),
        ("十二月", 12),
        ("3½ hours", 3.5),
        ("½ of them", 0.5),
    ],
)
def test_signs_for_tens_and_fractions_are_numbers(text: str, value: float) -> None:
    assert [quantity.value for quantity in find_quantities(text)] == [value]


@pytest.mark.parametrize("text", ["万一下雨", "千万不要", "十分高兴", "一些人", "百度公司", "二〇二四"])
def test_words_with_signs_for_numbers_are_none(text: str) -> None:
    assert list(find_quantities(text)) == []
