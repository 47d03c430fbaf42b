"""The marks that apply leaves in a connector's config: what it wrote, and in spite of what.

Enters: a config. Leaves: the config with its seal, or what a seal says. Connect keeps properties
that nobody reads, for all who look at this connector: no file of one person's could do that.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX = "isthmus."
APPLIED = f"{PREFIX}applied"
"""A digest of the config that apply wrote: with another one, somebody else has changed it."""
FORCED = f"{PREFIX}forced"
"""The ids of the findings in spite of which `apply --force` went on."""


def seal_config(config: Mapping[str, str], forced: Iterable[str] = ()) -> dict[str, str]:
    """Add the marks to a config."""
    accepted = ", ".join(sorted(forced))
    sealed = {**config, APPLIED: _digest(config)}
    return {**sealed, FORCED: accepted} if accepted else sealed


def open_config(config: Mapping[str, str]) -> dict[str, str]:
    """Leave the marks out."""
    return {key: value for key, value in config.items() if not key.startswith(PREFIX)}


def read_forced(config: Mapping[str, str]) -> tuple[str, ...]:
    """List the findings that were accepted."""
    return tuple(one for one in config.get(FORCED, "").split(", ") if one)


def is_edited(config: Mapping[str, str]) -> bool:
    """Tell whether somebody else changed the config; without a seal nobody can tell."""
    return APPLIED in config and config[APPLIED] != _digest(open_config(config))


def is_sealed(config: Mapping[str, str]) -> bool:
    """Tell whether the config is as some apply wrote it, whatever declaration or version it had."""
    return APPLIED in config and not is_edited(config)


def _digest(config: Mapping[str, str]) -> str:
    return hashlib.sha256(msgspec.json.encode(sorted(config.items()))).hexdigest()[:16]
