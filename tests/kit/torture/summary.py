"""What a run was, for people: a table of faults with the times to recover, figures, the verdict.

Enters: facts of the run. Leaves: text. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault that was injected; `recovered_s` counts from its end, None when nothing tells."""

    kind: str
    target: str
    lasted_s: float
    recovered_s: float | None
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class RunFacts:
    """All that a summary tells; `end` is how the site stood in the end, when it did not pass."""

    seed: int
    seconds: float
    faults: Sequence[Injected]
    figures: Mapping[str, Any]
    operator: Mapping[str, int]
    reasons: Mapping[str, int]
    findings: Sequence[str] = field(default_factory=tuple)
    end: Sequence[str] = field(default_factory=tuple)

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def write_summary(facts: RunFacts) -> str:
    """Write the summary as lines of text."""
    struck = [fault for fault in facts.faults if not fault.skipped]
    head = (
        f"torture: seed {facts.seed}, {facts.seconds / 60:.1f} minutes, {len(struck)} faults, "
        f"{len({(one.kind, one.target) for one in struck})} different, "
        f"{len(facts.faults) - len(struck)} skipped (the target was down)"
    )
    lines = [
        head,
        "",
        *_write_table(struck),
        "",
        *_write_kinds(struck),
        "",
        *(f"  {name:<34}{_write_number(value):>14}" for name, value in facts.figures.items()),
        "",
        "connector tasks restarted by the operator: "
        + (", ".join(f"{name} {n}" for name, n in facts.operator.items()) or "none"),
        *(f"  {count} x {reason}" for reason, count in facts.reasons.items()),
        "",
        "VERDICT: " + ("PASSED" if facts.passed else f"FAILED, {len(facts.findings)} findings"),
        *(f"  {finding}" for finding in facts.findings),
        *(
            ("", "how the site stood in the end:", *(f"  {line}" for line in facts.end))
            if facts.end
            else ()
        ),
    ]
    return "\n".join(lines) + "\n"


def _write_table(struck: Sequence[Injected]) -> list[str]:
    """Write how often each kind struck each target."""
    kinds = list(dict.fromkeys(one.kind for one in struck))
    targets = list(dict.fromkeys(one.target for one in struck))
    counts: dict[tuple[str, str], int] = {}
    for one in struck:
        counts[one.kind, one.target] = counts.get((one.kind, one.target), 0) + 1
    head = f"  {'target':<22}" + "".join(f"{kind:>10}" for kind in kinds)
    rows = [
        f"  {target:<22}" + "".join(f"{counts.get((kind, target), 0) or '-':>10}" for kind in kinds)
        for target in sorted(targets)
    ]
    return [head, *rows]


def _write_kinds(struck: Sequence[Injected]) -> list[str]:
    """Write how long the chain stood still after each kind of fault."""
    head = f"  {'kind':<12}{'faults':>8}{'lasted s':>12}{'median s':>12}{'worst s':>12}"
    lines = [f"{head}   until a barrier passed again"]
    for kind in dict.fromkeys(one.kind for one in struck):
        those = [one for one in struck if one.kind == kind]
        known = [one.recovered_s for one in those if one.recovered_s is not None]
        middle = f"{median(known):.1f}" if known else "-"
        worst = f"{max(known):.1f}" if known else "-"
        lasted = sum(one.lasted_s for one in those) / len(those)
        lines.append(f"  {kind:<12}{len(those):>8}{lasted:>12.1f}{middle:>12}{worst:>12}")
    return lines


def _write_number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
