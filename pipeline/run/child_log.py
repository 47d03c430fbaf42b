"""The log of a supervised process: rotated when it starts, asked for its last words when it ended.

Enters: a file that the process appends to. Leaves: that file within its bound at each start; the
message with which the process ended.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

LOG_BYTES_MAX = 10 * 1024 * 1024
TAIL_BYTES = 16 * 1024
MESSAGE_CHARS_MAX = 4_000
PROGRAM = "isthmus: "
"""How the program begins its last message (pipeline.cli.app)."""


def rotate_log(log: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
    """Put a log that has grown too large aside, in the place of the one before it."""
    if log.exists() and log.stat().st_size > bytes_max:
        log.replace(log.with_name(f"{log.name}.1"))


def read_last_message(log: Path, begin: int) -> str | None:
    """Return the message at the end of a log, None when nothing was said since offset `begin`."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(begin, size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError as error:
        return f"(no log: {error})"
    return find_message(text)


def find_message(text: str) -> str | None:
    """Find the last message: all of the program's own, or else the last line if it is a complaint.

    An ordinary log line of a process that was killed says nothing about why: None.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    for number in reversed(range(len(lines))):
        if lines[number].startswith(PROGRAM):
            whole = "\n".join(lines[number:])
            return whole.removeprefix(PROGRAM)[:MESSAGE_CHARS_MAX]
    if not lines or _is_ordinary(lines[-1]):
        return None
    return lines[-1][:MESSAGE_CHARS_MAX]


def _is_ordinary(line: str) -> bool:
    try:
        document = json.loads(line)
    except ValueError:
        return False
    return isinstance(document, dict) and document.get("level") in {"info", "debug"}
