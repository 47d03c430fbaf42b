"""The transactions on customers: added, renamed, moved, removed softly and for good.

Enters: a `Session` inside a transaction and the operation's random. Leaves: True, or False when
there was nothing to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from legacy_db.retail import vocabulary
from legacy_db.retail.seed_rows import NEVER_BUY, address
from legacy_db.retail.workload_session import TODAY

if TYPE_CHECKING:
    from random import Random

    from legacy_db.retail.seed_rows import Row
    from legacy_db.retail.workload_session import Session

_INSERT_ADDRESS = (
    "insert into cust_addr (cust_no, addr_typ, addr_ln, city, zip_cd, ctry_cd)"
    " values (%s, %s, %s, %s, %s, %s)"
)


def add_customer(session: Session, random: Random) -> bool:
    """Write a new customer with a billing address."""
    number = session.next_number("customer")
    session.execute(
        "insert into cust_mstr (cust_no, cust_nm, cust_typ, stat_cd, tax_no, crd_lim, lang_cd, eml,"
        f" cre_dt, notes, chg_ts) values (%s, %s, 'P', 'A', null, %s, %s, %s, {TODAY}, null,"
        " localtimestamp(6))",
        number,
        vocabulary.person_name(random),
        random.randrange(0, 1_000_000, 100),
        random.choice(vocabulary.LANGUAGES),
        f"c{number}@example.com",
    )
    session.execute(_INSERT_ADDRESS, number, "B", *address(random))
    return True


def rename_customer(session: Session, random: Random) -> bool:
    """Give a customer another name."""
    number = _lock_customer(session, random)
    if number is None:
        return False
    session.execute(
        "update cust_mstr set cust_nm = %s, chg_ts = localtimestamp(6) where cust_no = %s",
        vocabulary.company_name(random),
        number,
    )
    return True


def readdress_customer(session: Session, random: Random) -> bool:
    """Move a customer, give him a shipping address, or take it away."""
    number = _lock_customer(session, random)
    if number is None:
        return False
    kind = random.choice("BS")
    removed = 0
    if kind == "S":
        statement = "delete from cust_addr where cust_no = %s and addr_typ = 'S'"
        removed = session.execute(statement, number).rowcount
    if not removed:
        _write_address(session, number, kind, address(random))
    session.execute("update cust_mstr set chg_ts = localtimestamp(6) where cust_no = %s", number)
    return True


def _write_address(session: Session, number: int, kind: str, place: Row) -> None:
    """Write an address over the old one of its kind; the customer is locked."""
    found = session.execute(
        "update cust_addr set addr_ln = %s, city = %s, zip_cd = %s, ctry_cd = %s"
        " where cust_no = %s and addr_typ = %s",
        *place,
        number,
        kind,
    )
    if not found.rowcount:
        session.execute(_INSERT_ADDRESS, number, kind, *place)


def soft_remove_customer(session: Session, random: Random) -> bool:
    """Flag a customer as deleted and close him; his rows stay."""
    number = _lock_customer(session, random)
    if number is None:
        return False
    session.execute(
        "update cust_mstr set del_flg = 'Y', stat_cd = 'C', chg_ts = localtimestamp(6)"
        " where cust_no = %s",
        number,
    )
    return True


def hard_remove_customer(session: Session, random: Random) -> bool:
    """Delete a customer who has never ordered, with his addresses."""
    customers = session.shape.customers
    found = session.execute(
        "select cust_no from cust_mstr c where cust_no >= %s"
        " and not exists (select 1 from ord_hdr o where o.cust_no = c.cust_no)"
        " order by cust_no limit 1 for update",
        random.randrange(int(customers * NEVER_BUY), customers + 1),
    ).fetchone()
    if found is None:
        return False
    session.execute("delete from cust_addr where cust_no = %s", found[0])
    session.execute("delete from cust_mstr where cust_no = %s", found[0])
    return True


def _lock_customer(session: Session, random: Random) -> int | None:
    found = session.execute(
        "select cust_no from cust_mstr where cust_no >= %s and del_flg = 'N'"
        " order by cust_no limit 1 for update",
        random.randrange(1, session.shape.customers + 1),
    ).fetchone()
    return None if found is None else int(found[0])
