"""Tables of a MariaDB module change under load: columns, keys, TRUNCATE, the declaration."""

from __future__ import annotations

import re

from cared_mariadb import CaredMariaDB
from mariadb_load import load
from mariadb_site import MODULE


def declare(cared: CaredMariaDB, *tables: str) -> None:
    """Declare these tables, apply it and start the translator with it again."""
    file = cared.folder / "connectors" / f"{MODULE}.yaml"
    named = f"tables: [{', '.join(tables)}]"
    file.write_text(re.sub(r"(?m)^tables: .*$", named, file.read_text()))
    said = cared.do("connectors", "apply")
    assert cared.stop(f"translate-{MODULE}") == 0
    cared.start(f"translate-{MODULE}")
    assert "is running" in said


def test_columns_change_under_load(cared: CaredMariaDB) -> None:
    """One is added, renamed, retyped and dropped in a table that several sessions write."""
    with load(cared, seed=1):
        for statement in (
            "alter table line add memo varchar(9) not null default 'new'",
            "alter table line rename column memo to remark",
            "alter table line modify remark varchar(90) not null default 'newer'",
            "alter table ord modify total decimal(15,2) not null default 0",
            "alter table ord add extra int",
            "update ord set extra = id where id < 3000",
            "alter table line drop column remark",
        ):
            cared.owner.execute(statement)
    cared.check_whole()


def test_truncate_and_moved_keys_under_load(cared: CaredMariaDB) -> None:
    """A table is emptied between others' transactions, and orders move to other numbers."""
    with load(cared, seed=2):
        for number in range(3):
            cared.legacy(
                f"insert into ord (id, cust, placed) values ({90_000 + number}, 1, now(6))",
                f"insert into line (ord_id, no) values ({90_000 + number}, 1)",
            )
            cared.legacy(
                f"update ord set id = {91_000 + number} where id = {90_000 + number}",
                f"update line set ord_id = {91_000 + number} where ord_id = {90_000 + number}",
            )
            cared.owner.execute("truncate part")
            cared.legacy(f"insert into part (code) values ('after {number}')")
    cared.check_whole()
    for region in cared.settings.regions:
        assert cared.store(region, "select code from part") == [("after 2",)]


def test_a_table_added_to_the_declaration_is_read_under_load(cared: CaredMariaDB) -> None:
    """Apply asks for its rows, while everything else goes on."""
    declare(cared, "ord", "line")
    cared.legacy("insert into part (code) values ('unseen')")
    with load(cared, seed=3):
        declare(cared, "ord", "line", "part")
        cared.wait(
            lambda: bool(cared.hub("select 1 from mirror.part where code = 'unseen'")),
            "the rows of the added table",
        )
    cared.check_whole()
