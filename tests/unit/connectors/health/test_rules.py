"""The rules of care: facts of one module's capture in, findings out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from health_facts import (
    CONFIG,
    CONNECTOR,
    LIMITS,
    PUBLICATION,
    RUNS,
    SLOT,
    WELL,
    connector,
    only,
    source,
)

from connectors.health.facts import (
    ConnectorFacts,
    LogFacts,
    ModuleFacts,
    Part,
    SeenSource,
    SlotFacts,
    TranslatorFacts,
)
from connectors.health.finding import Kind, Remedy, Severity
from connectors.health.rules import find
from connectors.plan import Publication
from connectors.seal import is_edited, is_sealed, open_config, seal_config


def test_nothing_is_found_where_all_is_well() -> None:
    """A running connector with its slot, publication, config and fresh records has no finding."""
    assert find(WELL, LIMITS) == []


def test_what_could_not_be_read_is_not_judged() -> None:
    """Without the legacy database, the log and anything remembered nothing is concluded."""
    blind = ModuleFacts("sales", 0, CONNECTOR, wanted=CONFIG, wanted_publication=PUBLICATION)
    assert find(blind, LIMITS) == []


@pytest.mark.parametrize(
    ("facts", "kind", "remedy", "words"),
    [
        (source(publication=None), Kind.PUBLICATION_MISSING, Remedy.STOP, "apply"),
        (
            source(publication=Publication(("erp.ord_hdr",))),
            Kind.PUBLICATION_CHANGED,
            Remedy.STOP,
            "lost erp.ord_lin",
        ),
        (
            source(publication=replace(PUBLICATION, operations="insert, update, delete")),
            Kind.PUBLICATION_CHANGED,
            Remedy.STOP,
            "leaves out truncate",
        ),
        (
            source(publication=replace(PUBLICATION, filtered=("erp.ord_lin",))),
            Kind.PUBLICATION_CHANGED,
            Remedy.STOP,
            "filters rows or columns of erp.ord_lin",
        ),
        (
            source(publication=replace(PUBLICATION, via_root=False)),
            Kind.PUBLICATION_CHANGED,
            Remedy.STOP,
            "publish_via_partition_root",
        ),
        (source(slot=None), Kind.SLOT_MISSING, Remedy.STOP, "snapshot --again sales"),
        (
            source(slot=replace(SLOT, wal_status="lost", restart_lsn=None)),
            Kind.SLOT_LOST,
            Remedy.STOP,
            "snapshot --again sales",
        ),
        (
            source(slot=replace(SLOT, invalidation="wal_removed")),
            Kind.SLOT_LOST,
            Remedy.STOP,
            "wal_removed",
        ),
        (source(lsn=9_800), Kind.DATABASE_WENT_BACK, Remedy.STOP, "0/2648"),
        (source(system="8"), Kind.DATABASE_CHANGED, Remedy.STOP, "system 8"),
        (source(timeline=2), Kind.DATABASE_WENT_BACK, Remedy.STOP, "timeline 1 became 2"),
        (
            connector(config={**CONFIG, "table.include.list": "erp.ord_hdr"}),
            Kind.CONFIG_EDITED,
            Remedy.STOP,
            "table.include.list",
        ),
    ],
)
def test_what_loses_changes_stops_the_connector_and_is_doubted(
    facts: ModuleFacts, kind: Kind, remedy: Remedy, words: str
) -> None:
    """Each of these is one ERROR that stops the connector, opens a doubt and says what to run."""
    found = only(facts)
    assert (found.kind, found.severity, found.remedy) == (kind, Severity.ERROR, remedy)
    assert found.doubt
    assert words in found.text


def test_a_failed_over_database_goes_on() -> None:
    """A new timeline whose slot was kept in step is only told."""
    waited = SeenSource("7", 1, 9_990, waited=True)
    found = only(replace(source(timeline=2, slot=replace(SLOT, synced=True)), seen=waited))
    assert (found.kind, found.severity, found.remedy) == (
        Kind.DATABASE_FAILED_OVER,
        Severity.INFO,
        Remedy.NONE,
    )


def test_a_new_primary_may_lack_log_that_nobody_had_captured() -> None:
    """What the old primary wrote last, and no standby had, is not a database that went back."""
    slot = replace(SLOT, synced=True)
    behind = replace(source(timeline=2, lsn=9_960, slot=slot), seen=SeenSource("7", 1, 9_990))
    assert only(behind).kind is Kind.DATABASE_FAILED_OVER
    lacking = replace(behind, connector=replace(CONNECTOR, offset={"lsn": 9_970}))
    assert only(lacking).kind is Kind.DATABASE_WENT_BACK


@pytest.mark.parametrize(
    "changes",
    [
        {"seen": None, "connector": replace(CONNECTOR, offset={"lsn": 10_001})},
        {"seen": None, "translator": TranslatorFacts(1, 10_001, 0, "complete", False, 0)},
    ],
)
def test_whoever_was_further_shows_that_a_database_went_back(changes: dict[str, object]) -> None:
    """Connect's offset or the hub's position beyond the database's is proof enough."""
    facts = replace(WELL, **changes)  # type: ignore[arg-type]
    assert only(facts).kind is Kind.DATABASE_WENT_BACK


