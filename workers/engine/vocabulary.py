"""Tokenizer and chat template of a weights folder, read without transformers.

A worker whose engine is a server encodes prompts itself and needs nothing else of the weights, so it imports neither
torch nor transformers. Templates run in the sandbox of jinja2, because weights come from anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from jinja2.exceptions import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from workers.weights.errors import WeightsCorruptError

# Names of a template's variables for special tokens, as in tokenizer_config.json.
SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokenizer with the attributes that ``PromptTokenizer`` uses.

    Args:
        backend_tokenizer: the tokenizer itself.
        bos_token_id: begins every prompt; None for no such token.
        chat_template: jinja2 source; None for weights without one.
        special_tokens: text of the special tokens by their name in templates.
    """

    backend_tokenizer: Tokenizer
    bos_token_id: int | None
    chat_template: str | None = None
    special_tokens: Mapping[str, str] = field(default_factory=dict)
    is_fast = True

    def apply_chat_template(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        tokenize: bool = False,
        add_generation_prompt: bool = True,
        **options: object,
    ) -> str:
        """Return the text of a conversation.

        Args:
            messages: roles and contents.
            tokenize: False, because only the text is made here.
            add_generation_prompt: begin an answer.
            options: further variables of the template.

        Raises:
            TemplateError: the template refuses the messages.
        """
        template = build_environment().from_string(self.chat_template or "")
        values = {"messages": messages, "tools": None, "documents": None, **self.special_tokens, **options}
        return template.render(values, add_generation_prompt=add_generation_prompt)


def build_environment() -> ImmutableSandboxedEnvironment:
    """Return an environment with the functions that chat templates may use, as transformers defines them."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = lambda pattern: datetime.now().strftime(pattern)
    return environment


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def read_tokenizer_files(folder: Path) -> Vocabulary:
    """Return the tokenizer and chat template of a folder.

    Raises:
        WeightsCorruptError: a file is missing or broken.
    """
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    # The library raises no narrower type.
    except Exception as error:
        raise WeightsCorruptError(f"{path} cannot be read ({error}); download or save the weights again") from error
    path = folder / "tokenizer_config.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        tokens = {name: _read_token(settings[name]) for name in SPECIAL_TOKENS if settings.get(name) is not None}
        template = _read_template(folder, settings)
    except (OSError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise WeightsCorruptError(f"{path} cannot be read ({error!r}); download or save it again") from error
    bos = tokens.get("bos_token")
    return Vocabulary(tokenizer, None if bos is None else tokenizer.token_to_id(bos), template, tokens)


def _read_token(value: Any) -> str:
    return value if isinstance(value, str) else str(value["content"])


def _read_template(folder: Path, settings: Mapping[str, Any]) -> str | None:
    """Return the template: a file of its own takes precedence; of several named ones, the default."""
    if (file := folder / "chat_template.jinja").is_file():
        return file.read_text(encoding="utf-8")
    if (file := folder / "chat_template.json").is_file():
        return str(json.loads(file.read_text(encoding="utf-8"))["chat_template"])
    template = settings.get("chat_template")
    if isinstance(template, list):
        template = {row["name"]: row["template"] for row in template}["default"]
    return template
