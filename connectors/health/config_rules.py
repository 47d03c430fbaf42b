"""Whether a connector still has the config that was applied, and whether a change of it loses rows.

Enters: a connector's config in Connect, the declared one, and the one on which both last agreed.
Leaves: findings. Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from connectors.health.finding import Finding, Kind, Remedy, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connectors.health.facts import ModuleFacts

_LOSING = re.compile(
    r"(table|schema|column)\.(include|exclude)\.list|skipped\.operations|slot\..*|publication\..*"
    r"|transforms(\..*)?|predicates(\..*)?|topic\.prefix|provide\.transaction\.metadata"
    r"|exactly\.once\.support|transaction\.boundary(\..*)?|errors\..*|snapshot\..*"
    r"|database\.(hostname|port|dbname)|(key|value|header)\.converter(\..*)?|connector\.class"
    r"|tombstones\.on\.delete|decimal\.handling\.mode|time\.precision\.mode|offset\..*"
    r"|event\.processing\.failure\.handling\.mode|message\.prefix\..*"
)
"""Settings by which changes are left out, doubled, or written where or how nobody reads them."""


def find_config(facts: ModuleFacts) -> Iterator[Finding]:
    """Say which settings differ from the declaration, and who changed them."""
    live, wanted = facts.connector.config, facts.wanted
    if live is None or wanted is None:
        return
    differing = _differ(live, wanted)
    if not differing:
        return
    since = set() if facts.agreed is None else differing & _differ(live, facts.agreed)
    if facts.connector.edited or (since and not facts.connector.sealed):
        yield _edited(facts, since or differing)
        return
    fields = ", ".join(sorted(differing))
    if since:
        yield _applied_elsewhere(facts, fields)
        return
    text = (
        f"connector {facts.connector.name} differs from its declaration in {fields}, which is not "
        "applied yet: `isthmus connectors plan`, then `isthmus connectors apply`"
    )
    yield Finding(facts.module, Kind.CONFIG_NOT_APPLIED, Severity.INFO, text)


def _edited(facts: ModuleFacts, edited: set[str]) -> Finding:
    module, name = facts.module, facts.connector.name
    losing = sorted(field for field in edited if _LOSING.fullmatch(field))
    fields = ", ".join(sorted(edited))
    if not losing:
        text = (
            f"connector {name} was edited over REST ({fields}): `isthmus connectors apply` gives "
            "it its declared config again"
        )
        return Finding(module, Kind.CONFIG_EDITED, Severity.WARNING, text, Remedy.APPLY)
    text = (
        f"connector {name} was edited over REST ({fields}): with that, changes may be left out of "
        f"its log; `isthmus connectors apply`, `isthmus connectors resume {module}`, then "
        f"`isthmus reconcile --module {module}`, and where it differs "
        f"`isthmus connectors snapshot --again {module}`"
    )
    return Finding(module, Kind.CONFIG_EDITED, Severity.ERROR, text, Remedy.STOP, doubt=True)


def _applied_elsewhere(facts: ModuleFacts, fields: str) -> Finding:
    """Tell of a config whose seal is whole: what somebody applied is no edit, and loses nothing."""
    text = (
        f"connector {facts.connector.name} was applied with another declaration or by another "
        f"version than these ({fields}): if that is the newer one, restart `isthmus run` with it; "
        "else `isthmus connectors plan`, then `isthmus connectors apply`"
    )
    return Finding(facts.module, Kind.CONFIG_APPLIED_ELSEWHERE, Severity.WARNING, text)


def _differ(one: Mapping[str, str], other: Mapping[str, str]) -> set[str]:
    return {key for key, _ in one.items() ^ other.items()}
