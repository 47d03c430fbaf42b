"""The main job, in small: `isthmus demo` from nothing to the report."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DEMO_SECONDS_MAX = 540


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a site like the repository's, without a stack."""
    text = (REPOSITORY / "isthmus.toml").read_text()
    for key in ("connectors", "contracts", "store_migrations"):
        text = re.sub(rf'(?m)^{key} = "(.*)"$', rf'{key} = "{REPOSITORY}/\1"', text)
    (tmp_path / "isthmus.toml").write_text(text)
    return tmp_path


def _start(folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "demo", "--site", str(folder), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _find_processes(folder: Path) -> list[str]:
    """Return the command lines of what still runs in the site."""
    listing = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=True)
    return [line for line in listing.stdout.splitlines() if str(folder) in line]


def test_the_demo_ends_with_a_report_of_nothing_but_matches(folder: Path) -> None:
    """Through two kills and 1,000 events sent again; nothing is left running."""
    demo = _start(folder, "--orders", "1500", "--seconds", "15")
    stdout, stderr = demo.communicate(timeout=DEMO_SECONDS_MAX)
    assert demo.returncode == 0, stderr
    report = Path(stdout.strip().splitlines()[-1])
    page = report.read_text()
    assert {"replicate-eu killed", "translate-sales killed"} <= set(
        re.findall(r"[a-z]+-[a-z]+ killed", page)
    )
    assert "1,000 old events published once more" in page
    reconciled = json.loads((folder / ".isthmus" / "reconcile.json").read_text())
    assert {table["state"] for table in reconciled["tables"]} == {"MATCH"}
    assert {table["region"] for table in reconciled["tables"]} == {"mirror", "eu", "us"}
    assert _find_processes(folder) == []


def test_an_interrupted_demo_ends_everything(folder: Path) -> None:
    """Ctrl-C while its own processes run: no server and no process stays behind."""
    demo = _start(folder, "--orders", "500", "--seconds", "60")
    assert demo.stderr is not None
    for line in demo.stderr:
        if "processes" in line:  # the step that starts them is done
            break
    os.kill(demo.pid, signal.SIGINT)
    _, stderr = demo.communicate(timeout=DEMO_SECONDS_MAX)
    assert demo.returncode == 130
    assert "interrupted" in stderr
    assert _find_processes(folder) == []
