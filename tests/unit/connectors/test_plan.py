"""The plan: a pure comparison, field by field, without secrets."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from plan_values import DESIRED, NOTHING, SALES

from connectors.apply import refuse_refused
from connectors.comparison import make_plan
from connectors.config import build_config
from connectors.errors import Configuration
from connectors.plan import (
    Action,
    Change,
    Kind,
    Plan,
    Publication,
    Severity,
    State,
    Topic,
)


def changes(observed: State, desired: State = DESIRED) -> tuple[Change, ...]:
    """Plan from `observed` to `desired`."""
    return make_plan(desired, observed).changes


def test_nothing_differs() -> None:
    """What is already as declared needs no change, whatever else the topic is set to."""
    topics = {
        name: Topic(topic.partitions, {**topic.settings, "segment.bytes": "1"})
        for name, topic in DESIRED.topics.items()
    }
    assert changes(replace(DESIRED, topics=topics)) == ()


def test_everything_is_created_in_working_order() -> None:
    """An empty installation needs publication, grants, topics, then the connector."""
    found = [(change.kind, change.name) for change in changes(NOTHING)]
    assert found == [
        (Kind.PUBLICATION, "isthmus_retail_sales"),
        (Kind.GRANT, "capture on erp.ord_hdr"),
        (Kind.GRANT, "capture on erp.ord_lin"),
        (Kind.GRANT, "capture on erp"),
        (Kind.TOPIC, "retail.sales.changes"),
        (Kind.TOPIC, "retail.sales.events"),
        (Kind.CONNECTOR, "retail.sales"),
    ]
    assert {change.action for change in changes(NOTHING)} == {Action.CREATE}


def test_changed_field_is_shown() -> None:
    """A connector that differs in one field is updated, and the plan names field, from and to."""
    config = {**build_config(SALES, "retail"), "max.batch.size": "100"}
    (change,) = changes(replace(DESIRED, connectors={"retail.sales": config}))
    (field,) = change.fields
    assert (change.kind, change.action) == (Kind.CONNECTOR, Action.UPDATE)
    assert (field.field, field.before, field.after) == ("max.batch.size", "100", None)


def test_undeclared_connector_is_shown_as_removed() -> None:
    """A connector of the site that is not declared any more stands in the plan as a removal."""
    there = {**DESIRED.connectors, "retail.old": {"name": "retail.old"}}
    (change,) = changes(replace(DESIRED, connectors=there))
    assert (change.action, change.name) == (Action.REMOVE, "retail.old")


def test_publication_tables_to_add_and_drop() -> None:
    """A publication with other tables is updated, with a warning for either direction."""
    there = {"isthmus_retail_sales": Publication(("erp.ord_hdr", "erp.old"))}
    (change,) = changes(replace(DESIRED, publications=there))
    assert change.fields[0].before == "erp.ord_hdr, erp.old"
    texts = [effect.text for effect in change.effects]
    assert texts[0].startswith("erp.old: changes are not captured any more")
    assert texts[1].startswith("erp.ord_lin: not published, though captured")


@pytest.mark.parametrize(
    "there",
    [
        Publication(("erp.ord_hdr", "erp.ord_lin"), via_root=False),
        Publication(("erp.ord_hdr", "erp.ord_lin"), operations="insert"),
        Publication(("erp.ord_hdr", "erp.ord_lin"), filtered=("erp.ord_hdr",)),
    ],
)
def test_publication_that_leaves_changes_out(there: Publication) -> None:
    """A publication with a filter, or without an operation, is put right."""
    (change,) = changes(replace(DESIRED, publications={"isthmus_retail_sales": there}))
    assert (change.kind, change.action) == (Kind.PUBLICATION, Action.UPDATE)


def test_refused_effects_stop_apply() -> None:
    """Other partition counts, and a publication for all tables, can't be changed: apply refuses."""
    topics = {**DESIRED.topics, "retail.sales.changes": Topic(3, {})}
    everything = {"isthmus_retail_sales": Publication((), all_tables=True)}
    for there in (replace(DESIRED, topics=topics), replace(DESIRED, publications=everything)):
        plan = make_plan(DESIRED, there)
        assert plan.changes[0].effects[0].severity is Severity.REFUSED
        with pytest.raises(Configuration, match=plan.changes[0].name):
            refuse_refused(plan)


def test_no_secret_in_the_plan() -> None:
    """Neither the owner's password nor one that stands in a connector in the clear is shown."""
    config = {**DESIRED.connectors["retail.sales"], "database.password": "hunter2"}
    for there in (NOTHING, replace(DESIRED, connectors={"retail.sales": config})):
        text = json.dumps(make_plan(DESIRED, there).to_document())
        assert "hunter2" not in text
        assert "ownersecret" not in text


def test_document_and_hash() -> None:
    """The JSON names from and to; the hash depends on the changes and on nothing else."""
    document = make_plan(DESIRED, NOTHING).to_document()
    assert document["changes"][0]["fields"][0].keys() == {"field", "from", "to"}
    assert document["hash"] == make_plan(DESIRED, NOTHING).hash
    assert document["hash"] != Plan(()).hash
