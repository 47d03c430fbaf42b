"""What a report tells; pure values.

Enters: what was gathered from databases and files. Leaves: a `Report`, its verdict and exit code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pipeline.reconcile.result import EXIT_CODES, EXIT_FINDING, State


@dataclass(frozen=True, slots=True)
class ModuleLag:
    """How far a module is translated and published now.

    `source_time` is the commit time of the last translated transaction; `barrier_ms` how long the
    reconciliation's barrier took from the legacy database into the mirror, None when it didn't.
    """

    module: str
    position: str
    source_time: datetime | None
    events_unpublished: int
    emissions_waiting: int
    barrier_ms: float | None


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from commit at the source to commit in the store, of `events` in a window."""

    window: str
    events: int
    ms_p50: float
    ms_p95: float
    ms_p99: float
    ms_max: float


@dataclass(frozen=True, slots=True)
class RegionLag:
    """How far a region is behind, and its latencies.

    `barrier_ms` tells per module how long the reconciliation's barrier took from the legacy
    database into this store, None where it has not come.
    """

    region: str
    barrier_ms: dict[str, float | None]
    latencies: tuple[Latency, ...]


@dataclass(frozen=True, slots=True)
class QualityResult:
    """What one expectation found in one table of a region."""

    region: str
    table: str
    expectation: str
    column: str
    success: bool
    unexpected_count: int | None = None
    element_count: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """The results of the expectation suites, and when they ran."""

    finished_at: datetime
    results: tuple[QualityResult, ...]

    @property
    def failed(self) -> int:
        """How many expectations are not met, or could not be evaluated."""
        return sum(not result.success for result in self.results)


@dataclass(frozen=True, slots=True)
class Letters:
    """The open dead letters: how many, by where they lie, and the first of them."""

    counts: dict[str, int]
    listed: tuple[dict[str, Any], ...]

    @property
    def total(self) -> int:
        """How many are open."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the report tells; `reconciliation` is the record that `reconcile` keeps."""

    site: str
    made_at: datetime
    reconciliation: dict[str, Any]
    modules: tuple[ModuleLag, ...]
    regions: tuple[RegionLag, ...]
    quality: Quality | None
    letters: Letters
    incidents: tuple[dict[str, str], ...]

    @property
    def verdict(self) -> State:
        """The verdict of the reconciliation."""
        return State(self.reconciliation["verdict"])

    @property
    def exit_code(self) -> int:
        """The exit code by the verdict; 1 when an expectation is not met."""
        if self.quality is not None and self.quality.failed:
            return EXIT_FINDING
        return EXIT_CODES[self.verdict]

    def document(self) -> dict[str, Any]:
        """Return report.json."""
        return {
            "site": self.site,
            "made_at": self.made_at.isoformat(),
            "verdict": self.verdict.value,
            "quality_failed": None if self.quality is None else self.quality.failed,
            "dead_letters_open": self.letters.counts,
            "reconciliation": self.reconciliation,
            "modules": [_plain(one) for one in self.modules],
            "regions": [_plain(one) for one in self.regions],
            "quality": None if self.quality is None else _plain(self.quality),
            "dead_letters": list(self.letters.listed),
            "incidents": list(self.incidents),
        }


def _plain(value: Any) -> Any:
    return _texts(asdict(value))


def _texts(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _texts(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_texts(one) for one in value]
    return value
