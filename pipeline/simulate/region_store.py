"""A region's store as a process reaches it: the store in memory, behind a line that may be cut.

Enters: batches. Leaves: what the store makes of them; Retriable when it can't be reached, also
after a commit whose answer was lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import Retriable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.replicate.batch import Ownership, StoreBatch, TopicPartition, WriteResult
    from pipeline.replicate.memory import MemoryStore
    from pipeline.simulate.kernel import Kernel


class RegionStore:
    """The connection of the process that runs now to a region's store."""

    def __init__(
        self,
        kernel: Kernel,
        name: str,
        store: MemoryStore,
        on_write: Callable[[StoreBatch], None],
    ) -> None:
        self._on_write = on_write
        self._kernel = kernel
        self._name = name
        self._store = store
        self._process = kernel.process
        self._call("connect")

    def close(self) -> None:
        """Close the connection."""

    def take_over(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, Ownership]:
        """Become the owner of partitions."""
        self._call("take over")
        taken = self._store.take_over(partitions)
        self._call("taken over")
        return taken

    def write(self, batch: StoreBatch, epochs: Mapping[TopicPartition, int]) -> WriteResult:
        """Write a batch in one transaction."""
        self._call("write")
        self._call("commit")
        result = self._store.write(batch, epochs)
        self._on_write(batch)
        self._call("committed")
        return result

    def _call(self, what: str) -> None:
        self._kernel.step(f"{self._name}.{what}")
        if self._process.cut_off.get(self._name, 0.0) > self._kernel.now:
            raise Retriable(f"the store {self._name} failed (cut off)")
