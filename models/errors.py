"""Errors of the data layer.

GistmillError
├── SettingsError      a setting is missing or wrong
├── UnreachableError   a server does not answer at its address
├── NewerSchemaError   the database was made by a newer version
├── UnknownIdError     no batch, job, step or weights have this id or name
├── NameInUseError     a name is taken, or the weights of that name are in use
└── FullDiskError      a file cannot be written, because its disk is full or fails
"""

from __future__ import annotations


class GistmillError(Exception):
    """Root of every error that Gistmill raises on purpose; its message is one sentence for the user."""

    # 1: failure at run time; 2: wrong usage.
    exit_code = 1


class SettingsError(GistmillError):
    """A setting is missing or has an invalid value."""

    exit_code = 2


class UnreachableError(GistmillError):
    """A server does not answer; the message names it, its address and what to run."""


class NewerSchemaError(GistmillError):
    """The database has a schema that only a newer version knows."""


class UnknownIdError(GistmillError):
    """Nothing has this id or name; the message lists the nearest ones."""

    exit_code = 2


class NameInUseError(GistmillError):
    """A name is taken, or the weights of that name are in use; the message names the users."""


class FullDiskError(GistmillError):
    """A file cannot be written, because its disk is full or fails; the message names the path."""
