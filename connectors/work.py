"""Makes the changes of a plan one by one, so that a crash between any two does no harm.

Enters: a plan, and the configs to write. Leaves: the servers changed. Each change can be made
again; what must not be forgotten is noted in the legacy database before anything relies on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.creation import begin_connector, create_connector
from connectors.errors import Configuration
from connectors.plan import Action, Kind
from connectors.removal import remove_connector
from connectors.saved_plan import is_removal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from connectors.apply import Options
    from connectors.plan import Change, Plan, State
    from connectors.servers import Servers
    from connectors.target import Target


@dataclass(frozen=True, slots=True)
class Work:
    """One run of apply: `desired` holds the configs as they are written, with their seals."""

    target: Target
    servers: Servers
    desired: State
    options: Options
    report: Callable[[str], None]
    step: Callable[[str], None]

    def make_changes(self, plan: Plan) -> None:
        """Make all changes but the snapshots, which need a running connector."""
        changes = [change for change in plan.changes if change.kind is not Kind.SNAPSHOT]
        first = [change for change in changes if change.kind is Kind.TABLE]
        for change in first:
            self._make(change)
        self._promise(change.name for change in plan.changes if change.kind is Kind.SNAPSHOT)
        for change in changes:
            if not is_allowed(change, self.options):
                self.report(f"{change.kind} {change.name} stays: {say_option(change)} removes it")
            elif change not in first:
                self._make(change)

    def ask_snapshots(self, plan: Plan) -> None:
        """Ask for the rows of tables that were added, or that the publication had lost."""
        for change in plan.changes:
            if change.kind is Kind.SNAPSHOT:
                self.step("connectors.before_signal")
                module = self._find_module(change.name)
                self.servers.source.ask_snapshot(self.target.declarations[module], change.name)
                self.report(f"asked for a snapshot of {change.name}, while all else goes on")

    def _promise(self, tables: Iterable[str]) -> None:
        modules: dict[str, list[str]] = {}
        for table in tables:
            modules.setdefault(self._find_module(table), []).append(table)
        for module, promised in modules.items():
            declaration = self.target.declarations[module]
            self.servers.source.promise_snapshots(declaration, promised)
            self.step("connectors.after_promise")

    def _find_module(self, table: str) -> str:
        for module, one in self.target.declarations.items():
            if table in (f"{one.schema}.{name}" for name in one.tables):
                return module
        raise Configuration(f"no declared module captures {table}: plan again")

    def _make(self, change: Change) -> None:
        self.report(f"{change.action} {change.kind} {change.name}")
        self.step("connectors.before_change")
        if change.kind is Kind.TOPIC:
            self._make_topic(change)
        elif change.kind is Kind.CONNECTOR:
            self._make_connector(change)
        elif change.action is Action.REMOVE:
            self.servers.source.drop(change, self.report)
        else:
            self.servers.source.make(self.desired, change)
        self.step("connectors.after_change")

    def _make_topic(self, change: Change) -> None:
        topics = self.servers.topics
        if change.action is Action.REMOVE:
            topics.delete(change.name)
        elif change.action is Action.CREATE:
            topics.create(change.name, self.desired.topics[change.name])
        else:
            settings = dict(self.desired.topics[change.name].settings)
            topics.change_settings(change.name, settings)

    def _make_connector(self, change: Change) -> None:
        name = change.name
        if change.action is Action.REMOVE:
            with_offsets = self.options.destroy
            remove_connector(self.servers.connect, name, self.step, with_offsets=with_offsets)
            return
        module = name.removeprefix(f"{self.target.site}.")
        declaration, names = self.target.declarations[module], self.target.names(module)
        config = self.desired.connectors[name]
        if change.action is Action.CREATE:
            create_connector(self.servers, names, config, declaration, self.step)
            return
        if any(field.field != "state" for field in change.fields):
            self.servers.connect.put_config(name, config)
        if any(field.field == "state" for field in change.fields):
            begin_connector(self.servers, names, declaration)


def is_allowed(change: Change, options: Options) -> bool:
    """Tell whether the options allow a removal; what else there is is always made."""
    if change.action is not Action.REMOVE:
        return True
    if is_removal(change):
        return options.destroy
    return options.remove or options.destroy


def say_option(change: Change) -> str:
    """Name the option by which something is removed."""
    return "--destroy" if is_removal(change) else "--remove"
