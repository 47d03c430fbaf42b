"""How far each module's translator is, as the hub has it, for those who look at the connectors.

Enters: the hub's URL. Leaves: facts by module; none where the hub does not answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from connectors.health.facts import TranslatorFacts

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT_TIMEOUT_S = 5

_QUERY = """
select m.module, m.epoch, m.lsn, m.source_offset, m.snapshot, m.incremental,
       (select count(*) from hub.emission e where e.module = m.module)
from hub.module m
"""


def read_translators(
    hub_url: str, tell: Callable[[str], None] = lambda _line: None
) -> dict[str, TranslatorFacts]:
    """Read the marks of all modules; `tell` hears why there are none."""
    try:
        with psycopg.connect(hub_url, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            rows = connection.execute(_QUERY).fetchall()
    except psycopg.errors.UndefinedTable:
        return {}  # no translator has ever run
    except psycopg.OperationalError as error:
        tell(f"the hub does not answer: {str(error).strip().splitlines()[0]}")
        return {}
    return {
        module: TranslatorFacts(
            epoch, lsn, offset, snapshot, incremental=incremental, emissions=emissions
        )
        for module, epoch, lsn, offset, snapshot, incremental, emissions in rows
    }
