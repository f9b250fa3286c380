"""The error that an operation ends with. Its text says what was attempted, why it could not be, and what to do."""

from __future__ import annotations


class OperationError(Exception):
    """An operation cannot begin, or cannot go on."""
