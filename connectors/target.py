"""What a site's connectors should be, as one value: where the servers are, and what is declared.

Enters: declarations and addresses. Leaves: the desired `State` that plan compares with what is
there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from connectors.config import RECORD_BYTES_MAX, build_config
from connectors.engines import ENGINES
from connectors.errors import Configuration
from connectors.names import ModuleNames
from connectors.plan import State, Topic
from connectors.sources.opening import want
from connectors.tables import resolve_declarations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from connectors.declaration import Declaration
    from connectors.plan import Grant, Publication

EVENT_PARTITIONS = 4
_FOR_EVER_MS = -1
"""A connector reads its tables' whole history each time that it starts."""


@dataclass(frozen=True, slots=True)
class Target:
    """A site, its declarations by module, and the servers they are applied to."""

    site: str
    declarations: Mapping[str, Declaration]
    connect_url: str
    bootstrap_servers: str
    owner_url: str
    event_partitions: int = EVENT_PARTITIONS
    record_bytes_max: int = RECORD_BYTES_MAX

    def names(self, module: str) -> ModuleNames:
        """Give the names of a module."""
        return ModuleNames(self.site, module)

    def only(self, module: str) -> Target:
        """Give the same site with one of its modules: nothing is said of the others."""
        return replace(self, declarations={module: self.declarations[module]})

    def find_connector(self, name: str) -> str:
        """Give the connector's full name for a module's or a connector's name."""
        return name if name.startswith(f"{self.site}.") else f"{self.site}.{name}"

    def declared_connector(self, name: str) -> str:
        """Give the full name of a declared connector; Configuration lists the declared modules."""
        module = self.find_connector(name).removeprefix(f"{self.site}.")
        if module not in self.declarations:
            known = ", ".join(sorted(self.declarations))
            raise Configuration(f"no module {module!r} is declared: declared are {known}")
        return self.names(module).connector


def resolve_target(target: Target, list_names: Callable[[Declaration], Iterable[str]]) -> Target:
    """Replace the patterns under `tables` by the tables that `list_names` gives for a declaration.

    Names are only asked for where there is a pattern; Configuration names one that matches nothing.
    """
    return replace(target, declarations=resolve_declarations(target.declarations, list_names))


def desired_state(target: Target) -> State:
    """Derive the state that the declarations ask for; their tables must be resolved."""
    connectors: dict[str, dict[str, str]] = {}
    publications: dict[str, Publication] = {}
    topics: dict[str, Topic] = {}
    tables: dict[str, tuple[str, ...]] = {}
    identities: dict[str, str] = {}
    grants: frozenset[Grant] = frozenset()
    for module, declaration in target.declarations.items():
        names = target.names(module)
        connectors[names.connector] = build_config(
            declaration,
            target.site,
            brokers=target.bootstrap_servers,
            record_bytes_max=target.record_bytes_max,
        )
        side = want(declaration, names)
        publications |= side.publications
        grants |= side.grants
        tables |= side.tables
        identities |= side.identities
        if ENGINES[declaration.engine].keeps_history:
            topics[names.history] = _topic(target, 1, _FOR_EVER_MS)
        topics[names.changes] = _topic(target, 1, declaration.retention.changes_ms)
        topics[names.events] = _topic(
            target, target.event_partitions, declaration.retention.events_ms
        )
    return State(connectors, publications, grants, topics, tables, identities)


def _topic(target: Target, partitions: int, retention_ms: int) -> Topic:
    settings = {
        "cleanup.policy": "delete",
        "retention.ms": str(retention_ms),
        "max.message.bytes": str(target.record_bytes_max),
    }
    return Topic(partitions, settings)
