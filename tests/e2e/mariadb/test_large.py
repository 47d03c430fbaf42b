"""Large values and transactions on MariaDB while several sessions work."""

from __future__ import annotations

import secrets

import pytest
from cared_mariadb import CaredMariaDB
from mariadb_load import load

pytestmark = pytest.mark.long

MEGABYTE = 1_000_000
ROWS = 200_000


def write_document(cared: CaredMariaDB, code: str, text: str) -> None:
    """Write a part whose document is `text`, in quotes."""
    cared.legacy(f"""replace into part (code, doc) values ('{code}', concat('"', {text}, '"'))""")


def test_a_value_of_five_megabytes_comes_through(cared: CaredMariaDB) -> None:
    """It is below the site's limit for records: it arrives like any other."""
    value = secrets.token_hex(5 * MEGABYTE // 2)
    with load(cared, seed=1):
        write_document(cared, "large", f"'{value}'")
    cared.wait_for_quiet()
    for region in cared.settings.regions:
        found = cared.store(region, "select doc from part where code = 'large'")
        assert found == [(f'"{value}"',)]
    cared.check_whole()


def test_a_value_beyond_the_limit_stops_its_module_and_is_named(cared: CaredMariaDB) -> None:
    """The connector is not started again in vain; a smaller value and a new snapshot mend it."""
    with load(cared, seed=2):
        write_document(cared, "huge", "repeat('x', 30000000)")
        assert "record_bytes_max" in cared.wait_for_finding("connector failed")
        write_document(cared, "huge", "'short'")
        cared.read_again()
    cared.check_whole()
    cared.wait_until_well()


def test_many_rows_in_one_transaction(cared: CaredMariaDB) -> None:
    """It comes whole into the mirror and every region, with what others committed meanwhile."""
    with load(cared, seed=3):
        cared.legacy(
            f"insert into line select 1000000 + seq, 1, 1, 0.5 from seq_1_to_{ROWS}",
            "update line set qty = 2 where ord_id between 1000001 and 1001000",
            "delete from line where ord_id between 1001001 and 1001500",
        )
    cared.check_whole()
    assert cared.store("us", "select count(*) from line where ord_id > 1000000") == [(ROWS - 500,)]
