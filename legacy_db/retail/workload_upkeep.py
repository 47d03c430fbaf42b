"""The transactions behind the clerks' backs: purge, reassign, rewrite remarks, raise prices.

Enters: a `Session` inside a transaction and the operation's random. Leaves: True, or False when
there was nothing to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from legacy_db.retail import vocabulary
from legacy_db.retail.workload_lines import TOTAL

if TYPE_CHECKING:
    from random import Random

    from legacy_db.retail.workload_session import Session

LARGE_BYTES = 10_000
"""A remark stored in more bytes than this is one of the large ones."""
BATCH_ORDERS = 3_000


def purge_orders(session: Session, random: Random) -> bool:
    """Delete a few old cancelled orders with everything that hangs on them."""
    found = session.execute(
        "select ord_no from ord_hdr where ord_no >= %s and stat_cd = 'X'"
        " order by ord_no limit %s for update",
        random.randrange(1, session.shape.orders + 1),
        random.randrange(1, 6),
    ).fetchall()
    numbers = [number for (number,) in found]
    places = ", ".join(["%s"] * len(numbers)) or "null"
    for table in ("ord_lin", "shipmt", "ord_hdr"):
        session.execute(f"delete from {table} where ord_no in ({places})", *numbers)
    return bool(numbers)


def reassign_large(session: Session, random: Random) -> bool:
    """Give an order with a large remark to another clerk: the remark itself is not touched."""
    number = _find_large(session, random)
    if number is None:
        return False
    session.execute(
        'update ord_hdr set "user" = %s, chg_ts = localtimestamp(6) where ord_no = %s',
        random.choice(vocabulary.CLERKS),
        number,
    )
    return True


def rewrite_large(session: Session, random: Random) -> bool:
    """Replace the large remark of an order by another."""
    number = _find_large(session, random)
    if number is None:
        return False
    session.execute(
        "update ord_hdr set rmk = %s, chg_ts = localtimestamp(6) where ord_no = %s",
        vocabulary.large_text(random, random.randrange(20_000, 60_000)),
        number,
    )
    return True


def reprice_batch(session: Session, random: Random) -> bool:
    """Raise the prices of thousands of old orders in one huge transaction."""
    start = random.randrange(1, max(session.shape.orders - BATCH_ORDERS, 1) + 1)
    span = (start, start + BATCH_ORDERS - 1)
    # headers first, in key order: the lock that every other transaction on an order begins with
    session.execute(
        "select ord_no from ord_hdr where ord_no between %s and %s order by ord_no for update",
        *span,
    )
    session.execute(
        # MariaDB assigns from left to right: the amount first, while the price is the old one
        "update ord_lin set lin_amt = round(qty * round(unit_prc * 1.02, 4) * 100),"
        " unit_prc = round(unit_prc * 1.02, 4)"
        " where ord_no between %s and %s and stat_cd = 'O'",
        *span,
    )
    changed = session.execute(
        f"update ord_hdr h set \"user\" = 'batch', chg_ts = localtimestamp(6), tot_amt = {TOTAL}"
        " where ord_no between %s and %s",
        *span,
    )
    return changed.rowcount > 0


def _find_large(session: Session, random: Random) -> int | None:
    """Lock an order with a large remark; the size is read without reading the remark."""
    found = session.execute(
        "select ord_no from ord_hdr where ord_no >= %s"
        f" and {session.connection.stored_bytes}(rmk) > %s"
        " order by ord_no limit 1 for update",
        random.randrange(1, session.shape.orders + 1),
        LARGE_BYTES,
    ).fetchone()
    return None if found is None else int(found[0])
