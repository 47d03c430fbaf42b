"""Facts of one module's capture where all is well, and what a test changes of them."""

from __future__ import annotations

from dataclasses import replace

from connectors.health.facts import (
    ConnectorFacts,
    LogFacts,
    ModuleFacts,
    Part,
    SeenSource,
    SlotFacts,
    SourceFacts,
    TranslatorFacts,
)
from connectors.health.finding import Finding, Limits
from connectors.health.rules import find
from connectors.plan import Publication

RUNS = (Part("connector", "RUNNING"), Part("task 0", "RUNNING"))
CONFIG = {
    "table.include.list": r"erp\.ord_hdr,erp\.ord_lin",
    "slot.name": "isthmus_retail_sales",
    "heartbeat.interval.ms": "3000",
    "transforms.epoch.value.literal": "1",
    "max.batch.size": "2048",
}
SLOT = SlotFacts("isthmus_retail_sales", 77, 9_000, 9_900, "reserved", None)
PUBLICATION = Publication(("erp.ord_hdr", "erp.ord_lin"))
CONNECTOR = ConnectorFacts("retail.sales", RUNS, CONFIG, {"lsn": 9_950, "lsn_commit": 9_900})
WELL = ModuleFacts(
    "sales",
    now_ms=1_000_000,
    connector=CONNECTOR,
    wanted=CONFIG,
    wanted_publication=PUBLICATION,
    source=SourceFacts("7", 1, 10_000, SLOT, PUBLICATION),
    log=LogFacts(0, 500, 999_000),
    translator=TranslatorFacts(1, 9_900, 499, "complete", incremental=False, emissions=0),
    seen=SeenSource("7", 1, 9_990),
    agreed=CONFIG,
    running_s=1_000.0,
)
LIMITS = Limits()


def source(**changes: object) -> ModuleFacts:
    """Give the facts of a well module with another side of the legacy database."""
    assert WELL.source is not None
    return replace(WELL, source=replace(WELL.source, **changes))  # type: ignore[arg-type]


def connector(**changes: object) -> ModuleFacts:
    """Give the facts of a well module with another connector."""
    return replace(WELL, connector=replace(CONNECTOR, **changes))  # type: ignore[arg-type]


def failed(trace: str) -> ModuleFacts:
    """Give the facts of a module whose task has failed with a trace."""
    return connector(parts=(RUNS[0], Part("task 0", "FAILED", trace)))


def only(facts: ModuleFacts) -> Finding:
    """Give the one finding that there is."""
    (found,) = find(facts, LIMITS)
    return found
