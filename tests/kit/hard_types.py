"""One column of each type of PostgreSQL that is supported, with values at its extremes.

Enters: nothing. Leaves: the SQL of tables and rows, and a site over them with identity adapters.
"""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import psycopg

from adapters.identity import write_site_package
from legacy_db.database import open_legacy_database
from legacy_db.definition import leave_columns_out
from pipeline.captured_tables import load_captured, load_declared_keys, load_left_out
from pipeline.settings import SITE_FILE, load_settings

PREPARATION = (
    "create type erp.mood as enum ('sad', 'ok', 'very happy')",
    "create domain erp.amount as numeric(12,2) check (value > -1e9)",
    "create domain erp.deposit as erp.amount",
    "create domain erp.label as text",
    "create domain erp.mark as bit(4)",
    "create type erp.pair as (a integer, b text)",
)
TYPES: dict[str, tuple[str, ...]] = {
    "smallint": ("-32768", "32767"),
    "integer": ("-2147483648", "2147483647"),
    "bigint": ("-9223372036854775808", "9223372036854775807"),
    "numeric": ("'1e100'", "'-0.00000000000000000001'"),
    "numeric(12,2)": ("9999999999.99", "-0.01"),
    "numeric(3,-2)": ("12300", "-99900"),
    "real": ("'3.4028235e38'", "'-1.1754944e-38'"),
    "double precision": ("'1.7976931348623157e308'", "'5e-324'"),
    "boolean": ("true", "false"),
    "text": ("''", "E'tab\\t quote \" back \\\\ \\u00fc \\U0001F600 \\x01'"),
    "varchar(20)": ("'v'", "'twenty characters 20'"),
    "character(5)": ("'a'", "'abcde'"),
    "bpchar": ("'x  '", "''"),
    "name": ("'nm'", "'N'"),
    '"char"': ("'x'", "''"),
    "bytea": ("'\\x00ff'", "''"),
    "date": ("'0001-01-01'", "'9999-12-31'"),
    "timestamp": ("'0001-01-01 00:00:00'", "'9999-12-31 23:59:59.999999'"),
    "timestamp(3)": ("'1969-12-31 23:59:59.999'", "'2026-02-02 10:11:12.1'"),
    "timestamptz": ("'0001-01-01 00:00:00+00'", "'9999-12-31 23:59:59.999999+00'"),
    "time": ("'00:00:00'", "'23:59:59.999999'"),
    "timetz": ("'12:00:00+02'", "'23:59:59.999999-15:59'"),
    "interval": ("'-1 year 2 mons -3 days 04:05:06.7'", "'178000000 years'"),
    "interval day to second(3)": ("'1 day 00:00:01.5'", "'-00:00:00.001'"),
    "uuid": ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'00000000-0000-0000-0000-000000000000'"),
    "json": ('\'{"a": 1,  "b":2}\'', "'null'"),
    "jsonb": ('\'{"b": 1, "a":[1.50,null]}\'', "'\"text\"'"),
    "inet": ("'10.0.0.1'", "'fe80::1/64'"),
    "cidr": ("'10.0.0.0/8'", "'::/0'"),
    "macaddr": ("'08:00:2b:01:02:03'", "'ff:ff:ff:ff:ff:ff'"),
    "macaddr8": ("'08:00:2b:01:02:03:04:05'", "'00:00:00:00:00:00:00:00'"),
    "oid": ("0", "4294967295"),
    "bit(1)": ("'1'", "'0'"),
    "bit(8)": ("'00001011'", "'00000000'"),
    "bit(33)": (f"'{'1' * 33}'", f"'{'0' * 32}1'"),
    "int4range": ("'[1,3)'", "'empty'"),
    "int8range": ("'(,)'", "'[9223372036854775806,9223372036854775807)'"),
    "numrange": ("'(,1.50]'", "'[-1.5,1.500)'"),
    "daterange": ("'[2020-01-01,infinity)'", "'empty'"),
    "tsrange": ("'[2020-01-01 00:00,)'", "'(,2020-01-01 00:00:00.5]'"),
    "tstzrange": ("'[2020-01-01 00:00+02,)'", "'empty'"),
    "int4multirange": ("'{[1,2),[5,6)}'", "'{}'"),
    "nummultirange": ("'{[1.5,2.5)}'", "'{(,)}'"),
    "tstzmultirange": ("'{[2020-01-01 00:00+02,)}'", "'{}'"),
    "tsvector": ("'a:1A b:2,3'", "''"),
    "tsquery": ("'a & !b'", "'x <-> y'"),
    "pg_lsn": ("'16/B374D848'", "'0/0'"),
    "point": ("'(1.5,-2e300)'", "'(0,0)'"),
    "line": ("'{1,2,3.25}'", "'{0,1,0}'"),
    "circle": ("'<(1,2),3>'", "'<(0,0),0>'"),
    "lseg": ("'[(1,2),(3,4)]'", "'[(0,0),(0,0)]'"),
    "box": ("'(1,2),(3,4)'", "'(0,0),(-1,-1)'"),
    "path": ("'[(1,2),(3,4)]'", "'((1,2),(3,4),(5,6))'"),
    "polygon": ("'((1,2),(3,4),(5,6))'", "'((0,0),(1,0),(1,1),(0,1))'"),
    "money": ("'$1,234.56'", "'-92233720368547758.08'"),
    "erp.mood": ("'very happy'", "'sad'"),
    "erp.amount": ("12.3", "-0.01"),
    "erp.deposit": ("9999999999.99", "0"),
    "erp.label": ("'l'", "''"),
    "erp.mark": ("'0101'", "'0000'"),
    "integer[]": ("'{1,NULL,-2147483648}'", "'{}'"),
    "bigint[]": ("'{9223372036854775807}'", "'{NULL}'"),
    "smallint[]": ("'{1,-32768}'", "'{}'"),
    "text[]": ("array['a', null, '', 'q\"uo''te', 'NULL', 'a,b{}\\', 'ü']", "'{}'"),
    "varchar(5)[]": ("'{abc,NULL}'", "'{\"\"}'"),
    "character(3)[]": ("'{ab}'", "'{abc,NULL}'"),
    "numeric[]": ("'{1.10,NULL,-5}'", "'{}'"),
    "numeric(8,2)[]": ("'{1.5}'", "'{999999.99}'"),
    "boolean[]": ("'{t,f,NULL}'", "'{}'"),
    "real[]": ("'{1.5,NULL}'", "'{3.4028235e38}'"),
    "double precision[]": ("'{5e-324}'", "'{NULL,1}'"),
    "date[]": ("'{2020-01-01,NULL}'", "'{infinity}'"),
    "timestamp[]": ("'{\"2020-01-01 01:02:03.5\"}'", "'{-infinity,NULL}'"),
    "timestamptz[]": ("'{\"2020-01-01 01:02:03+02\"}'", "'{infinity}'"),
    "uuid[]": ("'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}'", "'{}'"),
    "jsonb[]": ("array['{\"a\": 1}', null]::jsonb[]", "'{}'"),
    "bytea[]": ("array['\\x00ff'::bytea, null]", "'{}'"),
    "inet[]": ("'{10.0.0.1,10.0.0.0/8,::1}'", "'{}'"),
    "int4range[]": ("'{\"[1,2)\",NULL}'", "'{}'"),
    "oid[]": ("'{1,4294967295}'", "'{}'"),
    "erp.mood[]": ("'{sad,\"very happy\"}'", "'{}'"),
}
"""Each type with two values, as SQL."""

