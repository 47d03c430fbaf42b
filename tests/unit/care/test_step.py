"""One look of the care of a site: what is told and done about findings, and how often."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from connectors.health.facts import (
    BinlogFacts,
    BinlogPlace,
    ConnectorFacts,
    LogFacts,
    ModuleFacts,
    Part,
    SeenBinlog,
    SourceFacts,
)
from connectors.health.finding import Finding, Kind, Remedy, Severity
from connectors.health.restarts import RESTARTS_MAX
from pipeline.care.doubt import note_lost_changes
from pipeline.care.memory import Memory, dump_memories, load_memories, recall, remember
from pipeline.care.step import (
    HEAL_AFTER_S,
    HEAL_AGAIN_S,
    Action,
    Deed,
    Step,
    Watched,
    take_step,
    watch_log,
    watch_running,
)

if TYPE_CHECKING:
    from connectors.health.gather import Sources

RUNS = (Part("connector", "RUNNING"), Part("task 0", "RUNNING"))
CONFIG = {"transforms.epoch.value.literal": "1"}
FACTS = ModuleFacts(
    "sales",
    100_000,
    ConnectorFacts("retail.sales", RUNS, {"edited": "x"}),
    wanted=CONFIG,
    source=SourceFacts("7", 1, 500, None, None),
    log=LogFacts(0, 9, 99_000),
)
STOPPED = replace(FACTS, connector=ConnectorFacts("retail.sales", (Part("connector", "STOPPED"),)))
FAILED = replace(
    FACTS, connector=ConnectorFacts("retail.sales", (RUNS[0], Part("task 0", "FAILED", "x")))
)
DROPPED = Finding(
    "sales", Kind.PUBLICATION_MISSING, Severity.ERROR, "dropped", Remedy.STOP, doubt=True
)
LOST = replace(DROPPED, kind=Kind.SLOT_LOST)
FAILURE = Finding("sales", Kind.CONNECTOR_FAILED, Severity.ERROR, "failed", Remedy.RESTART)
SILENCE = Finding("sales", Kind.CONNECTOR_SILENT, Severity.ERROR, "silent", Remedy.RESTART)
FRESH = Watched()
GONE = Finding("sales", Kind.CONNECTOR_MISSING, Severity.ERROR, "gone", Remedy.APPLY)


def step(
    facts: ModuleFacts, *findings: Finding, watched: Watched = FRESH, heal: bool = False,
    now_s: float = 0.0,
) -> Step:  # fmt: skip
    """Take one step."""
    return take_step(facts, findings, watched, now_s, heal=heal)


def deeds(taken: Step) -> list[Deed]:
    """Name what a step does."""
    return [action.deed for action in taken.actions]


def test_a_finding_is_told_once_and_its_end_once() -> None:
    """What stays is not repeated; when it is over that is told, and then nothing."""
    growing = Finding("sales", Kind.SLOT_GROWS, Severity.WARNING, "it keeps 1 GB")
    first = step(FACTS, growing)
    assert [line.text for line in first.lines] == ["it keeps 1 GB"]
    second = step(FACTS, replace(growing, text="it keeps 2 GB"), watched=first.watched)
    assert second.lines == ()
    graver = step(FACTS, replace(growing, severity=Severity.ERROR), watched=second.watched)
    assert [line.severity for line in graver.lines] == [Severity.ERROR]
    over = step(FACTS, watched=graver.watched)
    assert [(line.kind, line.severity) for line in over.lines] == [(Kind.SLOT_GROWS, Severity.INFO)]
    assert step(FACTS, watched=over.watched).lines == ()


def test_what_loses_changes_is_stopped_once() -> None:
    """The connector is stopped; once it is, nothing more is done until the cause is mended."""
    first = step(FACTS, DROPPED)
    assert first.actions == (Action(Deed.STOP, DROPPED), Action(Deed.DOUBT, DROPPED))
    noted = replace(first.watched, doubted=frozenset({DROPPED.kind}))
    second = step(STOPPED, DROPPED, watched=noted)
    assert (second.actions, second.lines) == ((), ())
    mended = step(STOPPED, watched=second.watched)
    assert mended.actions == (), "it is for a person to let it go on"
    assert step(FACTS, watched=mended.watched).watched.stopped_for is None


def test_each_stop_is_doubted_anew() -> None:
    """A connector that somebody let run again in between may have left out more since."""
    noted = replace(step(FACTS, DROPPED).watched, doubted=frozenset({DROPPED.kind}))
    resumed = step(FACTS, DROPPED, watched=noted)
    assert deeds(resumed) == [Deed.STOP, Deed.DOUBT]
    assert deeds(step(STOPPED, DROPPED, watched=resumed.watched)) == [Deed.DOUBT], "until kept"


@pytest.mark.parametrize(
    ("cause", "expected", "then"), [(DROPPED, [Deed.APPLY], [Deed.RESUME]), (LOST, [], [])]
)
def test_heal_applies_only_what_a_declaration_can_mend(
    cause: Finding, expected: list[Deed], then: list[Deed]
) -> None:
    """A publication is made again, and the connector goes on; a lost slot is for a person.

    Also once it is dropped and the offsets are forgotten: to go on would be to read all anew.
    """
    first = step(FACTS, cause, heal=True)
    assert deeds(first) == [Deed.STOP, Deed.DOUBT]
    noted = replace(first.watched, doubted=frozenset({cause.kind}))
    later = step(STOPPED, cause, watched=noted, heal=True, now_s=HEAL_AFTER_S)
    assert deeds(later) == expected
    mended = step(STOPPED, watched=later.watched, heal=True, now_s=HEAL_AFTER_S + 1)
    assert deeds(mended) == then


def test_a_doubt_is_noted_until_the_hub_has_it_whoever_stopped_the_connector() -> None:
    """A hub that was away is asked again, and a person's own stop hides no lost change."""
    first = step(STOPPED, DROPPED)
    assert deeds(first) == [Deed.DOUBT]
    again = step(STOPPED, DROPPED, watched=first.watched)
    assert deeds(again) == [Deed.DOUBT]
    noted = replace(again.watched, doubted=frozenset({DROPPED.kind}))
    assert deeds(step(STOPPED, DROPPED, watched=noted)) == []
    over = step(STOPPED, watched=noted)
    assert deeds(step(STOPPED, DROPPED, watched=over.watched)) == [Deed.DOUBT]


