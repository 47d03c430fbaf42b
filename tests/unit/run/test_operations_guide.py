"""What the guide says of `isthmus run` is what it does: figures, states, keys, and the unit."""

from __future__ import annotations

import configparser
import re
from datetime import UTC, datetime
from pathlib import Path

from pipeline.run.child_log import LOG_BYTES_MAX
from pipeline.run.lifecycle import SETTLED_S, Life, State
from pipeline.run.policy import RULES, Ending
from pipeline.run.shutdown import STAGE_S, TERM_S
from pipeline.run.state_file import StateFile

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "operations.md"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def section() -> str:
    """Return what the guide says of running everything."""
    return GUIDE.read_text().split("## Running everything", 1)[1].split("\n## ", 1)[0]


def test_every_budget_is_in_the_guide() -> None:
    """First and longest wait and the bound of each kind of end."""
    text = section()
    for ending in (Ending.KILLED, Ending.UNREACHABLE):
        rule = RULES[ending]
        row = (
            f"starts it again after {rule.first_s:g} s, doubled each time up to "
            f"{rule.longest_s:g} s; gives up after {rule.restarts_max:,} times in a row"
        )
        assert row in text
        assert (rule.factor, rule.well_s) == (2, 60)
    failed = RULES[Ending.FAILED]
    assert (failed.restarts_max, failed.well_s) == (3, 600)
    assert "after 10, 40 and 160 s, then gives up" in text


def test_the_times_of_a_shutdown_are_in_the_guide() -> None:
    """How long a stage is waited for, and when what is left is killed."""
    text = section()
    assert f"a stage is waited for {STAGE_S:.0f} s" in text
    assert f"After {TERM_S:.0f} s, or at a second signal" in text
    assert f"larger than {LOG_BYTES_MAX // 1024**2} MB" in text
    assert f"`starting` for {SETTLED_S:.0f} s" in text


def test_states_and_keys_of_the_file_are_in_the_guide() -> None:
    """Other programs read them."""
    text = section()
    document = StateFile(Path("run.json"), NOON).document([Life("publish", NOON)])
    assert all(f"`{state}`" in text for state in State)
    assert all(f"`{key}`" in text for key in (*document, *document["processes"][0]))


def test_the_unit_leaves_the_order_and_the_time_of_a_shutdown_to_us() -> None:
    """The unit signals the supervisor alone, waits longer than it needs, and obeys exit codes."""
    (block,) = re.findall(r"^```ini\n(.*?)^```$", section(), re.MULTILINE | re.DOTALL)
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(block)
    service = unit["Service"]
    assert service["KillMode"] == "mixed"
    assert float(service["TimeoutStopSec"]) > TERM_S + 1
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("on-failure", "2")
    assert service["ExecStart"].split()[1:] == ["run", "--site", "/srv/retail"]
