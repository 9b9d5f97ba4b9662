"""Scaffolding: what weights put around an answer without its being part of it, and how it is taken off.

Only what is surely no part of a summary is removed: control tokens, our own tags and labels, a polite opening or
closing line, a fence around everything. What the source itself says is left alone.
"""

from __future__ import annotations

import re

from workers.generation import Prompt

# Chat markup of the weights in use today, and how they misspell it.
_CONTROL = re.compile(
    r"</?(?:bos|eos|pad|unk|mask|start_of_turn|end_of_turn|start_of_image|end_of_image|unused\d+|s)>"
    r"|<\|[a-z_]{2,30}\|>|\[/?INST\]|<0x[0-9A-F]{2}>"
)
_TAG = re.compile(r"</?document(?:-\d+)?>")
_TURN_START = re.compile(r"\A\s*<start_of_turn>(?:user|model|assistant)?\s*")
_TURN_END = re.compile(r"<end_of_turn>|<eos>|<start_of_turn>")
_POLITE = r"(?:sure|certainly|of course|absolutely|okay|ok|alright)\b[^\n:]{0,40}?[,.!:]\s*"
_HERE = (
    r"(?:here(?:['\u2019]s| is| are)|below (?:is|are)|the following (?:is|are)|this is (?:a|the|your)(?= summary\b))\b"
    r"[^\n:]{0,80}"
)
# What an opening line promises, and what may follow in it: not "a summary judgment".
_SUMMARY = (
    r"\b(?:summar(?:y|ies)|overview|synopsis|recap|bullets|highlights|takeaways|(?:bullet|key|main) (?:points|facts))"
    r"[*_]*(?=[,:(]| (?:of|in|for|from|with|based|as|to|about|using|that|which|you)\b)[^\n:]{0,120}"
)
# Words of contents too, if they do not end their line.
_TEXT = r"\b(?:text|document|article|version|answer|response|translation|explanation|list|points)\b[^\n:]{0,120}"
_LINE_END = r":[ \t*_]*(?:\n+|\Z)"
_EDGES = (
    # "Sure, here's a summary of the text in a technical way:"
    re.compile(
        rf"\A[>*_#\s]*(?:(?:{_POLITE})?{_HERE}{_SUMMARY}:[ \t*_]*\n*"
        rf"|{_POLITE}{_HERE}{_LINE_END}|{_HERE}{_TEXT}{_LINE_END})",
        re.IGNORECASE,
    ),
    re.compile(r"\A(?:sure|certainly|of course|absolutely|okay|alright)(?: thing)?\s*[!.,:]\s*", re.IGNORECASE),
    # "**Summary:**"
    re.compile(
        r"\A(?:#{1,6}[ \t]+)?[*_]*(?:tl;?dr|summary|answer|output)[*_]*[ \t]*(?::[*_]*|\n|\Z)\s*", re.IGNORECASE
    ),
    # A whole text is never a closing line.
    re.compile(
        r"\n\s*(?:i hope (?:this|that|it) (?:helps|is|was|summary)|let me know (?:if|whether) (?:you|there|this|that|i)"
        r"|feel free to|is there anything else)\b[^\n]*\Z",
        re.IGNORECASE,
    ),
)
_WHOLE_FENCE = re.compile(r"\A(`{3,}|~{3,})[\w-]*\n(.*?)\n?\1\Z", re.DOTALL)

# A line of ours up to this long that ends in a colon only names what follows it.
MAX_LABEL_CHARACTERS = 60


def remove_scaffolding(output: str, *, source: str, prompt: Prompt) -> str:
    """Return an answer without what surely is no part of it; possibly nothing is left.

    Args:
        output: what the engine returned.
        source: the texts that the prompt was about; what they contain is never taken for markup.
        prompt: what was asked; an answer may repeat its labels.
    """
    # Postgres stores no NUL, and weights may answer with anything.
    text = _cut_turn(output.replace("\0", ""), source)
    text = _remove_foreign(_CONTROL, text, source)
    text = _remove_foreign(_TAG, text, source)
    text = _cut_at_label(text, list_labels(prompt, source)).strip()
    for pattern in _EDGES:
        text = pattern.sub("", text).strip()
    fenced = _WHOLE_FENCE.match(text)
    return fenced[2].strip() if fenced else text


def list_instructions(prompt: Prompt, source: str) -> list[str]:
    """Return the lines of the last turn that do not come from the source: our own words, or a user's template."""
    parts = [part.text for part in prompt.turns[-1].parts if part.text not in source]
    return [line.strip() for part in parts for line in part.splitlines() if line.strip()]


def list_labels(prompt: Prompt, source: str) -> set[str]:
    """Return the lines around the source that only name what follows, such as ``Summary:``."""
    lines = list_instructions(prompt, source)
    return {line for line in lines if line.endswith(":") and len(line) <= MAX_LABEL_CHARACTERS}


def _cut_turn(output: str, source: str) -> str:
    """Return the answer's own turn: weights that miss their end go on to play the user."""
    if _TURN_END.search(source):
        return output
    return _TURN_END.split(_TURN_START.sub("", output), maxsplit=1)[0]


def _remove_foreign(pattern: re.Pattern[str], text: str, source: str) -> str:
    return pattern.sub(lambda match: match[0] if match[0] in source else "", text)


def _cut_at_label(text: str, labels: set[str]) -> str:
    """Return the lines before the first label, once those at the very beginning are gone."""
    kept: list[str] = []
    for line in text.strip().splitlines(keepends=True):
        if line.strip() in labels:
            if kept:
                break
        elif kept or line.strip():
            kept.append(line)
    return "".join(kept)
