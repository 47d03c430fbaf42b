"""`isthmus contracts check | register | list | definitions`: contracts, tables, and the registry.

Enters: the site. Leaves: a table or JSON on stdout; exit code 2 when a contract is not compatible.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from adapters.contract import Contract, load_contracts
from adapters.contract_check import (
    Check,
    CheckState,
    check_contract,
    describe_findings,
    register_contracts,
)
from adapters.registry import SchemaRegistry
from pipeline.cli.contracts_diff import diff
from pipeline.cli.options import JsonOption, SiteOption
from pipeline.drift.site import read_versions
from pipeline.hub.definitions import DefinitionVersion
from pipeline.publish.definitions import register_definitions
from pipeline.settings import load_settings

app = typer.Typer(help="Check and register the contracts of integration events.")
app.command("diff")(diff)

EXIT_INCOMPATIBLE = 2


@app.command()
def check(site: SiteOption = Path(), json: JsonOption = False) -> None:  # noqa: FBT002 - typer's flags
    """Say whether each contract can read what was written with every registered version."""
    contracts, registry = _open(site)
    checks = [check_contract(registry, contract) for contract in contracts.values()]
    if json:
        _print_json([asdict(each) for each in checks])
    else:
        _print_checks(checks)
    if any(each.state is CheckState.INCOMPATIBLE for each in checks):
        raise typer.Exit(EXIT_INCOMPATIBLE)


@app.command()
def register(site: SiteOption = Path(), json: JsonOption = False) -> None:  # noqa: FBT002 - typer's flags
    """Register all contracts under BACKWARD_TRANSITIVE; none when one is not compatible.

    The definitions of the legacy tables that the hub keeps are registered, too.
    """
    contracts, registry = _open(site)
    ids = register_contracts(registry, contracts.values())
    register_definitions(load_settings(site), registry)
    facts = [
        {"type": type_, "subject": contracts[type_].subject, "schema_id": schema_id}
        for type_, schema_id in ids.items()
    ]
    if json:
        _print_json(facts)
    else:
        _print_table(facts)


@app.command()
def definitions(
    site: SiteOption = Path(),
    table: Annotated[str | None, typer.Option(help="Of this legacy table alone.")] = None,
    json: JsonOption = False,  # noqa: FBT002 - typer's flags
) -> None:
    """List every definition that the legacy tables had, by the position from which it counted."""
    facts = [
        _describe_version(one)
        for one in read_versions(load_settings(site))
        if table in (None, one.table_name)
    ]
    if json:
        _print_json(facts)
    elif facts:
        _print_table(facts)
    else:
        typer.echo("no definitions are kept yet: a translator keeps them when it starts")


def _describe_version(version: DefinitionVersion) -> dict[str, Any]:
    return {
        "module": version.module,
        "table": version.table_name,
        "version": version.version,
        "position": version.position,
        "columns": [f"{one.name} {one.native or one.type}" for one in version.table.columns],
        "registered": version.registered,
    }


@app.command("list")
def list_(site: SiteOption = Path(), json: JsonOption = False) -> None:  # noqa: FBT002 - typer's flags
    """List the contracts with their fingerprints, registered versions and ids."""
    contracts, registry = _open(site)
    facts = [_describe(registry, contract) for contract in contracts.values()]
    if json:
        _print_json(facts)
    else:
        _print_table(facts)


def _open(site: Path) -> tuple[dict[str, Contract], SchemaRegistry]:
    settings = load_settings(site)
    return load_contracts(settings.contracts), SchemaRegistry(settings.registry_url)


def _describe(registry: SchemaRegistry, contract: Contract) -> dict[str, Any]:
    versions = registry.versions(contract.subject)
    return {
        "type": contract.type,
        "subject": contract.subject,
        "fingerprint": contract.fingerprint,
        "versions": [version.version for version in versions],
        "schema_id": registry.find(contract.subject, contract.text) if versions else None,
        "compatibility": registry.compatibility(contract.subject) if versions else None,
    }


def _print_checks(checks: list[Check]) -> None:
    _print_table(
        [
            {
                "type": each.type,
                "state": str(each.state),
                "versions": each.versions,
                "schema_id": each.schema_id,
            }
            for each in checks
        ]
    )
    for each in checks:
        if each.findings:
            typer.echo(describe_findings(each), err=True)


def _print_table(facts: list[dict[str, Any]]) -> None:
    table = Table(*facts[0], box=None, header_style="bold")
    for fact in facts:
        table.add_row(*(_show(value) for value in fact.values()))
    Console(soft_wrap=True, markup=False).print(table)


def _show(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value) or "-"
    return str(value)


def _print_json(facts: list[dict[str, Any]]) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(facts)))
