"""Conflicting options: refused by name, so that no option is silently without effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.errors import SettingsError

# Parameters that only sampling has.
SAMPLING = ("temperature", "top_k", "top_p")
# Options about the words of a summary, without effect where every word is quoted.
WORDING = ("prompt", "examples", "language")
ADVICE = "leave one of the two out"


def settle_sampling(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options in which a temperature of 0 is greedy decoding, as elsewhere.

    Args:
        given: options that were given, by name; ``greedy`` is the opposite of ``do_sample``.

    Raises:
        SettingsError: two of them conflict.
    """
    values = dict(given)
    if "greedy" in values:
        is_greedy = bool(values.pop("greedy"))
        if values.setdefault("do_sample", not is_greedy) == is_greedy:
            raise SettingsError(f"--greedy and --do-sample contradict each other; {ADVICE}")
    if _is_zero(values.get("temperature")):
        if values.get("do_sample"):
            raise SettingsError("--temperature 0 is greedy decoding, and --do-sample samples; leave one out")
        del values["temperature"]
        values["do_sample"] = False
    for name in SAMPLING:
        if values.get("do_sample") is False and name in values:
            raise SettingsError(f"greedy decoding takes the likeliest token, so {_write(name)} has no effect; {ADVICE}")
    return values


def refuse_conflicts(values: Mapping[str, Any]) -> None:
    """Refuse options of which one has no effect beside another.

    Args:
        values: options that were given, by name.

    Raises:
        SettingsError: there are such.
    """
    strategy = values.get("strategy")
    if values.get("gate") is not None and values.get("check") is False:
        raise SettingsError(f"--gate needs the check that --no-check turns off; {ADVICE}")
    if "candidates" in values and values.get("grounding") == "off":
        raise SettingsError(f"--candidates are tries of sentences that --grounding off does not look at; {ADVICE}")
    if "stuff_tokens" in values and strategy not in (None, "auto"):
        raise SettingsError(f"--stuff-tokens is for --strategy auto, not for {strategy}; {ADVICE}")
    if strategy == "extract":
        for name in WORDING:
            if name in values:
                raise SettingsError(
                    f"--strategy extract quotes the document, so {_write(name)} has no effect; {ADVICE}"
                )


def _is_zero(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == 0


def _write(name: str) -> str:
    return f"--{name.replace('_', '-')}"
