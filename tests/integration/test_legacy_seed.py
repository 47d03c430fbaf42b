"""The seed fills an empty ERP with consistent data, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from legacy_db.definition import read_tables
from legacy_db.errors import Configuration, Unreachable
from legacy_db.key_range import EVERYTHING
from legacy_db.retail.migrations import migrate
from legacy_db.retail.seed import seed
from legacy_db.retail.tables import MODULE_TABLES, SCHEMA
from legacy_db.row_hash import chunk_hashes

ORDERS = 1_000
TABLES = [name for names in MODULE_TABLES.values() for name in names]


@pytest.fixture(scope="module")
def seeded(module_databases: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Give a legacy database seeded by the application's role."""
    variables = module_databases()
    migrate(variables["ISTHMUS_LEGACY_OWNER_URL"])
    seed_small(variables["ISTHMUS_LEGACY_APP_URL"], 1)
    return variables


@pytest.fixture
def connection(seeded: dict[str, str]) -> Iterator[psycopg.Connection]:
    """Connect as the reader, who sees everything."""
    with psycopg.connect(seeded["ISTHMUS_LEGACY_URL"], options="-c search_path=erp") as connection:
        yield connection


def seed_small(url: str, number: int, schema: str = SCHEMA) -> dict[str, int]:
    """Seed a small ERP."""
    return seed(url, ORDERS, number, customers=200, items=100, schema=schema)


def _hashes(url: str, schema: str = SCHEMA) -> dict[str, tuple[int, int]]:
    with psycopg.connect(url) as connection:
        tables = read_tables(connection, schema, TABLES)
        return {
            name: (chunk.rows, chunk.hash)
            for name, table in tables.items()
            for chunk in chunk_hashes(connection, table, [EVERYTHING])
        }


def _count(connection: psycopg.Connection, condition: str) -> int:
    row = connection.execute(f"select count(*) {condition}").fetchone()
    assert row is not None
    return int(row[0])


def test_the_same_seed_gives_the_same_rows(seeded: dict[str, str]) -> None:
    """Two ERPs of one seed have equal hashes in every table; another seed's differ."""
    url = seeded["ISTHMUS_LEGACY_OWNER_URL"]
    migrate(url, "again")
    counts = seed_small(url, 1, "again")
    migrate(url, "other")
    seed_small(url, 2, "other")
    first = _hashes(url)
    assert first == _hashes(url, "again")
    assert {name: rows for name, (rows, _) in first.items()} == counts
    other = _hashes(url, "other")
    assert [name for name in TABLES if first[name][1] == other[name][1]] == []


def test_a_filled_database_is_not_seeded_again(seeded: dict[str, str]) -> None:
    """Seeding twice is refused and changes nothing."""
    before = _hashes(seeded["ISTHMUS_LEGACY_URL"])
    with pytest.raises(Configuration, match="holds rows already"):
        seed(seeded["ISTHMUS_LEGACY_APP_URL"], orders=10)
    assert _hashes(seeded["ISTHMUS_LEGACY_URL"]) == before


def test_no_server_is_unreachable() -> None:
    """A database that is not there is Unreachable."""
    with pytest.raises(Unreachable, match="isthmus up"):
        seed("postgresql://erp_app@127.0.0.1:1/legacy")


def test_amounts_agree(connection: psycopg.Connection) -> None:
    """Lines are quantity times price, orders their lines less discount plus freight."""
    assert _count(connection, "from ord_lin where lin_amt <> round(qty * unit_prc * 100)") == 0
    assert _count(connection, "from ord_lin where scale(unit_prc) > 4") == 0
    wrong = """
    from ord_hdr h where tot_amt <> coalesce(nullif(btrim(frt_amt), '')::numeric, 0) * 100
      + round((select sum(lin_amt) from ord_lin l where l.ord_no = h.ord_no)
              * (100 - disc_pct) / 100)
    """
    assert _count(connection, wrong) == 0


def test_stock_agrees(connection: psycopg.Connection) -> None:
    """Stock on hand is the sum of the movements, reserved stock that of the open lines."""
    on_hand = """
    from stk_bal b where qty_oh <> (
      select sum(case mvt_typ when 'I' then -qty else qty end) from stk_mvt m
      where m.whs_cd = b.whs_cd and m.item_no = b.item_no)
    """
    reserved = """
    from stk_bal b where qty_rsv <> coalesce((
      select sum(qty) from ord_lin l where l.stat_cd = 'O' and l.item_no = b.item_no
        and (array['AMS', 'CHI', 'OSL'])[l.ord_no % 3 + 1] = b.whs_cd), 0)
    """
    assert _count(connection, on_hand) == 0
    assert _count(connection, reserved) == 0


def test_the_data_is_as_odd_as_real_data(connection: psycopg.Connection) -> None:
    """There are blanks beside NULLs, non-ASCII names, soft deletes and text stored out of line."""
    for condition in (
        "from cust_mstr where cust_nm ~ '[^[:ascii:]]'",
        "from cust_mstr where del_flg = 'Y'",
        "from cust_mstr where tax_no = ''",
        "from cust_mstr where tax_no is null",
        "from cust_mstr where pg_column_size(notes) > 10000",
        "from ord_hdr where frt_amt is null",
        "from ord_hdr where frt_amt <> '' and btrim(frt_amt) = ''",
        "from ord_hdr where rmk = ''",
        "from ord_hdr where pg_column_size(rmk) > 15000",
        "from item_mstr where item_dsc ~ '[^[:ascii:]]'",
        "from stk_bal where last_dt is null",
    ):
        assert _count(connection, condition) > 0, condition
    shipped = _count(connection, "from ord_hdr where stat_cd = 'S'")
    assert 0.65 < shipped / ORDERS < 0.78
    assert _count(connection, "from shipmt") == shipped


def test_every_code_is_explained(connection: psycopg.Connection) -> None:
    """Each one-letter code that occurs stands in cod_tab."""
    for domain, table, column in (
        ("CUSTTYP", "cust_mstr", "cust_typ"),
        ("CUSTSTAT", "cust_mstr", "stat_cd"),
        ("ADDRTYP", "cust_addr", "addr_typ"),
        ("ORDSTAT", "ord_hdr", "stat_cd"),
        ("LINSTAT", "ord_lin", "stat_cd"),
        ("SHIPSTAT", "shipmt", "stat_cd"),
        ("ITEMSTAT", "item_mstr", "stat_cd"),
        ("MVTTYP", "stk_mvt", "mvt_typ"),
        ("PAYMTH", "pay_trx", "mth_cd"),
        ("PAYSTAT", "pay_trx", "stat_cd"),
        ("PAYSTG", "pay_stg", "stg_cd"),
        ("PAYRSLT", "pay_stg", "rslt_cd"),
        ("LOGLVL", "pay_log", "lvl_cd"),
        ("SUPPSTAT", "supp_mstr", "stat_cd"),
        ("POSTAT", "po_hdr", "stat_cd"),
    ):
        unexplained = (
            f"from {table} where {column} not in"
            f" (select rtrim(cod) from cod_tab where dom_cd = '{domain}')"
        )
        assert _count(connection, unexplained) == 0, column
