"""Signals arrive as values, in the order of their coming, and never as interruptions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from pipeline.run.signals import caught_signals


def test_a_signal_ends_the_wait() -> None:
    """Ctrl-C and SIGTERM are returned, not raised; afterwards the handlers are what they were."""
    before = signal.getsignal(signal.SIGTERM)
    with caught_signals() as signals:
        assert signals.wait(0) == []
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        came: list[signal.Signals] = []
        while len(came) < 2:
            came += signals.wait(30)
        assert sorted(came) == [signal.SIGINT, signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_death_of_a_child_ends_the_wait() -> None:
    """Nobody has to poll."""
    with caught_signals() as signals, subprocess.Popen([sys.executable, "-c", ""]) as child:
        assert signals.wait(30) == [signal.SIGCHLD]
        assert child.wait(30) == 0


def test_an_ignored_hangup_stays_ignored() -> None:
    """What was started by nohup does not end with its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with caught_signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.wait(0.05) == []
    finally:
        signal.signal(signal.SIGHUP, before)
