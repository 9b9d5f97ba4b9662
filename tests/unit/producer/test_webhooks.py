"""Secrets of webhooks."""

from __future__ import annotations

import base64

import pytest

from producer.errors import WebhookError
from producer.webhooks import read_secret


@pytest.mark.parametrize("secret", ["whsec_c2hvcnQgc2VjcmV0", "whsec_"])
def test_a_secret_that_is_long_only_by_its_prefix_is_refused(secret: str) -> None:
    with pytest.raises(WebhookError, match="give 16 or more"):
        read_secret(secret)


def test_a_key_is_what_stands_in_base64() -> None:
    key = b"a key of sixteen"
    assert read_secret(f"whsec_{base64.b64encode(key).decode()}") == key
