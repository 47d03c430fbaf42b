"""Reads what a site's adapter package declares: tuples of adapters and of projections."""

from __future__ import annotations

import importlib
from typing import Any

from adapters.errors import Configuration


def read_tuple(package: str, name: str, kind: type) -> tuple[Any, ...]:
    """Import a package and return its tuple `name` of `kind`s; Configuration when it has none."""
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        raise Configuration(
            f"can't import the adapter package {package!r} ({error}): correct [site] adapters"
        ) from error
    values = getattr(module, name, None)
    if not isinstance(values, tuple) or not all(isinstance(value, kind) for value in values):
        raise Configuration(f"{package} has no tuple {name} of {kind.__name__}s")
    return values
