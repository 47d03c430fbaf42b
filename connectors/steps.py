"""The places of apply at which a crash must do no harm: whoever runs it is told each.

Enters: nothing. Leaves: names, and what has happened by then; pipeline.failpoints can kill there.
"""

from __future__ import annotations

STEPS: dict[str, str] = {
    "connectors.before_change": "a change of the plan is about to be made",
    "connectors.after_change": "a change is made, the next one is not",
    "connectors.after_promise": "which tables will be read is noted, nothing else of them is done",
    "connectors.after_creation": "the connector is created, and stopped",
    "connectors.before_signal": "the connector runs with a new table, its rows are not asked for",
    "connectors.after_stop": "a connector that is to be destroyed is stopped",
    "connectors.after_offsets": "its offsets are deleted, the connector is still there",
}
