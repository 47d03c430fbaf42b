"""Asks Debezium to read a table again while all goes on: signals, and what it tells of them.

Enters: a table of a module whose declaration names a signal table. Leaves: a row in that table, and
what becomes of it, read from the notifications in the module's change log.
"""

from __future__ import annotations

import enum
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.errors import Configuration, Fatal, Unreachable
from connectors.health.progress import INCREMENTAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from connectors.declaration import Declaration
    from connectors.health.log_end import LogReader, LogRecord

ANSWER_S_MAX = 60.0
"""A connector that runs takes a signal within a few polls."""
_READ = {"SUCCEEDED", "EMPTY"}


class Ask(enum.StrEnum):
    """What a signal asks for, as Debezium calls it."""

    EXECUTE = "execute-snapshot"
    PAUSE = "pause-snapshot"
    RESUME = "resume-snapshot"
    STOP = "stop-snapshot"


ANSWERS = {
    Ask.EXECUTE: ("COMPLETED", "ABORTED"),
    Ask.PAUSE: ("PAUSED",),
    Ask.RESUME: ("RESUMED",),
    Ask.STOP: ("ABORTED", "COMPLETED"),
}


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of a snapshot while it runs; `type` is the last notification's."""

    type: str = ""
    rows: int = 0
    offset: int = 0
    failed: str | None = None


def signal_table(declaration: Declaration) -> str:
    """Give a module's signal table; Configuration says how to have one."""
    table = declaration.signal_table
    if table is None:
        module, wanted = declaration.module, f"{declaration.schema}.{declaration.module}_signal"
        raise Configuration(
            f"module {module} has no table by which Debezium can be asked: put `config: "
            f"{{signal.data.collection: {wanted}}}` into its declaration, `isthmus connectors "
            f"apply`, which makes {wanted}, and start `isthmus run` again"
        )
    return table


def find_module(declarations: dict[str, Declaration], table: str) -> str:
    """Give the module that captures a table."""
    for module, declaration in declarations.items():
        if table in declaration.tables:
            return module
    raise Configuration(f"no declared module captures {table}: see `isthmus connectors plan`")


def make_data(declaration: Declaration, table: str | None, where: str | None) -> str:
    """Make a signal's data; a blocking snapshot is never asked for, it would be a new one."""
    data: dict[str, object] = {"type": "incremental"}
    if table is not None:
        collection = f"{declaration.schema}.{table}"
        data["data-collections"] = [collection]
        if where is not None:
            data["additional-conditions"] = [{"data-collection": collection, "filter": where}]
    return json.dumps(data)


def follow(
    logs: LogReader,
    topic: str,
    begin: int,
    ask: Ask,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Heard]:
    """Yield what is heard of a signal until it is done; Fatal or Unreachable when it is not.

    Rows that were read are counted; whoever is not interested any more just stops listening.
    """
    heard, deadline = Heard(), clock() + ANSWER_S_MAX
    for record in logs.follow(topic, begin, wait_s=0.5):
        heard = heard if record is None else hear(heard, record)
        yield heard
        if heard.type in ANSWERS[ask]:
            break
        if not heard.type and clock() > deadline:
            raise Unreachable(
                f"no answer to the signal in {topic} within {ANSWER_S_MAX:g} s: does the connector "
                "run, is its signal table published (`isthmus connectors status`)?"
            )
    if heard.failed is not None:
        raise Fatal(heard.failed)
    if ask is Ask.EXECUTE and heard.type == "ABORTED":
        raise Fatal(f"the snapshot was stopped after {heard.rows} rows (see {topic})")


def hear(heard: Heard, record: LogRecord) -> Heard:
    """Take one more record of the change log into account."""
    source = record.body.get("source") or {}
    if record.table is not None and source.get("snapshot") == "incremental":
        return Heard(heard.type, heard.rows + 1, record.offset, heard.failed)
    told = record.notification
    if told is None or told[0] != INCREMENTAL:
        return heard
    _, type_, data = told
    failed = heard.failed
    status = data.get("status")
    if type_ == "TABLE_SCAN_COMPLETED" and status not in _READ:
        failed = (
            f"{data.get('scanned_collection')} was not read: {status} (NO_PRIMARY_KEY: it needs a "
            "key; UNKNOWN_SCHEMA: it is not captured, or never had a change since the connector "
            "started; SQL_EXCEPTION: see Connect's log)"
        )
    return Heard(type_, heard.rows, record.offset, failed)
