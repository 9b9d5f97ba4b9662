"""Strategies, styles, splitters and the states of a job.

This module imports only the standard library, so that ``--help`` stays fast.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, get_args

Strategy = Literal["auto", "stuff", "map-reduce", "refine", "extract"]
Style = Literal["auto", "technical", "eli5", "news", "few-shot", "custom"]
Splitter = Literal["auto", "headers", "character", "recursive", "tokens"]
# What happens to a generated sentence that its document does not bear out.
Grounding = Literal["strict", "flag", "off"]

STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
STYLES: tuple[Style, ...] = get_args(Style)
SPLITTERS: tuple[Splitter, ...] = get_args(Splitter)
GROUNDINGS: tuple[Grounding, ...] = get_args(Grounding)


class JobState(StrEnum):
    """State of a job; the last four are final."""

    QUEUED = "queued"  # not planned yet
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"  # has a summary; ``reason`` names what is missing from it
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_STATES = (JobState.QUEUED, JobState.RUNNING)
SUMMARIZED_STATES = (JobState.SUCCEEDED, JobState.PARTIAL)
FINAL_STATES = (JobState.SUCCEEDED, JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED)
# In the order of display.
SHOWN_STATES = (*FINAL_STATES, JobState.RUNNING, JobState.QUEUED)
