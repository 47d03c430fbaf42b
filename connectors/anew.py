"""Reads a whole module again, as mark and sweep: a new epoch, a new slot, a new snapshot.

Enters: a module whose declaration has a higher epoch than its change log. Leaves: a connector that
has begun anew. Each step finds what an earlier attempt left and goes on from there.

A new slot, because an old one's changes would come after the newer snapshot; under a new epoch,
because positions start anew with it. Nothing is lost by the gap: the snapshot is as of the new
slot's beginning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from connectors import database, operate
from connectors.apply import apply_site
from connectors.declaration import SNAPSHOT_FILTER, SNAPSHOTS
from connectors.engines.postgresql import PostgreSQL
from connectors.errors import Configuration, Fatal
from legacy_db.keepalive import KEEPALIVE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from connectors.apply import Servers
    from connectors.declaration import Declaration
    from connectors.target import Target


def refuse_partial(declaration: Declaration) -> None:
    """Refuse a module whose snapshot leaves rows out: they would be taken for deleted."""
    for key, _ in declaration.config:
        if key.startswith(SNAPSHOT_FILTER):  # such tables are reported complete all the same
            raise Configuration(
                f"module {declaration.module}: config.{key} filters what a snapshot reads: rows "
                "that it leaves out would be taken for deleted; take it out of the declaration"
            )
    if declaration.snapshot != SNAPSHOTS[0]:
        raise Configuration(
            f"module {declaration.module} is declared with snapshot: {declaration.snapshot}: a "
            "snapshot that reads no rows would take all of them for deleted"
        )


def needed_epoch(target: Target, servers: Servers, module: str) -> int | None:
    """Give the epoch that the declaration needs for beginning anew; None when it has it."""
    topic = target.names(module).changes
    last = servers.topics.read_last_epoch(topic) if servers.topics.read([topic]) else None
    if last is None or target.declarations[module].epoch > last:
        return None
    return last + 1


def begin_anew(
    target: Target,
    servers: Servers,
    module: str,
    *,
    report: Callable[[str], None],
    read_secret: Callable[[str], str | None],
    prepare: Callable[[], None],
) -> None:
    """Stop the connector, forget its offsets and its slot, and apply it under its new epoch.

    `prepare` is called while nobody writes to the change log.

    The owner may lack the right to drop a slot: then the capture role does, where `read_secret`
    knows what its password refers to.
    """
    client, names = servers.connect, target.names(module)
    config = client.read_config(names.connector)
    if config is not None:
        operate.change_state(client, names.connector, "stop")
        client.delete_offsets(names.connector)
        report(f"stopped {names.connector} and forgot its offsets")
    declaration = target.declarations[module]

    def drop_as_capture(slot: str) -> bool:
        return _drop_as_capture(declaration, slot, read_secret(declaration.password))

    has_slots = declaration.engine == PostgreSQL.name
    if has_slots and not operate.drop_slot(servers, names.slot, report, drop_as_capture):
        raise Fatal(
            f"replication slot {names.slot} must be dropped as told above; then run this again: it "
            "goes on from here"
        )
    if config is not None:
        operate.delete(client, names.connector)
    prepare()
    apply_site(target.only(module), servers, report=report)


def _drop_as_capture(declaration: Declaration, slot: str, password: str | None) -> bool:
    """Drop a slot with the rights of the capture role; False where that can't be tried."""
    if password is None:
        return False
    try:
        with psycopg.connect(
            host=declaration.host,
            port=declaration.port,
            dbname=declaration.database,
            user=declaration.user,
            password=password,
            autocommit=True,
            connect_timeout=database.CONNECT_TIMEOUT_S,
            **KEEPALIVE,
        ) as connection:
            return database.drop_slot(connection, slot)
    except psycopg.OperationalError:
        return False  # it is Connect's view of the database, which may not be ours


def raise_epoch(path: Path, epoch: int) -> None:
    """Set `epoch` in a declaration's file; every other line stays as it is."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    wanted = f"epoch: {epoch}\n"
    for number, line in enumerate(lines):
        if line.startswith("epoch:"):
            comment = line.partition("#")[2]
            lines[number] = f"epoch: {epoch}  #{comment}" if comment else wanted
            break
    else:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines.append(wanted)
    path.write_text("".join(lines), encoding="utf-8")
