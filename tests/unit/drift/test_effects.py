"""What a change of the retail tables touches, found by running the retail adapters."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.aggregate import load_adapters
from adapters.contract import load_contracts
from adapters.projection import load_projections
from legacy_db.ddl import parse_ddl
from legacy_db.definition import Column, Table
from pipeline.drift.effects import Effects, Landscape, find_effects
from pipeline.drift.usage import find_usage
from pipeline.quality.suite import load_suites
from pipeline.translate.rows import TableCodec

CONTRACTS_FOLDER = Path(__file__).parents[3] / "adapters/retail/contracts"


def make_table(name: str, key: tuple[str, ...], **types: str) -> Table:
    """Make a definition."""
    columns = tuple(
        Column(column, type_, nullable=column not in key, attnum=number)
        for number, (column, type_) in enumerate(types.items(), 1)
    )
    return Table("retail", name, columns, key)


TABLES = {
    table.name: table
    for table in (
        make_table(
            "ord_hdr",
            ("ord_no",),
            ord_no="bigint",
            cust_no="integer",
            ord_dt="integer",
            stat_cd="character(1)",
            curr_cd="character(3)",
            user="character(8)",
            frt_amt="character varying(12)",
            disc_pct="numeric(5,2)",
            tot_amt="bigint",
            rmk="text",
            chg_ts="timestamp without time zone",
        ),
        make_table(
            "ord_lin",
            ("ord_no", "lin_no"),
            ord_no="bigint",
            lin_no="smallint",
            item_no="character(15)",
            qty="numeric(12,3)",
            unit_prc="numeric",
            lin_amt="bigint",
            stat_cd="character(1)",
        ),
        make_table(
            "shipmt",
            ("ship_no",),
            ship_no="bigint",
            ord_no="bigint",
            ship_dt="integer",
            carr_cd="character(4)",
            trk_no="character varying(30)",
        ),
        make_table(
            "cust_mstr", ("cust_no",), cust_no="integer", cust_nm="character(40)", notes="text"
        ),
    )
}
CODECS = {name: TableCodec(table) for name, table in TABLES.items()}


@pytest.fixture(scope="module")
def landscape() -> Landscape:
    """Give the retail site with its orders alone."""
    adapters = [one for one in load_adapters("adapters.retail") if one.aggregate == "sales.Order"]
    contracts = load_contracts(CONTRACTS_FOLDER)
    return Landscape(
        captured={"sales": ["ord_hdr", "ord_lin", "shipmt"], "customers": ["cust_mstr"]},
        types={
            name: {column.name: column.type for column in table.columns}
            for name, table in TABLES.items()
        },
        keys={name: table.key for name, table in TABLES.items()},
        usages=tuple(find_usage(adapter, CODECS) for adapter in adapters),
        contracts=contracts,
        projections=load_projections("adapters.retail"),
        suites=load_suites(CONTRACTS_FOLDER, contracts),
        regions=("eu", "us"),
    )


def find(landscape: Landscape, ddl: str) -> Effects:
    """Return the effects of one statement."""
    (change,) = parse_ddl(ddl, "postgresql", "retail")
    return find_effects(change, landscape)


def names(effects: Effects) -> set[tuple[str, str]]:
    """Return kinds and names of all that is touched."""
    return {(one.kind, one.name) for one in effects.touched}


def test_a_dropped_column_touches_all_that_shows_it(landscape: Landscape) -> None:
    """From the adapter over contracts and tables to the regions, with the fields."""
    effects = find(landscape, "alter table ord_hdr drop column tot_amt")
    assert effects.breaks
    assert names(effects) >= {
        ("adapter", "sales.Order"),
        ("contract", "sales.Order.v1"),
        ("contract", "sales.OrderPlaced.v1"),
        ("projection", "orders"),
        ("region", "eu"),
        ("region", "us"),
    }
    assert ("projection", "order_lines") not in names(effects)
    by_kind = {one.kind: one for one in reversed(effects.touched)}
    assert by_kind["adapter"].fields == ("total",)
    assert by_kind["projection"].fields == ("total",)
    assert effects.rollout.index("run the ALTER") > 0


def test_a_looked_up_column_touches_the_adapter_of_another_module(landscape: Landscape) -> None:
    """The customer's name is captured by customers and told by sales."""
    effects = find(landscape, "alter table cust_mstr rename column cust_nm to name")
    assert effects.module == "customers"
    assert ("adapter", "sales.Order") in names(effects)
    assert effects.touched[0].fields == ("customer_name",)


@pytest.mark.parametrize(
    "ddl",
    [
        "alter table ord_hdr add column vat numeric(5,2)",
        "alter table cust_mstr drop column notes",
        "alter table ord_hdr alter column tot_amt type bigint",
        "alter table ord_hdr alter column rmk set not null",
        "alter table audit_log drop column x",
        "create table new_one (id integer primary key)",
    ],
)
def test_what_nobody_uses_touches_nothing(landscape: Landscape, ddl: str) -> None:
    """An unused, a new or a foreign column is nobody's business."""
    effects = find(landscape, ddl)
    assert effects.touched == ()
    assert effects.mirror


def test_a_column_that_is_not_there_is_named(landscape: Landscape) -> None:
    """A slip of the pen does not look like a harmless change."""
    effects = find(landscape, "alter table ord_hdr drop column totl_amt")
    assert effects.mirror == "ord_hdr has no column totl_amt"


def test_an_added_column_names_the_order_of_rolling_it_out(landscape: Landscape) -> None:
    """Contract, regions, ALTER, adapter: each step finds what it needs."""
    steps = find(landscape, "alter table ord_hdr add column vat numeric(5,2)").rollout
    assert [step.split(":")[0].split()[0] for step in steps] == ["to", "regions", "run", "deploy"]


def test_a_wider_column_names_the_fields_that_are_too_narrow(landscape: Landscape) -> None:
    """An int field can't hold what a bigint column may."""
    effects = find(landscape, "alter table ord_hdr alter column cust_no type numeric(30,0)")
    contract = next(one for one in effects.touched if one.name == "sales.Order.v1")
    assert contract.text == "customer_id: narrower than numeric(30,0)"
    assert "the new type holds every value" in effects.mirror


def test_a_partition_with_rows_needs_a_snapshot(landscape: Landscape) -> None:
    """No change tells the rows that a partition brings."""
    effects = find(landscape, "alter table ord_lin attach partition p for values in (1)")
    assert "isthmus connectors snapshot ord_lin" in effects.rollout[-1]