def test_without_a_translator_no_doubt_is_kept() -> None:
    """Where the hub tells of none, the doubt counts as not kept, and is tried again."""
    nowhere = cast("Sources", None)
    assert not note_lost_changes("postgresql://nowhere.invalid/hub", nowhere, FACTS, DROPPED)


def test_a_deleted_connector_comes_back_only_with_heal_and_after_a_while() -> None:
    """Whoever makes it anew at this moment is not disturbed; what fails is tried once a minute."""
    watched, applied = FRESH, []
    for second in range(130):
        assert step(FACTS, GONE, watched=watched, now_s=float(second)).actions == ()
        taken = step(FACTS, GONE, watched=watched, heal=True, now_s=float(second))
        watched = taken.watched
        applied += [second for _ in taken.actions]
    assert applied == [HEAL_AFTER_S, HEAL_AFTER_S + HEAL_AGAIN_S]
    over = step(FACTS, watched=watched, heal=True, now_s=130.0)
    assert step(FACTS, GONE, watched=over.watched, heal=True, now_s=131.0).actions == ()


def test_a_failure_is_restarted_with_waits_and_given_up_with_one_message() -> None:
    """As many restarts as the budget has, then one line that says so, then silence."""
    watched, restarts, said = Watched(), 0, []
    for second in range(20_000):
        taken = step(FAILED, FAILURE, watched=watched, now_s=float(second))
        watched = taken.watched
        restarts += len(taken.actions)
        said += [line.text for line in taken.lines]
    assert restarts == RESTARTS_MAX
    assert [text[:8] for text in said] == ["failed", "given up"]


def test_silence_is_answered_with_one_restart_then_told() -> None:
    """A connector that stays silent after its restart is not restarted for ever."""
    first = step(FACTS, SILENCE)
    assert deeds(first) == [Deed.RESTART]
    waiting = step(FACTS, watched=first.watched)
    assert waiting.lines == ()
    again = step(FACTS, SILENCE, watched=waiting.watched)
    assert (again.actions, len(again.lines)) == ((), 1)
    assert "still so after a restart" in again.lines[0].text
    assert step(FACTS, SILENCE, watched=again.watched).lines == ()


def test_a_log_that_is_written_again_ends_the_silence() -> None:
    """Once records come for a while, the next silence is answered like the first one.

    What a connector writes when it starts is no sign of that.
    """
    first = step(FACTS, SILENCE)
    greeted = replace(FACTS, log=LogFacts(0, 10, 100_500))
    waiting = step(greeted, watched=first.watched)
    assert deeds(step(greeted, SILENCE, watched=waiting.watched)) == []
    written = replace(FACTS, log=LogFacts(0, 10, 200_500))
    recovered = step(written, watched=first.watched)
    assert [line.text for line in recovered.lines] == ["connector silent: is over"]
    assert deeds(step(written, SILENCE, watched=recovered.watched)) == [Deed.RESTART]


def test_a_doubt_that_stops_nothing_is_kept_too() -> None:
    """Behind a failover the connector goes on, and what it captured last is doubted once."""
    over = Finding("sales", Kind.DATABASE_FAILED_OVER, Severity.WARNING, "over", doubt=True)
    assert deeds(step(FACTS, over)) == [Deed.DOUBT]
    stopped = Watched(stopped_for=DROPPED)
    assert deeds(step(STOPPED, over, watched=stopped)) == [Deed.DOUBT]
    assert deeds(step(FACTS, over, watched=Watched(doubted=frozenset({over.kind})))) == []


