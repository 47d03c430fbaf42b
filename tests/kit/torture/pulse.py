"""A pulse through the whole chain: a barrier every second, and when each had passed everywhere.

Enters: the legacy database, and the stores once the run is over. Leaves: `Beat`s, from which it is
read how long the chain stood still after a fault.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import psycopg

PULSE_SECONDS = 1.0
CONNECT_SECONDS_MAX = 5


@dataclass(frozen=True, slots=True)
class Beat:
    """A barrier: when it was committed in the legacy database and when every region had passed it.

    Both are seconds of the machine's clock; `passed_at` is None when it never came through.
    """

    barrier: str
    sent_at: float
    passed_at: float | None


def find_recovery(beats: Sequence[Beat], ended_at: float) -> float | None:
    """Return the seconds from the end of a fault until a barrier written after it had passed."""
    for beat in beats:
        if beat.sent_at >= ended_at and beat.passed_at is not None:
            return beat.passed_at - ended_at
    return None


class Pulse:
    """Writes barriers from a thread of its own; while the database is away, it waits for it."""

    def __init__(self, legacy_url: str) -> None:
        self._url = legacy_url
        self._sent: list[tuple[str, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop writing."""
        self._ended.set()
        self._thread.join(CONNECT_SECONDS_MAX * 4)

    def collect(self, stores: Iterable[str], *, partitions: int) -> list[Beat]:
        """Read from the regions' stores when each barrier had passed all `partitions`."""
        passed = [_read_passages(url, partitions) for url in stores]
        return [Beat(barrier, sent_at, _last(passed, barrier)) for barrier, sent_at in self._sent]

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with psycopg.connect(
                    self._url, autocommit=True, connect_timeout=CONNECT_SECONDS_MAX
                ) as connection:
                    while not self._ended.wait(PULSE_SECONDS):
                        self._beat(connection)
            except psycopg.OperationalError:
                self._ended.wait(PULSE_SECONDS)  # the server is down: that is a fault of ours

    def _beat(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        barrier = str(uuid.uuid4())
        connection.execute(
            "select pg_logical_emit_message(true, 'isthmus.barrier', %s)",
            (json.dumps({"id": barrier}),),
        )
        self._sent.append((barrier, time.time()))


def _read_passages(url: str, partitions: int) -> dict[str, float]:
    with psycopg.connect(url) as connection:
        return {
            str(barrier): float(at)
            for barrier, at in connection.execute(
                "select barrier, extract(epoch from max(passed_at))::float"
                " from replication.barrier group by barrier having count(*) = %s",
                (partitions,),
            )
        }


def _last(passed: Sequence[Mapping[str, float]], barrier: str) -> float | None:
    times = [one.get(barrier) for one in passed]
    known = [at for at in times if at is not None]
    return max(known) if len(known) == len(times) else None
