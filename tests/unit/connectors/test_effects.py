"""What a plan says of each change, in plain words, and what apply never does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from plan_values import DESIRED, SIGNALLED, SIGNALS

from connectors.circumstances import Circumstances, Leftover, Unread
from connectors.comparison import make_plan
from connectors.plan import Action, Change, Kind, Publication, Severity, State, Topic
from connectors.seal import is_edited, read_forced, seal_config
from connectors.sources.postgresql import compare_beginning
from connectors.sources.source import Beginning, SlotState, TableSize

NAME = "retail.sales"
SLOT = SlotState("isthmus_retail_sales", active=True, retained_bytes=2 * 1024**2, flushed=500)
RUNS = Circumstances(
    slots={SLOT.name: SLOT}, beginnings={NAME: Beginning(goes_on=True, anchored=True)}
)


def changes(
    observed: State, around: Circumstances = RUNS, desired: State = DESIRED, **options: bool
) -> tuple[Change, ...]:
    """Plan from `observed` to `desired`."""
    return make_plan(desired, observed, around, **options).changes


def texts(change: Change) -> str:
    """Give all effects of a change."""
    return "\n".join(f"{one.severity}: {one.text}" for one in change.effects)


def configured(state: State = DESIRED, **fields: str | None) -> State:
    """Give the state with other fields in the connector's config; None takes one away."""
    config = dict(state.connectors[NAME])
    for field, value in fields.items():
        key = field.replace("_", ".")
        if value is None:
            config.pop(key)
        else:
            config[key] = value
    return replace(state, connectors={NAME: config})


def without_lines(state: State) -> State:
    """Give a state in which ord_lin is neither captured nor published."""
    there = configured(state, table_include_list=r"erp\.ord_hdr")
    names = tuple(
        one for one in state.publications["isthmus_retail_sales"].tables if "lin" not in one
    )
    return replace(there, publications={"isthmus_retail_sales": Publication(names)})


def test_added_table_with_a_signal_table_is_read_incrementally() -> None:
    """The plan holds the snapshot as a change of its own, with the table's size."""
    sizes = {"erp.ord_lin": TableSize(150_000, 5 * 1024**2)}
    around = replace(RUNS, signals={NAME: "erp.sig"}, sizes=sizes)
    found = changes(without_lines(SIGNALLED), around, SIGNALLED)
    assert [(one.kind, one.name) for one in found] == [
        (Kind.PUBLICATION, "isthmus_retail_sales"),
        (Kind.CONNECTOR, NAME),
        (Kind.SNAPSHOT, "erp.ord_lin"),
    ]
    assert "info: erp.ord_lin: tables added: will be snapshotted incrementally" in texts(found[1])
    assert "(about 150,000 rows, 5.0 MB, about 10 s)" in texts(found[2])


def test_added_table_without_a_signal_table() -> None:
    """Without a signal table its old rows are not read, and the plan says what is to be done."""
    found = changes(without_lines(DESIRED))
    assert [one.kind for one in found] == [Kind.PUBLICATION, Kind.CONNECTOR]
    assert "warning: erp.ord_lin: rows that are there already are not read: declare" in texts(
        found[1]
    )


def test_a_promised_snapshot_is_not_forgotten() -> None:
    """What an interrupted apply noted stands in the plan, though nothing else differs."""
    around = replace(RUNS, signals={NAME: "erp.sig"}, pending={NAME: ("erp.ord_lin", "erp.gone")})
    (change,) = changes(SIGNALLED, around, SIGNALLED)
    assert (change.kind, change.name) == (Kind.SNAPSHOT, "erp.ord_lin")


def test_publication_that_lost_a_table() -> None:
    """A table that is captured and not published has lost changes; it is read again."""
    there = {"isthmus_retail_sales": Publication(("erp.ord_hdr",))}
    (change,) = changes(replace(DESIRED, publications=there))
    assert "warning: erp.ord_lin: not published, though captured" in texts(change)
    assert "raise the epoch to read everything anew" in texts(change)
    around = replace(RUNS, signals={NAME: "erp.sig"})
    found = changes(replace(SIGNALLED, publications=there), around, SIGNALLED)
    assert [one.kind for one in found] == [Kind.PUBLICATION, Kind.SNAPSHOT]


