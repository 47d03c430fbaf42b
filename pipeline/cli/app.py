"""The program: registers every command and turns errors into exit codes.

Exit codes: 0 fine, 1 a finding or a failure at work, 2 bad use or bad configuration, 3 something
needed is not there, 4 undecided. Results go to stdout, messages to stderr.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import typer
from rich.console import Console

from pipeline.errors import Configuration, IsthmusError, Unreachable
from pipeline.log import configure_log

FINDING = 1
BAD_USE = 2
NOT_THERE = 3
UNDECIDED = 4

COMMANDS = {
    "init": "init",
    "up": "stack",
    "down": "stack",
    "status": "stack",
    "demo": "demo",
    "workload": "workload",
    "connectors": "connectors",
    "contracts": "contracts",
    "translate": "translate",
    "publish": "publish",
    "replicate": "replicate",
    "run": "run",
    "care": "care",
    "deadletters": "deadletters",
    "quality": "quality",
    "reconcile": "reconcile",
    "report": "report",
    "simulate": "simulate",
}
"""Command -> module of pipeline.cli. A module whose `app` is a group holds a group of commands."""


class CommandGroup(typer.core.TyperGroup):
    """Imports a command's module when it is called: each stage needs only its own libraries."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name all commands, in the order of the way of the data."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and build one command; None when there is none of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"pipeline.cli.{COMMANDS[cmd_name]}")
        group = getattr(module, "app", None)
        if isinstance(group, typer.Typer):
            command: Any = typer.main.get_group(group)
        else:
            single = typer.Typer(add_completion=False)
            single.command(cmd_name)(getattr(module, cmd_name))
            command = typer.main.get_command(single)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def describe() -> None:
    """Tail a legacy database, publish integration events, replicate and reconcile them."""


def main() -> None:
    """Run the program and exit with its code."""
    sys.exit(run())


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; errors of ours become one message."""
    configure_log()
    try:
        # standalone: bad use is said and given code 2 by typer itself, which carries a copy of
        # click under a private name whose errors could not be caught here
        app(args=arguments)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except IsthmusError as error:
        _say(str(error))
        return exit_code(error)
    return 0


def exit_code(error: IsthmusError) -> int:
    """Return the exit code of an error's family."""
    if isinstance(error, Configuration):
        return BAD_USE
    if isinstance(error, Unreachable):
        return NOT_THERE
    return FINDING


def _say(message: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"isthmus: {message}", markup=False)
