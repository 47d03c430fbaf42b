"""What `connectors snapshot` does: a table is read again, or a whole module as mark and sweep.

Enters: a Target and the command's options. Leaves: progress on stderr, facts on stdout, exit code.
"""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from connectors.anew import begin_anew, needed_epoch, raise_epoch, refuse_partial
from connectors.apply import open_servers, resolve_site
from connectors.errors import Configuration
from connectors.health.gather import read_connector
from connectors.health.log_end import LogReader
from connectors.health.status import list_incremental
from connectors.incremental import (
    Ask,
    find_module,
    follow,
    make_data,
    signal_table,
)
from connectors.site_lock import hold

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from connectors.apply import Servers
    from connectors.declaration import Declaration
    from connectors.target import Target


def read_table(
    target: Target, table: str, *, module: str | None, where: str | None, wait: bool
) -> int:
    """Read a table again, or the rows for which `where` holds, while everything else goes on."""
    with open_servers(target) as servers:
        declarations = dict(resolve_site(target, servers).declarations)
        chosen = module or find_module(declarations, table)
        target.declared_connector(chosen)
        declaration = declarations[chosen]
        if table not in declaration.tables:
            raise Configuration(f"module {chosen} does not capture {table}")
        signal_table(declaration)
        refuse_unfit(target, servers, chosen)
        if where is not None:
            servers.source.check_condition(declaration, table, where)
        estimated = estimate_rows(servers, declaration).get(table, 0)
        signal = _Signal(Ask.EXECUTE, make_data(declaration, table, where), estimated)
        return _send(target, servers, declaration, signal, wait=wait)


def change(target: Target, module: str, ask: Ask, *, wait: bool) -> int:
    """Pause, resume or stop a module's incremental snapshot."""
    target.declared_connector(module)
    declaration = target.declarations[module]
    with open_servers(target) as servers:
        name = target.names(module).connector
        if not list_incremental(read_connector(servers.connect, name)):
            raise Configuration(f"connector {name} reads no table again now")
        signal = _Signal(ask, make_data(declaration, None, None))
        return _send(target, servers, declaration, signal, wait=wait)


def refuse_unfit(target: Target, servers: Servers, module: str) -> None:
    """Refuse a connector that does not run, or one that reads a table again already."""
    connector = read_connector(servers.connect, target.names(module).connector)
    if not connector.runs:
        raise Configuration(
            f"connector {connector.name} does not run ({connector.state}): nobody would read the "
            "signal: see `isthmus connectors status`"
        )
    left = list_incremental(connector)
    if left:
        raise Configuration(
            f"connector {connector.name} reads {', '.join(left)} again already: wait, or "
            f"`isthmus connectors snapshot --stop {module}`"
        )


@dataclass(frozen=True, slots=True)
class _Signal:
    """What is asked for, and about how many rows will be read for it."""

    ask: Ask
    data: str
    estimated: int = 0


def _send(
    target: Target, servers: Servers, declaration: Declaration, signal: _Signal, *, wait: bool
) -> int:
    topic = target.names(declaration.module).changes
    with closing(LogReader(target.bootstrap_servers)) as logs:
        begin = logs.read_ends([topic])[topic].high
        servers.source.write_signal(declaration, str(signal.ask), signal.data)
        if not wait:
            say(f"asked for {signal.ask}; `isthmus connectors status` tells how far it is")
            return 0
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,}"))
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            label = f"{declaration.module}: {signal.ask}"
            bar = progress.add_task(label, total=signal.estimated or None)
            for heard in follow(logs, topic, begin, signal.ask):
                progress.update(bar, completed=heard.rows)
    say(f"{declaration.module}: {heard.type.lower()}, {heard.rows} rows read again")
    return 0


def read_anew(
    target: Target,
    module: str,
    *,
    path: Path,
    may_raise: bool,
    reload: Callable[[], Target],
    confirm: Callable[[str], None],
    prepare: Callable[[int], None],
    read_secret: Callable[[str], str | None],
) -> int:
    """Read a whole module again under a new epoch; the translator sweeps what is not there.

    `path` is the declaration's file, whose epoch is raised only with `may_raise`. `prepare` gets
    the end of the change log before the new epoch, and tells the hub what the translator needs.
    """
    target.declared_connector(module)
    refuse_partial(target.declarations[module])
    with hold(target), open_servers(target) as servers:
        epoch = needed_epoch(target, servers, module)
        if epoch is not None and not may_raise:
            raise Configuration(
                f"{path}: set epoch: {epoch} (or say --raise-epoch): a new snapshot needs a higher "
                f"one than {epoch - 1}, which the change log of {module} has"
            )
        declaration = resolve_site(target, servers).declarations[module]
        rows = estimate_rows(servers, declaration)
        confirm(
            f"stop {target.names(module).connector}, forget its offsets and its slot, and read "
            f"about {sum(rows.values()):,} rows of {len(rows)} tables again"
        )
        if epoch is not None:
            raise_epoch(path, epoch)
            say(f"{path}: epoch: {epoch}")
            target = reload()
        begin_anew(
            target,
            servers,
            module,
            report=say,
            read_secret=read_secret,
            prepare=lambda: prepare(read_end(target, module)),
        )
    say(f"{module} is read again: `isthmus connectors status --watch` tells how far it is")
    return 0


def read_end(target: Target, module: str) -> int:
    """Read the end of a module's change log; 0 for one that was never written."""
    topic = target.names(module).changes
    with closing(LogReader(target.bootstrap_servers)) as logs:
        ends = logs.read_ends([topic]).get(topic)
    return 0 if ends is None else ends.high


def estimate_rows(servers: Servers, declaration: Declaration) -> dict[str, int]:
    """Estimate how many rows each declared table holds; 0 for one that was never counted."""
    sizes = servers.source.measure([declaration])
    prefix = f"{declaration.schema}."
    return {name.removeprefix(prefix): size.rows or 0 for name, size in sizes.items()}


def say(line: str) -> None:
    """Tell a person what was done."""
    sys.stderr.write(line + "\n")
