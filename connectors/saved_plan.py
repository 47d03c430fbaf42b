"""A plan in a file, bound to what it saw: apply refuses it when the world has moved since.

Enters: states and plans. Leaves: digests by kind and name, and a JSON file without secrets. What is
already as declared has not moved: an apply that was interrupted can be repeated with the same file.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from connectors.errors import Configuration, Fatal
from connectors.plan import Action, Change, Kind, State
from connectors.secret_names import is_shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from connectors.plan import Plan

FORMAT = 1
_ABSENT = "absent"


class SavedPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in the file."""

    format: int
    site: str
    hash: str
    seen: dict[str, str]
    wanted: dict[str, str]
    changes: tuple[Change, ...]
    destroy: bool = False


def digest_state(state: State, desired: State) -> dict[str, str]:
    """Digest a state's things by kind and name, in so far as `desired` or Connect has them."""
    digests: dict[str, str] = {}
    for name, config in state.connectors.items():
        shown = {
            key: value if is_shown(key, value) else "(hidden)" for key, value in config.items()
        }
        digests[f"{Kind.CONNECTOR} {name}"] = _digest(
            sorted((key, value) for key, value in shown.items() if not key.startswith("isthmus."))
        )
    for name, publication in state.publications.items():
        digests[f"{Kind.PUBLICATION} {name}"] = _digest(
            {
                "tables": publication.tables,
                "via_root": publication.via_root,
                "operations": publication.operations,
                "filtered": publication.filtered,
                "all": publication.all_tables,
            }
        )
    for name, topic in state.topics.items():
        wanted = desired.topics.get(name)
        keys = sorted(wanted.settings) if wanted else []
        digests[f"{Kind.TOPIC} {name}"] = _digest(
            [topic.partitions, [[key, topic.settings.get(key)] for key in keys]]
        )
    for grant in state.grants:
        digests[f"{Kind.GRANT} {grant.privilege} to {grant.name}"] = _digest("held")
    for name, columns in state.tables.items():
        digests[f"{Kind.TABLE} {name}"] = _digest(sorted(columns))
    for name, identity in state.identities.items():
        digests[f"{Kind.IDENTITY} {name}"] = _digest(identity)
    return dict(sorted(digests.items()))


def write_plan(path: Path, plan: Plan, site: str, *, destroy: bool) -> None:
    """Write the plan; Configuration when the file can't be written."""
    saved = SavedPlan(
        FORMAT, site, plan.hash, dict(plan.seen), dict(plan.wanted), plan.changes, destroy
    )
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(saved), indent=2) + b"\n")
    except OSError as error:
        raise Configuration(f"the plan can't be written: {path}: {error.strerror}") from error


def read_plan(path: Path, site: str) -> SavedPlan:
    """Read a saved plan; Configuration when it is none, or one of another site."""
    try:
        saved = msgspec.json.decode(path.read_bytes(), type=SavedPlan)
    except OSError as error:
        raise Configuration(f"the plan can't be read: {path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise Configuration(f"{path} is no plan that `plan --out` wrote: {error}") from error
    if saved.format != FORMAT or saved.site != site:
        raise Configuration(f"{path} is a plan of site {saved.site!r}, not of {site!r}")
    return saved


def refuse_moved(saved: SavedPlan, plan: Plan) -> None:
    """Raise Fatal that names what has moved since the plan was saved.

    What is as the plan wanted it is done already: the apply before this one was interrupted.
    """
    moved = [
        *(f"the declaration of {name}" for name in _differ(saved.wanted, plan.wanted)),
        *(
            name
            for name in _differ(saved.seen, plan.seen)
            if plan.seen.get(name, _ABSENT) != saved.wanted.get(name, _ABSENT)
        ),
    ]
    known = {(change.kind, change.name, change.action) for change in saved.changes}
    moved += [
        f"{change.kind} {change.name} (now to {change.action})"
        for change in plan.changes
        if (change.kind, change.name, change.action) not in known
        and f"{change.kind} {change.name}" not in moved
    ]
    if moved:
        raise Fatal(
            f"the world has moved since this plan was made: {'; '.join(moved)}; nothing was "
            "changed: plan again"
        )


def _differ(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    return [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]


def _digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:16]


def is_removal(change: Change) -> bool:
    """Tell whether a change needs `--destroy`: it takes away what can't be had back."""
    return change.action is Action.REMOVE and change.kind is not Kind.CONNECTOR