def test_running_time_begins_anew_with_each_break() -> None:
    """How long a connector has run counts from when it was seen running without a break."""
    watched = watch_running(FACTS, Watched(), 10.0)
    assert watch_running(FACTS, watched, 20.0).running_since_s == 10.0
    assert watch_running(FAILED, watched, 20.0).running_since_s is None


def test_the_highest_position_of_an_epoch_is_remembered() -> None:
    """A database that is behind what was seen of it does not overwrite it; a new epoch does."""
    memory = remember(FACTS, [], Memory())
    assert memory.seen is not None
    assert (memory.seen.lsn, memory.agreed) == (500, None), "the connector has another config"
    assert FACTS.source is not None
    behind = replace(FACTS, source=replace(FACTS.source, lsn=400))
    back = Finding("sales", Kind.DATABASE_WENT_BACK, Severity.ERROR, "back", Remedy.STOP)
    assert remember(behind, [back], memory).seen == replace(memory.seen, went_back=True)
    assert recall(FACTS, memory, 0.0).seen == memory.seen
    fresh = replace(behind, wanted={"transforms.epoch.value.literal": "2"})
    assert recall(fresh, memory, 0.0).seen is None
    anew = remember(fresh, [], memory)
    assert anew.seen is not None
    assert anew.seen.lsn == 400


def test_behind_a_failover_the_old_primary_is_forgotten() -> None:
    """The next look compares with the new timeline's position, not with what the old one had."""
    assert FACTS.source is not None
    memory = remember(FACTS, [], Memory())
    promoted = replace(FACTS, source=replace(FACTS.source, timeline=2, lsn=450))
    seen = remember(promoted, [], memory).seen
    assert seen is not None
    assert (seen.timeline, seen.lsn) == (2, 450)


def test_what_is_remembered_survives_a_restart(tmp_path: Path) -> None:
    """Database, agreed config and the reason of a stop are read back; rubbish is nothing."""
    agreeing = replace(FACTS, connector=replace(FACTS.connector, config=CONFIG))
    watched = Watched(stopped_for=DROPPED, doubted=frozenset({DROPPED.kind}))
    memory = remember(agreeing, [], Memory(watched=watched))
    path = tmp_path / "care.json"
    path.write_text(json.dumps(dump_memories({"sales": memory}, [DROPPED.document()], "now")))
    (loaded,) = load_memories(path).values()
    assert (loaded.seen, loaded.agreed, loaded.epoch) == (memory.seen, CONFIG, "1")
    assert loaded.watched.stopped_for is not None
    assert loaded.watched.stopped_for.kind is Kind.PUBLICATION_MISSING
    assert loaded.watched.doubted == memory.watched.doubted != frozenset()
    path.write_text("{")
    assert load_memories(path) == {}


def test_the_end_of_a_binary_log_is_remembered_while_it_goes_on(tmp_path: Path) -> None:
    """Only where GTIDs and place are of one moment, over restarts, and within one epoch."""
    ended = BinlogFacts((("bin.000002", 77),), "", "0-7-9", is_exact=True, server_id=7)
    facts = replace(FACTS, source=None, binlog=ended)
    memory = remember(facts, [], Memory())
    place = SeenBinlog(7, BinlogPlace("bin.000002", 77), "0-7-9")
    path = tmp_path / "care.json"
    path.write_text(json.dumps(dump_memories({"sales": memory}, [], "now")))
    memory = load_memories(path)["sales"]
    assert memory.seen_binlog == place
    assert recall(facts, memory, 0.0).seen_binlog == place
    later = replace(ended, files=(("bin.000002", 99),), gtids="0-7-10")
    moving = replace(facts, binlog=replace(later, is_exact=False))
    assert remember(moving, [], memory).seen_binlog == place
    back = replace(LOST, kind=Kind.DATABASE_WENT_BACK)
    assert remember(replace(facts, binlog=later), [back], memory).seen_binlog == place
    anew = replace(facts, binlog=None, wanted={"transforms.epoch.value.literal": "2"})
    assert recall(anew, memory, 0.0).seen_binlog is None
    assert remember(anew, [], memory).seen_binlog is None


def test_the_log_is_held_from_when_its_open_transaction_was_seen_first() -> None:
    """The time runs for one transaction: with the next one, or none, it begins anew."""
    open_, next_ = (replace(FACTS, log=LogFacts(0, at, None, 99)) for at in (40, 50))
    watched = watch_log(open_, watch_log(open_, Watched(), 10.0), 20.0)
    assert recall(open_, Memory(watched=watched), 30.0).held_s == 20.0
    assert watch_log(next_, watched, 40.0).held_since_s == 40.0
    over = watch_log(FACTS, watched, 40.0)
    assert recall(FACTS, Memory(watched=over), 50.0).held_s is None
