"""Reader of subtitles (SRT and WebVTT): the spoken words as paragraphs, without numbers, times and markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from producer.sources.source import Content

TIMING = re.compile(r"^\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})\s*-->\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})")
VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>")
MARKUP = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
# A sound that fills a line; one in brackets anywhere, unless it names a speaker; one or two words in parentheses at
# the beginning of a line or behind a sentence. Other parentheses may be spoken.
SOUND = re.compile(r"^[\[(♪*][^\])♪*]*[\])♪*]$")
BRACKETS = re.compile(r"\[[^\[\]]{1,80}\](?!:)")
PARENTHESES = re.compile(r"(^|[-–—:.!?…]\s*)\([^()\d\s]+(?: [^()\d\s]+)?\)(?=\s|$)", re.M)  # noqa: RUF001
# Seconds of silence that end a paragraph, and characters after which the end of a sentence does.
PAUSE = 2.0
PARAGRAPH_CHARS = 600
SENTENCE_END = re.compile(r"[.!?…。！？।؟]['\"”’»)\]]?$")  # noqa: RUF001 - signs of other scripts are meant


@dataclass(frozen=True, slots=True)
class Caption:
    """Words on the screen, from a second to another."""

    start: float
    end: float
    text: str
    is_voiced: bool = False


def read_subtitles(text: str) -> Content:
    """Return the words of subtitles; a pause, a change of the speaker or a length ends a paragraph."""
    paragraphs: list[str] = []
    last_end, last_line, was_voiced = 0.0, "", False
    for caption in _list_captions(text):
        # After one whose speaker is named, a caption without a name is somebody else's.
        is_pause = caption.start - last_end > PAUSE or (was_voiced and not caption.is_voiced)
        for line in caption.text.split("\n"):
            # Captions that roll repeat the line before.
            if line == last_line:
                continue
            is_new = is_pause or line.startswith(("-", "–", "—")) or ": " in line[:30]  # noqa: RUF001
            is_full = bool(paragraphs) and len(paragraphs[-1]) > PARAGRAPH_CHARS and SENTENCE_END.search(paragraphs[-1])
            if paragraphs and not is_new and not is_full:
                paragraphs[-1] += f" {line}"
            else:
                paragraphs.append(line)
            last_line, is_pause = line, False
        last_end, was_voiced = caption.end, caption.is_voiced
    return Content("\n\n".join(paragraphs), "text")


def _list_captions(text: str) -> Iterator[Caption]:
    """Yield the captions; blocks without a time, such as styles and remarks of WebVTT, are none."""
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip("\n").split("\n")
        starts = [place for place, line in enumerate(lines) if TIMING.match(line)]
        for start, end in pairwise([*starts, len(lines)]):
            # Without a blank line, the number of the next caption ends this one.
            is_joined = end < len(lines) and lines[end - 1].strip().isdecimal()
            shown = lines[start + 1 : end - is_joined]
            spoken = _drop_sounds([line for line in map(_clean, shown) if line])
            if spoken and (times := TIMING.match(lines[start])):
                is_voiced = any(map(VOICE.search, shown))
                yield Caption(_read_seconds(times[1]), _read_seconds(times[2]), spoken, is_voiced)


def _drop_sounds(lines: list[str]) -> str:
    """Return the lines of a caption without descriptions of sounds, which may go over two lines."""
    text = BRACKETS.sub("", "\n".join(line for line in lines if not SOUND.match(line)))
    spoken = (" ".join(line.split()) for line in PARENTHESES.sub(r"\1", text).split("\n"))
    return "\n".join(line for line in spoken if any(map(str.isalnum, line)))


def _clean(line: str) -> str:
    line = VOICE.sub(lambda match: f"{match[1].strip()}: ", line)
    return " ".join(html.unescape(MARKUP.sub("", line)).replace("\\N", " ").split())


def _read_seconds(time: str) -> float:
    seconds = 0.0
    for part in time.replace(",", ".").split(":"):
        seconds = seconds * 60 + float(part)
    return seconds
