"""Writes a report's three files.

Enters: a `Report`, a folder. Leaves: report.html, report.json and report.junit.xml.
"""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.errors import Configuration
from pipeline.report.facts import Report
from pipeline.report.junit import render_junit
from pipeline.report.page import render_page


def write_report(report: Report, folder: Path) -> dict[str, Path]:
    """Write the files and return their paths by format; a reader never sees half a file."""
    texts = {
        "html": ("report.html", render_page(report)),
        "json": (
            "report.json",
            json.dumps(report.document(), indent=1, ensure_ascii=False) + "\n",
        ),
        "junit": ("report.junit.xml", render_junit(report)),
    }
    paths = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (file, text) in texts.items():
            half = folder / f"{file}.part"
            half.write_text(text, encoding="utf-8")
            paths[name] = half.replace(folder / file)
    except OSError as error:
        raise Configuration(
            f"can't write the report into {folder} ({error.strerror}): name another folder "
            "with --out"
        ) from error
    return paths
