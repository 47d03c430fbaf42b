"""The simulator: every mutant is found, and a failing run is shrunk."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from pipeline.cli.app import run
from pipeline.local_stack.process import read_began
from pipeline.simulate.campaign import shrink, silence
from pipeline.simulate.mutants import MUTANTS, mutant
from pipeline.simulate.options import FAULTS, Options
from pipeline.simulate.run import simulate

RUNS = 2_000


@pytest.fixture(autouse=True)
def silent() -> None:
    """Keep the stages from logging their retries."""
    silence()


def test_every_kind_of_fault_is_drawn() -> None:
    """Each kind of fault is in some runs and not in others."""
    drawn = [Options.draw(seed).faults for seed in range(RUNS)]
    for fault in FAULTS:
        assert 0 < sum(fault in faults for faults in drawn) < RUNS


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name: str) -> None:
    """A deliberate bug breaks a promise within two thousand seeds."""
    with mutant(name):
        assert any(simulate(Options.draw(seed)).violation for seed in range(RUNS))


@pytest.mark.parametrize("seed", [3, 17])
def test_the_same_seed_is_the_same_run(seed: int) -> None:
    """Two runs of one seed are equal to the last step of their schedules."""
    first, second = (simulate(Options.draw(seed), trace=True) for _ in range(2))
    assert first == second
    assert first.trace


def test_a_failing_run_is_shrunk() -> None:
    """What is left of a failing run still fails, and is no longer than it was."""
    with mutant("half"):
        seed = next(seed for seed in range(RUNS) if simulate(Options.draw(seed)).violation)
    failing = Options.draw(seed)
    smallest = shrink(failing, "half")
    assert smallest.violation is not None
    assert smallest.options.faults <= failing.faults
    assert smallest.options.turns <= failing.turns
    assert any("start translate-sales" in line for line in smallest.trace)


def test_the_command_tells_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with 0 when all holds, and with 1 and a schedule when it does not."""
    assert run(["simulate", "--runs", "5", "--jobs", "1"]) == 0
    assert "nothing lost, doubled, reordered or half" in capsys.readouterr().out
    arguments = ["simulate", "--runs", "50", "--jobs", "1", "--mutant", "half", "--json"]
    assert run(arguments) == 1
    violation = json.loads(capsys.readouterr().out)["violation"]
    assert violation["shrunk_to"]
    assert violation["schedule"]
    assert run(["simulate", "--mutant", "mouse"]) == 2
    assert "no mutant 'mouse': known are no-fence" in capsys.readouterr().err


def test_the_workers_end_with_a_command_that_is_killed() -> None:
    """Nothing is left that would wait for more work for ever."""
    command = [sys.executable, "-m", "pipeline.cli", "simulate", "--runs", "100000", "--jobs", "2"]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(lambda: len(_find_workers(started.pid)) == 2)
        workers = _find_workers(started.pid)
    finally:
        started.kill()
        started.wait(60)
    _wait_for(lambda: not any(map(_is_alive, workers)))


def _find_workers(pid: int) -> list[int]:
    listing = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(maxsplit=2) for line in listing.stdout.splitlines()]
    return [int(row[0]) for row in rows if int(row[1]) == pid and "multiprocessing.spawn" in row[2]]


def _is_alive(pid: int) -> bool:
    return read_began(pid) is not None


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
