"""Renders the settings of ``models.settings``: a table of each group, and the commented lines of .env.example."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import types
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from models.settings import Settings

WIDTH = 120
TYPES = {bool: "`true`, `false`", str: "text", SecretStr: "text", Path: "path", int: "whole number", float: "number"}
BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
# At the end of a docstring, as in the help of the command line: what holds where None says nothing.
DEFAULT = re.compile(r"\s*\[default: (.+)\]$")
# From here on .env.example is written by hand: what only compose reads.
BY_HAND = "# --- For `docker compose` only"

RESULTS = "every command that touches the results, `worker`"
WEIGHTS = "`worker`, `up`, `plan`"
WORKER = "`worker`, `up`"
SERVE = "`serve`, `up`"


@dataclass(frozen=True, slots=True)
class Group:
    """Settings that belong together.

    Args:
        title: the heading above them.
        words: one sentence about all of them.
        readers: the commands that read each setting, by its name.
    """

    title: str
    words: str
    readers: dict[str, str]


GROUPS = (
    Group(
        "Servers",
        "`gistmill up` needs none of the addresses; everything else finds its servers by them.",
        {
            "database_url": RESULTS,
            "broker_url": "`submit`, `retry`, `evaluate`, `rescue`, `worker`, Flower",
            "home": "every command",
        },
    ),
    Group(
        "Weights",
        "Which weights the workers of this machine serve, and how.",
        {
            "weights": f"{WEIGHTS}, `finetune`",
            "revision": WEIGHTS,
            "weights_name": WORKER,
            "adapter": WEIGHTS,
            "verifier": WEIGHTS,
            "dtype": WORKER,
            "quantization": WORKER,
            "device_map": WORKER,
            "slots": WEIGHTS,
            "context_tokens": WEIGHTS,
            "kv_cache_gb": WORKER,
        },
    ),
    Group(
        "Engine",
        "What generates the text (docs/engines.md).",
        {
            "engine": WORKER,
            "engine_model": WORKER,
            "engine_key": WORKER,
            "engine_ca": WORKER,
            "vllm": WORKER,
            "vllm_options": WORKER,
        },
    ),
    Group(
        "Rescue",
        "When work counts as lost and is reclaimed (docs/operations.md). Seconds where the name says so.",
        {
            "lease_seconds": WORKER,
            "heartbeat_seconds": WORKER,
            "rescue_seconds": WORKER,
            "redispatch_seconds": f"{WORKER}, `rescue`",
            "restart_grace_seconds": f"{WORKER}, `rescue`",
            "step_deadline_seconds": WORKER,
            "drain_seconds": WORKER,
            "hang_seconds": WORKER,
            "max_errors": WORKER,
            "max_crashes": WORKER,
        },
    ),
    Group(
        "HTTP",
        "Where and for whom the server of `gistmill serve` and `gistmill up` answers (docs/http.md).",
        {
            "serve_host": SERVE,
            "serve_port": SERVE,
            "serve_token": SERVE,
            "webhook_secret": SERVE,
            "webhook_private": SERVE,
        },
    ),
    Group(
        "Deletion",
        "How long jobs are kept (docs/deletion.md).",
        {"retention_days": f"{WORKER}, `delete --expired`"},
    ),
    Group(
        "Monitoring",
        "Ports, metrics and logs (docs/monitoring.md).",
        {
            "flower_port": "`up`",
            "metrics_host": WORKER,
            "metrics_port": WORKER,
            "log_level": WORKER,
            "log_format": WORKER,
        },
    ),
)

INTRODUCTION = """\
<!-- Written by `make docs` from models/settings.py; edit that. -->

# Configuration

Every setting is an environment variable. A file `.env` in the current folder may set them too; the environment
overrides it. A variable that is set to nothing counts as not set. [.env.example](../.env.example) is a file to copy,
with the variables of `docker compose` besides. An option of the command line overrides its variable. A value that
cannot be ends a command with exit code 2 and the variable's name.

