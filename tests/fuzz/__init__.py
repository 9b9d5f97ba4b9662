"""Damaged and hostile documents by the thousand: ``python -m tests.fuzz.readers``."""
