"""Builds the objects of a process from the site's settings; nothing else does.

Enters: settings. Leaves: translators, ready to run; the other stages' builders stand beside theirs
and are called from here and from the commands.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from adapters.aggregate import load_adapters
from adapters.contract import load_contracts
from adapters.mariadb_log import MariaDBTables
from connectors.declaration import known_modules
from legacy_db.database import open_legacy_database
from legacy_db.engine_names import MARIADB_ENGINES
from pipeline.captured_tables import load_captured, load_declared_keys, load_left_out
from pipeline.connection import open_connection
from pipeline.errors import Configuration
from pipeline.hub.module_hub import PostgresModuleHub
from pipeline.quality.row_checks import compile_checks
from pipeline.quality.suite import load_suites
from pipeline.translate.change_consumer import ChangeConsumer
from pipeline.translate.log_format import LogFormat, mariadb_format, postgresql_format
from pipeline.translate.mirror_tables import MirrorTables
from pipeline.translate.translator import Translator

if TYPE_CHECKING:
    from collections.abc import Callable

    from connectors.declaration import Declaration
    from pipeline.settings import Settings
    from pipeline.translate.module_hub import ModuleHub

HUB_OPTIONS = (
    "-c timezone=UTC -c datestyle=ISO,YMD -c intervalstyle=postgres -c extra_float_digits=1"
)
"""What the text of a value in the mirror depends on: the log has it in the same form."""


LOOK_SECONDS = 10.0
"""How often a translator looks at the legacy tables' definitions."""


def choose_modules(settings: Settings, wanted: list[str]) -> list[str]:
    """Return `wanted`, or all declared modules; Configuration lists those when one is unknown."""
    known = list(known_modules(settings.connectors))
    for module in wanted:
        if module not in known:
            raise Configuration(
                f"no module {module!r} in {settings.connectors}: known are {', '.join(known)}"
            )
    return wanted or known


def make_translator(settings: Settings, module: str) -> Translator:
    """Build the translator of one module; nothing is connected yet."""
    declaration = load_captured(settings, [module])[module]
    adapters = load_adapters(settings.adapters)
    contracts = load_contracts(settings.contracts)
    for adapter in adapters:
        for type_ in (adapter.contract, *adapter.domain_contracts):
            if type_ not in contracts:
                raise Configuration(
                    f"{adapter.aggregate} needs the contract {type_}, but there is no "
                    f"{settings.contracts / (type_ + '.avsc')}"
                )
    suites = load_suites(settings.contracts, contracts)
    topic = settings.changes_topic(module)

    tables = MirrorTables(
        open_legacy=lambda: open_legacy_database(settings.legacy.engine, settings.legacy.url),
        schema=declaration.schema,
        module=module,
        tables=declaration.tables,
        adapters=adapters,
        keys=load_declared_keys(settings),
        left_out=load_left_out(settings),
        logged=declaration.engine in MARIADB_ENGINES,
    )

    def open_hub() -> ModuleHub:
        name = f"translate {module}"
        connection = open_connection(settings.hub_url, name, HUB_OPTIONS)
        return PostgresModuleHub(connection, module, tables)

    def open_log(offset: int) -> ChangeConsumer:
        return ChangeConsumer(
            settings.bootstrap_servers,
            f"{settings.site}.{module}.translator",
            topic,
            offset,
            settings.record_bytes_max,
        )

    return Translator(
        site=settings.site,
        module=module,
        adapters=adapters,
        contracts=contracts,
        checks={
            type_: compile_checks(suites.get(type_), contract)
            for type_, contract in contracts.items()
        },
        open_hub=open_hub,
        open_log=open_log,
        signal_table=declaration.signal_table,
        is_look_due=make_timer(LOOK_SECONDS),
        log_format=_choose_format(declaration),
        partly_read=declaration.partly_read,
    )


def make_timer(seconds: float) -> Callable[[], bool]:
    """Make a function that says whether `seconds` went by since it last said so."""
    last = time.monotonic()

    def is_due() -> bool:
        nonlocal last
        if time.monotonic() - last < seconds:
            return False
        last = time.monotonic()
        return True

    return is_due


def _choose_format(declaration: Declaration) -> LogFormat:
    """Choose how the change log of a module is read: each engine writes its own."""
    module, signals = declaration.module, declaration.signal_table
    if declaration.engine not in MARIADB_ENGINES:
        return postgresql_format(module, signals)
    captured = frozenset(declaration.tables)
    tables = MariaDBTables(declaration.schema, captured, declaration.barrier_table, signals)
    return mariadb_format(module, tables)
