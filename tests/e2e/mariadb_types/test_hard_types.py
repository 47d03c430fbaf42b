"""MariaDB's hard types from snapshot and log: legacy database, mirror and regions are equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from mariadb_connect import MariaDBConnect
from mariadb_packages import MissingMariaDB
from mariadb_server import MariaDBServer
from mariadb_site import PASSWORD, MariaDBSite

from pipeline.local_stack.stack import LocalStack

DDL = (
    """
    create table hard (
      id int primary key, tiny tinyint(1), tiny_u tinyint unsigned, small_u smallint unsigned,
      medium_u mediumint unsigned, int_z int(10) unsigned zerofill, big bigint,
      big_u bigint unsigned, dec_0 decimal(12,0), dec_z decimal(9,3) unsigned zerofill,
      dec_long decimal(65,30), dbl double, flag bit(1), bits bit(11), chr char(12),
      latin varchar(20) character set latin1, body longtext, doc json,
      kind enum('b','A','it''s'), many set('x','y','z z'), bin binary(4), vbin varbinary(20),
      lob longblob, day date, at_0 datetime, at_6 datetime(6), stamp timestamp(6) null,
      clock time(6), yr year
    ) character set utf8mb4""",
    """
    create table dated (
      id int primary key, may_be date, must_be date not null, moment datetime(3) not null,
      stamp timestamp not null
    )""",
)
ROWS = (
    """(-128, 255, 65535, 16777215, 12, -9223372036854775808, 18446744073709551615, -99999999999,
    12.5, -123456789012345678901234567890.123456789012345678901234567891, 1.7976931348623157e308,
    b'1', b'10000000001', 'a  ', 'é', repeat('😀', 3), '{"b": 1.0,  "a": [null]}', 'it''s',
    'x,z z', x'00', x'00ff', x'5c5c', '1000-01-01', '9999-12-31 23:59:59',
    '1969-12-31 23:59:59.000001', '2037-12-31 23:59:59.999999', '23:59:59.999999', 1901)""",
    """(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5e-324, b'0', b'0', '', '', '', '[]', 'b', '', x'', x'', x'',
    '9999-12-31', '1000-01-01', '2026-03-29 02:30:00.1', '1970-01-01 00:00:01', '00:00:00',
    2155)""",
    f"({', '.join(['null'] * 28)})",
)
DATED = (
    "'2026-01-02', '2026-01-02', '2026-01-02 03:04:05.678', '2026-01-02 03:04:05'",
    "'0000-00-00', '0000-00-00', '0000-00-00', '0000-00-00'",
    "'2026-00-00', '2026-02-00', '2026-02-00 01:00:00', '2026-01-02'",
    "null, '0069-01-02', '0070-01-02 03:04:05', '2026-01-02'",
)


def insert(first: int) -> list[str]:
    """Make the statements that write all rows, numbered from `first`."""
    hard = [
        f"insert into hard values ({first + place}, {row.strip()[1:]}"
        for place, row in enumerate(ROWS)
    ]
    dated = [
        f"insert into dated values ({first + place}, {row})" for place, row in enumerate(DATED)
    ]
    return ["set sql_mode = ''", *hard, *dated]


@pytest.fixture(scope="module")
def running(
    stack: LocalStack,
    mariadb_server: MariaDBServer,
    module_databases: Callable[[], dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[MariaDBSite]:
    """Give a site whose snapshot had every row, and whose log has them once more."""
    variables = module_databases()
    own = {PASSWORD: mariadb_server.password}
    folder = tmp_path_factory.mktemp("mariadb_connect")
    try:
        connect = MariaDBConnect(stack.variables(), folder, own_secrets=own)
    except MissingMariaDB as problem:
        pytest.skip(str(problem))
    with closing(connect):
        site = MariaDBSite(
            tmp_path_factory.mktemp("site"), variables, mariadb_server, connect,
            name=f"y{variables['ISTHMUS_HUB_URL'].rpartition('_t')[2]}", ddl=DDL,
        )  # fmt: skip
        try:
            site.legacy(*insert(1))
            site.set_up()
            site.start_all()
            complete = "select count(*) from hub.module where snapshot = 'complete'"
            site.wait(lambda: site.hub(complete)[0][0] == 1, "the snapshot")
            site.legacy(*insert(100))
            site.legacy("update hard set tiny = 7", "update dated set id = id + 1000 where id > 99")
            site.wait_for_quiet()
            yield site
        finally:
            site.close()


@pytest.mark.parametrize("table", ["hard", "dated"])
def test_values_of_every_type_match(running: MariaDBSite, table: str) -> None:
    """Values at the edges of every type are the same everywhere, impossible dates too."""
    _, document = running.reconcile()
    found = {one["region"]: one for one in document["tables"] if one["table"] == table}
    assert {region: one["keys"] for region, one in found.items()} == {
        "mirror": [], "eu": [], "us": [],
    }  # fmt: skip
    assert {one["state"] for one in found.values()} == {"MATCH"}
    assert running.hub(f"select count(*) from mirror.{table}")[0][0] >= 2 * len(ROWS)


def test_zero_dates(running: MariaDBSite) -> None:
    """They are NULL in the mirror, or 1970-01-01 where the column takes no NULL."""
    rows = running.hub("select id, may_be::text, must_be::text, moment::text from mirror.dated")
    zero = (None, "1970-01-01", "1970-01-01 00:00:00")
    assert {row[0]: row[1:] for row in rows if row[0] in (2, 1101)} == {2: zero, 1101: zero}
