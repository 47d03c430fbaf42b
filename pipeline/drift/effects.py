"""What a change of a legacy table touches, and in which order to roll it out. Pure.

Enters: a change, what each adapter uses, contracts, projections, suites, regions. Leaves: what is
touched and how, what the mirror does by itself, and the steps in order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from adapters.contract import Contract
from adapters.projection import Projection
from legacy_db.column_change import keeps_values
from legacy_db.table_change import ChangeKind, TableChange
from pipeline.drift.rollout import Breaking, mirror_answer, plan_rollout
from pipeline.drift.usage import Usage
from pipeline.quality.suite import ContractSuites


@dataclass(frozen=True, slots=True)
class Landscape:
    """A site as it is deployed: `captured` are the tables of each module, `types` by column."""

    captured: Mapping[str, Collection[str]]
    types: Mapping[str, Mapping[str, str]]
    keys: Mapping[str, tuple[str, ...]]
    usages: tuple[Usage, ...]
    contracts: Mapping[str, Contract]
    projections: tuple[Projection, ...]
    suites: Mapping[str, ContractSuites]
    regions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Touched:
    """One thing that a change touches: an adapter, contract, projection, suite or region."""

    kind: str
    name: str
    fields: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Effects:
    """All that one change brings about."""

    change: TableChange
    module: str | None
    touched: tuple[Touched, ...] = ()
    mirror: str = ""
    rollout: tuple[str, ...] = ()
    breaks: bool = False


_OF_COLUMNS = frozenset(
    {
        *(ChangeKind.DROP_COLUMN, ChangeKind.RENAME_COLUMN, ChangeKind.RETYPE_COLUMN),
        *(ChangeKind.SET_NOT_NULL, ChangeKind.DROP_NOT_NULL),
    }
)
"""Changes of columns that must be there."""


@dataclass(slots=True)
class _Fields:
    """The fields of a contract that a column shows in; none may mean that nobody could see."""

    type: str
    names: set[str] = field(default_factory=set)


def find_effects(change: TableChange, landscape: Landscape) -> Effects:
    """Return what a change touches; a table that is not captured touches nothing."""
    module = next((m for m, tables in landscape.captured.items() if change.table in tables), None)
    if module is None:
        text = "the table is not captured: nothing here sees it"
        if change.kind is ChangeKind.CREATE_TABLE:
            text = "a new table is captured once a declaration names it"
        return Effects(change, None, mirror=text)
    known = landscape.types.get(change.table, {})
    if change.kind in _OF_COLUMNS and change.column not in known:
        return Effects(change, module, mirror=f"{change.table} has no column {change.column}")
    used = [usage for usage in landscape.usages if _concerns(usage, change)]
    breaking = _how_it_breaks(change, landscape, used)
    touched = [*_adapters(change, used, breaking)] if breaking is not Breaking.NOTHING else []
    if touched:
        touched += _downstream(change, used, landscape)
    return Effects(
        change,
        module,
        tuple(touched),
        mirror_answer(change, _type_of(change, landscape)),
        plan_rollout(
            change, breaking if touched else Breaking.NOTHING, _type_of(change, landscape)
        ),
        bool(touched) and breaking is Breaking.ADAPTERS,
    )


def _concerns(usage: Usage, change: TableChange) -> bool:
    if change.table not in usage.read and change.table not in usage.declared:
        return False
    if change.column is None or change.kind is ChangeKind.ADD_COLUMN:
        return True
    return usage.uses(change.table, change.column)


def _how_it_breaks(change: TableChange, landscape: Landscape, used: Collection[Usage]) -> Breaking:
    kind = change.kind
    if not used or kind in (
        ChangeKind.ADD_COLUMN,
        ChangeKind.SET_NOT_NULL,
        ChangeKind.CREATE_TABLE,
    ):
        return Breaking.NOTHING
    if kind is ChangeKind.RETYPE_COLUMN:
        before = _type_of(change, landscape)
        return Breaking.NOTHING if before == change.type else Breaking.VALUES
    if kind is ChangeKind.CHANGE_KEY:
        held = ", ".join(landscape.keys.get(change.table, ()))
        return Breaking.NOTHING if held == change.to else Breaking.ADAPTERS
    if kind in (ChangeKind.DROP_NOT_NULL, ChangeKind.TRUNCATE_TABLE):
        return Breaking.VALUES
    if kind in (ChangeKind.ATTACH_PARTITION, ChangeKind.DETACH_PARTITION):
        return Breaking.VALUES
    return Breaking.ADAPTERS


def _type_of(change: TableChange, landscape: Landscape) -> str | None:
    return landscape.types.get(change.table, {}).get(change.column or "")


def _adapters(change: TableChange, used: Iterable[Usage], breaking: Breaking) -> Iterator[Touched]:
    for usage in used:
        column = change.column
        fields = usage.fields(change.table, column) if column is not None else ()
        if breaking is Breaking.ADAPTERS:
            text = "reads it: every row of the table would trip it" if column else "reads the table"
        else:
            text = "reads it: values may be others than it knows"
        if column is not None and column in usage.declared.get(change.table, ()):
            text = f"{text}; it finds its rows by it"
        if not usage.complete:
            text = f"{text} (it was not seen to its end: it may read more)"
        yield Touched("adapter", usage.adapter.aggregate, fields, text)


def _downstream(
    change: TableChange, used: Iterable[Usage], landscape: Landscape
) -> Iterator[Touched]:
    regions: dict[str, list[str]] = {}
    for usage in used:
        type_ = usage.adapter.contract
        shown = _Fields(type_)
        if change.column is not None:
            shown.names.update(usage.fields(change.table, change.column))
        yield Touched(
            "contract", type_, tuple(sorted(shown.names)), _width_text(change, shown, landscape)
        )
        for other in usage.adapter.domain_contracts:
            names = {one["name"] for one in landscape.contracts[other].schema["fields"]}
            both = tuple(sorted(names & shown.names))
            if both or not shown.names:
                yield Touched("contract", other, both)
        for projection in landscape.projections:
            if projection.type == type_:
                yield from _tables(projection, shown)
                for region in landscape.regions:
                    regions.setdefault(region, []).append(projection.table)
        yield from _suites(landscape.suites.get(type_), shown)
    for region, tables in regions.items():
        yield Touched("region", region, (), f"holds {', '.join(sorted(set(tables)))}")


def _width_text(change: TableChange, shown: _Fields, landscape: Landscape) -> str:
    """Say which fields of a contract are too narrow for a column's new type."""
    if change.kind is not ChangeKind.RETYPE_COLUMN or change.type is None:
        return ""
    narrow = [
        name
        for name in sorted(shown.names)
        if _avro_type(landscape.contracts[shown.type], name) in ("int", "long", "float")
        and not keeps_values(change.type, _HOLDS[_avro_type(landscape.contracts[shown.type], name)])
    ]
    return f"{', '.join(narrow)}: narrower than {change.type}" if narrow else ""


_HOLDS = {"int": "integer", "long": "bigint", "float": "real"}


def _avro_type(contract: Contract, field_name: str) -> str:
    for one in contract.schema["fields"]:
        if one["name"] == field_name:
            branches = one["type"] if isinstance(one["type"], list) else [one["type"]]
            plain = [each for each in branches if isinstance(each, str) and each != "null"]
            return plain[0] if plain else ""
    return ""


def _tables(projection: Projection, shown: _Fields) -> Iterator[Touched]:
    columns = tuple(name for name in projection.columns if name in shown.names)
    if columns or not shown.names:
        yield Touched("projection", projection.table, columns)
    for child in projection.children:
        if child.field in shown.names or not shown.names:
            yield Touched("projection", child.table, ())


def _suites(suites: ContractSuites | None, shown: _Fields) -> Iterator[Touched]:
    if suites is None:
        return
    if suites.root is not None:
        columns = {
            name
            for one in suites.root.expectations
            for name in one.column.split(", ")
            if name in shown.names
        }
        if columns:
            yield Touched("suite", suites.root.name, tuple(sorted(columns)))
    for array, suite in suites.children.items():
        if array in shown.names:
            yield Touched("suite", suite.name, (array,))
