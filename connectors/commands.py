"""What `connectors ...` does and prints, for both programs: `isthmus` and `python -m connectors`.

Enters: a Target and the command's options. Leaves: facts on stdout (tables, or JSON), messages on
stderr, and the exit code: 0 fine, 1 a difference or a failed task.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from connectors import operate
from connectors.apply import apply_site, open_servers, plan_site
from connectors.client import ConnectClient
from connectors.plan import Action, Severity

if TYPE_CHECKING:
    from connectors.plan import Change, Plan
    from connectors.target import Target

_ACTION_STYLES = {Action.CREATE: "green", Action.UPDATE: "yellow", Action.REMOVE: "red"}
_SEVERITY_STYLES = {Severity.INFO: "dim", Severity.WARNING: "yellow", Severity.REFUSED: "bold red"}
_VALUE_CHARS_MAX = 100


def plan(target: Target, *, as_json: bool) -> int:
    """Show what would be changed; 1 when anything differs."""
    with open_servers(target) as servers:
        found = plan_site(target, servers)
    if as_json:
        _print_json(found.to_document())
    else:
        _print_plan(found, "nothing differs")
    return 1 if found.changes else 0


def apply(target: Target, *, as_json: bool, remove: bool) -> int:
    """Make what is declared and wait until it runs."""
    with open_servers(target) as servers:
        done = apply_site(target, servers, remove=remove, report=_say)
    if as_json:
        _print_json(done.to_document())
    else:
        sys.stdout.write(f"{len(done.changes)} differences, applied\n")
    return 0


def restart(target: Target, names: list[str], *, everything: bool) -> int:
    """Restart what has failed (or everything) of the named connectors, or of all."""
    client = ConnectClient(target.connect_url)
    for name in _choose(target, names):
        client.restart(name, only_failed=not everything)
        _say(f"restarting {name}" + ("" if everything else ", what has failed of it"))
    return 0


def change_state(target: Target, names: list[str], state: str) -> int:
    """Ask for `pause`, `resume` or `stop` of the named connectors, or of all, and wait for it."""
    client = ConnectClient(target.connect_url)
    for name in _choose(target, names):
        operate.change_state(client, name, state)
        _say(f"{name}: {operate.STATES[state]}")
    return 0


def delete(target: Target, name: str, *, destroy_slot: bool) -> int:
    """Delete a connector; with `destroy_slot` its offsets, replication slot and publication too."""
    full = target.find_connector(name)
    client = ConnectClient(target.connect_url)
    if destroy_slot:
        with open_servers(target) as servers:
            operate.delete_with_slot(servers, target, full, report=_say)
    elif operate.delete(client, full):
        _say(
            f"deleted {full}; its replication slot still holds back WAL in the legacy database: "
            "apply again soon, or delete with --destroy-slot"
        )
    return 0


def offsets(target: Target, names: list[str], *, as_json: bool) -> int:
    """Show where the connectors are in the legacy database's log."""
    client = ConnectClient(target.connect_url)
    facts = {name: client.read_offsets(name) for name in _choose(target, names)}
    if as_json:
        _print_json(facts)
        return 0
    table = Table("connector", "offset", "value")
    for name, entries in facts.items():
        for entry in entries:
            for key, value in sorted((entry["offset"] or {}).items()):
                table.add_row(name, key, str(value))
    Console().print(table)
    return 0


def _choose(target: Target, names: list[str]) -> list[str]:
    chosen = names or sorted(target.declarations)
    return [target.declared_connector(name) for name in chosen]


def _print_plan(found: Plan, nothing: str) -> None:
    console = Console()
    if not found.changes:
        console.print(nothing)
        return
    table = Table("action", "kind", title=f"plan {found.hash}")
    table.add_column("name", no_wrap=True)
    for header in ("field", "from", "to"):
        table.add_column(header, overflow="fold")
    for change in found.changes:
        _add_rows(table, change)
    console.print(table)
    for change in found.changes:
        for effect in change.effects:
            line = f"{change.kind} {change.name}: {effect.text}"
            console.print(Text(line, style=_SEVERITY_STYLES[effect.severity]))


def _add_rows(table: Table, change: Change) -> None:
    label = Text(str(change.action), style=_ACTION_STYLES[change.action])
    head = (label, str(change.kind), change.name)
    if change.action is Action.CREATE and change.kind in ("connector", "topic"):
        table.add_row(*head, f"{len(change.fields)} fields", "", "")
        return
    for field in change.fields or (None,):
        if field is None:
            table.add_row(*head, "", "", "")
        else:
            table.add_row(*head, field.field, _shorten(field.before), _shorten(field.after))
        head = (Text(""), "", "")


def _shorten(value: str | None) -> Text:
    text = "" if value is None else value
    return Text(text if len(text) <= _VALUE_CHARS_MAX else text[: _VALUE_CHARS_MAX - 1] + "…")


def _print_json(document: Any) -> None:
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
