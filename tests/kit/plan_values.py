"""One declared module for the tests of plans: its desired state, with a signal table and without.

Enters: nothing. Leaves: values.
"""

from __future__ import annotations

from dataclasses import replace

from connectors.declaration import Declaration
from connectors.plan import State
from connectors.target import Target, desired_state

SIGNALS = "erp.sig"
SALES = Declaration(
    module="sales",
    engine="postgresql",
    host="127.0.0.1",
    port=5432,
    database="legacy",
    user="capture",
    password="${env:ISTHMUS_CAPTURE_PASSWORD}",
    schema="erp",
    tables=("ord_hdr", "ord_lin"),
)
TARGET = Target("retail", {"sales": SALES}, "http://c", "k:9092", "postgresql://o:ownersecret@h/d")
DESIRED = desired_state(TARGET)
SIGNALLED = desired_state(
    replace(
        TARGET,
        declarations={"sales": replace(SALES, config=(("signal.data.collection", SIGNALS),))},
    )
)
NOTHING = State({}, {}, frozenset(), {})
