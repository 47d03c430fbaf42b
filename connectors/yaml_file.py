"""Reads a YAML file as one mapping, refusing what PyYAML forgives: keys that stand twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from connectors.errors import Configuration

if TYPE_CHECKING:
    from pathlib import Path


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key that stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's own signature
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_mapping(path: Path) -> dict[str, Any]:
    """Read the file's one mapping; Configuration says where it is no YAML or no mapping."""
    try:
        body = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise Configuration(f"{path} is not good YAML: {' '.join(str(error).split())}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Configuration(f"{path} cannot be read: {error}") from error
    if not isinstance(body, dict) or not all(isinstance(key, str) for key in body):
        raise Configuration(f"{path} must hold keys and values (module: ..., tables: ...)")
    return body
