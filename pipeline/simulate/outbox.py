"""The event store as the publisher sees it, and the registry, on the models.

Enters: a connection to the simulated hub. Leaves: what `pipeline.publish.outbox` gives, with the
same errors.
"""

# ruff: noqa: D102 - as the outbox on PostgreSQL
from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from pipeline.errors import Fatal, Retriable
from pipeline.publish.batch import StoredEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.simulate.database import Connection
    from pipeline.simulate.kernel import Kernel

REGISTRY = "registry"


class MemoryOutbox:
    """One module's rows of the hub."""

    def __init__(self, connect: Callable[[], Connection], module: str) -> None:
        with _HUB_ERRORS:
            self._connection = connect()
        self._module = module

    def close(self) -> None:
        self._connection.close()

    def read_mark(self) -> int:
        with _HUB_ERRORS:
            self._connection.call("read mark")
            return int(self._connection.get("relay", self._module) or 0)

    def read_last_number(self) -> int:
        with _HUB_ERRORS:
            self._connection.call("read last number")
            marks = self._connection.get("module", self._module)
            return 0 if marks is None else int(marks.next_number) - 1

    def read_after(
        self, mark: int, *, last: int, rows_max: int, bytes_max: int
    ) -> list[StoredEvent]:
        del bytes_max
        with _HUB_ERRORS:
            self._connection.call("read events")
            events = self._connection.rows("event")
            numbers = range(mark + 1, min(last, mark + rows_max) + 1)
            return [
                StoredEvent(number, events[self._module, number])
                for number in numbers
                if (self._module, number) in events
            ]

    def read_numbers(self, numbers: Sequence[int]) -> list[StoredEvent]:
        with _HUB_ERRORS:
            events = self._connection.rows("event")
            return [StoredEvent(number, events[self._module, number]) for number in sorted(numbers)]

    def read_schema(self, fingerprint: str) -> tuple[str, str]:
        with _HUB_ERRORS:
            self._connection.call("read schema")
            schema: tuple[str, str] | None = self._connection.get("schema", fingerprint)
        if schema is None:
            raise Fatal(f"hub.schema has no fingerprint {fingerprint}: restore the hub")
        return schema

    def move_mark(self, before: int, after: int) -> bool:
        with _HUB_ERRORS, self._connection.transaction():
            self._connection.lock("relay", self._module)
            if (self._connection.get("relay", self._module) or 0) != before:
                return False
            self._connection.put("relay", self._module, after)
            return True


class _HubErrors:
    """Makes the database's errors the publisher's own; a class, since it polls all the time."""

    def __enter__(self) -> None:
        """Nothing begins."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, psycopg.Error):
            raise Retriable(f"the hub did not answer: {error}") from error


_HUB_ERRORS = _HubErrors()


class Registry:
    """Schemas by id; it survives every process."""

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}

    def register(self, text: str) -> int:
        """Return the id of a schema."""
        for number, known in self.texts.items():
            if known == text:
                return number
        self.texts[len(self.texts) + 1] = text
        return len(self.texts)


class RegistryClient:
    """The registry as a process reaches it."""

    def __init__(self, kernel: Kernel, registry: Registry) -> None:
        self._kernel = kernel
        self._registry = registry

    def register(self, subject: str, text: str) -> int:
        del subject
        self._call()
        return self._registry.register(text)

    def schema(self, schema_id: int) -> str:
        self._call()
        return self._registry.texts[schema_id]

    def close(self) -> None:
        """Nothing is open."""

    def _call(self) -> None:
        self._kernel.step("registry")
        thread = self._kernel.current
        if thread is not None and thread.process.cut_off.get(REGISTRY, 0.0) > self._kernel.now:
            raise Retriable("the registry did not answer")
