"""The workload interleaves sessions, follows its seed and leaves consistent data."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from threading import Event, Timer
from typing import Any

import psycopg
import pytest
import typer
from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner

from legacy_db.definition import read_tables
from legacy_db.errors import Configuration, Unreachable
from legacy_db.key_range import EVERYTHING
from legacy_db.retail.migrations import migrate
from legacy_db.retail.seed import seed
from legacy_db.retail.tables import MODULE_TABLES, SCHEMA
from legacy_db.retail.workload import WorkloadResult, run_workload
from legacy_db.retail.workload_plan import Kind
from legacy_db.row_hash import chunk_hashes
from pipeline.cli.workload import workload

TABLES = [name for names in MODULE_TABLES.values() for name in names]
CLOCK_COLUMNS = {"chg_ts", "log_ts", "stg_ts"}
CLIENTS = 4
TRANSACTIONS = 2_400
SLOT = "isthmus_test_interleaved"
WRONG = [
    "from ord_lin where lin_amt <> round(qty * unit_prc * 100) or scale(unit_prc) > 4",
    """from ord_hdr h where tot_amt <> coalesce(nullif(btrim(frt_amt), '')::numeric, 0) * 100
      + round((select sum(lin_amt) from ord_lin l where l.ord_no = h.ord_no)
              * (100 - disc_pct) / 100)""",
    """from stk_bal b where qty_oh <> (
      select sum(case mvt_typ when 'I' then -qty else qty end) from stk_mvt m
      where m.whs_cd = b.whs_cd and m.item_no = b.item_no)""",
    """from stk_bal b where qty_rsv <> coalesce((
      select sum(qty) from ord_lin l where l.stat_cd = 'O' and l.item_no = b.item_no
        and (array['AMS', 'CHI', 'OSL'])[l.ord_no % 3 + 1] = b.whs_cd), 0)""",
    "from ord_hdr h where not exists (select from ord_lin l where l.ord_no = h.ord_no)",
    "from ord_lin l where not exists (select from ord_hdr h where l.ord_no = h.ord_no)",
    """from ord_hdr h join ord_lin l using (ord_no)
      where l.stat_cd <> case h.stat_cd when 'N' then 'O' else h.stat_cd end""",
]
"""What no row of a consistent ERP fulfils."""


def seed_small(url: str, schema: str) -> None:
    """Make and seed a small ERP in a schema of its own."""
    migrate(url, schema)
    seed(url, 1_000, customers=200, items=100, schema=schema)


def make_exactly(url: str, transactions: int, **options: Any) -> WorkloadResult:
    """Make that many transactions as fast as they go: time stands still, the plan ends it."""
    rate = 1_000_000
    return run_workload(url, rate=rate, seconds=transactions / rate, clock=lambda: 0.0, **options)


@pytest.fixture(scope="module")
def legacy(module_databases: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Give an ERP with a publication of all tables and a slot that sees what follows."""
    variables = module_databases()
    seed_small(variables["ISTHMUS_LEGACY_OWNER_URL"], SCHEMA)
    with psycopg.connect(variables["ISTHMUS_LEGACY_OWNER_URL"]) as connection:
        names = ", ".join(f"erp.{name}" for name in TABLES if name != "pay_log")
        connection.execute(f"create publication everything for table {names}")
    with psycopg.connect(_capture_conninfo(variables)) as connection:
        connection.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", (SLOT,))
    return variables


@pytest.fixture(scope="module")
def result(legacy: dict[str, str]) -> WorkloadResult:
    """Give what several clients did at the same time."""
    return make_exactly(legacy["ISTHMUS_LEGACY_APP_URL"], TRANSACTIONS, clients=CLIENTS)


@pytest.fixture(scope="module")
def owner_url(legacy: dict[str, str]) -> str:
    """Give the owner, who may make more ERPs in other schemas of the same database."""
    return legacy["ISTHMUS_LEGACY_OWNER_URL"]


