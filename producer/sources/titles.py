"""Titles that programs put into files by themselves and that say nothing of a document."""

from __future__ import annotations

import re

# What editors, site builders and converters write where a title is missing.
PLACEHOLDERS = re.compile(
    r"(untitled|unnamed|no title|title|page title|document title|your title( here)?|document\d*|index|home(page)?|"
    r"main|new page|blank( page)?|default|test|loading|please wait|just a moment|powerpoint presentation|"
    r"pr(é|e\u0301)sentation powerpoint|powerpoint-präsentation|presentation\d*|book\d*|"
    r"unknown|unbekannt|inconnu|desconocido|"
    r"react app|vite( \+ \w+)*( app)?|nuxt app|untitled[ -](document|page|presentation|spreadsheet|notebook|\d+)|"
    r"new page \d+|unbenannt(es dokument)?|dokument ?\d*|sans titre|document sans (titre|nom)|sin título|"
    r"documento( sin título| senza titolo| ?\d*)|senza titolo|sem título|documento sem título|"
    r"無題(ドキュメント|の文書)?|新しいページ|无标题(文档)?|未命名|無標題(文件)?|제목 없음|"
    r"без названия|безымянный|новая страница)",
    re.I,
)
# Names of the program or the path of the file that a printer driver puts before or in place of a title.
PROGRAM = re.compile(r"\A(microsoft (office )?(word|powerpoint|excel)|print|tmp\w*)\s*-\s*", re.I)
PATH = re.compile(
    r"\A(file:|[a-z]:\\|/)\S*\Z|\A\S+\.(docx?|odt|rtf|tex|dvi|indd|qxd|pptx?|xlsx?|p65|html?|pdf)\Z", re.I
)


def is_placeholder(title: str) -> bool:
    """Return True for a title that is none: blank, "Untitled", a program's name, the path of a file."""
    stripped = PROGRAM.sub("", title).strip(" .…-|()[]")
    return not stripped or bool(PLACEHOLDERS.fullmatch(stripped) or PATH.match(stripped))
