"""Which fault strikes what, when and for how long: decided by a seed alone; pure.

Enters: a seed, a length and a mean distance. Leaves: a `Plan`. Every kind strikes in each plan of
some length, and every kind strikes every target of its own as soon as there are faults enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Kind(StrEnum):
    """What is done to a target."""

    KILL = "kill"
    """SIGKILL, for PostgreSQL to its first process; a server is started again after a while."""
    PAUSE = "pause"
    """SIGSTOP, and SIGCONT after a while."""
    ZOMBIE = "zombie"
    """SIGSTOP until a successor has taken over, then SIGCONT."""
    RESTART = "restart"
    """Ended in good order and started again."""
    REFUSE = "refuse"
    """Connections are closed and new ones refused."""
    RESET = "reset"
    """Every connection is reset after some bytes, in the middle of a message."""
    STALL = "stall"
    """Connections stay open and their bytes are held back."""
    TERMINATE = "terminate"
    """The server ends every session of the database."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: it begins `at_s` seconds after the start and lasts `seconds`."""

    number: int
    at_s: float
    kind: Kind
    target: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """All faults of a run, in the order in which they begin."""

    seed: int
    seconds: float
    faults: tuple[Fault, ...]


Targets = Mapping[Kind, Sequence[str]]

SERVERS = ("kafka", "connect", "registry", "postgres")
LINKS = ("hub", "eu", "us", "legacy", "capture", "kafka", "registry")
"""The ways that a proxy cuts; `capture` is that of Connect to the legacy database."""
DATABASES = ("hub", "eu", "us", "capture")
"""Whose sessions are ended; `capture` are those of Connect in the legacy database."""

LASTING: Mapping[Kind, tuple[float, float]] = {
    Kind.KILL: (0.5, 6.0),
    Kind.PAUSE: (1.0, 6.0),
    Kind.ZOMBIE: (1.0, 5.0),
    Kind.RESTART: (0.0, 3.0),
    Kind.REFUSE: (1.0, 8.0),
    Kind.RESET: (1.0, 5.0),
    Kind.STALL: (2.0, 10.0),
    Kind.TERMINATE: (0.0, 0.0),
}
"""How long a fault lasts, in seconds; a zombie's count from the moment its successor works."""
LONG_KINDS = frozenset({Kind.PAUSE, Kind.REFUSE, Kind.STALL})
LONG_PART = 0.2
LONG_SECONDS = (12.0, 25.0)
"""Longer than the sessions of consumer groups and of Connect's workers (10 s) last."""


def choose_targets(processes: Sequence[str], *, supervisor: str | None = None) -> Targets:
    """Say what each kind of fault can strike, given the names of our processes."""
    above = () if supervisor is None else (supervisor,)
    return {
        Kind.KILL: (*processes, *SERVERS, *above),
        Kind.PAUSE: (*processes, "kafka", "connect", "registry", *above),
        Kind.ZOMBIE: tuple(processes),
        Kind.RESTART: (*processes, *SERVERS, *above),
        Kind.REFUSE: LINKS,
        Kind.RESET: LINKS,
        Kind.STALL: LINKS,
        Kind.TERMINATE: DATABASES,
    }


def make_plan(seed: int, *, seconds: float, spacing_s: float, targets: Targets) -> Plan:
    """Plan a fault for every `spacing_s` of `seconds`, each somewhere within its own share."""
    random = Random(f"torture/{seed}")  # noqa: S311 - a test's plan, not a secret
    faults: list[Fault] = []
    pack: list[tuple[Kind, str]] = []
    for number in range(max(int(seconds / spacing_s), 1)):
        if not pack:
            pack = _shuffle(random, targets)
        kind, target = pack.pop(0)
        at_s = (number + random.random()) * spacing_s
        faults.append(Fault(number + 1, round(at_s, 2), kind, target, _draw_seconds(random, kind)))
    return Plan(seed, seconds, tuple(faults))


def count_pairs(targets: Targets) -> int:
    """Return how many different faults there are: pairs of kind and target."""
    return sum(map(len, targets.values()))


def _shuffle(random: Random, targets: Targets) -> list[tuple[Kind, str]]:
    """Put each pair into the pack once: one of every kind first, then all kinds spread evenly."""
    first: list[tuple[Kind, str]] = []
    rest: list[tuple[float, tuple[Kind, str]]] = []
    for kind, those in targets.items():
        drawn = random.sample(list(those), len(those))
        first.append((kind, drawn[0]))
        offset = random.random()
        spread = [(place + offset) / len(drawn) for place in range(len(drawn) - 1)]
        rest += [(at, (kind, target)) for at, target in zip(spread, drawn[1:], strict=True)]
    random.shuffle(first)
    return first + [pair for _, pair in sorted(rest)]


def _draw_seconds(random: Random, kind: Kind) -> float:
    shortest, longest = LASTING[kind]
    if kind in LONG_KINDS and random.random() < LONG_PART:
        shortest, longest = LONG_SECONDS
    return round(random.uniform(shortest, longest), 2)
