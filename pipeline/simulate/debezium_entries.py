"""The write-ahead log as one connector sees it: each entry's changes, and the records of them.

Enters: the legacy model's log and the tables that the connector is sent. Leaves: units and records;
those of the entry that was asked for last are kept, as they are polled piece by piece.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pipeline.simulate.debezium_offset import Offset
from pipeline.simulate.debezium_records import LogRecord, RecordWriter
from pipeline.simulate.debezium_restart import Resumption
from pipeline.simulate.debezium_transaction import Unit, list_units, write_transaction
from pipeline.simulate.legacy import LegacyDatabase
from pipeline.simulate.legacy_wal import WalMessage


class WalEntries:
    """The entries that one run of a connector reads; `shown` are the tables it is sent."""

    def __init__(
        self,
        database: LegacyDatabase,
        shown: Collection[str],
        writer: RecordWriter,
        resumption: Resumption,
    ) -> None:
        self._database = database
        self._shown = frozenset(shown)
        self._writer = writer
        self._resumption = resumption
        self._unfolded: tuple[int, list[Unit], list[LogRecord]] | None = None

    def list_units(self, index: int) -> list[Unit]:
        """List an entry's changes; a message has none."""
        entry = self._database.wal[index]
        return [] if isinstance(entry, WalMessage) else list_units(entry, self._shown)

    def unfold(self, offset: Offset) -> tuple[list[Unit], list[LogRecord]]:
        """Write all records of the entry that an offset is at, in the order of its plan."""
        index = offset.entry
        if self._unfolded is not None and self._unfolded[0] == index:
            return self._unfolded[1:]
        entry = self._database.wal[index]
        units: list[Unit] = []
        items: list[LogRecord] = []
        if isinstance(entry, WalMessage):
            items = self._resumption.write_message(self._writer, entry, offset)
        else:
            units = list_units(entry, self._shown)
            if units:
                self._resumption.lsn = None
                if offset.plan is not None:
                    units = [units[one] for one in offset.plan]
                items = write_transaction(self._writer, entry, units, offset.link)
        self._unfolded = (index, units, items)
        return units, items

    def is_seeking(self, entry: int) -> bool:
        """Whether the connector waits, behind an END, for the next transaction that it shows."""
        return self._resumption.is_seeking(self._list_firsts(entry))

    def _list_firsts(self, entry: int) -> Iterator[int | None]:
        """Give the position of the first change of this entry and of all behind it."""
        for index in range(entry, len(self._database.wal)):
            yield next((unit.change.lsn for unit in self.list_units(index)), None)
