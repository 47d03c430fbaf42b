"""The bound of a sweep: how many rows a new snapshot may take for deleted."""

from __future__ import annotations

from random import Random

import pytest

from pipeline.errors import Fatal
from pipeline.hub.sweeps import DELETES_MAX
from pipeline.simulate.database import Connection, Database
from pipeline.simulate.kernel import Kernel, Process
from pipeline.simulate.module_hub import MemoryModuleHub
from pipeline.simulate.site import ADAPTERS, CONTRACTS, SALES, TABLES
from pipeline.translate.event_maker import EventMaker
from pipeline.translate.landing import Landing
from pipeline.translate.snapshot import complete_snapshot
from pipeline.translate.working_set import Roles

RUN = 2


@pytest.fixture
def landing() -> Landing:
    """Give a hub whose mirror has three lines, one of which snapshot 2 saw."""
    kernel = Kernel(Random(1))  # noqa: S311 - not for secrets
    kernel.current = None
    connection = Connection(kernel, Database("hub"), Process("test", "test"))
    hub = MemoryModuleHub(connection, SALES, lambda: {table.name: table for table in TABLES})
    hub.take()
    mirror = hub.open_mirror()
    make = mirror.codecs["ord_lin"].make_row
    with hub.transaction():
        lines = {(order, 1): make((order, 1, 5)) for order in (1, 2, 3)}
        mirror.merge_snapshot("ord_lin", lines, 1, 10, RUN - 1)
        mirror.merge_snapshot("ord_lin", {(1, 1): make((1, 1, 5))}, 1, 20, RUN)
    maker = EventMaker(site="s", module=SALES, contracts=CONTRACTS, checks={}, last_good={})
    roles = Roles(SALES, ADAPTERS, mirror.codecs)
    return Landing(
        hub=hub, module=SALES, roles=roles, mirror=mirror, maker=maker, contracts=CONTRACTS,
        next_number=1,
    )  # fmt: skip


def sweep(landing: Landing, bound: int | None) -> None:
    """Complete snapshot 2 in a transaction, with a bound."""
    with landing.hub.transaction():
        landing.hub.set_deletes_max(bound)
    with landing.hub.transaction():
        complete_snapshot(landing, ADAPTERS, ["ord_lin"], RUN)


@pytest.mark.parametrize("bound", [None, 2, 1_000])
def test_a_sweep_within_its_bound_deletes_what_was_not_seen(
    landing: Landing, bound: int | None
) -> None:
    """Two rows go, and the bound is forgotten: it was for this sweep."""
    sweep(landing, bound)
    assert landing.mirror.page_keys("ord_lin", ("ord_no",), None, 9) == [(1,)]
    assert landing.hub.read_deletes_max() is None


def test_a_table_that_is_read_in_part_is_not_swept(landing: Landing) -> None:
    """Rows that a filter leaves out of a snapshot are not gone, whatever the bound is."""
    landing.partly_read = frozenset({"ord_lin"})
    sweep(landing, 0)
    assert len(landing.mirror.page_keys("ord_lin", ("ord_no",), None, 9)) == 3
    assert "not swept, read only in part: ord_lin" in landing.facts.done


@pytest.mark.parametrize("bound", [0, 1])
def test_a_sweep_beyond_its_bound_deletes_nothing(landing: Landing, bound: int) -> None:
    """It stops with one message that names tables, counts and what to do; the bound stays."""
    with pytest.raises(Fatal, match=r"did not see 2 rows .*ord_lin 2.*--deletes-max 2"):
        sweep(landing, bound)
    assert len(landing.mirror.page_keys("ord_lin", ("ord_no",), None, 9)) == 3
    assert landing.hub.read_deletes_max() == bound


def test_a_sweep_that_nobody_allowed_has_a_bound(landing: Landing) -> None:
    """An epoch that was raised by hand deletes no more than one that a command raised."""
    make = landing.mirror.codecs["ord_lin"].make_row
    with landing.hub.transaction():
        more = {(order, 2): make((order, 2, 5)) for order in range(DELETES_MAX - 1)}
        landing.mirror.merge_snapshot("ord_lin", more, 1, 10, RUN - 1)
    with pytest.raises(Fatal, match=rf"and {DELETES_MAX} may .*--deletes-max {DELETES_MAX + 1}"):
        sweep(landing, None)
    assert landing.mirror.count_unseen("ord_lin", RUN) == DELETES_MAX + 1
    sweep(landing, DELETES_MAX + 1)
    assert landing.mirror.count_unseen("ord_lin", RUN) == 0
