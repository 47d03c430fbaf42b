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

from connectors import operate
from connectors.apply import open_servers
from connectors.client import ConnectClient
from connectors.site_lock import hold
from legacy_db.engine_names import MARIADB_ENGINES

if TYPE_CHECKING:
    from connectors.target import Target


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
        with hold(target), open_servers(target) as servers:
            operate.delete_with_slot(servers, target, full, report=_say)
    elif operate.delete(client, full):
        _say(f"deleted {full}; {_say_left(target, full)}, or delete with --destroy-slot")
    return 0


def _say_left(target: Target, name: str) -> str:
    """Say what stays of a deleted connector."""
    declaration = target.declarations.get(name.removeprefix(f"{target.site}."))
    if declaration is not None and declaration.engine in MARIADB_ENGINES:
        return (
            "its offsets stay, but its binary log is kept only for a time: apply again before that "
            "is over (binlog_expire_logs_seconds)"
        )
    return "its replication slot still holds back WAL in the legacy database: apply again soon"


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


def _print_json(document: Any) -> None:
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
