"""Whether a schema can read what another one wrote, and if not, which field is to blame.

Enters: reader's and writer's schema. Leaves: findings; none means compatible (Avro 1.12, schema
resolution). Here because registries answer with a bare no; decimals must agree in scale, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

_PROMOTIONS: Final = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}
_NAMED: Final = ("record", "error", "enum", "fixed")


@dataclass(frozen=True, slots=True)
class Incompatibility:
    """Why a reader can't read: `field` is a path such as `lines.quantity`."""

    field: str
    reason: str


def find_incompatibilities(reader: Any, writer: Any) -> tuple[Incompatibility, ...]:
    """Return what keeps `reader` from reading what `writer` wrote (parsed JSON schemas)."""
    return tuple(_Comparison(reader, writer).compare(reader, writer, ""))


class _Comparison:
    """Compares two schemas; knows the named types of each, and the pairs that it is in."""

    def __init__(self, reader: Any, writer: Any) -> None:
        self._readers = dict(_named_types(reader, ""))
        self._writers = dict(_named_types(writer, ""))
        self._open: set[tuple[int, int]] = set()

    def compare(self, reader: Any, writer: Any, path: str) -> Iterator[Incompatibility]:
        reader = self._readers.get(reader, reader) if isinstance(reader, str) else reader
        writer = self._writers.get(writer, writer) if isinstance(writer, str) else writer
        if (id(reader), id(writer)) in self._open:  # a type that contains itself
            return
        self._open.add((id(reader), id(writer)))
        yield from self._compare(reader, writer, path)
        self._open.discard((id(reader), id(writer)))

    def _compare(self, reader: Any, writer: Any, path: str) -> Iterator[Incompatibility]:
        if isinstance(writer, list):
            for branch in writer:
                yield from self.compare(reader, branch, path)
        elif isinstance(reader, list):
            yield from self._compare_union(reader, writer, path)
        elif _kind(reader) != _kind(writer):
            if _kind(reader) not in _PROMOTIONS.get(_kind(writer), ()):
                reason = f"is {_kind(reader)}, was {_kind(writer)}"
                yield Incompatibility(path or "(the schema)", reason)
        else:
            yield from self._compare_same(reader, writer, path)

    def _compare_union(self, reader: Any, writer: Any, path: str) -> Iterator[Incompatibility]:
        found = [list(self.compare(branch, writer, path)) for branch in reader]
        if all(found):
            near = [
                each
                for branch, each in zip(reader, found, strict=True)
                if _kind(self._readers.get(branch, branch) if isinstance(branch, str) else branch)
                == _kind(writer)
            ]
            if near:
                yield from near[0]
            else:
                kinds = ", ".join(_kind(branch) for branch in reader)
                reason = f"is one of {kinds}, was {_kind(writer)}"
                yield Incompatibility(path or "(the schema)", reason)

    def _compare_same(self, reader: Any, writer: Any, path: str) -> Iterator[Incompatibility]:
        where = path or "(the schema)"
        for name in _differing(reader, writer):
            reason = f"{name} is {_get(reader, name)}, was {_get(writer, name)}"
            yield Incompatibility(where, reason)
        kind = _kind(reader)
        if kind == "record":
            yield from self._compare_fields(reader, writer, path)
        elif kind == "array":
            yield from self.compare(reader["items"], writer["items"], path)
        elif kind == "map":
            yield from self.compare(reader["values"], writer["values"], path)
        elif kind == "enum" and "default" not in reader:
            gone = [one for one in writer["symbols"] if one not in reader["symbols"]]
            if gone:
                yield Incompatibility(where, f"lost the symbols {', '.join(gone)}")

    def _compare_fields(self, reader: Any, writer: Any, path: str) -> Iterator[Incompatibility]:
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            name = f"{path}.{field['name']}" if path else field["name"]
            names = (field["name"], *field.get("aliases", ()))
            old = next((written[one] for one in names if one in written), None)
            if old is not None:
                yield from self.compare(field["type"], old["type"], name)
            elif "default" not in field:
                yield Incompatibility(name, "is new and has no default")


def _differing(reader: Any, writer: Any) -> list[str]:
    names = []
    kind = _kind(reader)
    if kind in _NAMED and _short(reader) != _short(writer) and not _aliased(reader, writer):
        names.append("name")
    if kind == "fixed" and reader["size"] != writer["size"]:
        names.append("size")
    decimal = "decimal" in (_get(reader, "logicalType"), _get(writer, "logicalType"))
    if decimal or kind in ("int", "long"):
        compared = ("logicalType", "precision", "scale")
        names += [name for name in compared if _get(reader, name) != _get(writer, name)]
    return names


def _aliased(reader: Any, writer: Any) -> bool:
    aliases = (alias.rsplit(".", 1)[-1] for alias in reader.get("aliases", ()))
    return _short(writer) in aliases


def _short(schema: Any) -> str:
    return str(schema["name"]).rsplit(".", 1)[-1]


def _get(schema: Any, name: str) -> Any:
    found = schema.get(name) if isinstance(schema, dict) else None
    return 0 if found is None and name == "scale" else found


def _kind(schema: Any) -> str:
    if isinstance(schema, list):
        return "union"
    kind = schema["type"] if isinstance(schema, dict) else schema
    return _kind(kind) if isinstance(kind, dict | list) else str(kind)


def _named_types(schema: Any, namespace: str) -> Iterator[tuple[str, Any]]:
    if isinstance(schema, list):
        for branch in schema:
            yield from _named_types(branch, namespace)
    elif isinstance(schema, dict):
        if schema.get("type") in _NAMED:
            namespace = schema.get("namespace", namespace)
            yield schema["name"], schema
            yield f"{namespace}.{schema['name']}", schema
        for part in ("items", "values"):
            if part in schema:
                yield from _named_types(schema[part], namespace)
        if isinstance(schema.get("type"), dict | list):
            yield from _named_types(schema["type"], namespace)
        for field in schema.get("fields", ()):
            yield from _named_types(field["type"], namespace)
