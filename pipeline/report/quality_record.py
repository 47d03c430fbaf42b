"""Runs the quality suites of all regions, and keeps the last results in the site's folder.

Enters: the settings. Leaves: a `Quality`, in memory and in `.isthmus/quality.json`. A region that
can't be checked is a result of its own that failed.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

import msgspec

from adapters.contract import load_contracts
from adapters.projection import load_projections
from pipeline.errors import Configuration, IsthmusError
from pipeline.quality.suite import load_suites
from pipeline.quality.validation import validate_region
from pipeline.report.facts import Quality, QualityResult
from pipeline.settings import Settings

FILE = "quality.json"


def check_quality(settings: Settings, now: datetime) -> Quality:
    """Run every suite over every region's tables."""
    suites = load_suites(settings.contracts, load_contracts(settings.contracts))
    projections = load_projections(settings.adapters)
    results: list[QualityResult] = []
    for region in settings.regions.values():
        try:
            found = validate_region(region, projections, suites)
        except IsthmusError as error:
            results.append(
                QualityResult(region.name, "-", "-", "-", success=False, error=str(error))
            )
            continue
        results += [QualityResult(**asdict(one)) for one in found]
    return Quality(now, tuple(results))


def write_quality(settings: Settings, quality: Quality) -> None:
    """Keep the results; a reader never sees half of them."""
    path = settings.state_folder / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".json.part")
    half.write_bytes(msgspec.json.encode(quality))
    half.replace(path)


def read_quality(settings: Settings) -> Quality | None:
    """Read the last results, None when there are none; Configuration when they can't be read."""
    path = settings.state_folder / FILE
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(document, Quality, strict=False)
    except FileNotFoundError:
        return None
    except (ValueError, msgspec.ValidationError) as error:
        raise Configuration(
            f"{path} can't be read ({error}): remove it and run `isthmus report` again"
        ) from error
