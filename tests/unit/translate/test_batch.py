"""What the translator makes of transactions: events, letters and net rows, without a database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from baskets import (
    ANNA,
    CODECS,
    ROLES,
    BasketAdapter,
    FakeMirror,
    change,
    head,
    kinds,
    line,
    make_maker,
    states,
    translate,
)

from adapters.aggregate import Key
from adapters.envelope import UNAVAILABLE, RowChange
from adapters.event import EventKind
from pipeline.errors import Poison
from pipeline.translate.batch import Translation, decode_write, load_rows
from pipeline.translate.event_maker import UNKNOWN, Moment, Outcome, make_target
from pipeline.translate.working_set import WorkingSet


def test_a_new_aggregate_is_one_state_and_its_domain_event() -> None:
    """However many rows a transaction writes, there is one whole state, first in order."""
    mirror = FakeMirror(person=[ANNA])
    made = translate(
        mirror,
        [change("c", "head", **head(1)), change("c", "line", **line(1, 1, 5)),
         change("c", "line", **line(2, 1, 7)), change("u", "line", **line(2, 1, 8))],
    )  # fmt: skip
    assert kinds(made.outcome.events) == [
        ("1", "Basket", EventKind.STATE),
        ("1", "Opened", EventKind.DOMAIN),
    ]
    (state,) = states(made)
    assert (state["name"], state["quantities"]) == ("Anna", [5, 8])
    sequences = [event.sequence for event in made.outcome.events]
    assert sequences == sorted(sequences)
    assert sequences[0].startswith("00000001-0000000000000064-00000000-00000000")


def test_each_transaction_of_a_batch_has_its_own_state() -> None:
    """Two transactions in one batch yield the state after each, not the last one twice."""
    mirror = FakeMirror(head=[head(1)], line=[line(1, 1, 5)])
    made = translate(
        mirror,
        [change("u", "line", **line(1, 1, 6))],
        [change("u", "line", **line(1, 1, 7)), change("c", "line", **line(2, 1, 1))],
    )
    assert [state["quantities"] for state in states(made)] == [[6], [7, 1]]


def test_a_change_that_shows_nowhere_yields_nothing() -> None:
    """A transaction that leaves the state as it was lands, and emits no event."""
    mirror = FakeMirror(head=[head(1)], line=[line(1, 1, 5)])
    made = translate(
        mirror, [change("u", "line", **line(1, 1, 6)), change("u", "line", **line(1, 1, 5))]
    )
    assert made.outcome.events == []
    assert made.rows.dirty["line"]


def test_a_deleted_aggregate_is_a_deleted_state_and_a_tombstone() -> None:
    """The tombstone comes last and has no payload."""
    mirror = FakeMirror(head=[head(1)], line=[line(1, 1, 5)])
    made = translate(mirror, [change("d", "line", **line(1, 1, 5)), change("d", "head", **head(1))])
    assert kinds(made.outcome.events) == [
        ("1", "Basket", EventKind.STATE),
        ("1", "Basket", EventKind.TOMBSTONE),
    ]
    assert states(made)[0]["deleted"] is True
    assert mirror.tables == {"head": {}, "line": {}}


def test_a_line_that_moves_changes_both_aggregates() -> None:
    """The one that it left and the one that it came to are both emitted, once each."""
    mirror = FakeMirror(head=[head(1), head(2)], line=[line(1, 1, 5)])
    made = translate(mirror, [change("u", "line", **line(1, 2, 5))])
    assert {state["id"]: state["quantities"] for state in states(made)} == {1: [], 2: [5]}


def test_an_unchanged_large_value_is_taken_from_the_mirror() -> None:
    """NULL stays NULL, the placeholder becomes the value before, a value replaces it."""
    mirror = FakeMirror(head=[head(1, memo="long"), head(2, memo="long"), head(3, memo="long")])
    made = translate(
        mirror,
        [change("u", "head", **head(1, code="b", memo=UNAVAILABLE)),
         change("u", "head", **head(2, code="b", memo=None)),
         change("u", "head", **head(3, code="b", memo="short"))],
    )  # fmt: skip
    assert [state["memo"] for state in states(made)] == ["long", None, "short"]


def test_an_unchanged_large_value_survives_a_change_of_its_key() -> None:
    """The row under the new key takes the value from the row that was deleted before it."""
    mirror = FakeMirror(head=[head(1, memo="long")])
    made = translate(
        mirror,
        [
            change("d", "head", **head(1)),
            change("c", "head", old_key=1, **head(9, memo=UNAVAILABLE)),
        ],
    )
    assert [(state["id"], state["memo"]) for state in states(made)] == [(1, None), (9, "long")]


def test_an_unchanged_value_that_nobody_has_is_a_letter() -> None:
    """Without the row before there is nothing to publish: the aggregate is quarantined."""
    made = translate(FakeMirror(), [change("u", "head", **head(1, memo=UNAVAILABLE))])
    (letter,) = made.outcome.letters.values()
    assert "not in the mirror" in letter.failure.reason
    assert made.outcome.events == []


def test_the_delete_of_a_row_that_never_came_ends_its_letter() -> None:
    """An aggregate that is quarantined without a row in the mirror is gone when its root is."""
    maker, mirror = make_maker(), FakeMirror()
    translate(mirror, [change("u", "head", **head(1, memo=UNAVAILABLE))], maker=maker)
    assert translate(mirror, [change("d", "head", **head(2))], maker=maker).outcome.events == []
    made = translate(mirror, [change("d", "head", **head(1))], maker=maker)
    assert made.outcome.resolved == {("shop.Basket", "1")}
    assert [state["deleted"] for state in states(made)] == [True]
    assert maker.last_good == {}


def test_what_cannot_be_understood_stops_nothing_else() -> None:
    """The poison aggregate gets a letter with its last good state; the other one is published."""
    mirror = FakeMirror(head=[head(1), head(2)])
    maker = make_maker()
    made = translate(
        mirror,
        [change("u", "head", **head(1, code="?")), change("u", "head", **head(2, code="b"))],
        maker=maker,
    )
    assert [state["id"] for state in states(made)] == [2]
    (letter,) = made.outcome.letters.values()
    assert (letter.subject, letter.failure.reason) == ("1", "head.code: unknown code '?'")
    assert isinstance(letter.last_good, dict)
    assert letter.last_good["code"] == "a"


def test_a_healed_aggregate_resolves_its_letter_and_tells_what_happened() -> None:
    """Its events are those between the last good state and the new one."""
    mirror = FakeMirror()
    maker = make_maker()
    translate(mirror, [change("c", "head", **head(1, code="?"))], maker=maker)
    made = translate(mirror, [change("u", "head", **head(1))], maker=maker)
    assert made.outcome.resolved == {("shop.Basket", "1")}
    assert [kind for _, _, kind in kinds(made.outcome.events)] == [
        EventKind.STATE,
        EventKind.DOMAIN,
    ]
    assert maker.last_good == {}


def test_nothing_is_said_to_have_happened_when_the_state_before_is_unknown() -> None:
    """After a snapshot found an aggregate poisoned, its healing is a state and no more."""
    made = translate(
        FakeMirror(head=[head(1, code="?")]),
        [change("u", "head", **head(1))],
        maker=make_maker(_1=UNKNOWN),
    )
    assert [kind for _, _, kind in kinds(made.outcome.events)] == [EventKind.STATE]


def test_a_changed_lookup_asks_for_the_aggregates_that_show_it() -> None:
    """Only a watched column counts."""
    mirror = FakeMirror(person=[ANNA, {"who": 2, "name": "Bo", "shoe": 40}])
    made = translate(
        mirror,
        [change("u", "person", **{**ANNA, "name": "Änne"}),
         change("u", "person", who=2, name="Bo", shoe=41)],
    )  # fmt: skip
    assert made.watched == {("shop", "shop.Basket", "person"): {(1,)}}


def test_a_truncated_table_empties_the_loaded_aggregates() -> None:
    """Rows written after TRUNCATE in the same transaction stay."""
    mirror = FakeMirror(head=[head(1)], line=[line(1, 1, 5)])
    truncate = RowChange("line", "t", None, None, None, 1, 1, None, 1, 0)
    made = translate(
        mirror,
        [change("u", "head", **head(1, code="b")), truncate, change("c", "line", **line(2, 1, 9))],
    )
    assert made.truncated == {"line"}
    assert [state["quantities"] for state in states(made)] == [[9]]


def test_an_emission_is_a_state_whatever_was_before() -> None:
    """It tells no domain events, and its sequence has a revision."""
    maker, outcome = make_maker(), Outcome()
    adapter = BasketAdapter()
    state = adapter.deleted_state((1,)) | {"deleted": False}
    moment = Moment(1, 100, 7, datetime(2026, 1, 1, tzinfo=UTC), None)
    maker.take_emission(outcome, make_target(adapter, (1,), moment), state)
    (event,) = outcome.events
    assert event.sequence == "00000001-0000000000000064-00000007-00000000"


def test_a_misfit_is_refused_unless_decoding_is_lenient() -> None:
    """A column that is not there is drift; leniently it keeps the value before."""
    mirror = FakeMirror(head=[head(1, memo="kept")])
    values = head(1, code="b")
    del values["memo"]
    drifted = change("u", "head", **values)
    with pytest.raises(Poison, match="does not fit"):
        decode_write(drifted, CODECS, lenient=False)
    assert states(translate(mirror, [drifted]))[0]["memo"] == "kept"


def correct(mirror: FakeMirror, *rows: RowChange) -> dict[str, list[Key]]:
    """Land rows that were read again; return the aggregates that they change."""
    translation = Translation(ROLES, make_maker(), WorkingSet(ROLES), Outcome())
    writes = [decode_write(one, CODECS, lenient=True) for one in rows]
    load_rows(translation.rows, ROLES, mirror, writes)
    moment = Moment(1, 100, 0, datetime(2026, 1, 1, tzinfo=UTC), None)
    changed = translation.correct(writes, moment)
    mirror.land(translation)
    assert translation.outcome.events == []
    return changed


def test_rows_that_are_read_again_change_nothing() -> None:
    """Rows that the mirror has already are not written, and no aggregate is told again."""
    mirror = FakeMirror(head=[head(1)], line=[line(1, 1, 5)])
    before = {table: dict(rows) for table, rows in mirror.tables.items()}
    rows = (change("r", "head", **head(1)), change("r", "line", **line(1, 1, 5)))
    assert correct(mirror, *rows) == {}
    assert mirror.tables == before


def test_rows_that_were_missing_are_put_right() -> None:
    """The mirror takes them, and exactly the aggregates whose state that changes are named."""
    mirror = FakeMirror(head=[head(1), head(2)], line=[line(1, 1, 5), line(2, 2, 5)])
    rows = (
        change("r", "line", **line(1, 1, 6)),
        change("r", "line", **line(2, 2, 5)),
        change("r", "line", **line(3, 1, 7)),
        change("r", "head", **head(2, who=9)),  # nobody shows who
    )
    assert correct(mirror, *rows) == {"shop.Basket": [(1,)]}
    assert mirror.tables["line"][3,].qty == 7
    assert mirror.tables["head"][2,].who == 9


def test_a_row_read_before_a_column_was_added_keeps_its_value() -> None:
    """A value that an older image does not have is taken from the mirror, not made null."""
    mirror = FakeMirror(head=[head(1, memo="new column")])
    old = {name: value for name, value in head(1).items() if name != "memo"}
    assert correct(mirror, change("r", "head", **old)) == {}
    assert mirror.tables["head"][1,].memo == "new column"
