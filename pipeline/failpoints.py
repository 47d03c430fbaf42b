"""Named places where a process can be made to die as by `kill -9`, to prove that nothing is lost.

Armed by ISTHMUS_FAILPOINT=`name` or `name:n` (die at the n-th passage, 1 by default) and by
nothing else; an unarmed failpoint costs one comparison.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from connectors.steps import STEPS
from pipeline.errors import Configuration

FAILPOINTS: dict[str, str] = {
    "translate.before_landing": "the batch is decoded, nothing is written",
    "translate.after_landing": "mirror rows are written, events are not",
    "translate.before_commit": "everything is written, the hub's transaction is open",
    "translate.after_commit": "the hub's transaction is committed, Kafka's offset is not",
    "translate.after_spill": "a chunk of a huge transaction is spilled and committed",
    "publish.before_produce": "events are read from the store, nothing is produced",
    "publish.before_commit": "events are produced, Kafka's transaction is open",
    "publish.after_commit": "Kafka's transaction is committed, the mark is not moved",
    "publish.after_mark": "the mark is moved",
    "replicate.before_write": "the batch is decoded, nothing is written",
    "replicate.before_commit": "rows and offsets are written, the store's transaction is open",
    "replicate.after_commit": "the store's transaction is committed, Kafka's offset is not",
    "replicate.after_offsets": "Kafka's offsets are handed over, to be sent with the next fetch",
    **STEPS,
}

_armed: str | None = None
_left = 0
_watch: Callable[[str], None] | None = None


def arm(spec: str | None) -> None:
    """Arm one failpoint, `name` or `name:n`; None disarms. Configuration when there is no such."""
    global _armed, _left
    if spec is None:
        _armed, _left = None, 0
        return
    name, _, passage = spec.partition(":")
    if name not in FAILPOINTS or not (passage or "1").isdigit():
        raise Configuration(
            f"ISTHMUS_FAILPOINT={spec!r} is no failpoint: known are {', '.join(FAILPOINTS)}"
        )
    _armed, _left = name, int(passage or "1")


def watch(watcher: Callable[[str], None] | None) -> None:
    """Have every passage told to `watcher`, which may raise; None ends it. For the simulator."""
    global _watch  # noqa: PLW0603 - as above
    _watch = watcher


def pass_failpoint(name: str) -> None:
    """Die here by SIGKILL when this failpoint is armed and its passage has come."""
    global _left  # noqa: PLW0603 - as above
    if _watch is not None:
        _watch(name)
    if _armed != name:
        return
    _left -= 1
    if _left <= 0:
        sys.stderr.write(f"failpoint {name} reached: killing this process\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)
