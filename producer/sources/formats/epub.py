"""Reader of EPUB books, versions 2 and 3: the chapters of the spine in reading order, as Markdown."""

from __future__ import annotations

import html
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from producer.errors import UnreadableError
from producer.sources.decoding import decode_text, find_declared_charset
from producer.sources.formats.archive import open_archive, parse_xml, read_fields, resolve_name
from producer.sources.html import normalize_html
from producer.sources.limits import ReadLimits
from producer.sources.source import Content
from producer.sources.text import clean_label, find_title
from producer.sources.titles import is_placeholder
from producer.sources.xhtml import rewrite_xhtml

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"
PACKAGE_TYPE = "application/oebps-package+xml"
# Media types of spine items that hold no text of their own.
TOC_TYPES = frozenset({"application/x-dtbncx+xml"})
# Media types that are no pages; pictures among them may be the pages of a book and are passed over.
NO_PAGE = re.compile(r"(audio|video|font)/|application/(pdf|.*font|octet-stream|postscript)|text/css", re.I)
AMPERSAND = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[\da-fA-F]+);)")
LINK = re.compile(r"<a\b[^>]*\bhref\s*=[^>]*>(.{0,2000}?)</a\s*>", re.I | re.S)
HEAD = re.compile(r"<(head|h[1-6])\b.*?</\1\s*>", re.I | re.S)
TAG = re.compile(r"<[^<>]*>")
# A chapter is a table of contents if so many links make up so much of its letters.
MIN_TOC_LINKS = 3
TOC_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a package's manifest: reference, media type, id of the entry that stands in for it, properties."""

    href: str
    media_type: str
    fallback: str | None
    properties: frozenset[str]


def read_epub(data: bytes, limits: ReadLimits) -> Content:
    """Return an EPUB file as Markdown, chapters in reading order.

    Raises:
        UnreadableError: it is corrupted or protected, or its chapters hold no text.
        LimitError: its unpacked size is too large.
    """
    with open_archive(data, limits) as archive:
        name = _find_package(archive)
        package = parse_xml(_escape_ampersands(archive.read(name)))
        metadata = read_fields(package)
        missing: list[str] = []
        chapters = list(_read_chapters(archive, name, package, missing))
    text = "\n\n".join(filter(None, chapters))
    if not any(map(str.isalnum, text)):
        raise UnreadableError("holds no text in its chapters (pages of pictures?); give a copy with text")
    title = metadata.pop("title", "")
    notes = (f"lacks or hides a part of its text: {', '.join(missing[:5])} could not be read",) if missing else ()
    return Content(text, "markdown", find_title(text) if is_placeholder(title) else title, metadata, notes)


def _find_package(archive: zipfile.ZipFile) -> str:
    """Return the name of the package file, by the container, else by its suffix."""
    if CONTAINER in archive.NameToInfo:
        roots = parse_xml(archive.read(CONTAINER)).iterfind(".//{*}rootfile")
        found = sorted(
            (root.get("media-type") != PACKAGE_TYPE, name)
            for root in roots
            if (name := resolve_name(archive, "", root.get("full-path") or ""))
        )
        if found:
            return found[0][1]
    packages = [name for name in archive.namelist() if name.lower().endswith(".opf")]
    if not packages:
        raise UnreadableError(f"lacks {CONTAINER}, so it is damaged or another kind of file; save it again")
    return min(packages, key=len)


def _escape_ampersands(package: bytes) -> bytes:
    """Return a package with what XML does not allow in a title escaped: Fish & Chips, caf&eacute;."""
    return package if b"\0" in package else AMPERSAND.sub(b"&amp;", package)


def _read_chapters(archive: zipfile.ZipFile, package_name: str, package: Element, missing: list[str]) -> Iterator[str]:
    """Yield the text of every chapter; add the names of those that cannot be read to ``missing``."""
    items = {
        item.get("id"): Item(
            item.get("href") or "",
            item.get("media-type") or "",
            item.get("fallback"),
            frozenset((item.get("properties") or "").split()),
        )
        for item in package.iterfind(".//{*}manifest/{*}item")
    }
    contents = {
        resolve_name(archive, package_name, reference.get("href") or "")
        for reference in package.iterfind(".//{*}guide/{*}reference")
        if (reference.get("type") or "").lower() == "toc"
    }
    encrypted = _find_encrypted(archive)
    # A file may be listed twice, also for two of its places.
    seen = contents
    for reference in package.iterfind(".//{*}spine/{*}itemref"):
        item = _find_readable(items, reference.get("idref"))
        name = resolve_name(archive, package_name, item.href) if item else None
        if item is None or name is None:
            missing.append(clean_label(item.href if item else str(reference.get("idref")), max_chars=80))
        elif name in encrypted:
            raise UnreadableError("is protected against copying (DRM); give a copy without protection")
        elif name not in seen and not _is_left_out(item):
            yield _read_chapter(archive.read(name))
        seen.add(name)


def _find_readable(items: dict[str | None, Item], identifier: str | None) -> Item | None:
    """Return an item, or the one that stands in for it if it is no page; None if there is none."""
    for _ in items:
        item = items.get(identifier)
        if item is None or not NO_PAGE.match(item.media_type):
            return item
        identifier = item.fallback
    return None


def _is_left_out(item: Item) -> bool:
    """Return True for tables of contents and pictures."""
    return "nav" in item.properties or item.media_type in TOC_TYPES or item.media_type.startswith("image/")


def _find_encrypted(archive: zipfile.ZipFile) -> set[str | None]:
    """Return the members that are encrypted; obfuscated fonts are among them."""
    if ENCRYPTION not in archive.NameToInfo:
        return set()
    references = parse_xml(archive.read(ENCRYPTION)).iterfind(".//{*}CipherReference")
    return {resolve_name(archive, "", reference.get("URI") or "") for reference in references} - {None}


def _read_chapter(data: bytes) -> str:
    if not data.strip():
        return ""
    markup = rewrite_xhtml(decode_text(data, declared=find_declared_charset(data)))
    return "" if _is_table_of_contents(markup) else normalize_html(markup).text


def _is_table_of_contents(markup: str) -> bool:
    """Return True for a chapter that consists of links, as books of version 2 have."""
    links = [_count_letters(match[1]) for match in LINK.finditer(markup)]
    return len(links) >= MIN_TOC_LINKS and sum(links) >= TOC_SHARE * _count_letters(HEAD.sub("", markup))


def _count_letters(markup: str) -> int:
    return sum(map(str.isalnum, html.unescape(TAG.sub("", markup))))
