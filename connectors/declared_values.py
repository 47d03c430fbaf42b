"""The typed values of one declaration file: texts, numbers, references to secrets, names of tables.

Enters: what YAML gave. Leaves: values of the right type, `${VAR}` filled; every mistake is a
Configuration error that names file, key and, for a key that is not known, the nearest that is.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from connectors.errors import Configuration
from connectors.secret_names import is_secret
from connectors.tables import is_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET_REFERENCE = re.compile(r"\$\{[A-Za-z][A-Za-z0-9_-]*:[^{}$]+\}")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$#]{0,127}")
_PATTERN = re.compile(r"[A-Za-z0-9_$#*?\[\]!-]{1,128}")


class Values:
    """Reads typed values of one file; every error names file and key."""

    def __init__(self, path: Path, variables: Mapping[str, str]) -> None:
        self._path = path
        self._variables = variables

    def refuse_unknown(self, block: str, body: Mapping[str, Any], known: Iterable[str]) -> None:
        """Refuse a key of a block that is not known; the message names the nearest that is."""
        known = tuple(known)
        for key in body:
            if key not in known:
                nearest = get_close_matches(str(key), known, n=1, cutoff=0.0)[0]
                raise Configuration(
                    f"{self._path}: unknown key {block}{key}: did you mean {block}{nearest}? "
                    f"(connector properties go under config:; known are {', '.join(known)})"
                )

    def text(self, key: str, value: Any) -> str:
        """Give a text that is not empty, with its variables filled."""
        if not isinstance(value, str) or not value:
            raise Configuration(f"{self._path}: {key}: a text is needed, not {value!r}")
        return self._fill(key, value)

    def number(self, key: str, value: Any) -> int:
        """Give a positive number; a variable may hold it."""
        if isinstance(value, str):
            filled = self._fill(key, value)
            value = int(filled) if filled.isascii() and filled.isdigit() else filled
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise Configuration(f"{self._path}: {key}: a positive number is needed, not {value!r}")
        return value

    def secret(self, key: str, value: Any) -> str:
        """Give a reference that Connect resolves; everything else is refused, and not shown."""
        if not isinstance(value, str) or not _SECRET_REFERENCE.fullmatch(value):
            raise Configuration(
                f"{self._path}: {key}: must be a reference that Connect itself resolves, like "
                "${env:ISTHMUS_CAPTURE_PASSWORD}, and nothing else: what stands here is readable "
                "for everybody over Connect's REST interface"
            )
        return value

    def check(self, key: str, value: str, pattern: re.Pattern[str], rule: str) -> None:
        """Refuse a value that is not of the pattern; `rule` says what it must be."""
        if not pattern.fullmatch(value):
            raise Configuration(f"{self._path}: {key}: {value!r} must be {rule}")

    def choice(self, key: str, value: Any, choices: Iterable[str]) -> str:
        """Give one of the choices."""
        if value not in choices:
            raise Configuration(f"{self._path}: {key}: {value!r} is none of {', '.join(choices)}")
        return str(value)

    def refuse_if(self, key: str, *, wrong: bool, words: str) -> None:
        """Refuse the key in these words where it is wrong."""
        if wrong:
            raise Configuration(f"{self._path}: {key}: {words}")

    def tables(self, value: Any) -> tuple[str, ...]:
        """Give names of tables and shell patterns of such names, sorted."""
        if not isinstance(value, list) or not value:
            raise Configuration(f"{self._path}: tables: a list of table names is needed")
        for name in value:
            pattern = _PATTERN if isinstance(name, str) and is_pattern(name) else NAME
            if not isinstance(name, str) or not pattern.fullmatch(name):
                raise Configuration(
                    f"{self._path}: tables: {name!r} must be a plain table name, without schema, "
                    "or a shell pattern (ord_*) of such names"
                )
        double = {name for name in value if value.count(name) > 1}
        if double:
            raise Configuration(f"{self._path}: tables: {', '.join(sorted(double))} stands twice")
        return tuple(sorted(value))

    def keys(self, value: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Give the key columns by table, sorted by table."""
        if not isinstance(value, dict):
            raise Configuration(f"{self._path}: keys: needs tables (table: [column, ...])")
        for table, columns in value.items():
            good = isinstance(columns, list) and columns and len(set(columns)) == len(columns)
            if not good or not all(isinstance(one, str) and NAME.fullmatch(one) for one in columns):
                raise Configuration(
                    f"{self._path}: keys.{table}: the columns that tell a row from all others are "
                    "needed, [column, ...]"
                )
        return tuple(sorted((table, tuple(columns)) for table, columns in value.items()))

    def block(self, key: str, body: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
        """Give the values of a block: numbers for keys that end in _ms, texts for all others."""
        block = body.get(key, {})
        if not isinstance(block, dict):
            raise Configuration(f"{self._path}: {key}: needs keys ({', '.join(known)})")
        self.refuse_unknown(f"{key}.", block, known)
        return {
            name: self.number(f"{key}.{name}", value)
            if name.endswith("_ms")
            else self.text(f"{key}.{name}", value)
            for name, value in block.items()
        }

    def overrides(self, block: Any) -> tuple[tuple[str, str], ...]:
        """Give the connector's properties as text, sorted; secrets must be references."""
        if not isinstance(block, dict):
            raise Configuration(f"{self._path}: config: needs connector properties (key: value)")
        pairs = []
        for key, value in block.items():
            where = f"config.{key}"
            if isinstance(value, bool):
                pairs.append((key, str(value).lower()))
            elif is_secret(key):
                pairs.append((key, self.secret(where, value)))
            elif isinstance(value, str | int | float):
                pairs.append((key, self._fill(where, str(value))))
            else:
                raise Configuration(f"{self._path}: {where}: a text, number or boolean is needed")
        return tuple(sorted(pairs))

    def _fill(self, key: str, value: str) -> str:
        def fill(match: re.Match[str]) -> str:
            variable = match.group(1)
            if variable not in self._variables:
                raise Configuration(
                    f"{self._path}: {key}: ${{{variable}}} is neither in the environment nor in "
                    "site.env nor given by a local stack: set it, or run `isthmus up`"
                )
            return self._variables[variable]

        return _VARIABLE.sub(fill, value)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and NAME.fullmatch(value) is not None