@pytest.fixture(scope="module")
def spare(owner_url: str) -> str:
    """Give the schema of an ERP whose contents nobody relies on."""
    seed_small(owner_url, "spare")
    return "spare"


@pytest.fixture
def connection(
    legacy: dict[str, str], result: WorkloadResult
) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Connect as the reader after the workload."""
    assert result.transactions == TRANSACTIONS
    with psycopg.connect(legacy["ISTHMUS_LEGACY_URL"], options="-c search_path=erp") as reader:
        yield reader


def _capture_conninfo(variables: dict[str, str]) -> str:
    return make_conninfo(
        host=variables["ISTHMUS_CAPTURE_HOST"],
        port=variables["ISTHMUS_CAPTURE_PORT"],
        dbname=variables["ISTHMUS_CAPTURE_DATABASE"],
        user=variables["ISTHMUS_CAPTURE_USER"],
        password=variables["ISTHMUS_CAPTURE_PASSWORD"],
    )


def _count(connection: psycopg.Connection[tuple[Any, ...]], condition: str) -> int:
    row = connection.execute(f"select count(*) {condition}").fetchone()
    assert row is not None
    return int(row[0])


def _hashes(url: str, schema: str) -> dict[str, tuple[int, int]]:
    """Hash every table but for the columns that the server's clock fills."""
    with psycopg.connect(url) as connection:
        hashes = {}
        for name, table in read_tables(connection, schema, TABLES).items():
            names = [column.name for column in table.columns if column.name not in CLOCK_COLUMNS]
            (chunk,) = chunk_hashes(connection, table, [EVERYTHING], columns=names)
            hashes[name] = (chunk.rows, chunk.hash)
        return hashes


def test_every_business_transaction_is_made(result: WorkloadResult) -> None:
    """In a run of this length each kind finds something to do."""
    assert {kind for kind in Kind if not result.counts[kind]} == set()
    assert result.rolled_back == result.counts[Kind.PLACE_ROLLED_BACK]
    assert sum(result.counts.values()) + sum(result.idle.values()) == result.transactions


@pytest.mark.usefixtures("result")
def test_sessions_interleave(legacy: dict[str, str]) -> None:
    """In commit order, rows go back in the WAL: transactions were open at the same time."""
    with psycopg.connect(_capture_conninfo(legacy)) as connection:
        changes = connection.execute(
            "select xid::text, (lsn - '0/0'::pg_lsn)::bigint"
            " from pg_logical_slot_get_binary_changes(%s, null, null,"
            " 'proto_version', '1', 'publication_names', 'everything')"
            " where get_byte(data, 0) in (ascii('I'), ascii('U'), ascii('D'))",
            (SLOT,),
        ).fetchall()
    back = sum(
        later[0] != earlier[0] and later[1] < earlier[1] for earlier, later in pairwise(changes)
    )
    assert back > 10


def test_a_huge_batch_is_one_transaction(
    legacy: dict[str, str], connection: psycopg.Connection[tuple[Any, ...]]
) -> None:
    """The batch wrote hundreds of headers of this small ERP at one and the same moment."""
    assert "ISTHMUS_LEGACY_URL" in legacy
    largest = "from ord_hdr where \"user\" = 'batch' group by chg_ts order by 1 desc limit 1"
    assert _count(connection, largest) > 300


