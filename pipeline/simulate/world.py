"""The simulated installation: servers that are models, and the real stages as processes on them.

Enters: a run's options. Leaves: processes that can be started, killed, paused and cut off, and all
that they have written.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import Any

from legacy_db.definition import Table
from pipeline.publish.channel import Channel
from pipeline.publish.publisher import Publisher
from pipeline.publish.schema_ids import SchemaIds
from pipeline.replicate.consumer import EventsConsumer
from pipeline.replicate.core import Planner
from pipeline.replicate.loop import Replicator, Store
from pipeline.replicate.memory import MemoryStore
from pipeline.replicate.threads import Lock
from pipeline.simulate.broker import Broker
from pipeline.simulate.clients import SimulatedConsumer, SimulatedProducer
from pipeline.simulate.database import Connection, Database
from pipeline.simulate.debezium import DebeziumConnector
from pipeline.simulate.kernel import Kernel, Process
from pipeline.simulate.legacy import LegacyDatabase
from pipeline.simulate.module_hub import MemoryModuleHub
from pipeline.simulate.options import Options
from pipeline.simulate.outbox import MemoryOutbox, Registry, RegistryClient
from pipeline.simulate.region_store import RegionStore
from pipeline.simulate.site import (
    ADAPTERS,
    CHECKS,
    CONTRACTS,
    LARGE,
    MODULES,
    PROJECTIONS,
    SALES,
    SIGNALS,
    SITE,
    TABLES,
)
from pipeline.simulate.threads import SimulatedEvent, SimulatedThreads
from pipeline.translate.change_consumer import ChangeConsumer
from pipeline.translate.translator import Translator

REGIONS = ("eu", "us")
EVENT_PARTITIONS = 2
RECORD_BYTES_MAX = 1_000_000
LOOKED_UP = {SALES: ("cust",)}
HUB = "hub"
OFFSETS_FOLLOW = 0.3
"""How often a connector without exactly-once commits its offsets with its records."""


def changes_topic(module: str) -> str:
    """Name a module's change log."""
    return f"{SITE}.{module}.changes"


def events_topic(module: str) -> str:
    """Name a module's events topic."""
    return f"{SITE}.{module}.events"


def _ignore(region: str, batch: Any) -> None:
    del region, batch


