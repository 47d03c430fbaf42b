"""What is wrong with a module's capture, how grave it is and what is safe to do about it at once.

Enters: nothing. Leaves: a closed set of kinds, severities and remedies, and the finding itself.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Severity(enum.StrEnum):
    """How grave a finding is: an ERROR means that changes are not captured, or will be lost."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Remedy(enum.StrEnum):
    """What may be done without asking: nothing that could lose a change."""

    NONE = "none"
    STOP = "stop"
    RESTART = "restart"
    APPLY = "apply"


class Kind(enum.StrEnum):
    """What was found; the word stands in JSON and in logs."""

    CONNECTOR_MISSING = "connector missing"
    CONNECTOR_RESTING = "connector resting"
    CONNECTOR_FAILED = "connector failed"
    CONNECTOR_SILENT = "connector silent"
    LOG_HELD = "log held"
    CONFIG_EDITED = "config edited"
    CONFIG_APPLIED_ELSEWHERE = "config applied elsewhere"
    CONFIG_NOT_APPLIED = "config not applied"
    PUBLICATION_MISSING = "publication missing"
    PUBLICATION_CHANGED = "publication changed"
    SLOT_MISSING = "slot missing"
    SLOT_LOST = "slot lost"
    SLOT_GROWS = "slot grows"
    STANDBY_MISSING = "standby missing"
    BINLOG_PURGED = "binlog purged"
    DATABASE_WENT_BACK = "database went back"
    DATABASE_CHANGED = "database changed"
    DATABASE_FAILED_OVER = "database failed over"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found; `text` says what, where and what to do.

    `doubt`: changes may be missing from the change log, until a reconciliation says otherwise.
    """

    module: str
    kind: Kind
    severity: Severity
    text: str
    remedy: Remedy = Remedy.NONE
    doubt: bool = False

    def document(self) -> dict[str, str | bool]:
        """Give it as it stands in JSON."""
        return {
            "module": self.module,
            "kind": str(self.kind),
            "severity": str(self.severity),
            "text": self.text,
            "remedy": str(self.remedy),
            "doubt": self.doubt,
        }


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is worth telling.

    `silence_s_max` is how long a running connector may write nothing, not even a heartbeat.
    """

    slot_bytes_warning: int = 1_000_000_000
    slot_bytes_max: int = 10_000_000_000
    silence_s_max: int = 60
