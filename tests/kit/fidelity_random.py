"""Random scripts of four interleaving sessions.

Enters: a seed. Leaves: a Script, which was tried on the model, so that no session ever waits for
another's lock.
"""

from __future__ import annotations

import random
from decimal import Decimal

from fidelity_model import ModelSite
from fidelity_rows import LONG, OTHER_LONG, make_customer, make_line
from fidelity_script import Script, Step, step
from fidelity_scripts import CONNECTED

from pipeline.simulate.legacy import DuplicateKey, Locked

_SESSIONS = ("a", "b", "c", "d")


def make_random_script(seed: int, steps: int = 250) -> Script:
    """Make a script of four interleaving sessions; the same seed gives the same script."""
    source = random.Random(seed)  # noqa: S311 - a schedule, no secret
    model = ModelSite("random")
    script: Script = []

    def take(one: Step) -> None:
        try:
            getattr(model, one.action)(*one.arguments)
        except (Locked, DuplicateKey):
            return
        script.append(one)

    for one in CONNECTED:
        take(one)
    for _ in range(steps):
        session = source.choice(_SESSIONS)
        if session not in model.sessions:
            take(step("begin", session))
        else:
            take(_choose(session, source))
    for session in list(model.sessions):
        take(step("commit", session))
    return script


def _choose(session: str, source: random.Random) -> Step:
    """Choose one step of an open session."""
    line = (source.randrange(1, 4), source.randrange(4))
    customer = (source.randrange(6),)
    text = source.choice((None, "short", LONG, OTHER_LONG))
    choices: list[tuple[int, Step]] = [
        (6, step("insert", session, "line", make_line(*line, str(source.randrange(99) / 8)))),
        (3, step("insert", session, "cust", make_customer(*customer, note=text))),
        (4, step("update", session, "line", line, {"qty": Decimal(source.randrange(99))})),
        (4, step("update", session, "cust", customer, {"ymd": source.randrange(99)})),
        (2, step("update", session, "cust", customer, {"note": text})),
        (3, step("update", session, "line", line, {"no": source.randrange(4)})),
        (2, step("update", session, "cust", customer, {"id": source.randrange(6)})),
        (3, step("delete", session, "line", line)),
        (2, step("delete", session, "cust", customer)),
        (1, step("copy", session, "line", [make_line(line[0], no) for no in range(10, 13)])),
        (1, step("delete", session, "line", (line[0], source.randrange(10, 13)))),
        (1, step("truncate", session, *source.choice((("line",), ("line", "empty"))))),
        (1, step("update", session, "other", (1,), {"text": "unseen"})),
        (3, step("savepoint", session)),
        (2, step("rollback_to", session)),
        (1, step("release", session)),
        (1, step("message", session, "isthmus.note", b"inside")),
        (1, step("note", session, "isthmus.note", b"outside")),
        (6, step("commit", session)),
        (1, step("rollback", session)),
    ]
    weights = [weight for weight, _ in choices]
    return source.choices([one for _, one in choices], weights)[0]
