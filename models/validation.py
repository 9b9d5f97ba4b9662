"""First error of a validation in words: pydantic's own ones, and FastAPI's of requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

# In front of the words that a validator of ours raises.
VALIDATOR_PREFIX = "Value error, "


class FailedValidation(Protocol):
    """Error of pydantic or of FastAPI."""

    def errors(self) -> Sequence[Any]:
        """Return its errors, of which there is at least one."""


def describe_first_error(error: FailedValidation, *, within: Sequence[str] = ()) -> tuple[str, str]:
    """Return the place of the first error, such as ``body.options.style``, and what is wrong with that.

    Args:
        error: of pydantic or of FastAPI.
        within: names in front of the place.
    """
    first = error.errors()[0]
    return ".".join(map(str, (*within, *first["loc"]))), first["msg"].removeprefix(VALIDATOR_PREFIX)
