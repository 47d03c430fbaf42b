"""The log of a run: one JSON object a line, written when it happens, from any thread."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class Journal:
    """Appends to `path`; times are given as seconds since the start too."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.started_at = time.time()
        self._lock = threading.Lock()
        path.write_text("")

    def write(self, event: str, **facts: Any) -> None:
        """Write one line."""
        now = time.time()
        document = {
            "at": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
            "s": round(now - self.started_at, 2),
            "event": event,
            **facts,
        }
        with self._lock, self.path.open("a") as file:
            file.write(json.dumps(document, ensure_ascii=False, default=str) + "\n")