COLUMNS = {type_: f"c{number:02d}" for number, type_ in enumerate(TYPES)}
TABLES = (
    "create table erp.hard (id integer primary key, "
    + ", ".join(f"{COLUMNS[type_]} {type_}" for type_ in TYPES)
    + ", twice integer generated always as (id * 2) stored"
    + ", thrice integer generated always as (id * 3) virtual"
    + ", number integer generated by default as identity"
    + ', "Up Case.dot" text, "class" integer, "1st" integer, pair erp.pair)',
    (
        "create table erp.beyond (id integer primary key, n numeric, x real, d date, t timestamp,"
        " z timestamptz, plain text)"
    ),
    (
        "create table erp.book (id integer, day date, v text, primary key (id, day))"
        " partition by range (day)"
    ),
    "create table erp.book_1 partition of erp.book for values from (minvalue) to ('2026-01-01')",
    "create table erp.keyless (a integer not null, b text)",
    "alter table erp.keyless replica identity full",
    (
        "create table erp.large (id integer primary key, v integer, i integer[], t text[],"
        " u uuid[], b bytea, j jsonb, n numeric, m int4multirange, d date[])"
    ),
    "alter table erp.large replica identity full",
    "create table erp.large_default (like erp.large including all)",
    "alter table erp.large_default drop column d",
    "create table erp.wide (id integer primary key, "
    + ", ".join(f"w{number} integer" for number in range(1, 1000))
    + ")",
)
CAPTURED = "[hard, beyond, book, keyless, large, large_default, wide]"

