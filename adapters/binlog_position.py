"""Where a change stands in the binary log of MariaDB: GTIDs and places in its files.

Enters: text as Debezium writes it. Leaves: numbers that can be compared; docs/adr/0008 says what
was measured of them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from adapters.errors import Poison

_GTID = re.compile(r"(\d+)-(\d+)-(\d+)")
_FILE = re.compile(r".*\.(\d+)")
_POSITION_BITS = 40
"""A file ends soon after max_binlog_size (1 GiB at most), but never within a transaction."""


class Gtid(NamedTuple):
    """A transaction's global id: its `sequence` grows by one in each `domain` of a server."""

    domain: str
    sequence: int


def parse_gtid(text: str) -> Gtid:
    """Read `domain-server-sequence`; Poison when it is anything else.

    The server that committed it may be another one after a failover; the sequence goes on.
    """
    match = _GTID.fullmatch(text)
    if match is None:
        raise Poison(
            f"{text[:80]!r} is not a GTID (domain-server-sequence): is it MariaDB's connector?"
        )
    return Gtid(match.group(1), int(match.group(3)))


def make_position(file: str, offset: int) -> int:
    """Make one number of a binary log file's number and an offset in it."""
    match = _FILE.fullmatch(file)
    if match is None:
        raise Poison(f"{file[:80]!r} is not the name of a binary log file (name.number)")
    return int(match.group(1)) << _POSITION_BITS | offset
