"""A saved plan is bound to what it saw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from plan_values import DESIRED, NOTHING

from connectors.circumstances import NOTHING_KNOWN, Leftover
from connectors.comparison import make_plan
from connectors.errors import Configuration, Fatal
from connectors.plan import Plan, Publication, State
from connectors.saved_plan import SavedPlan, read_plan, refuse_moved, write_plan

NAME = "retail.sales"


def save(plan: Plan, folder: Path) -> SavedPlan:
    """Write a plan and read it again."""
    write_plan(folder / "plan.json", plan, "retail", destroy=False)
    return read_plan(folder / "plan.json", "retail")


def test_unmoved(tmp_path: Path) -> None:
    """A plan is accepted while everything is as it was."""
    plan = make_plan(DESIRED, NOTHING)
    saved = save(plan, tmp_path)
    assert saved.hash == plan.hash
    refuse_moved(saved, make_plan(DESIRED, NOTHING))


def test_interrupted_apply_may_go_on(tmp_path: Path) -> None:
    """What is as the plan wanted it has not moved: the same file applies again, also when done."""
    saved = save(make_plan(DESIRED, NOTHING), tmp_path)
    half = replace(NOTHING, publications=DESIRED.publications, topics=DESIRED.topics)
    refuse_moved(saved, make_plan(DESIRED, half))
    refuse_moved(saved, make_plan(DESIRED, DESIRED))


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (
            replace(
                DESIRED, connectors={NAME: {**DESIRED.connectors[NAME], "max.batch.size": "1"}}
            ),
            "connector retail.sales",
        ),
        (replace(DESIRED, grants=frozenset()), "grant select to capture on erp.ord_hdr"),
        (
            replace(DESIRED, publications={"isthmus_retail_sales": Publication(("erp.x",))}),
            "publication isthmus_retail_sales",
        ),
        (replace(DESIRED, topics={}), "topic retail.sales.changes"),
    ],
)
def test_moved(there: State, words: str, tmp_path: Path) -> None:
    """Whatever was changed meanwhile is named, and nothing is applied."""
    saved = save(make_plan(DESIRED, DESIRED), tmp_path)
    with pytest.raises(Fatal, match=rf"the world has moved.*{words}"):
        refuse_moved(saved, make_plan(DESIRED, there))


def test_other_declaration(tmp_path: Path) -> None:
    """A declaration that was changed since is named."""
    saved = save(make_plan(DESIRED, NOTHING), tmp_path)
    other = {NAME: {**DESIRED.connectors[NAME], "max.batch.size": "1"}}
    with pytest.raises(Fatal, match=r"the declaration of connector retail\.sales"):
        refuse_moved(saved, make_plan(replace(DESIRED, connectors=other), NOTHING))


def test_changes_that_the_plan_did_not_have(tmp_path: Path) -> None:
    """A change that comes of something else, like a slot that is left over now, is named."""
    saved = save(make_plan(DESIRED, DESIRED), tmp_path)
    around = replace(NOTHING_KNOWN, leftovers=(Leftover("old", "isthmus_retail_old"),))
    with pytest.raises(Fatal, match="slot isthmus_retail_old \\(now to remove\\)"):
        refuse_moved(saved, make_plan(DESIRED, DESIRED, around))


def test_secrets_are_not_in_the_file(tmp_path: Path) -> None:
    """A password that somebody wrote in the clear into a connector is not saved."""
    config = {**DESIRED.connectors[NAME], "database.password": "hunter2"}
    save(make_plan(DESIRED, replace(DESIRED, connectors={NAME: config})), tmp_path)
    assert "hunter2" not in (tmp_path / "plan.json").read_text()


def test_hash_holds_what_was_seen() -> None:
    """Plans with the same changes from different worlds have different hashes."""
    old = {**DESIRED.connectors, "retail.old": {"name": "retail.old"}}
    other = {**DESIRED.connectors, "retail.old": {"name": "retail.old", "tasks.max": "2"}}
    first = make_plan(DESIRED, replace(DESIRED, connectors=old))
    second = make_plan(DESIRED, replace(DESIRED, connectors=other))
    assert first.changes == second.changes
    assert first.hash != second.hash


def test_files_that_are_no_plans(tmp_path: Path) -> None:
    """A file that is absent, no plan, or another site's is refused with its name."""
    path = tmp_path / "plan.json"
    with pytest.raises(Configuration, match="can't be read"):
        read_plan(path, "retail")
    path.write_text("{}")
    with pytest.raises(Configuration, match="is no plan that"):
        read_plan(path, "retail")
    write_plan(path, make_plan(DESIRED, NOTHING), "other", destroy=False)
    with pytest.raises(Configuration, match="a plan of site 'other'"):
        read_plan(path, "retail")
    with pytest.raises(Configuration, match="can't be written"):
        write_plan(tmp_path / "no" / "plan", make_plan(DESIRED, NOTHING), "x", destroy=False)
