"""Starts the real connector again behind any record of its log, as a crash there would.

Enters: a script whose log was written one record a poll. Leaves, for a place of that log, what the
connector writes from there: its offset and its slot are put back to what they were then.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import requests
from change_log_reader import (
    WAIT_SECONDS_MAX,
    list_partitions,
    read_all,
    read_high_watermark,
)
from fidelity_log import RawRecord
from fidelity_real import POLL_SECONDS, RealSite
from fidelity_script import Script
from fidelity_scripts import LAST_ID

ONE_BY_ONE = (("max.batch.size", "1"), ("max.queue.size", "2"))
_HTTP_SECONDS_MAX = 60
_OFFSETS_TOPIC = "isthmus-connect-offsets"


class RestartProbe:
    """One script's log and, for each of its records, the connector's offset behind it."""

    def __init__(self, real: RealSite, variables: Mapping[str, str], script: Script) -> None:
        self._real = real
        self._variables = variables
        self._url = f"{variables['ISTHMUS_CONNECT_URL']}/connectors/{real.names.connector}"
        for one in script:
            getattr(real, one.action)(*one.arguments)
            if one.action == "await_snapshot":
                real.keep_slot()
        self._last: bytes | None = None
        self.log = real.read_log(self._ends_log)
        self._offsets = self._await_offsets()

    def restart_behind(self, place: int) -> tuple[list[RawRecord], bool]:
        """Start again behind `place` records; what is written then, and whether it fails."""
        partition, offset = self._offsets[place - 1]
        self._put("stop")
        self._wait_for_state("STOPPED")
        self._real.put_slot_back(offset["lsn_commit"])
        body = {"offsets": [{"partition": partition, "offset": offset}]}
        answer = requests.patch(f"{self._url}/offsets", json=body, timeout=_HTTP_SECONDS_MAX)
        assert answer.ok, answer.text
        begin = read_high_watermark(self._variables["ISTHMUS_KAFKA"], self._real.names.changes)
        self._put("resume")
        self._wait_for_state("RUNNING")
        try:
            return self._real.read_log(self._ends_log, begin=begin, give_up=self._has_failed), False
        except InterruptedError:
            return [], True

    def _ends_log(self, record: RawRecord) -> bool:
        """Accept the END of the transaction of the row that ends the script."""
        if self._last is None and record.key == b'{"id":%d}' % LAST_ID:
            self._last = b'"id":"%d:' % json.loads(record.value)["source"]["txId"]
        return self._last is not None and b"END" in record.value and self._last in record.value

    def _await_offsets(self) -> list[tuple[Any, dict[str, Any]]]:
        """Wait until every offset can be read: another connector may have a transaction open."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while len(offsets := self._read_offsets()) < len(self.log):
            assert time.monotonic() < deadline, f"{len(offsets)} offsets, {len(self.log)} records"
            time.sleep(POLL_SECONDS)
        assert len(offsets) == len(self.log)
        return offsets

    def _read_offsets(self) -> list[tuple[Any, dict[str, Any]]]:
        """Read every offset that Connect kept for the connector, in order."""
        brokers = self._variables["ISTHMUS_KAFKA"]
        records = [
            (json.loads(record.key or b""), json.loads(record.value))
            for partition in list_partitions(brokers, _OFFSETS_TOPIC)
            for record in read_all(brokers, _OFFSETS_TOPIC, partition)
        ]
        return [(key[1], offset) for key, offset in records if key[0] == self._real.names.connector]

    def _put(self, action: str) -> None:
        answer = requests.put(f"{self._url}/{action}", timeout=_HTTP_SECONDS_MAX)
        assert answer.ok, answer.text

    def _read_states(self) -> list[str]:
        status = requests.get(f"{self._url}/status", timeout=_HTTP_SECONDS_MAX).json()
        return [status["connector"]["state"], *(task["state"] for task in status["tasks"])]

    def _has_failed(self) -> bool:
        return "FAILED" in self._read_states()

    def _wait_for_state(self, state: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        # a stopped connector has no task, a resumed one has one, which may fail at once
        while (states := self._read_states())[0] != state or len(states) != 1 + (
            state == "RUNNING"
        ):
            assert time.monotonic() < deadline, f"the connector does not become {state}: {states}"
            time.sleep(POLL_SECONDS)
