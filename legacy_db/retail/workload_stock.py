"""The warehouse's transactions: stock received in bulk and counted, items described anew.

Enters: a `Session` inside a transaction and the operation's random. Leaves: True, or False when
there was nothing to do. A balance's qty_oh is always the sum of its movements: receipts, less
issues, plus adjustments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from legacy_db.retail import amounts, vocabulary
from legacy_db.retail.workload_session import TODAY

if TYPE_CHECKING:
    from random import Random

    from legacy_db.retail.workload_session import Session


def receive_stock(session: Session, random: Random) -> bool:
    """Receive a delivery of many items in bulk; sometimes a count adjusts one of them."""
    whs = random.choice(amounts.WAREHOUSES)
    items = sorted({session.draw_item(random) for _ in range(random.randrange(10, 40))})
    today = int((session.execute(f"select {TODAY}").fetchone() or (0,))[0])
    movements = [
        (session.next_number("movement"), whs, item, "R", random.randrange(1, 200) * 1000, today)
        for item in items
    ]
    if vocabulary.happens(random, 0.2):
        off = random.randrange(-5_000, 5_000)
        movements.append((session.next_number("movement"), whs, items[-1], "A", off, today))
    session.connection.load(
        "stk_mvt",
        ("mvt_no", "whs_cd", "item_no", "mvt_typ", "qty", "mvt_dt"),
        [
            (number, whs, item, kind, amounts.quantity_text(quantity), today)
            for number, _, item, kind, quantity, _ in movements
        ],
    )
    session.execute_many(
        "update stk_bal set qty_oh = qty_oh + %s, last_dt = %s where whs_cd = %s and item_no = %s",
        [
            (amounts.quantity_text(quantity), today, whs, item)
            for _, _, item, _, quantity, _ in movements
        ],
    )
    return True


def describe_item(session: Session, random: Random) -> bool:
    """Describe an item anew."""
    changed = session.execute(
        "update item_mstr set item_dsc = %s where item_no = %s",
        vocabulary.item_description(random),
        session.draw_item(random),
    )
    return changed.rowcount > 0
