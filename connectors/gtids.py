"""MariaDB's global transaction ids, as far as operating a connector needs them.

Enters: text, `domain-server-sequence,...`. Leaves: the last sequence of each domain: it grows by
one with each transaction of the server, so that differences count transactions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_GTID = re.compile(r"(\d+)-\d+-(\d+)")


def read_sequences(gtids: str) -> dict[str, int]:
    """Read the last sequence of each domain; what is no GTID (MySQL's) is left out."""
    found = (_GTID.fullmatch(one.strip()) for one in gtids.split(","))
    return {match.group(1): int(match.group(2)) for match in found if match is not None}


def is_behind(gtids: str, reached: str) -> bool:
    """Tell whether a GTID position lacks a transaction that another one has."""
    return bool(count_missing(read_sequences(gtids), read_sequences(reached)))


def count_missing(seen: Mapping[str, int], reached: Mapping[str, int]) -> int:
    """Count the transactions of `reached` that `seen` lacks."""
    return sum(max(0, number - seen.get(domain, 0)) for domain, number in reached.items())
