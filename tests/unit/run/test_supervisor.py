"""The supervisor over tiny real processes, by a clock that the test moves."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.local_stack.process import read_began
from pipeline.run.child import Process
from pipeline.run.lifecycle import Life, Moment, State
from pipeline.run.shutdown import Stage
from pipeline.run.supervisor import Outcome, Supervisor

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECONDS_MAX = 120.0
SLEEPS = "import time; print('up', flush=True); time.sleep(200)"
# a signal just before a long sleep would be handled after it: many short ones
LISTENS = "import time; print('up', flush=True)\nwhile True: time.sleep(0.02)"
POLITE = (
    "import signal, sys; from pathlib import Path\n"
    "signal.signal(15, lambda *_: sys.exit(Path('order').open('a').write(sys.argv[1]) * 0))\n"
    + LISTENS
)
DEAF = "import signal; signal.signal(15, signal.SIG_IGN)\n" + SLEEPS


class Scene:
    """A supervisor in a folder, its clock, and what the test does between two of its steps.

    Time passes by `pace` seconds a step, but stands still while a process of `held_by` lives;
    `act` gets all lives at each step and returns signals: `signals_max` times, then no more.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pace = 0.0
        self.held_by: set[str] = set()
        self.signals_max = 1
        self.act: Callable[[dict[str, Life]], list[signal.Signals]] = lambda _: []
        self.lives: dict[str, Life] = {}
        self.waited: list[float] = []
        self._seconds = 0.0
        self._deadline = time.monotonic() + SECONDS_MAX

    def run(self, *processes: Process) -> Outcome:
        """Supervise to the end."""
        return Supervisor(
            processes, self.folder, clock=self.clock, wait=self.wait, tell=self.tell
        ).run()

    def clock(self) -> Moment:
        """Tell the time."""
        return Moment(NOON + timedelta(seconds=self._seconds), self._seconds)

    def tell(self, lives: Sequence[Life]) -> None:
        """Remember the lives."""
        self.lives = {life.name: life for life in lives}

    def wait(self, seconds: float) -> list[signal.Signals]:
        """Let time pass, a little of the real one too."""
        logs = {name: self.log(name) for name in self.lives}
        assert time.monotonic() < self._deadline, (self._seconds, self.lives, logs)
        self.waited.append(seconds)
        if not any(life.pid for name, life in self.lives.items() if name in self.held_by):
            self._seconds += min(self.pace, seconds)
        if any(life.pid for life in self.lives.values()):
            time.sleep(0.002)
        came = self.act(self.lives)
        self.signals_max -= bool(came)
        return came if self.signals_max >= 0 else []

    def log(self, name: str) -> str:
        """Read the log of a process; empty when there is none yet."""
        path = self.folder / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def are_up(self, *names: str) -> bool:
        """Say whether these have all said that they are up."""
        return all("up\n" in self.log(name) for name in names)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Give a scene in a folder of its own, which is also the current one."""
    monkeypatch.chdir(tmp_path)
    return Scene(tmp_path)


def python(name: str, code: str, stage: Stage = Stage.TRANSLATE) -> Process:
    """Make a process that runs a few lines of Python; its first argument is its name."""
    return Process(name, stage, (sys.executable, "-S", "-c", code, name))


TERM = [signal.SIGTERM]


def test_a_shutdown_follows_the_way_of_the_data(scene: Scene) -> None:
    """Every process ends by itself, in the order of the stages, and all is in good order."""
    scene.act = lambda _: TERM if scene.are_up("a", "b", "c") else []
    outcome = scene.run(
        python("c", POLITE, Stage.REPLICATE),
        python("b", POLITE, Stage.PUBLISH),
        python("a", POLITE, Stage.TRANSLATE),
    )
    assert (scene.folder / "order").read_text() == "abc"
    assert outcome.findings == ()
    assert {(life.state, life.last_exit, life.pid) for life in outcome.lives} == {
        (State.STOPPED, 0, None)
    }


def test_a_killed_process_is_started_again_under_a_new_pid(scene: Scene) -> None:
    """The others are left alone, and its log goes on."""
    scene.pace = 0.1
    first: dict[str, int | None] = {}

    def act(lives: dict[str, Life]) -> list[signal.Signals]:
        life = lives["a"]
        if not first and scene.are_up("a", "b"):
            first.update({name: one.pid for name, one in lives.items()})
            assert life.pid is not None
            os.kill(life.pid, signal.SIGKILL)
        return TERM if scene.log("a").count("up\n") == 2 else []

    scene.act = act
    outcome = scene.run(python("a", SLEEPS), python("b", SLEEPS))
    assert outcome.findings == ()
    a, b = outcome.lives
    assert (a.restarts, b.restarts) == (1, 0)
    assert scene.log("b").count("up\n") == 1


def test_a_process_that_fails_is_given_up_on_while_the_others_go_on(scene: Scene) -> None:
    """Its last message is told; in the end that is a finding."""
    scene.pace, scene.held_by = 30, {"a"}

    def act(lives: dict[str, Life]) -> list[signal.Signals]:
        return TERM if lives["a"].state is State.GIVEN_UP and scene.are_up("b") else []

    scene.act = act
    broken = "import sys; print('isthmus: a hole:\\nat 7', file=sys.stderr); sys.exit(1)"
    outcome = scene.run(python("a", broken), python("b", SLEEPS))
    a, b = outcome.lives
    assert (a.state, a.restarts, a.last_exit) == (State.GIVEN_UP, 3, 1)
    assert (b.state, b.restarts) == (State.STOPPED, 0)
    assert outcome.findings == (
        "a was given up on (exit code 1, after 3 restarts in a row): a hole:\nat 7",
    )


def test_bad_configuration_is_given_up_on_at_once(scene: Scene) -> None:
    """When nothing is left to keep alive, the supervisor ends by itself."""
    wrong = "import sys; print('isthmus: no such module', file=sys.stderr); sys.exit(2)"
    outcome = scene.run(python("a", wrong))
    assert outcome.lives[0].restarts == 0
    assert outcome.findings == (
        "a was given up on (exit code 2, bad configuration): no such module",
    )


def test_an_absent_server_is_waited_for(scene: Scene) -> None:
    """Exit code 3 is answered until the server is there; that is no finding."""
    scene.pace, scene.held_by = 1, {"a"}
    code = (
        "import sys, time; from pathlib import Path\n"
        "if not Path('server').exists(): sys.exit(3)\n" + SLEEPS
    )

    def act(lives: dict[str, Life]) -> list[signal.Signals]:
        if lives["a"].restarts >= 3:
            (scene.folder / "server").touch()
        return TERM if scene.are_up("a") else []

    scene.act = act
    outcome = scene.run(python("a", code))
    assert outcome.findings == ()
    assert outcome.lives[0].restarts >= 3


def test_a_command_that_is_not_there_is_waited_for_too(scene: Scene) -> None:
    """An interpreter may be away during an upgrade: the message says that it could not start."""
    scene.pace = 1.0
    scene.act = lambda lives: TERM if lives["a"].state is State.BACKING_OFF else []
    outcome = scene.run(Process("a", Stage.PUBLISH, (str(scene.folder / "absent"),)))
    (life,) = outcome.lives
    assert (life.state, life.last_exit) == (State.STOPPED, 3)
    assert "a could not be started" in (life.last_error or "")


def test_what_ignores_its_end_is_killed_and_told(scene: Scene) -> None:
    """Those after it have had their time by then; a stopped process is no exception."""
    pids: list[int] = []

    def act(lives: dict[str, Life]) -> list[signal.Signals]:
        # the last stage is asked after 4 s: the clock then waits for it
        scene.pace = 0 if scene.clock().s >= 4 and lives["polite"].pid else 0.5
        if pids or not scene.are_up("deaf", "stopped", "polite"):
            return []
        pids.extend(life.pid for life in lives.values() if life.pid is not None)
        os.kill(pids[1], signal.SIGSTOP)
        scene.held_by.clear()
        return TERM

    scene.held_by = {"deaf"}
    scene.act = act
    outcome = scene.run(
        python("deaf", DEAF),
        python("stopped", POLITE, Stage.PUBLISH),
        python("polite", POLITE, Stage.REPLICATE),
    )
    assert (scene.folder / "order").read_text() == "polite"
    assert outcome.findings == (
        "deaf was killed (it did not end within 9 s): nothing is lost by that",
        "stopped was killed (it did not end within 9 s): nothing is lost by that",
    )
    assert [life.last_exit for life in outcome.lives] == [-9, -9, 0]
    assert [read_began(pid) for pid in pids] == [None, None, None]
    assert 9 <= scene.clock().s < 10


def test_a_second_signal_ends_everything_at_once(scene: Scene) -> None:
    """Two that come together are one: terminals and `timeout` send theirs twice."""
    scene.signals_max = 3
    came: list[float] = []

    def act(_: dict[str, Life]) -> list[signal.Signals]:
        if not came and scene.are_up("deaf"):
            scene.pace = 0.1
            came.append(scene.clock().s)
            return TERM * 2
        if len(came) == 1 or (len(came) == 2 and scene.clock().s - came[0] > 1):
            came.append(scene.clock().s)
            return TERM
        return []

    scene.act = act
    outcome = scene.run(python("deaf", DEAF))
    assert outcome.findings == ("deaf was killed (a second signal came): nothing is lost by that",)
    assert len(came) == 3
    assert scene.clock().s < 2


def test_a_failure_while_stopping_is_told(scene: Scene) -> None:
    """A process that was asked to end and could not finish its batch says why."""
    code = (
        "import signal, sys\n"
        "signal.signal(15, lambda *_: sys.exit(1 if print('isthmus: fenced') is None else 0))\n"
        + LISTENS
    )
    scene.act = lambda _: TERM if scene.are_up("a") else []
    outcome = scene.run(python("a", code))
    assert outcome.findings == ("a ended with exit code 1 while stopping: fenced",)


def test_nothing_is_left_when_the_supervisor_breaks(scene: Scene) -> None:
    """An error of its own ends the processes too."""
    pids: list[int] = []

    def act(lives: dict[str, Life]) -> list[signal.Signals]:
        if not scene.are_up("a"):
            return []
        pids.extend(life.pid for life in lives.values() if life.pid is not None)
        raise ZeroDivisionError

    scene.act = act
    with pytest.raises(ZeroDivisionError):
        scene.run(python("a", SLEEPS))
    assert [read_began(pid) for pid in pids] == [None]


def test_it_sleeps_until_something_is_due(scene: Scene) -> None:
    """Nobody's processor is kept busy: no wait is shorter than what time alone changes."""
    scene.pace = 1.0
    scene.act = lambda lives: TERM if lives["a"].state is State.RUNNING else []
    scene.run(python("a", SLEEPS))
    assert scene.waited[:5] == [1.0] * 5
