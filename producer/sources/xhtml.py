"""Rewriting of XHTML as HTML, whose parsers know neither prefixes of namespaces nor elements that close themselves."""

from __future__ import annotations

import re

NAMESPACE_PREFIX = re.compile(r"""xmlns:([\w.-]+)\s*=\s*["']http://www\.w3\.org/1999/xhtml["']""")
SELF_CLOSING = re.compile(r"<([a-zA-Z][\w-]*)((?:\s[^<>]*)?)/>")
CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.S)
# Elements of HTML that have no content and no end tag.
VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)


def is_xhtml(markup: str) -> bool:
    """Return True for markup that begins as XML."""
    return markup.lstrip("\ufeff \t\r\n").startswith("<?xml")


def rewrite_xhtml(markup: str) -> str:
    """Return XHTML as HTML with the same text."""
    for prefix in set(NAMESPACE_PREFIX.findall(markup)):
        markup = re.sub(rf"<(/?){re.escape(prefix)}:(?=[a-zA-Z])", r"<\1", markup)
    markup = CDATA.sub(lambda match: match[1].replace("&", "&amp;").replace("<", "&lt;"), markup)
    return SELF_CLOSING.sub(_expand, markup)


def _expand(match: re.Match[str]) -> str:
    name, attributes = match[1], match[2]
    return match[0] if name.lower() in VOID else f"<{name}{attributes}></{name}>"
