"""Tells from the databases that another process has taken a work over.

Enters: the name of a process. Leaves: a value that changes only by the work of whoever is not
paused: the translator's owner number, the publisher's marks, the replicator's owner epochs.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

CONNECT_SECONDS_MAX = 5


def read_progress(name: str, variables: Mapping[str, str]) -> object | None:
    """Read the value; None while the database does not answer."""
    stage, _, part = name.partition("-")
    parameters: tuple[str, ...] = ()
    if stage == "replicate":
        url = variables[f"ISTHMUS_STORE_{part.upper()}_URL"]
        statement = "select sum(owner_epoch) from replication.offset"
    elif stage == "translate":
        url = variables["ISTHMUS_HUB_URL"]
        statement, parameters = "select owner from hub.module where module = %s", (part,)
    else:
        url = variables["ISTHMUS_HUB_URL"]
        statement = "select sum(published_up_to) from hub.relay"
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS_MAX) as connection:
            row = connection.execute(statement.encode(), parameters).fetchone()
    except psycopg.OperationalError:
        return None
    return None if row is None else row[0]
