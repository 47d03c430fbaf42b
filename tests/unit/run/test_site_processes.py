"""Which processes a site has, and what is found wrong before one is started."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import Configuration
from pipeline.run.child import Process
from pipeline.run.shutdown import Stage
from pipeline.run.site_processes import LEASHED, plan_processes
from pipeline.settings import SITE_FILE, Settings, load_settings

ROOT = Path(__file__).resolve().parents[3]
MODULES = ("customers", "inventory", "sales")


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Give the repository's site, with its variables set to something."""
    for path in (ROOT / SITE_FILE, *(ROOT / "connectors" / "retail").glob("*.yaml")):
        for name in re.findall(r"\$\{(\w+)\}", path.read_text()):
            monkeypatch.setenv(name, "5432")
    return load_settings(ROOT)


def commands(processes: Sequence[Process]) -> list[tuple[str, str]]:
    """Return names and what a person would type, without the site."""
    assert all(one.command[-2:] == ("--site", str(ROOT)) for one in processes)
    return [(one.name, " ".join(one.command[len(LEASHED) : -2])) for one in processes]


def test_a_site_has_translators_a_publisher_and_replicators(settings: Settings) -> None:
    """One per module, one, and one per region, in the order of the way of the data."""
    processes = plan_processes(settings, MODULES, [])
    assert commands(processes) == [
        ("care", "care --module customers --module inventory --module sales"),
        ("translate-customers", "translate --module customers"),
        ("translate-inventory", "translate --module inventory"),
        ("translate-sales", "translate --module sales"),
        ("publish", "publish --module customers --module inventory --module sales"),
        ("replicate-eu", "replicate --region eu"),
        ("replicate-us", "replicate --region us"),
    ]
    assert [one.stage for one in processes] == sorted(one.stage for one in processes)
    assert {one.stage for one in processes} == set(Stage)


def test_the_care_is_told_to_heal(settings: Settings) -> None:
    """`--heal` of run is the care's."""
    process, *_ = plan_processes(settings, ["sales"], [], heal=True)
    assert commands([process]) == [("care", "care --module sales --heal")]


def test_modules_and_regions_may_be_named(settings: Settings) -> None:
    """Naming one twice is naming it once."""
    processes = plan_processes(settings, ["sales", "sales"], ["us", "us"])
    assert commands(processes) == [
        ("care", "care --module sales"),
        ("translate-sales", "translate --module sales"),
        ("publish", "publish --module sales"),
        ("replicate-us", "replicate --region us"),
    ]


def test_a_module_without_adapters_has_nothing_to_publish(settings: Settings) -> None:
    """Its rows land in the mirror only, for the lookups of others."""
    names = [one.name for one in plan_processes(settings, ["supply"], ["eu"])]
    assert names == ["care", "translate-supply", "replicate-eu"]


def test_an_unknown_region_is_bad_use(settings: Settings) -> None:
    """The message lists the known ones."""
    with pytest.raises(Configuration, match=r"no region 'asia' .* known are eu, us"):
        plan_processes(settings, MODULES, ["asia"])


def test_a_wrong_file_of_the_site_is_found_before_anything_starts(
    settings: Settings, tmp_path: Path
) -> None:
    """Adapters, declarations and contracts are read once, so that the message comes once."""
    with pytest.raises(Configuration, match="can't import the adapter package 'no_such'"):
        plan_processes(replace(settings, adapters="no_such"), MODULES, [])
    (tmp_path / "sales.yaml").write_text("module: sales\ntabels: []\n")
    with pytest.raises(Configuration, match=r"sales\.yaml"):
        plan_processes(replace(settings, connectors=tmp_path), MODULES, [])
    (tmp_path / "sales.Order.v1.avsc").write_text("{")
    with pytest.raises(Configuration, match=r"sales\.Order\.v1\.avsc"):
        plan_processes(replace(settings, contracts=tmp_path), MODULES, [])
