"""The clerks' transactions on orders: place, change, cancel, ship, deliver.

Enters: a `Session` inside a transaction and the operation's random. Leaves: True, or False when
there was nothing to do. A transaction on an order locks its header first, then
touches stock in key order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from legacy_db.retail import amounts, vocabulary
from legacy_db.retail.erp_connection import Rollback
from legacy_db.retail.seed_orders import DISCOUNTS, FREIGHTS, freight_cents
from legacy_db.retail.seed_rows import NEVER_BUY
from legacy_db.retail.workload_lines import (
    change_lines,
    draw_lines,
    release_stock,
    rewrite_total,
    write_lines,
)
from legacy_db.retail.workload_session import TODAY, Session

if TYPE_CHECKING:
    from random import Random

_INSERT_HEADER = f"""
insert into ord_hdr (ord_no, cust_no, ord_dt, stat_cd, curr_cd, "user", frt_amt, disc_pct, tot_amt,
  rmk, chg_ts)
select %s, coalesce((select min(cust_no) from cust_mstr where cust_no >= %s), 1), {TODAY}, 'N', %s,
  %s, %s, %s, %s, %s, localtimestamp(6)
"""


def place_order(session: Session, random: Random, *, remark: str | None = None) -> int:
    """Write a new order with its lines and reserve its stock; return its number."""
    number = session.next_number("order")
    discount, freight = random.choice(DISCOUNTS), random.choice(FREIGHTS)
    customer = random.randrange(1, max(int(session.shape.customers * NEVER_BUY), 1) + 1)
    if remark is None and vocabulary.happens(random, 0.1):
        remark = random.choice(vocabulary.REMARKS)
    lines = draw_lines(session, random, number, first_line=1, lines=random.randrange(1, 6))
    cents = sum(line.cents for line in lines)
    session.execute(
        _INSERT_HEADER,
        number,
        customer,
        random.choice(amounts.CURRENCIES),
        random.choice(vocabulary.CLERKS),
        freight,
        amounts.percent_text(discount),
        amounts.total_cents(cents, discount, freight_cents(freight)),
        remark,
    )
    write_lines(session, lines)
    session.remember(session.orders, number)
    return number


def place_large_remark(session: Session, random: Random) -> bool:
    """Place an order whose remark is stored out of line."""
    place_order(
        session, random, remark=vocabulary.large_text(random, random.randrange(20_000, 40_000))
    )
    return True


def place_and_change(session: Session, random: Random) -> bool:
    """Place an order and change it again in the same transaction."""
    number = place_order(session, random)
    change_lines(session, random, number)
    rewrite_total(session, number)
    return True


def place_with_savepoint(session: Session, random: Random) -> bool:
    """Place an order; lines added after a savepoint are rolled back, others are kept."""
    number = place_order(session, random)
    with session.connection.transaction():
        write_lines(session, draw_lines(session, random, number, first_line=50, lines=2))
        session.execute("update ord_hdr set rmk = 'never seen' where ord_no = %s", number)
        raise Rollback
    write_lines(session, draw_lines(session, random, number, first_line=60, lines=1))
    rewrite_total(session, number)
    return True


def place_rolled_back(session: Session, random: Random) -> bool:
    """Place and change an order, then roll everything back."""
    place_and_change(session, random)
    raise Rollback


def change_order(session: Session, random: Random) -> bool:
    """Add, change and remove lines of an open order."""
    order = session.lock_order(random, "N")
    if order is None:
        return False
    change_lines(session, random, order[0])
    rewrite_total(session, order[0])
    return True


def cancel_order(session: Session, random: Random) -> bool:
    """Cancel an open order and give its reserved stock back."""
    order = session.lock_order(random, "N")
    if order is None:
        return False
    number = order[0]
    release_stock(session, number)
    session.execute("update ord_lin set stat_cd = 'X' where ord_no = %s", number)
    session.execute(
        "update ord_hdr set stat_cd = 'X', chg_ts = localtimestamp(6) where ord_no = %s", number
    )
    return True


def ship_order(session: Session, random: Random) -> bool:
    """Ship an open order: stock leaves, lines and header follow, a shipment is written."""
    order = session.lock_order(random, "N")
    if order is None:
        return False
    number = order[0]
    whs = amounts.warehouse(number)
    taken = session.execute(
        "select item_no, sum(qty) from ord_lin where ord_no = %s group by item_no order by item_no",
        number,
    ).fetchall()
    session.execute_many(
        f"update stk_bal set qty_oh = qty_oh - %s, qty_rsv = qty_rsv - %s, last_dt = {TODAY}"
        " where whs_cd = %s and item_no = %s",
        [(quantity, quantity, whs, item) for item, quantity in taken],
    )
    session.execute_many(
        "insert into stk_mvt (mvt_no, whs_cd, item_no, mvt_typ, qty, mvt_dt, ref_no)"
        f" values (%s, %s, %s, 'I', %s, {TODAY}, %s)",
        [
            (session.next_number("movement"), whs, item, quantity, number)
            for item, quantity in taken
        ],
    )
    session.execute("update ord_lin set stat_cd = 'S' where ord_no = %s", number)
    session.execute(
        "update ord_hdr set stat_cd = 'S', chg_ts = localtimestamp(6) where ord_no = %s", number
    )
    session.execute(
        "insert into shipmt (ship_no, ord_no, ship_dt, carr_cd, trk_no, stat_cd)"
        f" values (%s, %s, {TODAY}, %s, %s, 'T')",
        session.next_number("shipment"),
        number,
        random.choice(vocabulary.CARRIERS),
        f"TRK{random.randrange(10**12):012d}" if vocabulary.happens(random, 0.8) else None,
    )
    return True


def deliver_shipment(session: Session, random: Random) -> bool:
    """Mark the shipment of a shipped order as delivered or returned."""
    found = session.execute(
        "select ship_no from shipmt where ship_no >= %s and stat_cd = 'T'"
        " order by ship_no limit 1 for update",
        random.randrange(1, session.shape.orders + 1),
    ).fetchone()
    if found is None:
        return False
    session.execute(
        "update shipmt set stat_cd = %s where ship_no = %s",
        random.choices("DR", (95, 5))[0],
        found[0],
    )
    return True
