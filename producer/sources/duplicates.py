"""Remembers what was read, so that the same document is not submitted twice."""

from __future__ import annotations

from hashlib import blake2b

# 16 bytes make an accidental collision among a billion documents less likely than a disk error.
DIGEST_BYTES = 16


class Seen:
    """The documents so far: a digest each, so that a million of them take some 200 MB at most."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}

    def find_first(self, key: str, text: str, *, name: str) -> str | None:
        """Return the name of an earlier document with this key and text; without one, remember this one."""
        digest = blake2b(f"{len(key)}:{key}".encode(), digest_size=DIGEST_BYTES)
        digest.update(text.encode())
        first_name = self._names.get(digest.digest())
        if first_name is None:
            self._names[digest.digest()] = name
        return first_name
