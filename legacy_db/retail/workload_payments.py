"""The transactions on payments: authorized, captured, settled; some fail and say why.

Enters: a `Session` inside a transaction and the operation's random. Leaves: True, or False when
there was nothing to do. Each step writes the payment, its stage and a line of the
log that has no key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from legacy_db.retail import vocabulary
from legacy_db.retail.workload_session import TODAY

if TYPE_CHECKING:
    from collections import deque
    from random import Random

    from legacy_db.retail.workload_session import Session

_FAILS = 0.08


def authorize_payment(session: Session, random: Random) -> bool:
    """Ask for the money of an order; the bank may refuse with a reason."""
    order = session.lock_order(random, "NS")
    if order is None:
        return False
    number, currency, cents = order
    payment = session.next_number("payment")
    reason = _draw_failure(random)
    session.execute(
        "insert into pay_trx (trx_no, ord_no, mth_cd, amt, curr_cd, stat_cd, rsn_cd, trx_dt,"
        f" chg_ts) values (%s, %s, %s, %s, %s, %s, %s, {TODAY}, localtimestamp(6))",
        payment,
        number,
        random.choice(("CC", "DD", "BT")),
        cents,
        currency,
        "F" if reason else "A",
        reason,
    )
    _write_stage(session, payment, 1, "A", reason)
    if reason is None:
        session.remember(session.authorized, payment)
    return True


def capture_payment(session: Session, random: Random) -> bool:
    """Capture an authorized payment of this session."""
    return _advance(session, random, session.authorized, ("A", "C", 2), session.captured)


def settle_payment(session: Session, random: Random) -> bool:
    """Settle a captured payment of this session."""
    return _advance(session, random, session.captured, ("C", "S", 3), None)


def _advance(
    session: Session,
    random: Random,
    waiting: deque[int],
    step: tuple[str, str, int],
    reached: deque[int] | None,
) -> bool:
    if not waiting:
        return False
    payment = random.choice(waiting)
    before, after, stage = step
    reason = _draw_failure(random)
    changed = session.execute(
        "update pay_trx set stat_cd = %s, rsn_cd = %s, chg_ts = localtimestamp(6)"
        " where trx_no = %s and stat_cd = %s",
        "F" if reason else after,
        reason,
        payment,
        before,
    )
    if changed.rowcount == 0:
        return False  # done before
    _write_stage(session, payment, stage, after, reason)
    if reached is not None and reason is None:
        session.remember(reached, payment)
    return True


def _draw_failure(random: Random) -> str | None:
    failed = vocabulary.happens(random, _FAILS)
    return random.choice(vocabulary.PAYMENT_FAILURES) if failed else None


def _write_stage(session: Session, payment: int, stage: int, code: str, reason: str | None) -> None:
    session.execute(
        "insert into pay_stg (trx_no, stg_no, stg_cd, rslt_cd, rsn_cd, amt, stg_ts)"
        " select trx_no, %s, %s, %s, %s, amt, localtimestamp(6) from pay_trx where trx_no = %s",
        stage,
        code,
        "F" if reason else "O",
        reason,
        payment,
    )
    session.execute(
        "insert into pay_log (log_ts, trx_no, lvl_cd, msg) values (localtimestamp(6), %s, %s, %s)",
        payment,
        "E" if reason else "I",
        f"stage {code} failed: {reason}" if reason else f"stage {code} done",
    )