def test_publication_that_was_dropped() -> None:
    """A publication that is gone beneath a connector has lost changes of all its tables."""
    (change,) = changes(replace(DESIRED, publications={}))
    assert change.action is Action.CREATE
    assert "erp.ord_hdr, erp.ord_lin: not published, though captured" in texts(change)


def test_slot_name_changed() -> None:
    """The old slot is orphaned; how much log it keeps now, and how it is dropped, is told."""
    old = SlotState("mine", active=False, retained_bytes=7 * 1024**2, flushed=1)
    around = replace(RUNS, slots={"mine": old, SLOT.name: SLOT})
    (change,) = changes(configured(slot_name="mine"), around)
    assert "the old slot mine is orphaned and retains WAL (7.0 MB now)" in texts(change)
    (change,) = changes(configured(slot_name="mine"), replace(around, slots={"mine": old}))
    assert "a new one begins now, and what was committed before and not read" in texts(change)


def test_topic_prefix_changed() -> None:
    """Another topic prefix means that everything is snapshotted again."""
    (change,) = changes(configured(topic_prefix="other"))
    assert "topic prefix changed from other" in texts(change)
    assert "everything is snapshotted again" in texts(change)


def test_config_that_was_edited_by_hand() -> None:
    """A config that is not what apply wrote is told as such, and what is set back."""
    sealed = seal_config(DESIRED.connectors[NAME])
    edited = {**sealed, "max.batch.size": "1"}
    assert not is_edited(sealed)
    assert is_edited(edited)
    there = replace(DESIRED, connectors={NAME: edited})
    (change,) = changes(there, replace(RUNS, edited=frozenset({NAME})))
    assert "somebody changed this config over REST since it was applied" in texts(change)
    assert "(max.batch.size)" in texts(change)
    assert changes(replace(DESIRED, connectors={NAME: sealed})) == ()


def test_offset_behind_its_slot() -> None:
    """An offset behind the place where the slot can go on is refused, though nothing differs."""
    offsets = [{"partition": {}, "offset": {"lsn": 300, "lsn_commit": 400, "lsn_proc": 350}}]
    behind = compare_beginning(SLOT, offsets)
    (change,) = changes(DESIRED, replace(RUNS, beginnings={NAME: behind}))
    assert "refused: this offset lies 100 bytes of log behind" in texts(change)
    assert "changes would be lost" in texts(change)
    assert not compare_beginning(replace(SLOT, flushed=400), offsets).lost
    assert not compare_beginning(SLOT, []).goes_on


def test_lost_slot() -> None:
    """A slot whose log the server has removed is refused, and one that is gone altogether."""
    gone = replace(RUNS, slots={}, beginnings={NAME: Beginning(goes_on=True, anchored=False)})
    (change,) = changes(DESIRED, gone)
    assert "refused: its replication slot is gone" in texts(change)
    around = replace(RUNS, slots={SLOT.name: replace(SLOT, lost=True)})
    (change,) = changes(DESIRED, around)
    assert change.effects[0].severity is Severity.REFUSED
    assert "is lost: the server has removed log" in texts(change)


def test_connector_that_was_never_started() -> None:
    """A connector that an interrupted apply left stopped is begun, and that is in the plan."""
    around = Circumstances(unbegun=frozenset({NAME}))
    (change,) = changes(DESIRED, around)
    (field,) = change.fields
    assert (field.field, field.before, field.after) == ("state", "STOPPED", "RUNNING")


def test_connector_deleted_behind_our_back() -> None:
    """A connector whose slot is there goes on where it was; how much log waits is told."""
    (change,) = changes(replace(DESIRED, connectors={}))
    assert change.action is Action.CREATE
    assert "keeps 2.0 MB of log: it was deleted behind our back" in texts(change)


def test_beginning_anew_needs_a_higher_epoch() -> None:
    """Without its slot a connector begins anew: in the epoch of its change log that is refused."""
    around = Circumstances(last_epochs={NAME: 1})
    (change,) = changes(replace(DESIRED, connectors={}, publications={}), around)[-1:]
    assert "refused: it would begin anew, for its slot is gone, in epoch 1" in texts(change)
    assert "set epoch: 2 in the declaration of sales" in texts(change)
    higher = configured(transforms_epoch_value_literal="2")
    (change,) = changes(replace(higher, connectors={}), around, higher)
    assert "info: reads every row of erp.ord_hdr,erp.ord_lin once" in texts(change)


