"""One finding of the preflight: how grave, what, why it matters, and the SQL that mends it.

Enters: nothing. Leaves: values that rules make, and that commands print. No finding holds a row's
values, a query's text or a password.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from connectors.errors import Configuration

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


class Weight(StrEnum):
    """How grave a finding is; the order is that in which findings are shown."""

    BLOCKER = "blocker"
    """Capture would fail, leave changes out, or break the legacy application: apply refuses."""
    WARNING = "warning"
    """It may hurt later."""
    NOTICE = "notice"
    """Good to know: what it costs, what arrives in another form."""


_ORDER = tuple(Weight)


class Finding(msgspec.Struct, frozen=True):
    """One thing that was found; `mend` is SQL (or '' where there is nothing to mend)."""

    severity: Weight
    code: str
    """What kind of finding it is: docs/plan.md has a row for each."""
    subject: str
    """What it is about: a table, a role, a setting."""
    what: str
    why: str
    mend: str = ""
    module: str = ""
    """The module whose table it is; '' for what concerns all."""

    @property
    def id(self) -> str:
        """The finding as `--force` records it."""
        return f"{self.code}:{self.subject}"


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Put the gravest first; what several modules found is told once."""
    unique = dict.fromkeys(findings)
    return tuple(
        sorted(unique, key=lambda one: (_ORDER.index(one.severity), one.code, one.subject))
    )


def list_blockers(
    findings: Iterable[Finding], accepted: Collection[str] = ()
) -> tuple[Finding, ...]:
    """List the blockers, without those whose ids were accepted by `--force` earlier."""
    return tuple(
        one for one in findings if one.severity is Weight.BLOCKER and one.id not in accepted
    )


def refuse_blockers(blockers: Iterable[Finding]) -> None:
    """Raise Configuration that names every blocker and how it is mended."""
    found = tuple(blockers)
    if not found:
        return
    lines = [
        f"{one.what}: {one.why}" + (f"; mend it: {one.mend}" if one.mend else "") for one in found
    ]
    raise Configuration(
        "the preflight found what would fail; nothing was changed:\n" + "\n".join(lines)
    )


def make_document(findings: Iterable[Finding]) -> dict[str, Any]:
    """Give the findings as a JSON document."""
    return {"findings": msgspec.to_builtins(tuple(findings))}
