"""Tells failures that a restart may mend from those that need a person, by Debezium's own words.

Enters: a failed part's trace. Leaves: what has to be done, or None where starting again may help.
The words are those of Debezium 3.5 to 3.7 and of PostgreSQL and MariaDB, seen in their traces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LINE_CHARS_MAX = 300
ANEW = "isthmus connectors snapshot --again {module}"

_THEN = "then `isthmus connectors restart {module}`"


@dataclass(frozen=True, slots=True)
class _Hopeless:
    """What a trace says (any of the patterns), and what must be done about it."""

    patterns: tuple[str, ...]
    answer: str


_HOPELESS = (
    # the first match counts
    _Hopeless(
        (
            r"no longer available on the server",
            r"requested WAL segment .* has already been removed",
            r"purged (required )?binary logs?",
            r"Could not find first log file name",
        ),
        "the log that it would go on from is gone: read everything again, under a new epoch: "
        f"`{ANEW}`",
    ),
    _Hopeless(
        (
            r"can no longer (get changes from|access) replication slot",
            r"Unable to obtain valid replication slot",
            r"replication slot \"[^\"]*\" (does not exist|has been invalidated)",
        ),
        f"its replication slot is lost: read everything again, under a new epoch: `{ANEW}`",
    ),
    _Hopeless(
        (
            r"Publication autocreation is disabled",
            r"publication \"[^\"]*\" does not exist",
        ),
        "its publication is gone: `isthmus connectors apply`, "
        "`isthmus connectors resume {module}`, then `isthmus reconcile --module {module}`",
    ),
    _Hopeless(
        (r"RecordTooLargeException", r"RecordBatchTooLargeException"),
        "one record is larger than what the site accepts (`record_bytes_max`): raise it there and "
        f"in the brokers, `isthmus connectors apply`, {_THEN}; or make the value smaller in the "
        "legacy database and read everything again",
    ),
    _Hopeless(
        (
            r"password authentication failed",
            r"role \"[^\"]*\" does not exist",
            r"Access denied for user",
            r"no pg_hba\.conf entry",
        ),
        f"the capture role can't log in: correct its password or rights, {_THEN}",
    ),
    _Hopeless(
        (r"permission denied for",),
        "the capture role lacks a right: `isthmus connectors apply` grants what is declared, "
        f"{_THEN}",
    ),
    _Hopeless(
        (r"database \"[^\"]*\" does not exist", r"Unknown database"),
        "the legacy database is not there under this name: correct the declaration and apply it",
    ),
    _Hopeless(
        (r"The db history topic is missing", r"schema isn't known to this connector"),
        f"its schema history is gone: read everything again, under a new epoch: `{ANEW}`",
    ),
)

_LOST_RACE = (
    # KafkaSchemaHistory looks at its topic's settings in a thread that ends the threads' pool, and
    # asks once more: whether the pool has ended is looked at first, not at once
    r"RejectedExecutionException: Task io\.debezium\.storage\.kafka\.history\.KafkaSchemaHistory",
)


def lost_race(trace: str) -> bool:
    """Tell whether a start failed by a race within Debezium, before anything was read."""
    return any(re.search(pattern, trace) for pattern in _LOST_RACE)


def explain_hopeless(trace: str, module: str) -> str | None:
    """Say what to do about a failure that a restart can't mend; None where it may."""
    for hopeless in _HOPELESS:
        if any(re.search(pattern, trace) for pattern in hopeless.patterns):
            return hopeless.answer.format(module=module)
    return None


def first_line(trace: str) -> str:
    """Give a trace's first line, with the innermost cause's; '' without a trace."""
    lines = trace.strip().splitlines()
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return " <- ".join(map(_cut, [*lines[:1], *causes[-1:]]))


def _cut(line: str) -> str:
    """Cut a line that a person would not read to its end: Debezium prints whole offsets."""
    if len(line) <= LINE_CHARS_MAX:
        return line
    half = LINE_CHARS_MAX // 2
    return f"{line[:half]} ... {line[-half:]}"