@pytest.mark.parametrize(
    ("unread", "severity"),
    [
        (None, Severity.WARNING),
        (Unread(("retail.sales.translator",), 9, 1_000), Severity.WARNING),
        (Unread(("retail.sales.translator",), 9, 90_000_000_000), Severity.REFUSED),
    ],
)
def test_shorter_retention(unread: Unread | None, severity: Severity) -> None:
    """A retention below the translator's lag is refused: records would be deleted unread."""
    topic = "retail.sales.changes"
    settings = {**DESIRED.topics[topic].settings, "retention.ms": "-1"}
    there = replace(DESIRED, topics={**DESIRED.topics, topic: Topic(1, settings)})
    around = replace(RUNS, unread={} if unread is None else {topic: unread})
    (change,) = changes(there, around)
    assert [one.severity for one in change.effects] == [severity]


def test_smaller_record_size() -> None:
    """A smaller record size makes larger records fail from then on."""
    topic = "retail.sales.changes"
    settings = {**DESIRED.topics[topic].settings, "max.message.bytes": "104857600"}
    there = replace(DESIRED, topics={**DESIRED.topics, topic: Topic(1, settings)})
    (change,) = changes(there)
    assert "a record of more than 16 MB is refused by the broker" in texts(change)


def test_undeclared_module() -> None:
    """Its connector's removal tells what happens to the slot; `destroy` lists the rest, too."""
    old = SlotState("isthmus_retail_old", active=True, retained_bytes=1024, flushed=1)
    there = replace(
        DESIRED, connectors={**DESIRED.connectors, "retail.old": {"slot.name": old.name}}
    )
    left = Leftover("old", old.name, old.name, ("retail.old.changes",), connected=True)
    around = replace(RUNS, slots={**RUNS.slots, old.name: old}, leftovers=(left,))
    (change,) = changes(there, around)
    assert "its slot isthmus_retail_old stays and keeps log" in texts(change)
    kinds = [one.kind for one in changes(there, around, destroy=True)]
    assert kinds == [Kind.CONNECTOR, Kind.SLOT, Kind.PUBLICATION, Kind.TOPIC]
    gone = replace(around, leftovers=(replace(left, connected=False),))
    (change,) = changes(DESIRED, gone)
    assert (change.kind, change.action) == (Kind.SLOT, Action.REMOVE)
    assert "is dropped only by `apply --destroy`" in texts(change)


def test_signal_table_is_made_or_refused() -> None:
    """A signal table that is not there is made; one with other columns is somebody else's."""
    around = replace(RUNS, signals={NAME: SIGNALS})
    made, *_ = changes(replace(SIGNALLED, tables={}), around, SIGNALLED)
    assert (made.kind, made.name, made.action) == (Kind.TABLE, SIGNALS, Action.CREATE)
    (other,) = changes(replace(SIGNALLED, tables={SIGNALS: ("id",)}), around, SIGNALLED)
    assert other.effects[0].severity is Severity.REFUSED


def test_replica_identity_of_a_table_with_declared_keys() -> None:
    """FULL is set before the table is published, and its cost is told."""
    desired = replace(DESIRED, identities={"erp.ord_lin": "full"})
    there = replace(DESIRED, identities={"erp.ord_lin": "default"}, publications={})
    found = changes(there, RUNS, desired)
    assert [one.kind for one in found] == [Kind.IDENTITY, Kind.PUBLICATION]
    assert "writes the whole old row into the log" in texts(found[0])


def test_what_was_forced_is_remembered() -> None:
    """The plan shows in spite of what a connector was applied, until it is applied without."""
    sealed = seal_config(DESIRED.connectors[NAME], ["type:erp.a.b", "select:erp.a"])
    assert read_forced(sealed) == ("select:erp.a", "type:erp.a.b")
    plan = make_plan(DESIRED, replace(DESIRED, connectors={NAME: sealed}), RUNS)
    assert plan.changes == ()
    assert plan.to_document()["forced"] == {NAME: ("select:erp.a", "type:erp.a.b")}