def test_a_standby_that_replays_again_has_not_gone_back() -> None:
    """Its position is that of the replay, which a restart sets back; promoted it counts again."""
    assert find(source(timeline=None, lsn=9_800), LIMITS) == []
    again = replace(source(timeline=None, lsn=9_800), seen=SeenSource("7", None, 9_990))
    assert find(again, LIMITS) == []
    promoted = replace(source(timeline=2, lsn=9_800), seen=SeenSource("7", None, 9_990))
    assert only(promoted).kind is Kind.DATABASE_WENT_BACK


def test_a_position_of_an_epoch_before_says_nothing() -> None:
    """Once a new epoch is declared, the hub's older position is of another count."""
    config = {**CONFIG, "transforms.epoch.value.literal": "2"}
    fresh = replace(WELL, seen=None, wanted=config, agreed=config)
    fresh = replace(fresh, connector=ConnectorFacts("retail.sales", RUNS, config, {"lsn": 100}))
    assert fresh.source is not None
    assert find(replace(fresh, source=replace(fresh.source, lsn=200)), LIMITS) == []


@pytest.mark.parametrize(
    "facts",
    [
        # a table that is declared and not applied yet, and one that is applied away just now
        replace(WELL, wanted_publication=Publication((*PUBLICATION.tables, "erp.shipmt"))),
        replace(
            source(publication=Publication(("erp.ord_hdr",))),
            wanted_publication=Publication(("erp.ord_hdr",)),
        ),
        source(publication=Publication((), all_tables=True)),
        source(publication=Publication((*PUBLICATION.tables, "erp.shipmt"))),
        connector(offset=None),
    ],
)
def test_an_apply_at_work_is_no_loss(facts: ModuleFacts) -> None:
    """Tables that are only declared, only captured or published besides stop nothing."""
    assert find(facts, LIMITS) == []


def test_a_slot_of_a_connector_that_has_no_offset_yet_may_be_missing() -> None:
    """A connector that was created just now makes its slot itself."""
    fresh = replace(source(slot=None), connector=replace(CONNECTOR, offset=None))
    assert find(fresh, LIMITS) == []


def test_a_signal_table_must_stay_published() -> None:
    """Incremental snapshots never end without their signal table: its loss is told, too."""
    signals = {**CONFIG, "signal.data.collection": "erp.sales_signal"}
    facts = replace(
        connector(config=signals),
        wanted=signals,
        agreed=signals,
        wanted_publication=Publication((*PUBLICATION.tables, "erp.sales_signal")),
    )
    assert "lost erp.sales_signal" in only(facts).text


@pytest.mark.parametrize(
    ("slot", "lsn", "severity"),
    [
        (SLOT, 1_100_000_000, Severity.WARNING),
        (SLOT, 10_100_000_000, Severity.ERROR),
        (replace(SLOT, wal_status="unreserved"), 10_000, Severity.ERROR),
        (replace(SLOT, safe_wal_bytes=150_000_000), 200_000_000, Severity.WARNING),
    ],
)
def test_a_slot_that_grows_is_told_with_figures(
    slot: SlotFacts, lsn: int, severity: Severity
) -> None:
    """Beyond the limits, or near the server's own, a slot is told; nothing is stopped for it."""
    found = only(source(slot=slot, lsn=lsn))
    assert (found.kind, found.severity, found.remedy) == (Kind.SLOT_GROWS, severity, Remedy.NONE)
    assert slot.name in found.text


