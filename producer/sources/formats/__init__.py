"""Readers of document formats that need a parser; all of them run in the sandbox's child process."""
