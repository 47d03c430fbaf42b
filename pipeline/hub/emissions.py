"""The queue of aggregates that a module's translator is asked to emit again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from psycopg.types.json import Jsonb

from pipeline.translate.row_values import encode_special

if TYPE_CHECKING:
    from collections.abc import Collection

    import psycopg

    from adapters.aggregate import Key

KEYS_PER_REQUEST = 1_000
"""Bounds one request, and with it the memory that working it off takes."""


@dataclass(frozen=True, slots=True)
class Emission:
    """One request: all aggregates, those with root `keys`, or those that look `keys` up.

    `keys` and `after_key` are JSON arrays of key values; `after_key` is how far it has come.
    """

    id: int
    aggregate: str
    scope: str
    lookup_table: str | None
    keys: list[list[Any]]
    after_key: list[Any] | None
    reason: str


def next_emission(
    connection: psycopg.Connection[Any], module: str, held: str | None = None
) -> Emission | None:
    """Read the oldest request for a module whose reason is not `held`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select id, aggregate, scope, lookup_table, keys, after_key, reason "
            "from hub.emission where module = %s and reason is distinct from %s "
            "order by id limit 1",
            (module, held),
        )
        row = cursor.fetchone()
    return None if row is None else Emission(*row)


def request_all(
    connection: psycopg.Connection[Any], module: str, aggregate: str, reason: str
) -> None:
    """Ask for all aggregates of the caller's own module, unless that is asked for and not begun.

    Only the module's translator may leave a request out: it knows that it is not working on the
    one that stands there.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into hub.emission (module, aggregate, scope, reason) "
            "select %(module)s, %(aggregate)s, 'all', %(reason)s where not exists ("
            "select from hub.emission where module = %(module)s and aggregate = %(aggregate)s "
            "and scope = 'all' and after_key is null)",
            {"module": module, "aggregate": aggregate, "reason": reason},
        )


def request_all_of_other(
    connection: psycopg.Connection[Any], module: str, aggregate: str, reason: str
) -> None:
    """Ask another module's translator for all aggregates, whatever stands in its queue.

    It may be working on a request of its own right now, without seeing what we have not committed.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into hub.emission (module, aggregate, scope, reason) "
            "values (%s, %s, 'all', %s)",
            (module, aggregate, reason),
        )


def request_keys(
    connection: psycopg.Connection[Any],
    module: str,
    aggregate: str,
    keys: Collection[Key],
    *,
    reason: str,
    lookup_table: str | None = None,
) -> None:
    """Ask for the aggregates with these root keys, or those that look these keys up."""
    listed = sorted(list(key) for key in keys)
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into hub.emission (module, aggregate, scope, lookup_table, keys, reason) "
            "values (%s, %s, %s, %s, %s, %s)",
            [
                (
                    module,
                    aggregate,
                    "keys" if lookup_table is None else "lookup",
                    lookup_table,
                    Jsonb(listed[i : i + KEYS_PER_REQUEST], dumps=_dump_keys),
                    reason,
                )
                for i in range(0, len(listed), KEYS_PER_REQUEST)
            ],
        )


def finish_emission(connection: psycopg.Connection[Any], emission: Emission) -> None:
    """Remove a request that is worked off."""
    with connection.cursor() as cursor:
        cursor.execute("delete from hub.emission where id = %s", (emission.id,))


def advance_emission(
    connection: psycopg.Connection[Any], emission: Emission, after_key: Key
) -> None:
    """Remember how far a request has come."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update hub.emission set after_key = %s where id = %s",
            (Jsonb(list(after_key), dumps=_dump_keys), emission.id),
        )


def _dump_keys(keys: Any) -> str:
    return msgspec.json.encode(keys, enc_hook=encode_special).decode()  # as codecs read keys