`gistmill up` on one machine needs none of them.
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as the documentation shows it.

    Args:
        variable: of the environment.
        kind: of its values, in words.
        meaning: one or two sentences.
        default: as one would write it; empty if there is none.
        rule: what holds where it is not set, in words; empty if the default says it.
        example: a value to show where no default is worth showing.
    """

    variable: str
    kind: str
    meaning: str
    default: str
    rule: str
    example: str


def read_docstrings(owner: type) -> dict[str, str]:
    """Return the docstring behind each field of a class, on one line."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(tree, ast.ClassDef)
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairwise(tree.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }


def read_settings_table() -> dict[str, Setting]:
    """Return every setting by its field's name.

    Raises:
        ValueError: a field has no docstring, or is in no group or in two.
    """
    fields, docstrings = Settings.model_fields, read_docstrings(Settings)
    grouped = [name for group in GROUPS for name in group.readers]
    if sorted(grouped) != sorted(fields):
        raise ValueError(f"add to GROUPS of {__name__}, or remove from it: {sorted(set(grouped) ^ set(fields))}")
    if missing := sorted(fields.keys() - docstrings.keys()):
        raise ValueError(f"models/settings.py: a docstring is missing behind {', '.join(missing)}")
    return {name: _describe(name, field, docstrings[name]) for name, field in fields.items()}


def _describe(name: str, field: FieldInfo, docstring: str) -> Setting:
    rule = DEFAULT.search(docstring)
    has_default = field.default_factory is None and field.default is not None
    return Setting(
        variable=f"{Settings.model_config['env_prefix']}{name.upper()}",
        kind=_describe_type(field),
        meaning=DEFAULT.sub("", docstring),
        default=_describe_default(field.default) if has_default else "",
        rule=rule[1] if rule else "",
        example=str(field.examples[0]) if field.examples else "",
    )


def _describe_default(value: object) -> str:
    """Return a default as one would write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _describe_type(field: FieldInfo) -> str:
    """Return the values that a field takes: the choices, or a type with its bounds."""
    kind: Any = field.annotation
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(part for part in get_args(kind) if part is not types.NoneType)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    bounds = [
        f"{sign} {bound:g}"
        for limit in field.metadata
        for name, sign in BOUNDS.items()
        if (bound := getattr(limit, name, None)) is not None
    ]
    return " ".join((TYPES[kind], ", ".join(bounds))).strip()


def render_settings() -> str:
    """Return docs/configuration.md."""
    settings = read_settings_table()
    parts = [INTRODUCTION]
    for group in GROUPS:
        rows = [_render_row(settings[name], readers) for name, readers in group.readers.items()]
        head = ["| variable | values | default | meaning | read by |", "|---|---|---|---|---|"]
        parts.append("\n".join((f"## {group.title}\n\n{_link(group.words)}\n", *head, *rows, "")))
    return "\n".join(parts)


def _render_row(setting: Setting, readers: str) -> str:
    default = setting.rule or (f"`{setting.default}`" if setting.default else "none")
    cells = (f"`{setting.variable}`", setting.kind, default, _link(setting.meaning), readers)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _link(text: str) -> str:
    """Turn the names of pages into links from docs/."""
    return re.sub(r"docs/(\w+\.md)", r"[\1](\1)", text)


def render_environment(present: str) -> str:
    """Return .env.example: the settings from the code, and the end of the present file, which is kept by hand."""
    settings = read_settings_table()
    lines = [
        "# Copy this file to .env and uncomment the settings that you change; each line shows its default. Passwords",
        "# have none. `gistmill up` on one machine needs nothing of it. Environment variables override this file.",
        "# `make docs` writes all but the end, which only compose reads, from models/settings.py; edit that.",
    ]
    for group in GROUPS:
        lines += ["", *_comment(f"--- {group.title}. {group.words}")]
        for name in group.readers:
            setting = settings[name]
            choices = f" One of {setting.kind}." if setting.kind.startswith("`") else ""
            rule = f" [default: {setting.rule}]" if setting.rule else ""
            lines += [
                *_comment(setting.meaning + choices + rule),
                f"# {setting.variable}={setting.example or setting.default}",
            ]
    return "\n".join((*lines, "", "")) + present[present.find(BY_HAND) :]


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH - 2, break_on_hyphens=False)]
