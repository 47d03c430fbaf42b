"""Dead letters in the hub: what could not be published, why, and the last good state before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.translate.event_maker import (
    UNKNOWN,
    Failure,
    Letter,
    State,
    decode_last_good,
    encode_last_good,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import psycopg

    from adapters.contract import Contract

REPLAY = "deadletters replay"
"""The reason of an emission that a person asked for, to replay dead letters."""


def load_last_good(
    connection: psycopg.Connection[Any], module: str
) -> dict[tuple[str, str], State | Failure | None]:
    """Load the quarantined aggregates of a module with the last state that was published."""
    good: dict[tuple[str, str], State | Failure | None] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "select d.aggregate, d.subject, d.last_good_known, d.last_good, s.text "
            "from hub.dead_letter d left join hub.schema s "
            "on s.fingerprint = d.last_good_fingerprint "
            "where d.module = %s and d.state = 'open' and d.aggregate is not null",
            (module,),
        )
        for aggregate, subject, known, payload, schema in cursor:
            state = None if payload is None else decode_last_good(schema, payload)
            good[aggregate, subject] = state if known else UNKNOWN
    return good


def list_root_keys(
    connection: psycopg.Connection[Any], module: str, aggregate: str
) -> list[tuple[Any, ...]]:
    """List the root keys of the aggregates that are quarantined, as JSON has them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select root_key from hub.dead_letter where module = %s and aggregate = %s "
            "and state = 'open' and root_key is not null",
            (module, aggregate),
        )
        return [tuple(root_key) for (root_key,) in cursor]


def write_letters(
    connection: psycopg.Connection[Any],
    module: str,
    letters: Iterable[Letter],
    contracts: Mapping[str, Contract],
) -> None:
    """Write letters in the batch's transaction; an aggregate has one open letter, its newest."""
    rows = []
    for letter in letters:
        good = letter.last_good
        known = not isinstance(good, Failure)
        contract = contracts[letter.type]
        state = good if isinstance(good, dict) else None
        rows.append(
            (
                module,
                "quality" if letter.failure.expectation else "adapter",
                letter.aggregate,
                letter.subject,
                letter.root_key.decode(),
                letter.type,
                letter.sequence,
                letter.failure.expectation,
                letter.failure.reason,
                letter.failure.payload,
                known,
                None if state is None else encode_last_good(contract, state),
                None if state is None else contract.fingerprint,
            )
        )
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into hub.dead_letter (module, origin, aggregate, subject, root_key, type,
                sequence, expectation, reason, payload, last_good_known, last_good,
                last_good_fingerprint)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (module, aggregate, subject) where state = 'open' and aggregate is not null
            do update set origin = excluded.origin, sequence = excluded.sequence,
                expectation = excluded.expectation, reason = excluded.reason,
                payload = excluded.payload, occurred_at = now()
            """,
            rows,
        )


def write_undecodable(
    connection: psycopg.Connection[Any], module: str, offset: int, reason: str, payload: bytes
) -> None:
    """Write a letter for a record of the change log that could not be decoded at all."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into hub.dead_letter (module, origin, source_offset, reason, payload) "
            "select %s, 'change', %s, %s, %s where not exists (select from hub.dead_letter "
            "where module = %s and origin = 'change' and source_offset = %s)",
            (module, offset, reason, payload, module, offset),
        )


def resolve_letters(
    connection: psycopg.Connection[Any],
    module: str,
    names: Collection[tuple[str, str]],
    state: str,
) -> None:
    """Close the open letters of aggregates that were published again: replayed or superseded."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update hub.dead_letter d set state = %s, resolved_at = now() "
            "from unnest(%s::text[], %s::text[]) as n(aggregate, subject) "
            "where d.module = %s and d.state = 'open' "
            "and d.aggregate = n.aggregate and d.subject = n.subject",
            (state, [name[0] for name in names], [name[1] for name in names], module),
        )