def test_amounts_and_stock_still_agree(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """What several clerks did at once left every total and balance right."""
    assert [condition for condition in WRONG if _count(connection, condition)] == []


def test_what_was_rolled_back_is_not_there(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    """Lines after a savepoint that was rolled back left nothing, those after it are kept."""
    assert _count(connection, "from ord_hdr where rmk = 'never seen'") == 0
    assert _count(connection, "from ord_lin where lin_no = 50") == 0
    assert _count(connection, "from ord_lin where lin_no = 60") > 0


def test_failed_payments_say_why(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Payments reach every status; a failed one has a reason, in its stage and in the log too."""
    found = connection.execute("select distinct stat_cd from pay_trx order by 1").fetchall()
    assert [status for (status,) in found] == ["A", "C", "F", "S"]
    assert _count(connection, "from pay_trx where (stat_cd = 'F') <> (rsn_cd is not null)") == 0
    silent = """
    from pay_trx t where stat_cd = 'F'
      and (not exists (select from pay_stg s where s.trx_no = t.trx_no and s.rsn_cd = t.rsn_cd)
           or not exists (select from pay_log l where l.trx_no = t.trx_no and l.lvl_cd = 'E'))
    """
    assert _count(connection, silent) == 0


def test_the_same_seed_makes_the_same_changes(owner_url: str) -> None:
    """One client with one seed leaves two ERPs with the same rows; another seed does not."""
    schemas = {"first": 5, "again": 5, "other": 6}
    results = {}
    for schema, number in schemas.items():
        seed_small(owner_url, schema)
        results[schema] = make_exactly(owner_url, 300, clients=1, seed=number, schema=schema)
    assert results["first"].counts == results["again"].counts != results["other"].counts
    hashes = {schema: _hashes(owner_url, schema) for schema in schemas}
    assert hashes["first"] == hashes["again"]
    assert hashes["first"] != hashes["other"]


def test_what_meets_another_transaction_is_made_again(owner_url: str, spare: str) -> None:
    """Under serializable isolation transactions fail and are repeated until they succeed."""
    strict = make_conninfo(owner_url, options="-c default_transaction_isolation=serializable")
    result = make_exactly(strict, 200, clients=2, schema=spare)
    assert result.transactions == 200
    assert result.retries > 0


def test_an_order_that_others_left_without_lines_gets_some(owner_url: str, spare: str) -> None:
    """Rows that somebody wrote by hand stop no session."""
    with psycopg.connect(owner_url) as connection:
        connection.execute(f"delete from {spare}.ord_lin".encode())
    result = make_exactly(owner_url, 300, clients=2, schema=spare)
    assert result.counts[Kind.CHANGE] > 0


def test_the_stop_signal_ends_it(owner_url: str, spare: str) -> None:
    """A stop ends the workload long before its time, after the transactions under way."""
    stop = Event()
    timer = Timer(0.5, stop.set)
    timer.start()
    result = run_workload(owner_url, rate=20, seconds=600, clients=2, stop=stop, schema=spare)
    timer.join()
    assert 0 < result.transactions < 1_000
    assert result.seconds < 60


def test_an_empty_or_absent_erp_is_told(owner_url: str) -> None:
    """Without data it is a Configuration error, without a server Unreachable."""
    migrate(owner_url, "empty")
    with pytest.raises(Configuration, match="seed it first"):
        run_workload(owner_url, rate=1, seconds=1, schema="empty")
    with pytest.raises(Unreachable, match="isthmus up"):
        run_workload("postgresql://erp_app@127.0.0.1:1/legacy", rate=1, seconds=1)


@pytest.fixture
def kept_signals() -> Iterator[None]:
    """Give the signals back that the command takes."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("kept_signals")
def test_the_command_prints_what_was_done(
    legacy: dict[str, str],
    owner_url: str,
    spare: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`isthmus workload` works on the site's legacy database and prints the counts."""
    for name, value in {**legacy, "ISTHMUS_LEGACY_APP_URL": owner_url}.items():
        monkeypatch.setenv(name, value)
    site = (Path(__file__).resolve().parents[2] / "isthmus.toml").read_text()
    (tmp_path / "isthmus.toml").write_text(site.replace(f'"{SCHEMA}"', f'"{spare}"'))
    app = typer.Typer()
    app.command()(workload)
    arguments = ["--site", str(tmp_path), "--rate", "200", "--seconds", "0.5", "--clients", "2"]
    as_json = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert as_json.exit_code == 0
    assert sum(json.loads(as_json.stdout)["counts"].values()) > 0
    assert "transactions in" in CliRunner().invoke(app, arguments, catch_exceptions=False).stdout
