"""Checks the structure of the source: one class name for one thing, modules and functions of a readable length.

``python -m tests.structure`` prints the figures and ends with code 1 if a rule is broken; ``make lint`` runs it. A
module or function may be longer where a comment in it begins with ``# Longer than`` and says why.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
PACKAGES = ("gistmill", "migrations", "models", "producer", "workers")
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 50
REASON = "# Longer than"
# Names of the public interface, which calls things what users call them: a row of the table and the value that stands
# for it are one thing to them.
PUBLIC_NAMES = {"Batch", "Document"}
# Each package and each command has its own.
SHARED_NAMES = {"__init__.py", "__main__.py", "errors.py"}


def list_modules(root: Path = ROOT) -> list[Path]:
    """Return the modules of the source, without the frozen migrations."""
    found = (path for package in PACKAGES for path in (root / package).rglob("*.py"))
    return sorted(path for path in found if path.parent.name != "versions")


def group_names(modules: Mapping[Path, ast.Module]) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """Return where each class name and each module's base name stands."""
    classes: dict[str, list[Path]] = defaultdict(list)
    bases: dict[str, list[Path]] = defaultdict(list)
    for path, tree in modules.items():
        bases[path.name].append(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                classes[node.name].append(path)
    return classes, bases


def find_long(path: Path, tree: ast.Module) -> Iterator[str]:
    """Yield what is longer than it may be in a module and gives no reason."""
    lines = path.read_text().splitlines()
    reasons = {number for number, line in enumerate(lines, start=1) if line.strip().startswith(REASON)}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    spans = [(node.lineno, node.end_lineno or node.lineno) for node in functions]
    own = {number for number in reasons if not any(start <= number <= end for start, end in spans)}
    name = path.relative_to(ROOT)
    if len(lines) > MAX_MODULE_LINES and not own:
        yield f"{name}: {len(lines)} lines, {MAX_MODULE_LINES} at most"
    for node, (start, end) in zip(functions, spans, strict=True):
        if end - start >= MAX_FUNCTION_LINES and not any(start <= number <= end for number in reasons):
            yield f"{name}:{start}: {node.name} has {end - start + 1} lines, {MAX_FUNCTION_LINES} at most"


def find_faults(modules: Mapping[Path, ast.Module]) -> list[str]:
    """Return every broken rule in one sentence."""
    classes, _ = group_names(modules)
    twice = [
        f"class {name} stands in {', '.join(str(path.relative_to(ROOT)) for path in paths)}: one name for one thing"
        for name, paths in classes.items()
        if len(paths) > 1 and name not in PUBLIC_NAMES
    ]
    return [*twice, *(fault for path, tree in modules.items() for fault in find_long(path, tree))]


def print_figures(modules: Mapping[Path, ast.Module]) -> None:
    """Print how many modules there are, how long they are, and which base names stand twice."""
    lengths = {path: len(path.read_text().splitlines()) for path in modules if path.name != "__init__.py"}
    longest = max(lengths, key=lambda path: lengths[path])
    classes, bases = group_names(modules)
    shared = {name: paths for name, paths in bases.items() if len(paths) > 1 and name not in SHARED_NAMES}
    print(f"{len(lengths)} modules, {median(lengths.values()):.0f} lines in the median, ", end="")
    print(f"{lengths[longest]} in the longest ({longest.relative_to(ROOT)}), {sum(lengths.values()):,} in all")
    print(f"class names that stand twice: {sum(len(paths) > 1 for paths in classes.values())}")
    print(f"base names that stand twice: {len(shared)} ({', '.join(sorted(shared))})")


def main() -> int:
    """Print the figures and the faults."""
    modules = {path: ast.parse(path.read_text()) for path in list_modules()}
    print_figures(modules)
    faults = find_faults(modules)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
