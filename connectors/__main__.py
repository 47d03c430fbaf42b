"""`python -m connectors`: the commands of `isthmus connectors`, without the pipeline.

Enters: flags, or the ISTHMUS_* variables. Leaves: facts on stdout, messages on stderr, an exit
code.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from connectors import (
    commands,
    offset_commands,
    plan_commands,
    snapshot_commands,
    status_commands,
)
from connectors.apply import Options
from connectors.declaration import load_declarations
from connectors.errors import Configuration, IsthmusError, Unreachable
from connectors.target import EVENT_PARTITIONS, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLAGS = (
    # flag, variable, what it is
    ("--declarations", "ISTHMUS_DECLARATIONS", "folder of the declarations (*.yaml)"),
    ("--site-name", "ISTHMUS_SITE_NAME", "the site's name, first part of all names"),
    ("--connect-url", "ISTHMUS_CONNECT_URL", "Connect's REST interface"),
    ("--bootstrap", "ISTHMUS_KAFKA", "Kafka's brokers, host:port"),
    ("--owner-url", "ISTHMUS_LEGACY_OWNER_URL", "the legacy database's owner, postgresql://..."),
)
_EXIT_CODES = {Configuration: 2, Unreachable: 3}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _build_parser().parse_args(arguments)
    try:
        return _run(options)
    except IsthmusError as error:
        sys.stderr.write(f"error: {error}\n")
        codes = (code for family, code in _EXIT_CODES.items() if isinstance(error, family))
        return next(codes, 1)


def _run(options: argparse.Namespace) -> int:  # noqa: PLR0911 - one return per command
    target = _read_target(options)
    names = getattr(options, "names", [])
    match options.command:
        case "plan":
            return plan_commands.plan(
                target, as_json=options.json, out=options.out, destroy=options.destroy
            )
        case "apply":
            allowed = Options(remove=options.remove, destroy=options.destroy, force=options.force)
            return plan_commands.apply(
                target, as_json=options.json, file=options.file, options=allowed
            )
        case "preflight":
            return plan_commands.preflight(target, names, as_json=options.json)
        case "status":
            return status_commands.status(target, as_json=options.json, watch=options.watch)
        case "restart":
            return commands.restart(target, names, everything=options.all)
        case "delete":
            return commands.delete(target, options.name, destroy_slot=options.destroy_slot)
        case "offsets":
            return _run_offsets(target, options)
        case "snapshot":
            return snapshot_commands.read_table(
                target,
                options.table,
                module=options.module,
                where=options.where,
                wait=not options.no_wait,
            )
        case state:
            return commands.change_state(target, names, state)


def _run_offsets(target: Target, options: argparse.Namespace) -> int:
    what, names = options.what, options.names
    if what == "show":
        return commands.offsets(target, names, as_json=options.json)
    needed = {"export": 2, "reset": 1, "set": 2}[what]
    if len(names) != needed:
        raise Configuration(f"offsets {what} needs a module{' and a file' * (needed > 1)}")
    if what == "export":
        return offset_commands.export(target, names[0], names[1])
    ask = offset_commands.find_asker()
    if what == "reset":
        return offset_commands.reset(target, names[0], yes=options.yes, ask=ask)
    file = Path(names[1])
    return offset_commands.set_offsets(target, names[0], file, yes=options.yes, ask=ask)


def _read_target(options: argparse.Namespace) -> Target:
    values = {}
    for flag, variable, what in _FLAGS:
        value = getattr(options, flag.removeprefix("--").replace("-", "_"))
        if not value:
            raise Configuration(f"{flag} (or {variable}) is needed: {what}")
        values[flag] = value
    return Target(
        site=values["--site-name"],
        declarations=load_declarations(Path(values["--declarations"]), os.environ),
        connect_url=values["--connect-url"],
        bootstrap_servers=values["--bootstrap"],
        owner_url=values["--owner-url"],
        event_partitions=options.event_partitions,
    )


def _build_parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    for flag, variable, what in _FLAGS:
        # the default is not shown in --help: a URL may hold a password
        shared.add_argument(flag, default=os.environ.get(variable), help=f"{what} [{variable}]")
    shared.add_argument("--event-partitions", type=int, default=EVENT_PARTITIONS)
    shared.add_argument("--json", action="store_true", help="print the facts as JSON on stdout")
    parser = argparse.ArgumentParser(prog="python -m connectors", description=commands.__doc__)
    groups = parser.add_subparsers(dest="command", required=True)

    def add(name: str, what: str) -> argparse.ArgumentParser:
        return groups.add_parser(name, help=what, description=what, parents=[shared])

    plan = add("plan", "show what would be changed; 1 when anything differs")
    plan.add_argument("--out", type=Path, help="save the plan in this file, for apply")
    plan.add_argument("--destroy", action="store_true", help="with what undeclared modules left")
    apply = add("apply", "make what is declared and wait until it runs")
    apply.add_argument("--remove", action="store_true", help="delete what is not declared any more")
    apply.add_argument("--destroy", action="store_true", help="with slots, publications and topics")
    apply.add_argument("--force", action="store_true", help="go on in spite of blockers")
    apply.add_argument("file", nargs="?", type=Path, help="a plan that plan --out saved")
    preflight = add("preflight", "what would make capture fail or hurt; 1 for a blocker")
    preflight.add_argument("names", nargs="*", help="modules; all if none")
    status = add("status", "states, lag and progress; 1 unless all of them run")
    status.add_argument("--watch", action="store_true", help="draw it anew until Ctrl-C")
    restart = add("restart", "restart what has failed")
    restart.add_argument("--all", action="store_true", help="also what has not failed")
    delete = add("delete", "delete a connector")
    delete.add_argument("name", help="module or connector")
    delete.add_argument("--destroy-slot", action="store_true", help="its slot and publication too")
    for name in ("pause", "resume", "stop"):
        add(name, f"{name} connectors").add_argument(
            "names", nargs="*", help="modules; all if none"
        )
    restart.add_argument("names", nargs="*", help="modules; all if none")
    offsets = add("offsets", "show, export, reset or set source offsets")
    offsets.add_argument("what", choices=["show", "export", "reset", "set"])
    offsets.add_argument("names", nargs="*", help="modules; or one module and a file")
    offsets.add_argument("--yes", action="store_true", help="do it without asking")
    snapshot = add("snapshot", "read a table again while everything else goes on")
    snapshot.add_argument("table")
    snapshot.add_argument("--module", help="the table's module, where several have it")
    snapshot.add_argument("--where", help="only rows for which this SQL condition holds")
    snapshot.add_argument("--no-wait", action="store_true", help="ask, and do not wait for it")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