_DECLARATION = f"""\
module: types
engine: postgresql
host: ${{ISTHMUS_CAPTURE_HOST}}
port: ${{ISTHMUS_CAPTURE_PORT}}
database: ${{ISTHMUS_CAPTURE_DATABASE}}
user: ${{ISTHMUS_CAPTURE_USER}}
password: ${{env:ISTHMUS_CAPTURE_PASSWORD}}
schema: erp
tables: {CAPTURED}
keys: {{keyless: [a]}}
config:
  column.exclude.list: 'erp\\.hard\\.pair'
"""


def insert_row(id_: int, choice: int) -> str:
    """Insert a row whose every column has its value number `choice`."""
    names = ", ".join(COLUMNS.values())
    values = ", ".join(pair[choice] for pair in TYPES.values())
    return (
        f'insert into erp.hard (id, {names}, "Up Case.dot", "class", "1st")'
        f" values ({id_}, {values}, 'u', {id_}, {choice})"
    )


def set_row(id_: int, choice: int | None) -> str:
    """Set every column of a row to its value number `choice`, or to null."""
    pairs = ", ".join(
        f"{COLUMNS[type_]} = {'null' if choice is None else pair[choice]}"
        for type_, pair in TYPES.items()
    )
    return f'update erp.hard set {pairs}, "class" = null where id = {id_}'


def prepare_site(folder: Path) -> None:
    """Make the legacy tables, and turn the retail site of `folder` into one over them."""
    (folder / "connectors").mkdir()
    (folder / "connectors" / "types.yaml").write_text(_DECLARATION)
    path = folder / SITE_FILE
    text = path.read_text()
    for key, value in (
        ("connectors", "connectors"),
        ("adapters", "types_site"),
        ("contracts", "types_site/contracts"),
        ("store_migrations", "types_site/store_migrations"),
    ):
        text = re.sub(rf'(?m)^{key} = ".*"', f'{key} = "{value}"', text)
    text = text.partition("[regions.us]")[0]
    path.write_text(re.sub(r'(?ms)(\[legacy\].*?^schema = )"\w+"', r'\1"erp"', text))
    settings = load_settings(folder)
    with psycopg.connect(settings.legacy.owner_url) as connection:
        for statement in ("create schema if not exists erp", *PREPARATION, *TABLES):
            connection.execute(statement.encode())
    legacy, keys, left_out = settings.legacy, load_declared_keys(settings), load_left_out(settings)
    with closing(open_legacy_database(legacy.engine, legacy.url)) as database:
        found = database.read_tables("erp", load_captured(settings)["types"].tables, keys)
    tables = tuple(leave_columns_out(table, left_out) for table in found.values())
    write_site_package(folder / "types_site", settings.site, {"types": tables})
