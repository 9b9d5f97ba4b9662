"""Tests of the words of a validation's first error."""

from __future__ import annotations

import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError, field_validator

from models.validation import describe_first_error


class Box(BaseModel):
    """A value with a validator of ours."""

    size: int

    @field_validator("size")
    @classmethod
    def check_size(cls, size: int) -> int:
        if size < 0:
            raise ValueError("give a size of 0 or more")
        return size


class Pile(BaseModel):
    """A value with parts."""

    parts: list[Box]


def test_the_place_and_the_words_of_the_first_error_are_told() -> None:
    with pytest.raises(ValidationError) as failed:
        Pile.model_validate({"parts": [{"size": 1}, {"size": -1}, {}]})

    assert describe_first_error(failed.value) == ("parts.1.size", "give a size of 0 or more")
    assert describe_first_error(failed.value, within=["request"])[0] == "request.parts.1.size"


def test_an_error_of_a_request_is_described_alike() -> None:
    error = RequestValidationError([{"loc": ("body", "name"), "msg": "Value error, give a name"}])

    assert describe_first_error(error) == ("body.name", "give a name")
