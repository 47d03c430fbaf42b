"""Checks contracts against a registry before anything is registered, and registers them.

Enters: contracts and a registry. Leaves: a `Check` each, with the version and the field that an
incompatible contract can't read; registration is refused as a whole when one is incompatible.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from adapters.compatibility import find_incompatibilities
from adapters.contract import Contract
from adapters.errors import Configuration
from adapters.registry import Version


class Registry(Protocol):
    """What a check asks of a registry (adapters.registry.SchemaRegistry)."""

    def versions(self, subject: str) -> Sequence[Version]:
        """Return all versions of a subject, oldest first."""

    def find(self, subject: str, text: str) -> int | None:
        """Return the id under which a subject has this very schema."""

    def accepts(self, subject: str, text: str, version: int) -> bool:
        """Ask whether a schema can read what was written with that version."""

    def register(self, subject: str, text: str) -> int:
        """Register a schema and return its id."""


class CheckState(enum.StrEnum):
    """How a contract stands to what is registered."""

    NEW = "new"
    REGISTERED = "registered"
    COMPATIBLE = "compatible"
    INCOMPATIBLE = "incompatible"


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a contract can't read what was written with a registered version."""

    version: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome for one contract; `schema_id` when this very schema is registered."""

    type: str
    subject: str
    state: CheckState
    versions: tuple[int, ...] = ()
    schema_id: int | None = None
    findings: tuple[Finding, ...] = ()


def check_contract(registry: Registry, contract: Contract) -> Check:
    """Compare a contract with every registered version of its subject (BACKWARD_TRANSITIVE)."""
    versions = registry.versions(contract.subject)
    numbers = tuple(version.version for version in versions)
    if not versions:
        return Check(contract.type, contract.subject, CheckState.NEW)
    known = registry.find(contract.subject, contract.text)
    findings = tuple(
        finding for version in versions for finding in _check_version(registry, contract, version)
    )
    if findings:
        state = CheckState.INCOMPATIBLE
    else:
        state = CheckState.COMPATIBLE if known is None else CheckState.REGISTERED
    return Check(contract.type, contract.subject, state, numbers, known, findings)


def _check_version(registry: Registry, contract: Contract, version: Version) -> list[Finding]:
    found = [
        Finding(version.version, each.field, each.reason)
        for each in find_incompatibilities(contract.schema, json.loads(version.text))
    ]
    if not found and not registry.accepts(contract.subject, contract.text, version.version):
        reason = "the registry says that it is not compatible, without a reason"
        found.append(Finding(version.version, "(the schema)", reason))
    return found


def register_contracts(registry: Registry, contracts: Iterable[Contract]) -> dict[str, int]:
    """Register contracts and return their ids by type; none at all when one is incompatible."""
    wanted = list(contracts)
    for check in [check_contract(registry, contract) for contract in wanted]:
        if check.findings:
            raise Configuration(f"nothing was registered: {describe_findings(check)}")
    return {one.type: registry.register(one.subject, one.text) for one in wanted}


def describe_findings(check: Check) -> str:
    """Say in one line what is incompatible, and what to do."""
    reasons = "; ".join(
        f"{one.field} {one.reason} (version {one.version})" for one in check.findings
    )
    return (
        f"{check.type} can't read what was written before: {reasons}. Give a new field a default, "
        "or make it a new major version"
    )
