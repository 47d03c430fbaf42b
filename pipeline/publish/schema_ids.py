"""Which registry id stands for a schema of the event store.

Enters: fingerprints of stored events. Leaves: registry ids; a schema that the registry does not
know (a new or a lost registry) is registered from the hub's own text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from pipeline.errors import IsthmusError, Retriable, Unreachable

REFRESH_SECONDS = 60.0
"""How old an id may be before the registry is asked again: it may be another one by now."""

ReadSchema = Callable[[str], tuple[str, str]]
"""Gives (registry subject, schema text) of a fingerprint."""


class SchemaRegistry(Protocol):
    """What is asked of a registry."""

    def register(self, subject: str, text: str) -> int:
        """Register a schema, if it is not yet, and return its id."""

    def close(self) -> None:
        """Close the connections."""


class SchemaIds:
    """Registry ids by fingerprint, kept for REFRESH_SECONDS; `clock` gives seconds."""

    def __init__(self, registry: SchemaRegistry, clock: Callable[[], float]) -> None:
        self._registry = registry
        self._clock = clock
        self._ids: dict[str, int] = {}
        self._asked_at: dict[str, float] = {}

    def resolve(self, fingerprints: Iterable[str], read_schema: ReadSchema) -> dict[str, int]:
        """Return the ids of these schemas; Retriable while the registry does not answer."""
        for fingerprint in fingerprints:
            if self._clock() - self._asked_at.get(fingerprint, float("-inf")) > REFRESH_SECONDS:
                self._ask(fingerprint, read_schema)
        return self._ids

    def close(self) -> None:
        """Close the registry's connections."""
        self._registry.close()

    def _ask(self, fingerprint: str, read_schema: ReadSchema) -> None:
        try:
            subject, text = read_schema(fingerprint)
            self._ids[fingerprint] = self._registry.register(subject, text)
        except (Retriable, Unreachable) as error:
            if fingerprint not in self._ids:
                raise _as_retriable(error) from error
            # an id that was right a minute ago is better than to stand still
        self._asked_at[fingerprint] = self._clock()


def _as_retriable(error: IsthmusError) -> Retriable:
    return error if isinstance(error, Retriable) else Retriable(str(error))
