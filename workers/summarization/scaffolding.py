"""Scaffolding: remove text around an answer that is not part of the summary.

Removed are control tokens, the prompt's own tags and labels, a polite opening or closing line, and a fence around the
whole answer; markup that also occurs in the source stays.
"""

from __future__ import annotations

import re

from workers.generation import Prompt

# Chat markup of common weights, misspellings included.
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
# The noun of an opening line and its continuation; "a summary judgment" must not match.
_SUMMARY = (
    r"\b(?:summar(?:y|ies)|overview|synopsis|recap|bullets|highlights|takeaways|(?:bullet|key|main) (?:points|facts))"
    r"[*_]*(?=[,:(]| (?:of|in|for|from|with|based|as|to|about|using|that|which|you)\b)[^\n:]{0,120}"
)
# Nouns that also occur in contents, so they count only in a line that ends in a colon.
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
    # The line break is required: a closing line is never the whole text.
    re.compile(
        r"\n\s*(?:i hope (?:this|that|it) (?:helps|is|was|summary)|let me know (?:if|whether) (?:you|there|this|that|i)"
        r"|feel free to|is there anything else)\b[^\n]*\Z",
        re.IGNORECASE,
    ),
)
_WHOLE_FENCE = re.compile(r"\A(`{3,}|~{3,})[\w-]*\n(.*?)\n?\1\Z", re.DOTALL)

# A prompt line up to this long that ends in a colon is a label.
MAX_LABEL_CHARACTERS = 60


def remove_scaffolding(output: str, *, source: str, prompt: Prompt) -> str:
    """Return an answer without its scaffolding; possibly empty.

    Args:
        output: text returned by the engine.
        source: texts inside the prompt; their content is never taken for markup.
        prompt: prompt of the answer, whose labels the answer may repeat.
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
    """Return the lines of the last turn from outside the source: built-in wording or a user's template."""
    parts = [part.text for part in prompt.turns[-1].parts if part.text not in source]
    return [line.strip() for part in parts for line in part.splitlines() if line.strip()]


def list_labels(prompt: Prompt, source: str) -> set[str]:
    """Return the label lines of the last turn, such as ``Summary:``."""
    lines = list_instructions(prompt, source)
    return {line for line in lines if line.endswith(":") and len(line) <= MAX_LABEL_CHARACTERS}


def _cut_turn(output: str, source: str) -> str:
    """Return the first turn of the output: weights that miss its end generate the user's next turn."""
    if _TURN_END.search(source):
        return output
    return _TURN_END.split(_TURN_START.sub("", output), maxsplit=1)[0]


def _remove_foreign(pattern: re.Pattern[str], text: str, source: str) -> str:
    return pattern.sub(lambda match: match[0] if match[0] in source else "", text)


def _cut_at_label(text: str, labels: set[str]) -> str:
    """Drop labels at the beginning and everything from the next label on."""
    kept: list[str] = []
    for line in text.strip().splitlines(keepends=True):
        if line.strip() in labels:
            if kept:
                break
        elif kept or line.strip():
            kept.append(line)
    return "".join(kept)