def test_a_connector_that_was_deleted_is_made_again_only_where_it_was_before() -> None:
    """Deleted behind our back it may be applied again; one that never was is only told."""
    gone = replace(WELL, connector=ConnectorFacts("retail.sales"))
    assert (only(gone).kind, only(gone).remedy) == (Kind.CONNECTOR_MISSING, Remedy.APPLY)
    assert only(replace(gone, agreed=None)).remedy is Remedy.APPLY, "its log says that it was"
    assert only(replace(gone, agreed=None, log=LogFacts(0, 0, None))).remedy is Remedy.NONE


def test_a_harmless_edit_is_named_and_not_stopped() -> None:
    """A setting that loses nothing is a warning that `--heal` may put right."""
    found = only(connector(config={**CONFIG, "max.batch.size": "1"}))
    assert (found.kind, found.severity) == (Kind.CONFIG_EDITED, Severity.WARNING)
    assert (found.remedy, found.doubt) == (Remedy.APPLY, False)
    assert "max.batch.size" in found.text


def test_the_mark_of_apply_tells_an_edit_to_whoever_begins_to_watch() -> None:
    """Without anything remembered, a config that differs from its own mark was edited."""
    config = {**CONFIG, "table.include.list": "erp.ord_hdr"}
    facts = replace(connector(config=config, edited=True), agreed=None)
    assert (only(facts).kind, only(facts).remedy) == (Kind.CONFIG_EDITED, Remedy.STOP)


def test_what_another_checkout_applied_is_told_and_never_stopped() -> None:
    """A whole seal says that nobody edited the config, however much it differs; a broken one not.

    After an upgrade, or an apply of a newer declaration, a `run` of before remembers another one.
    """
    config = {**CONFIG, "table.include.list": "erp.ord_hdr", "errors.tolerance": "none"}
    sealed = seal_config(config)
    there = connector(config=open_config(sealed), sealed=is_sealed(sealed))
    found = only(there)
    assert (found.kind, found.severity) == (Kind.CONFIG_APPLIED_ELSEWHERE, Severity.WARNING)
    assert (found.remedy, found.doubt) == (Remedy.NONE, False)
    assert "errors.tolerance, table.include.list" in found.text
    assert "restart `isthmus run`" in found.text
    edited = {**sealed, "errors.tolerance": "all"}
    by_hand = connector(
        config=open_config(edited), edited=is_edited(edited), sealed=is_sealed(edited)
    )
    assert (only(by_hand).kind, only(by_hand).remedy) == (Kind.CONFIG_EDITED, Remedy.STOP)


def test_a_declaration_that_is_not_applied_yet_is_no_edit() -> None:
    """Where only the declaration has changed since both agreed, nothing is stopped."""
    wanted = {**CONFIG, "table.include.list": "erp.ord_hdr"}
    found = only(replace(WELL, wanted=wanted))
    assert (found.kind, found.severity) == (Kind.CONFIG_NOT_APPLIED, Severity.INFO)
    unknown = only(replace(WELL, wanted=wanted, agreed=None))
    assert (unknown.kind, unknown.remedy) == (Kind.CONFIG_NOT_APPLIED, Remedy.NONE)


def test_a_resting_connector_is_left_so() -> None:
    """Whoever paused or stopped it meant it: it is told what that costs, and not resumed."""
    found = only(connector(parts=(Part("connector", "STOPPED"),)))
    assert (found.kind, found.remedy) == (Kind.CONNECTOR_RESTING, Remedy.NONE)


def test_a_binary_log_is_not_kept_by_a_slot() -> None:
    """What a resting or deleted connector costs is told as its database keeps its log."""
    config = {"database.server.id": "1000001", "heartbeat.interval.ms": "3000"}
    on_binlog = replace(WELL, source=None, seen=None, wanted=config, wanted_publication=None)
    stopped = ConnectorFacts("retail.sales", (Part("connector", "STOPPED"),))
    for there in (stopped, ConnectorFacts("retail.sales")):
        text = only(replace(on_binlog, connector=there)).text
        assert "binary log is kept only for a time" in text
        assert "slot" not in text
        assert "its slot keeps" in only(replace(WELL, connector=there)).text
