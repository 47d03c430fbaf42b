"""A transaction that is larger than memory is still one commit, and takes no more memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from live_site import LiveSite

pytestmark = pytest.mark.long

SMALL, LARGE = 6_000, 60_000
GROWTH_MAX = 1.3


def test_ten_times_the_orders_take_no_more_memory(running: LiveSite) -> None:
    """One whole event per order over three tables, and at most 1.3 times the peak memory."""
    small = _write_and_measure(running, first=800_000_001, orders=SMALL)
    large = _write_and_measure(running, first=810_000_001, orders=LARGE)
    running.check_whole()
    assert large <= GROWTH_MAX * small, f"{large} kB for {LARGE}, {small} kB for {SMALL}"


def _write_and_measure(running: LiveSite, first: int, orders: int) -> int:
    """Write orders with a line and a shipment each in one transaction; return peak memory in kB."""
    running.stop("translate-sales")
    running.start("translate-sales")
    numbers = f"from generate_series({first}, {first + orders - 1}) n"
    running.legacy(
        "insert into erp.ord_hdr select n, 1, 20260101, 'N', 'EUR', 'clerk', '1.50', 0, 150, "
        f"null, localtimestamp {numbers}",
        f"insert into erp.ord_lin select n, 1, 'A', 1, 1.5, 150, 'O' {numbers}",
        f"insert into erp.shipmt select n, n, 20260102, 'DHL', 'T', 'S' {numbers}",
    )
    running.wait_for_quiet()
    ((events, subjects, positions, whole),) = running.hub(
        "select count(*), count(distinct subject), count(distinct left(sequence, 34)), "
        "count(*) filter (where sequence like '%-00000000-00000000') from hub.event "
        f"where module = 'sales' and kind = 0 and subject::bigint >= {first} "
        f"and subject::bigint < {first + orders}"
    )
    assert (events, subjects, positions, whole) == (orders, orders, 1, orders)
    status = Path(f"/proc/{running.pid('translate-sales')}/status").read_text()
    return int(status.split("VmHWM:", 1)[1].split()[0])
