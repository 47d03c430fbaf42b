"""What `connectors plan`, `apply` and `preflight` do and print, for both programs.

Enters: a Target and the command's options. Leaves: facts on stdout (tables, or JSON), messages on
stderr, and the exit code: 0 fine, 1 a difference or a finding.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from connectors.apply import (
    Options,
    apply_site,
    judge_site,
    open_servers,
    plan_site,
    resolve_site,
)
from connectors.errors import Configuration
from connectors.plan import Action, Severity
from connectors.preflight.finding import Weight, list_blockers, make_document
from connectors.saved_plan import is_removal, read_plan, write_plan
from connectors.site_lock import hold
from connectors.work import is_allowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from connectors.plan import Change, Plan
    from connectors.preflight.finding import Finding
    from connectors.target import Target

_ACTION_STYLES = {Action.CREATE: "green", Action.UPDATE: "yellow", Action.REMOVE: "red"}
_SEVERITY_STYLES = {Severity.INFO: "dim", Severity.WARNING: "yellow", Severity.REFUSED: "bold red"}
_VALUE_CHARS_MAX = 100
_WEIGHT_STYLES = {Weight.BLOCKER: "bold red", Weight.WARNING: "yellow", Weight.NOTICE: "dim"}


def plan(target: Target, *, as_json: bool, out: Path | None = None, destroy: bool = False) -> int:
    """Show what would be changed, and save it in `out`; 1 when anything differs."""
    with open_servers(target) as servers:
        found = plan_site(target, servers, destroy=destroy)
    if out is not None:
        write_plan(out, found, target.site, destroy=destroy)
        _say(f"saved in {out}: apply it with `connectors apply {out}`")
    if as_json:
        _print_json(found.to_document())
    else:
        _print_plan(found)
    return 1 if found.changes else 0


def apply(
    target: Target,
    *,
    as_json: bool,
    file: Path | None = None,
    options: Options = Options(),  # noqa: B008 - a frozen value
    step: Callable[[str], None] = lambda _name: None,
) -> int:
    """Make what is declared, or the saved plan in `file`, and wait until it runs."""
    if file is not None:
        saved = read_plan(file, target.site)
        if saved.destroy and not options.destroy:
            removed = ", ".join(
                f"{one.kind} {one.name}" for one in saved.changes if is_removal(one)
            )
            raise Configuration(
                f"{file} was planned with --destroy ({removed or 'nothing to remove'}): say so "
                "again, `connectors apply --destroy`, or plan without it"
            )
        options = replace(options, saved=saved)
    with hold(target), open_servers(target) as servers:
        done = apply_site(target, servers, options, report=_say, step=step)
    if as_json:
        _print_json(done.to_document())
    else:
        made = sum(is_allowed(change, options) for change in done.changes)
        sys.stdout.write(f"{made} of {len(done.changes)} differences applied\n")
    return 0


def preflight(target: Target, names: list[str], *, as_json: bool) -> int:
    """Show what would make the capture of the named modules, or of all, fail or hurt.

    1 when a blocker was found.
    """
    modules = {
        target.declared_connector(name).removeprefix(f"{target.site}.") for name in names
    } or set(target.declarations)
    chosen = {name: one for name, one in target.declarations.items() if name in modules}
    with open_servers(target) as servers:
        narrowed = resolve_site(replace(target, declarations=chosen), servers)
        findings = judge_site(narrowed, servers)
    if as_json:
        _print_json(make_document(findings))
    else:
        _print_findings(findings)
    return 1 if list_blockers(findings) else 0


def _print_findings(findings: Iterable[Finding]) -> None:
    console = Console()
    count = dict.fromkeys(Weight, 0)
    for one in findings:
        count[one.severity] += 1
        head = Text(f"{one.severity} {one.code}: {one.what}", style=_WEIGHT_STYLES[one.severity])
        console.print(head)
        console.print(Text(f"    {one.why}"))
        if one.mend:
            console.print(Text(f"    {one.mend}", style="bold"))
    console.print(", ".join(f"{number} {weight}s" for weight, number in count.items()))


def _print_plan(found: Plan) -> None:
    console = Console()
    for name, findings in found.forced.items():
        line = f"{name} was applied with --force, in spite of: {', '.join(findings)}"
        console.print(Text(line, style="yellow"))
    if not found.changes:
        console.print("nothing differs")
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
