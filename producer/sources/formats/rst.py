"""Reader of reStructuredText by docutils, with the directives and roles of Sphinx and others read as their text."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.core import publish_string
from docutils.parsers.rst import Directive, directives, roles
from docutils.parsers.rst.languages import en
from docutils.statemachine import StringList
from docutils.utils import new_document

from producer.sources.html import normalize_html
from producer.sources.source import Content
from producer.sources.text import find_title
from producer.wording import count

DIRECTIVE = re.compile(r"^[ \t]*\.\. +(?:\|[^|\n]+\| +)?([\w:+.-]+)::", re.M)
ROLE = re.compile(r"(?<![\w:]):([A-Za-z][\w:+.-]*):(?=`)|`:([A-Za-z][\w:+.-]*):")
INCLUDED = re.compile(r"^[ \t]*\.\. +(?:include|literalinclude)::|^[ \t]+:file:", re.M)
# Role of a reference with a text of its own: "the text <target>".
TITLED = re.compile(r"^(.*?)\s*<[^<>]+>$", re.S)
# Directives without a text for readers.
SILENT = frozenset({
    "toctree", "index", "highlight", "currentmodule", "module", "default-domain", "tabularcolumns", "autosummary",
    "graphviz", "literalinclude", "only-image", "meta", "py:currentmodule", "py:module", "c:namespace",
})  # fmt: skip
# Directives whose content is verbatim.
VERBATIM = frozenset(
    {"code", "code-block", "sourcecode", "ipython", "doctest", "testcode", "testoutput", "prompt", "plot"}
)
# Directives whose argument is a condition.
CONDITIONAL = frozenset({"only", "ifconfig"})
# Fields for the whole file, which stand before its title.
FILE_FIELDS = re.compile(r"\A(?:[ \t]*\n|:[\w -]+:[^\n]*\n)+")
# Title that docutils gives a text without one.
NO_TITLE = "<string>"
# Neither files nor raw markup are taken in, and problems of the markup are not written into the text.
SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,
    "report_level": 5,
    "halt_level": 6,
    "input_encoding": "unicode",
    "output_encoding": "unicode",
    "embed_stylesheet": False,
    "stylesheet_path": "",
    "stylesheet": "",
    "syntax_highlight": "none",
    "smart_quotes": False,
    "toc_backlinks": False,
    "doctitle_xform": True,
    "warning_stream": False,
    "line_length_limit": 10_000_000,
}


class AnyOptions(dict[str, Any]):
    """Options of a directive: besides those that docutils knows, every other is allowed, and passed over."""

    def __missing__(self, _name: str) -> Any:
        return directives.unchanged


class PassedDirective(Directive):
    """A directive that docutils does not know: its argument and its content are read as text."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec = AnyOptions(name=directives.unchanged)

    def run(self) -> list[Any]:
        """Return the content as paragraphs."""
        if self.name in SILENT:
            return []
        if self.name in VERBATIM:
            return [nodes.literal_block("\n".join(self.content), "\n".join(self.content))]
        element = nodes.container()
        if self.arguments and self.name not in CONDITIONAL:
            lines = StringList([self.arguments[0]], source="")
            self.state.nested_parse(lines, self.content_offset, element)
        self.state.nested_parse(self.content, self.content_offset, element)
        return [element]


def read_rst(text: str) -> Content:
    """Return reStructuredText as Markdown; files that it includes are named in a note by their number."""
    for name in {match.lower() for match in DIRECTIVE.findall(text)}:
        directives.register_directive(name, _find_directive(name))
    for name in {(first or second).lower() for first, second in ROLE.findall(text)} - set(en.roles):
        roles.register_local_role(name, _read_role)
    page = publish_string(FILE_FIELDS.sub("", text), writer="html5", settings_overrides=SETTINGS)
    content = normalize_html(str(page))
    included = len(INCLUDED.findall(text))
    notes = (
        (f"includes {count(included, 'other file')}, which {'is' if included == 1 else 'are'} left out",)
        if included
        else ()
    )
    title = "" if content.title == NO_TITLE else content.title
    return Content(content.text, content.format, title or find_title(content.text), notes=notes)


def _find_directive(name: str) -> Any:
    """Return a directive that no option of Sphinx can break, so that its text is not lost."""
    if name not in en.directives or name in VERBATIM:
        return PassedDirective
    known: Any = directives.directive(name, en, new_document(""))[0]
    options = getattr(known, "option_spec", None)
    # A directive of an earlier text has them already.
    if not options or isinstance(options, AnyOptions):
        return known
    return type(known.__name__, (known,), {"option_spec": AnyOptions(options)})


def _read_role(
    _name: str, _rawtext: str, text: str, _lineno: int, _inliner: Any, _options: Any = None, _content: Any = None
) -> tuple[list[Any], list[Any]]:
    """Return the text of a role that docutils does not know: its title, else the target's name."""
    titled = TITLED.match(text)
    shown = titled[1] if titled and titled[1] else text.lstrip("!~").rpartition(".")[2] if text[:1] == "~" else text
    return [nodes.inline(text, shown.lstrip("!"))], []
