"""Front matter of Markdown files: YAML between ``---``, TOML between ``+++``, or a JSON object, as metadata.

A text may begin with a rule, too, so the block must look like metadata: a key that generators of sites know, or several
keys. A text between two rules stays text.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeGuard

# A longer block is a text.
MAX_CHARACTERS = 65_536

# Values of nested metadata that are kept, counted with the lists that hold them, and levels of nesting.
MAX_VALUES = 200
MAX_DEPTH = 4

_YAML = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_TOML = re.compile(r"\A\+\+\+[ \t]*\n(.*?)^\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FLAT_LINE = re.compile(r"([\w-]+):(?:[ \t]+(.*))?")
_KEY = re.compile(r"[\w.-]+")
# Keys of Jekyll, Hugo, Pandoc, Obsidian, Docusaurus and MkDocs.
_KNOWN_KEYS = frozenset(
    [
        "title",
        "subtitle",
        "author",
        "authors",
        "date",
        "created",
        "updated",
        "modified",
        "lastmod",
        "tags",
        "tag",
        "categories",
        "category",
        "keywords",
        "aliases",
        "alias",
        "description",
        "summary",
        "abstract",
        "draft",
        "published",
        "layout",
        "slug",
        "permalink",
        "url",
        "weight",
        "lang",
        "language",
        "id",
        "type",
        "status",
    ]
)


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """Metadata of a text, as one line by key, and the text behind them."""

    values: dict[str, str]
    text: str


def split_front_matter(text: str) -> FrontMatter:
    """Return the metadata at the beginning of a text, keys in lower case, and the rest of the text."""
    found = _read_block(text)
    if found is None:
        return FrontMatter({}, text)
    values, end = found
    if not _is_metadata(values):
        return FrontMatter({}, text)
    flat = {str(key).lower(): _flatten(value) for key, value in islice(values.items(), MAX_VALUES)}
    return FrontMatter({key: value for key, value in flat.items() if value}, text[end:].lstrip("\n"))


def _read_block(text: str) -> tuple[object, int] | None:
    """Return the block's values and its end; None without a block."""
    head = text[:MAX_CHARACTERS]
    if match := _YAML.match(head):
        return _read_yaml(match[1]), match.end()
    if match := _TOML.match(head):
        try:
            return tomllib.loads(match[1]), match.end()
        except (tomllib.TOMLDecodeError, RecursionError):
            return None
    if head.startswith("{") and "\n" in head:
        try:
            values, end = json.JSONDecoder().raw_decode(head)
        except (ValueError, RecursionError):
            return None
        return (values, end) if head.startswith("\n", end) else None
    return None


def _read_yaml(block: str) -> object:
    """Return the values of a YAML block, scalars as written; those of its flat lines if it is no YAML."""
    import yaml

    try:
        # A loader that makes nothing but texts, lists and mappings.
        return yaml.load(block, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506  # nosec B506
    except (yaml.YAMLError, RecursionError, ValueError):
        lines = [line for line in block.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        matches = [match for line in lines if (match := _FLAT_LINE.fullmatch(line.rstrip()))]
        return {match[1]: (match[2] or "").strip("\"' ") for match in matches} if len(matches) == len(lines) else None


def _is_metadata(values: object) -> TypeGuard[dict[str, object]]:
    if not isinstance(values, dict) or not all(isinstance(key, str) and _KEY.fullmatch(key) for key in values):
        return False
    return len(values) > 1 or any(key.lower() in _KNOWN_KEYS for key in values)


def _flatten(value: object) -> str:
    leaves = (leaf for leaf in islice(_iterate_leaves(value, MAX_DEPTH), MAX_VALUES) if leaf)
    return ", ".join(leaves)


def _iterate_leaves(value: object, depth: int) -> Iterator[str]:
    """Yield the scalars of nested values, and an empty text for each list: aliases cannot make endless ones."""
    yield "" if isinstance(value, list | dict) else _format_scalar(value)
    if isinstance(value, list) and depth:
        for item in value:
            yield from _iterate_leaves(item, depth - 1)
    if isinstance(value, dict) and depth:
        for key, item in value.items():
            leaves = islice(_iterate_leaves(item, depth - 1), MAX_VALUES)
            yield f"{key}: {', '.join(leaf for leaf in leaves if leaf)}"


def _format_scalar(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else " ".join(str(value).split())
