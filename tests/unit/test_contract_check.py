"""Contracts are checked before any is registered (adapters.contract_check)."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.contract import Contract, make_contract
from adapters.contract_check import CheckState, check_contract, register_contracts
from adapters.errors import Configuration
from adapters.registry import Version


class _FakeRegistry:
    """A registry in memory that trusts everything; `picky` refuses without a reason."""

    def __init__(self, *, picky: bool = False) -> None:
        self._versions: dict[str, list[Version]] = {}
        self._picky = picky

    def versions(self, subject: str) -> list[Version]:
        return self._versions.get(subject, [])

    def find(self, subject: str, text: str) -> int | None:
        return next((one.schema_id for one in self.versions(subject) if one.text == text), None)

    def accepts(self, subject: str, text: str, version: int) -> bool:
        del subject, text, version
        return not self._picky

    def register(self, subject: str, text: str) -> int:
        known = self._versions.setdefault(subject, [])
        known.append(Version(subject, len(known) + 1, 100 + len(known), text))
        return known[-1].schema_id


def make_order(*fields: dict[str, Any], name: str = "Order") -> Contract:
    """Make a contract with an id and these fields."""
    schema = {
        "type": "record",
        "name": name,
        "namespace": "t.sales.v1",
        "fields": [{"name": "id", "type": "long"}, *fields],
    }
    return make_contract(f"sales.{name}.v1", schema)


def test_a_contract_goes_from_new_to_registered() -> None:
    """What nobody has seen is new; afterwards the same text is registered under its id."""
    registry, contract = _FakeRegistry(), make_order()
    assert check_contract(registry, contract).state is CheckState.NEW
    ids = register_contracts(registry, [contract])
    check = check_contract(registry, contract)
    assert (check.state, check.schema_id) == (CheckState.REGISTERED, ids["sales.Order.v1"])


def test_every_version_is_compared() -> None:
    """Compatible with the last version is not enough: old events are still there."""
    registry = _FakeRegistry()
    optional = {"name": "a", "type": "int", "default": 0}
    for contract in (make_order(), make_order(optional)):
        registry.register(contract.subject, contract.text)
    mandatory = make_order({"name": "a", "type": "int"})
    check = check_contract(registry, mandatory)
    assert [(one.version, one.field) for one in check.findings] == [(1, "a")]


def test_nothing_is_registered_when_one_is_incompatible() -> None:
    """Registration is all or nothing, and says which field of which contract is to blame."""
    registry = _FakeRegistry()
    register_contracts(registry, [make_order()])
    bad, good = make_order({"name": "a", "type": "int"}), make_order(name="Other")
    with pytest.raises(
        Configuration, match=r"nothing was registered: sales\.Order\.v1 .* a is new"
    ):
        register_contracts(registry, [good, bad])
    assert registry.versions(good.subject) == []


def test_the_registrys_no_counts_without_a_reason() -> None:
    """Where we find nothing but the registry refuses, it is incompatible all the same."""
    registry = _FakeRegistry(picky=True)
    registry.register(make_order().subject, make_order().text)
    check = check_contract(registry, make_order({"name": "a", "type": "int", "default": 0}))
    assert check.state is CheckState.INCOMPATIBLE
    assert "without a reason" in check.findings[0].reason
