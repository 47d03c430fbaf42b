"""Opens a doubt about a change log from which the legacy database has left changes out.

Enters: a finding whose connector has just been stopped. Leaves: a doubt in the hub, behind
everything that may be missing: a reconciliation that finds all equal behind it closes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from connectors.health.binlog_source import read_binlog
from connectors.health.source import read_position
from pipeline.errors import Retriable
from pipeline.hub.doubts import note_lost

if TYPE_CHECKING:
    from connectors.health.facts import ModuleFacts
    from connectors.health.finding import Finding
    from connectors.health.gather import Sources

CONNECT_TIMEOUT_S = 5


def note_lost_changes(hub_url: str, sources: Sources, facts: ModuleFacts, finding: Finding) -> bool:
    """Note the doubt at the legacy database's position of now, in the translator's epoch.

    False when the hub tells of no translator: either none ever ran, and all comes with the
    snapshot, or the hub could not be asked, and has to be asked again.
    """
    translator = facts.translator
    if translator is None:
        return False
    position = (translator.epoch, max(_read_now(sources), translator.lsn))
    offset = facts.log.high if facts.log is not None else translator.offset
    try:
        with psycopg.connect(hub_url, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            note_lost(connection, facts.module, position, offset, str(finding.kind))
    except psycopg.OperationalError as error:
        raise Retriable(
            f"the doubt about {facts.module} ({finding.kind}) could not be kept in the hub: "
            f"{str(error).strip().splitlines()[0]}: reconcile it"
        ) from error
    return True


def _read_now(sources: Sources) -> int:
    """Read where the legacy database's log ends now; 0 where nobody can say."""
    if sources.owner is not None:
        return read_position(sources.owner)
    binlog = None if sources.binlog is None else read_binlog(sources.binlog)
    return 0 if binlog is None or binlog.end is None else binlog.end.number
