"""`isthmus contracts ...` against the real registry (pipeline.cli.contracts)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.contract import load_contracts
from adapters.errors import Configuration, Unreachable
from pipeline.cli import contracts

RETAIL = Path(__file__).parents[3] / "adapters" / "retail" / "contracts"
RUNNER = CliRunner()


@pytest.fixture
def folder(site: Callable[[], Any]) -> Path:
    """Give a site whose contracts are a copy of the repository's, under subjects of their own."""
    made: Path = site().folder
    namespace = f"t{secrets.token_hex(4)}"
    (made / "contracts").mkdir()
    for type_, contract in load_contracts(RETAIL).items():
        schema = {**contract.schema, "namespace": f"{namespace}.{contract.schema['namespace']}"}
        (made / "contracts" / f"{type_}.avsc").write_text(json.dumps(schema))
    settings = made / "isthmus.toml"
    settings.write_text(settings.read_text().replace(str(RETAIL), "contracts"))
    return made


def invoke(folder: Path, command: str) -> tuple[int, list[dict[str, Any]]]:
    """Run a command and return its exit code and facts."""
    result = RUNNER.invoke(contracts.app, [command, "--site", str(folder), "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, json.loads(result.stdout)


def add_field(folder: Path, type_: str, field: dict[str, Any]) -> None:
    """Add a field to one of the site's contracts."""
    path = folder / "contracts" / f"{type_}.avsc"
    schema = json.loads(path.read_text())
    path.write_text(json.dumps({**schema, "fields": [*schema["fields"], field]}))


def test_contracts_are_checked_registered_and_listed(folder: Path) -> None:
    """All are new, then registered; the list shows their ids and the compatibility level."""
    code, checks = invoke(folder, "check")
    assert (code, {one["state"] for one in checks}) == (0, {"new"})
    code, registered = invoke(folder, "register")
    assert (code, len(registered)) == (0, len(load_contracts(RETAIL)))
    code, checks = invoke(folder, "check")
    assert (code, {one["state"] for one in checks}) == (0, {"registered"})
    _, listed = invoke(folder, "list")
    assert {one["compatibility"] for one in listed} == {"BACKWARD_TRANSITIVE"}
    ids = {one["type"]: one["schema_id"] for one in registered}
    assert {one["type"]: one["schema_id"] for one in listed} == ids


def test_an_incompatible_contract_exits_2_and_names_the_field(folder: Path) -> None:
    """`check` prints the finding; `register` refuses all before it registers any."""
    invoke(folder, "register")
    add_field(folder, "sales.Order.v1", {"name": "channel", "type": "string"})
    optional = {"name": "segment", "type": ["null", "string"], "default": None}
    add_field(folder, "customers.Customer.v1", optional)
    code, checks = invoke(folder, "check")
    states = {one["type"]: one["state"] for one in checks}
    assert (code, states["sales.Order.v1"]) == (2, "incompatible")
    assert states["customers.Customer.v1"] == "compatible"
    (found,) = [one["findings"] for one in checks if one["findings"]]
    assert found == [{"version": 1, "field": "channel", "reason": "is new and has no default"}]
    with pytest.raises(Configuration, match="nothing was registered"):
        invoke(folder, "register")
    _, listed = invoke(folder, "list")
    assert {one["type"]: one["versions"] for one in listed}["customers.Customer.v1"] == [1]


def test_the_table_and_the_message_are_for_people(folder: Path) -> None:
    """Without --json the table goes to stdout and what to do to stderr."""
    invoke(folder, "register")
    add_field(folder, "sales.Order.v1", {"name": "channel", "type": "string"})
    result = RUNNER.invoke(contracts.app, ["check", "--site", str(folder)])
    assert result.exit_code == 2
    assert "incompatible" in result.stdout
    assert "channel is new and has no default (version 1)" in result.stderr


def test_a_registry_that_is_not_there_is_unreachable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment goes before the stack's variables, and nothing answers there."""
    monkeypatch.setenv("ISTHMUS_REGISTRY_URL", "http://127.0.0.1:9/apis/ccompat/v7")
    with pytest.raises(Unreachable, match="does not answer"):
        invoke(folder, "check")
