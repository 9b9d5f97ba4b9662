"""Subtitles: the spoken words, without numbers, times and markup."""

import pytest

from producer.sources.formats.subtitles import read_subtitles

SRT = (
    "1\n00:00:01,000 --> 00:00:03,000\n<i>The ferry</i> runs\n\n2\n00:00:03,200 --> 00:00:05,000\n{\\an8}every twenty\n"
    "minutes.\n\n"
    "3\n00:00:09,000 --> 00:00:11,000\n[MUSIC]\n\n4\n00:00:12,000 --> 00:00:14,000\nIn winter it stops.\n"
)
VTT = (
    "WEBVTT - Harbour\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nNOTE a remark\nof two lines\n\nintro\n"
    "00:01.000 --> 00:03.000 align:start position:0%\n<v Anna>The ferry &amp; the<00:00:01.500><c> boat</c>\n\n"
    "00:03.000 --> 00:04.000\nThe ferry runs.\n\n00:04.000 --> 00:05.000\nThe ferry runs.\nAll day.\n"
)


def test_captions_become_sentences_and_a_pause_ends_a_paragraph() -> None:
    content = read_subtitles(SRT)
    assert (content.text, content.format) == ("The ferry runs every twenty minutes.\n\nIn winter it stops.", "text")


def test_styles_remarks_names_and_repetitions_of_webvtt_are_dropped() -> None:
    assert read_subtitles(VTT).text == "Anna: The ferry & the boat\n\nThe ferry runs. All day."


def test_a_change_of_the_speaker_ends_a_paragraph() -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\n- Is it late?\n- It is.\n"
    assert read_subtitles(text).text == "- Is it late?\n\n- It is."


def test_long_speech_is_cut_into_paragraphs_at_ends_of_sentences() -> None:
    blocks = "".join(
        f"{n}\n00:00:{n:02},000 --> 00:00:{n + 1:02},000\nThe ferry number {n} runs every twenty minutes.\n\n"
        for n in range(50)
    )
    paragraphs = read_subtitles(blocks).text.split("\n\n")
    assert 3 <= len(paragraphs) <= 6
    assert all(paragraph.endswith("minutes.") for paragraph in paragraphs)


@pytest.mark.parametrize("text", ["", "no times here", "00:00:01,000 --> 00:00:02,000\n"])
def test_a_file_without_captions_has_no_text(text: str) -> None:
    assert read_subtitles(text).text == ""


def test_captions_without_a_blank_line_between_them_are_apart() -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nIt rained.\n2\n00:00:02,500 --> 00:00:03,000\nIt stopped.\n"
    assert read_subtitles(text).text == "It rained. It stopped."


def test_words_that_mark_remarks_elsewhere_are_read_in_a_caption() -> None:
    assert read_subtitles("1\n00:00:01,000 --> 00:00:02,000\nNOTE the STYLE.\n").text == "NOTE the STYLE."


def test_the_lines_of_a_caption_after_a_pause_stay_together() -> None:
    assert read_subtitles("1\n00:01:00,000 --> 00:01:02,000\nIt rained\nall day.\n").text == "It rained all day."


@pytest.mark.parametrize(
    ("shown", "spoken"),
    [
        ("[laughs] When does it start?", "When does it start?"),
        ("(sighs) At nine. (DOOR CLOSES)", "At nine."),
        ("- [sighs] At nine.\n- (laughs)", "- At nine."),
        ("It is late. [door\ncloses] Go.", "It is late. Go."),
        ("[Anna]: At nine.", "[Anna]: At nine."),
        ("The pump (the old one) of (2019) stopped.", "The pump (the old one) of (2019) stopped."),
    ],
)
def test_sounds_beside_words_are_left_out(shown: str, spoken: str) -> None:
    assert read_subtitles(f"1\n00:00:01,000 --> 00:00:02,000\n{shown}\n").text == spoken


def test_a_caption_without_a_speaker_after_one_with_a_speaker_begins_a_paragraph() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Anna>It is late.\nGo.\n\n00:02.000 --> 00:03.000\nNobody moved.\n"
    assert read_subtitles(text).text == "Anna: It is late. Go.\n\nNobody moved."
