"""Errors of registering and operating connectors; see legacy_db.errors for the families."""

from __future__ import annotations

from legacy_db.errors import Configuration, Fatal, IsthmusError, Poison, Retriable, Unreachable

__all__ = ["Configuration", "Fatal", "IsthmusError", "Poison", "Retriable", "Unreachable"]
