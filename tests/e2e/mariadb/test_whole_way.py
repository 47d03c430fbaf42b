"""From a real MariaDB into two regions: what is committed there is there, whole and once."""

from __future__ import annotations

import random
import signal

import pytest
from change_log_reader import read_records
from mariadb_load import act
from mariadb_site import MODULE, MariaDBSite

from adapters.change_log import SPILL_ROWS
from connectors.names import ModuleNames


def test_the_snapshot_is_whole_in_every_region(running: MariaDBSite) -> None:
    """After the snapshot legacy database, mirror and stores are equal, whatever the types."""
    running.check_whole()
    assert running.hub("select count(*) from mirror.ord") == [(2,)]


def test_interleaved_clients(running: MariaDBSite) -> None:
    """Three sessions interleave, roll back, move keys and write other databases' tables."""
    draw = random.Random(7)  # noqa: S311 - nothing secret
    sessions = [running.session() for _ in range(3)]
    try:
        sessions[0].execute(f"create table if not exists {running.database}.unseen (id int)")
        for session in sessions:
            session.execute("begin")
        for number in range(120):
            place = draw.randrange(3)
            act(draw, sessions[place], number, offset=100 * (place + 1))
    finally:
        for session in sessions:
            session.execute("commit")
            session.close()
    running.check_whole()


def test_a_huge_transaction(running: MariaDBSite) -> None:
    """One of more rows than are kept in memory arrives whole."""
    running.legacy(
        f"insert into line select 1000 + seq, 1, seq, 0.5 from seq_1_to_{SPILL_ROWS + 500}",
        "update line set qty = qty + 1 where ord_id between 1001 and 1500",
    )
    running.check_whole()


def test_connect_killed_within_a_transaction(running: MariaDBSite) -> None:
    """It goes on within it; the doubt that this leaves is refuted by the comparison."""
    running.legacy(
        "insert into line select 100000 + seq, 1, seq, 0.5 from seq_1_to_6000",
        "update line set qty = 7 where ord_id between 100001 and 103000",
    )
    names = ModuleNames(running.settings.site, MODULE)
    read_records(
        running.settings.bootstrap_servers,
        names.changes,
        lambda record: b'"total_order":1000,' in record.value and b"101000" in record.value,
    )
    running.connect.kill()
    running.legacy("update ord set note = 'while it was down' where id = 1")
    running.connect.start()
    running.check_whole()
    restarted = running.hub("select count(*) from hub.doubt")
    assert restarted[0][0] >= 1
    assert running.hub("select count(*) from hub.doubt where refuted_at is null") == [(0,)]


@pytest.mark.parametrize(
    "failpoint", ["translate.before_commit", "translate.after_commit", "translate.after_spill"]
)
def test_a_translator_killed(running: MariaDBSite, failpoint: str) -> None:
    """Its successor goes on where the hub says, also behind rows that are spilled."""
    name = f"translate-{MODULE}"
    running.stop(name)
    running.start(name, failpoint)
    first = 200_000 + 20_000 * len(failpoint)
    running.legacy(
        f"insert into line select {first} + seq, 1, seq, 0.5 from seq_1_to_{SPILL_ROWS + 100}"
    )
    assert running.wait_for_end(name) == -signal.SIGKILL
    running.start(name)
    running.check_whole()


def test_ddl_is_followed_in_order(running: MariaDBSite) -> None:
    """Columns come, are renamed, retyped, moved and go, each between the rows around it."""
    for statement in (
        "insert into part (code) values ('before')",
        "alter table part add extra int not null default 5 first",
        "insert into part (code, extra) values ('added', 6)",
        "alter table part add late varchar(9) not null default 'it''s' after code",
        "insert into part (code) values ('more')",
        "alter table part change extra renamed bigint not null default 7",
        "insert into part (code) values ('renamed')",
        "alter table part modify late text after renamed",
        "update part set late = repeat('x', 300) where code = 'added'",
        "alter table part drop column renamed",
        "update part set late = 'dropped' where code = 'before'",
    ):
        running.owner.execute(statement)
    running.check_whole()
    assert running.hub(
        "select late from mirror.part where code in ('more', 'before') order by 1"
    ) == [
        ("dropped",),
        ("it's",),
    ]


def test_ddl_while_the_translator_is_down(running: MariaDBSite) -> None:
    """It reads older rows as they were then, not as the catalogue says now."""
    name = f"translate-{MODULE}"
    assert running.stop(name) == 0
    for statement in (
        "alter table line add memo varchar(5) default 'm'",
        "insert into line (ord_id, no) values (700000, 1)",
        "alter table line rename column memo to memory",
        "update line set memory = 'n' where ord_id = 1",
        "alter table line drop column memory",
        "insert into line (ord_id, no) values (700000, 2)",
    ):
        running.owner.execute(statement)
    running.start(name)
    running.check_whole()


def test_truncate(running: MariaDBSite) -> None:
    """It takes every row with it, and what comes after it stays."""
    running.owner.execute("truncate line")
    running.legacy("insert into line values (1, 1, 1.5, 0.25)")
    running.check_whole()
    assert running.store("eu", "select count(*) from line") == [(1,)]
