"""Looks up the names in the table of a ``compat`` module: those of a library that it does not document."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from functools import reduce
from importlib.metadata import version
from types import ModuleType

MODULE = re.compile(r"^[a-z_][\w.]*$")
NAME = re.compile(r"^ {4}([\w.]+) {2}\S")


def list_names(compat: ModuleType) -> list[tuple[str, str]]:
    """Return each module of the table with each of its names."""
    return list(_read_table(compat.__doc__ or ""))


def _read_table(text: str) -> Iterator[tuple[str, str]]:
    module = ""
    for line in text.splitlines():
        if MODULE.match(line):
            module = line
        elif found := NAME.match(line):
            yield module, found[1]


def check_name(compat: ModuleType, library: str, module: str, name: str) -> None:
    """Fail if a library lacks a name, with what to do about it."""
    missing = f"{library} {version(library)} lacks {module}.{name}: adapt {compat.__name__}, whose table has its use"
    try:
        *outer, last = name.split(".")
        owner = reduce(getattr, outer, importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        raise AssertionError(missing) from error
    assert hasattr(owner, last) or _sets_attribute(owner, last), missing


def _sets_attribute(owner: object, name: str) -> bool:
    """Return whether a class, or one that it derives from, gives its instances an attribute of this name.

    It may be set by name, as supervisor's configuration of a program is.
    """
    setting = re.compile(rf"self\.{name}\b[^=\n]*= |['\"]{name}['\"]")
    classes = [each for each in getattr(owner, "__mro__", ()) if each is not object]
    return any(
        name in getattr(each, "__annotations__", {}) or setting.search(inspect.getsource(each)) for each in classes
    )
