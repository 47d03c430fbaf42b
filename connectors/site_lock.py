"""Keeps those who change a site's connectors out of each other's way.

Enters: a Target. Leaves: a lock, held while the block runs, that every program of this user on this
machine heeds: two that make one connector would undo each other's steps.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.errors import Configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.target import Target


@contextmanager
def hold(target: Target) -> Iterator[None]:
    """Be the only one to change the connectors of a site in its Connect cluster.

    Configuration when somebody else is at it. The lock ends with its process, however that ends.
    """
    key = hashlib.sha256(f"{target.connect_url} {target.site}".encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"isthmus-{os.getuid()}-{key}.lock"
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Configuration(
                f"the connectors of {target.site} are being changed by another process (`apply`, "
                "`snapshot --again`, `offsets set | reset`, `delete --destroy-slot` or `care "
                "--heal`): wait until it has ended"
            ) from error
        yield
