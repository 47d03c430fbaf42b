"""One measured figure, its file and its table.

Enters: results. Leaves: benchmarks/out/<name>.json, each a list of objects, and a table.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

OUT = Path(__file__).parent / "out"


@dataclass(frozen=True, slots=True)
class Result:
    """One stage on one workload; CPU is in microseconds a row, None where it was not measured.

    `cpu_us_per_row` is of the stage's own process (Connect for debezium-source; all processes of
    ours for end-to-end), `server_cpu_us_per_row` of the servers beside it.
    """

    name: str
    workload: str
    rows: int
    seconds: float
    rows_per_s: float
    cpu_us_per_row: float | None = None
    server_cpu_us_per_row: float | None = None
    peak_rss_mb: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


def make_result(
    name: str,
    workload: str,
    *,
    rows: int,
    seconds: float,
    cpu_s: float | None = None,
    server_cpu_s: float | None = None,
    peak_rss_mb: float | None = None,
    percentiles_ms: tuple[float, float, float] | None = None,
) -> Result:
    """Make a result of totals."""

    def per_row(cpu: float | None) -> float | None:
        return None if cpu is None else round(cpu / rows * 1e6, 1)

    latencies = (
        (None, None, None) if percentiles_ms is None else [round(one, 1) for one in percentiles_ms]
    )
    return Result(
        name,
        workload,
        rows,
        round(seconds, 3),
        round(rows / seconds, 1),
        per_row(cpu_s),
        per_row(server_cpu_s),
        None if peak_rss_mb is None else round(peak_rss_mb, 1),
        *latencies,
    )


def write_results(results: list[Result]) -> None:
    """Write one file per name; fields that were not measured are left out or null."""
    OUT.mkdir(parents=True, exist_ok=True)
    for name in dict.fromkeys(one.name for one in results):
        documents = []
        for one in results:
            if one.name == name:
                document = asdict(one)
                if one.p50_ms is None:
                    for field in ("p50_ms", "p95_ms", "p99_ms"):
                        del document[field]
                documents.append(document)
        (OUT / f"{name}.json").write_text(json.dumps(documents, indent=1) + "\n")


def print_results(results: list[Result], console: Console) -> None:
    """Print all results as one table."""
    table = Table(title="benchmarks", box=None)
    for name in ("name", "workload"):
        table.add_column(name, no_wrap=True)
    for name in ("rows", "s", "rows/s", "us/row", "server us/row", "peak MB", "p50/p95/p99 ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in results:
        latency = "" if one.p50_ms is None else f"{one.p50_ms:g} / {one.p95_ms:g} / {one.p99_ms:g}"
        figures = (one.cpu_us_per_row, one.server_cpu_us_per_row, one.peak_rss_mb)
        table.add_row(
            *(one.name, one.workload, f"{one.rows:,}", f"{one.seconds:.1f}"),
            f"{one.rows_per_s:,.0f}",
            *("" if figure is None else f"{figure:,.1f}" for figure in figures),
            latency,
        )
    console.print(table)