class World:
    """Everything of one run."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.random = Random(f"run {options.seed}")  # noqa: S311 - not for secrets
        self.kernel = Kernel(self.random)
        self.broker = Broker()
        self.hub = Database(HUB)
        self.registry = Registry()
        self.stores = {region: MemoryStore() for region in REGIONS}
        self.legacy = LegacyDatabase(TABLES, out_of_line=LARGE)
        self.connectors: dict[str, DebeziumConnector] = {}
        self.epochs = dict.fromkeys(MODULES, 1)
        self.on_write: Callable[[str, Any], None] = _ignore
        self.trace: list[str] | None = None
        for module in MODULES:
            self.broker.create(changes_topic(module), 1)
            self.broker.create(events_topic(module), EVENT_PARTITIONS)

    def signal_table(self, module: str) -> str | None:
        """Name a module's signal table; None when it takes no incremental snapshots.

        MariaDB's connectors, which `begin_again`, are not modelled with one.
        """
        faults = self.options.faults
        return SIGNALS[module] if "incremental" in faults and "begin_again" not in faults else None

    def tell(self, text: str) -> None:
        """Note what happened, when the run is traced."""
        if self.trace is not None:
            self.trace.append(f"{self.kernel.now:8.2f}  {text}")

    # processes

    def start_translator(self, module: str) -> Process:
        """Start a translator of a module."""
        return self._start(f"translate-{module}", "translate", lambda: self._translate(module))

    def start_publisher(self, module: str) -> Process:
        """Start a publisher of a module."""
        return self._start(f"publish-{module}", "publish", lambda: self._publish(module))

    def start_replicator(self, region: str) -> Process:
        """Start a replicator of a region."""
        return self._start(f"replicate-{region}", "replicate", lambda: self._replicate(region))

    def start_again(self, process: Process) -> Process:
        """Start a process of the same name and kind."""
        kind, _, what = process.name.partition("-")
        starters = {
            "translate": self.start_translator,
            "publish": self.start_publisher,
            "replicate": self.start_replicator,
        }
        return starters[kind](what)

    def _start(self, name: str, kind: str, main: Callable[[], None]) -> Process:
        self.tell(f"start {name}")
        return self.kernel.start(name, kind, main)

    def _translate(self, module: str) -> None:
        Translator(
            site=SITE,
            module=module,
            adapters=ADAPTERS,
            contracts=CONTRACTS,
            checks=CHECKS,
            open_hub=lambda: MemoryModuleHub(
                Connection(self.kernel, self.hub), module, lambda: self._read_tables(module)
            ),
            open_log=lambda offset: ChangeConsumer(
                "simulated",
                f"{SITE}.{module}.translator",
                changes_topic(module),
                offset,
                RECORD_BYTES_MAX,
                open_consumer=self._open_consumer,
                clock=self._pass_time,
            ),
            signal_table=self.signal_table(module),
        ).run(SimulatedEvent(self.kernel))

    def _publish(self, module: str) -> None:
        Publisher(
            module,
            open_outbox=lambda: MemoryOutbox(lambda: Connection(self.kernel, self.hub), module),
            channel=Channel(
                bootstrap_servers="simulated",
                topic=events_topic(module),
                transactional_id=f"{SITE}.{module}.publisher",
                record_bytes_max=RECORD_BYTES_MAX,
                open_producer=self._open_producer,
                clock=lambda: self.kernel.now,
            ),
            schema_ids=SchemaIds(RegistryClient(self.kernel, self.registry), time.monotonic),
            record_bytes_max=RECORD_BYTES_MAX,
        ).run(SimulatedEvent(self.kernel))

    def _replicate(self, region: str) -> None:
        def open_consumer(store: Store, handover: Lock) -> EventsConsumer:
            return EventsConsumer(
                bootstrap_servers="simulated",
                group=f"{SITE}.{region}",
                topics=[events_topic(module) for module in MODULES],
                take_over=store.take_over,
                handover=handover,
                record_bytes_max=RECORD_BYTES_MAX,
                open_consumer=self._open_consumer,
                clock=lambda: self.kernel.now,
            )

        Replicator(
            region,
            planner=Planner(PROJECTIONS, CONTRACTS, RegistryClient(self.kernel, self.registry)),
            open_store=lambda: RegionStore(
                self.kernel,
                region,
                self.stores[region],
                lambda batch: self.on_write(region, batch),
            ),
            open_consumer=open_consumer,
            threads=SimulatedThreads(self.kernel),
            clock=lambda: self.kernel.now,
        ).run(SimulatedEvent(self.kernel))

    def _read_tables(self, module: str) -> dict[str, Table]:
        names = (*MODULES[module], *LOOKED_UP.get(module, ()))
        return {name: self.legacy.definitions[name] for name in names}

    def _open_consumer(self, config: dict[str, Any], **options: Any) -> Any:
        del options
        return SimulatedConsumer(self.kernel, self.broker, config)

    def _open_producer(self, config: dict[str, Any]) -> Any:
        return SimulatedProducer(self.kernel, self.broker, config)

    def _pass_time(self) -> float:
        """Give the time; a little passes, so that nobody gathers for ever."""
        self.kernel.now += 0.005
        return self.kernel.now

    # the capture side

    def run_connector(self, module: str, records_max: int) -> int:
        """Let a connector write its next records to the change log; return how many they were."""
        connector = self.connectors[module]
        streams = connector.snapshot_is_complete
        records = connector.poll(records_max if streams or connector.exactly_once else 1)
        if records:
            self.broker.append_batch(
                changes_topic(module), [(one.key, one.value, [*one.headers]) for one in records]
            )
            # without exactly-once the offsets follow later, so that a restart repeats records
            is_due = not streams or self.random.random() < OFFSETS_FOLLOW
            is_whole = connector.is_between_transactions or not connector.snapshot_is_complete
            if connector.exactly_once or (is_whole and is_due):
                connector.commit_offsets()
        return len(records)
