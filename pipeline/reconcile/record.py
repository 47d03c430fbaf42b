"""Keeps the last reconciliation in the site's folder, for the report.

Enters: a `Reconciliation`. Leaves: `.isthmus/reconcile.json`, the document of `--json` and when,
behind which barrier, and why a table has no verdict. Values of rows are never in it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.errors import Configuration
from pipeline.reconcile.result import Reconciliation
from pipeline.settings import Settings

FILE = "reconcile.json"


def record_document(reconciliation: Reconciliation) -> dict[str, Any]:
    """Return what is kept of a reconciliation."""
    document = reconciliation.document()
    for table, result in zip(document["tables"], reconciliation.tables, strict=True):
        table["problem"] = result.problem
        for key in table["keys"]:
            key.pop("values", None)
    return {
        **document,
        "barrier": reconciliation.barrier,
        "started_at": reconciliation.started_at.isoformat(),
        "finished_at": reconciliation.finished_at.isoformat(),
    }


def write_record(settings: Settings, reconciliation: Reconciliation) -> Path:
    """Write the record and return its path; a reader never sees half of it."""
    path = settings.state_folder / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".json.part")
    half.write_text(json.dumps(record_document(reconciliation), indent=1) + "\n", encoding="utf-8")
    return half.replace(path)


def read_record(settings: Settings) -> dict[str, Any]:
    """Read the record; Configuration when there is none, or it is none."""
    path = settings.state_folder / FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Configuration(
            f"no reconciliation is recorded in {path}: run `isthmus reconcile` first"
        ) from error
    except ValueError as error:
        raise Configuration(
            f"{path} is not JSON ({error}): run `isthmus reconcile` again"
        ) from error
    if not isinstance(document, dict) or "tables" not in document or "finished_at" not in document:
        raise Configuration(f"{path} is no record: run `isthmus reconcile` again")
    return document
