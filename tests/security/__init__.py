"""Attacks: one test or more for each threat of docs/security.md."""
