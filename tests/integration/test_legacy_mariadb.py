"""The reference legacy system on MariaDB: its migrations, seed and workload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from random import Random
from typing import Any

import pymysql
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, make_url

from legacy_db.database import LegacyDatabase, open_legacy_database
from legacy_db.errors import Configuration, Unreachable
from legacy_db.key_range import EVERYTHING
from legacy_db.mariadb.connection import parse_url
from legacy_db.retail.erp_opening import open_erp
from legacy_db.retail.migrations import migrate, migrate_down
from legacy_db.retail.seed import seed
from legacy_db.retail.tables import METADATA, MODULE_TABLES
from legacy_db.retail.workload import run_workload
from legacy_db.retail.workload_plan import Kind
from legacy_db.retail.workload_session import Session, read_shape, take_session_number
from legacy_db.retail.workload_upkeep import reprice_batch

ORDERS = 400
TABLES = tuple(name for names in MODULE_TABLES.values() for name in names)

WRONG_TOTALS = """
select count(*) from ord_hdr h where tot_amt <> round((select coalesce(sum(l.lin_amt), 0)
from ord_lin l where l.ord_no = h.ord_no) * (100 - h.disc_pct) / 100)
+ coalesce(cast(nullif(trim(h.frt_amt), '') as decimal(12,2)), 0) * 100"""
WRONG_LINES = "select count(*) from ord_lin where lin_amt <> round(qty * unit_prc * 100)"
WRONG_STOCK = """
select count(*) from stk_bal b where qty_oh <> (select coalesce(sum(case m.mvt_typ when 'I'
then -m.qty else m.qty end), 0) from stk_mvt m where m.whs_cd = b.whs_cd and m.item_no = b.item_no)
or qty_rsv <> (select coalesce(sum(l.qty), 0) from ord_lin l join ord_hdr h using (ord_no)
where h.stat_cd = 'N' and l.item_no = b.item_no
and elt(h.ord_no % 3 + 1, 'AMS', 'CHI', 'OSL') = b.whs_cd)"""


@pytest.fixture
def erp(mariadb_url: str) -> Iterator[tuple[str, str]]:
    """Give the URL and name of a migrated database."""
    schema = mariadb_url.rpartition("/")[2]
    migrate(mariadb_url, schema)
    return mariadb_url, schema


def ask(url: str, statement: str) -> Any:
    """Ask the database one value."""
    with closing(pymysql.connect(**parse_url(url))) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()[0][0]


def hash_tables(database: LegacyDatabase, schema: str) -> dict[str, tuple[int, int]]:
    """Hash every table as a whole."""
    hashes = {}
    for name, table in database.read_tables(schema, TABLES).items():
        (whole,) = database.chunk_hashes(table, [EVERYTHING])
        hashes[name] = (whole.rows, whole.hash)
    return hashes


def test_migrations_go_up_and_down(erp: tuple[str, str]) -> None:
    """The revisions make the tables that SQLAlchemy knows, and take them away again."""
    url, schema = erp
    known = MetaData()
    for table in METADATA.tables.values():
        table.to_metadata(known, schema=None)
    engine = create_engine(make_url(url).set(drivername="mysql+pymysql"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = [
            one for one in compare_metadata(context, known) if "alembic_version" not in str(one)
        ]
    engine.dispose()
    assert found == []
    migrate_down(url, schema)
    with closing(open_legacy_database("mariadb", url)) as database:
        assert database.list_tables(schema) == ["alembic_version"]
    migrate(url, schema)


def test_the_seed_is_postgresqls(
    erp: tuple[str, str], databases: Callable[[], dict[str, str]]
) -> None:
    """The same seed fills both engines with the same rows: every table has the same hash."""
    url, schema = erp
    seed(url, ORDERS, customers=80, items=40, schema=schema)
    owner = databases()["ISTHMUS_LEGACY_OWNER_URL"]
    migrate(owner)
    seed(owner, ORDERS, customers=80, items=40)
    with (
        closing(open_legacy_database("mariadb", url)) as mine,
        closing(open_legacy_database("postgresql", owner)) as other,
    ):
        hashes = hash_tables(mine, schema)
        assert hashes == hash_tables(other, "erp")
    assert hashes["ord_hdr"][0] == ORDERS
    with pytest.raises(Configuration, match="holds rows already"):
        seed(url, ORDERS, schema=schema)


def test_the_workload_keeps_the_books(erp: tuple[str, str]) -> None:
    """Sessions that interleave place, change, cancel and ship; totals and stock stay right."""
    url, schema = erp
    with pytest.raises(Configuration, match="seed it first"):
        run_workload(url, rate=1, seconds=1, schema=schema)
    seed(url, ORDERS, customers=80, items=40, schema=schema)
    result = run_workload(url, rate=400, seconds=5, clients=3, seed=3, schema=schema)
    assert result.transactions > 300
    assert result.rolled_back == result.counts[Kind.PLACE_ROLLED_BACK.value]
    done = {Kind.PLACE, Kind.CHANGE, Kind.CANCEL, Kind.SHIP, Kind.PLACE_WITH_SAVEPOINT}
    assert {kind.value for kind in done} <= result.counts.keys()
    assert ask(url, WRONG_TOTALS) == 0
    assert ask(url, WRONG_STOCK) == 0
    assert ask(url, "select count(*) from ord_lin where lin_no = 50 or lin_no = 51") == 0
    assert ask(url, "select count(*) from ord_hdr where rmk = 'never seen'") == 0


def test_the_batch_raises_prices_once(erp: tuple[str, str]) -> None:
    """An open line's amount follows its new price: MariaDB assigns columns one after the other."""
    url, schema = erp
    seed(url, ORDERS, customers=80, items=40, schema=schema)
    assert ask(url, WRONG_LINES) == 0
    before = ask(url, "select sum(unit_prc) from ord_lin")
    with closing(open_erp(url, schema)) as connection:
        session = Session(connection, take_session_number(connection), read_shape(connection))
        with connection.transaction():
            assert reprice_batch(session, Random(1))  # noqa: S311 - a workload
    assert ask(url, "select sum(unit_prc) from ord_lin") > before
    assert ask(url, WRONG_LINES) == 0
    assert ask(url, WRONG_TOTALS) == 0


def test_an_absent_server_is_told(mariadb_url: str) -> None:
    """A server that is not there is Unreachable for migrations, seed and workload."""
    absent = mariadb_url.rpartition("@")[0] + "@127.0.0.1:1/erp"
    for use in (migrate, seed, lambda url: run_workload(url, rate=1, seconds=1)):
        with pytest.raises(Unreachable, match="isthmus up"):
            use(absent)  # type: ignore[operator]
