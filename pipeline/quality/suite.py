"""Expectation suites: `<type>.expectations.json` and `<type>.<array>.expectations.json`.

Enters: the folder of the contracts. Leaves: `ContractSuites` by type. The files are in Great
Expectations' own form; it loads them unchanged. A mistake is a Configuration error with its file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from adapters.contract import Contract
from pipeline.errors import Configuration

SUFFIX: Final = ".expectations.json"
CRITICAL: Final = "critical"


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expectation: Great Expectations' type and arguments; `severity` as there."""

    type: str
    kwargs: Mapping[str, Any]
    severity: str = CRITICAL

    @property
    def column(self) -> str:
        """The column or columns that it is about; empty when it is about the table."""
        kwargs = self.kwargs
        if "column" in kwargs:
            return str(kwargs["column"])
        if "column_A" in kwargs:
            return f"{kwargs['column_A']}, {kwargs.get('column_B')}"
        return ", ".join(str(one) for one in kwargs.get("column_list", ()))


@dataclass(frozen=True, slots=True)
class Suite:
    """One suite; `document` is the whole file as Great Expectations reads it."""

    name: str
    expectations: tuple[Expectation, ...]
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ContractSuites:
    """The suites of one contract: of its own fields, and of its arrays of records by field."""

    type: str
    root: Suite | None = None
    children: Mapping[str, Suite] = field(default_factory=dict)


def load_suites(folder: Path, contracts: Mapping[str, Contract]) -> dict[str, ContractSuites]:
    """Load every suite of a folder, by type of contract."""
    roots: dict[str, Suite] = {}
    children: dict[str, dict[str, Suite]] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        name = path.name.removesuffix(SUFFIX)
        type_, array = _split_name(name, contracts, path)
        suite = _load_suite(path, name)
        if array is None:
            roots[type_] = suite
        else:
            children.setdefault(type_, {})[array] = suite
    return {
        type_: ContractSuites(type_, roots.get(type_), children.get(type_, {}))
        for type_ in sorted({*roots, *children})
    }


def _split_name(name: str, contracts: Mapping[str, Contract], path: Path) -> tuple[str, str | None]:
    if name in contracts:
        return name, None
    type_, _, array = name.rpartition(".")
    if type_ in contracts:
        if array in {one["name"] for one in contracts[type_].schema["fields"]}:
            return type_, array
        raise Configuration(f"{path}: {type_} has no field {array!r}: rename or remove the suite")
    raise Configuration(
        f"{path}: no contract {name!r} (known: {', '.join(contracts)}): rename or remove the suite"
    )


def _load_suite(path: Path, name: str) -> Suite:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Configuration(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("expectations"), list):
        raise Configuration(f"{path}: not an expectation suite: it needs a list `expectations`")
    expectations = []
    for index, one in enumerate(document["expectations"]):
        if not isinstance(one, dict) or not isinstance(one.get("type"), str):
            raise Configuration(f"{path}: expectations[{index}] needs a `type`")
        kwargs = one.get("kwargs")
        if not isinstance(kwargs, dict):
            raise Configuration(f"{path}: expectations[{index}] needs `kwargs`")
        expectations.append(Expectation(one["type"], kwargs, one.get("severity") or CRITICAL))
    return Suite(name, tuple(expectations), {**document, "name": name})
