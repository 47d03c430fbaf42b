"""Which connector properties hold secrets, by their names: they are references, and never shown."""

from __future__ import annotations

import re

_SECRET = re.compile(
    r"(password|secret|jaas|credential|private.?key|passphrase|keystore\.key$)", re.IGNORECASE
)


def is_secret(name: str) -> bool:
    """Tell whether a property holds a secret."""
    return _SECRET.search(name) is not None


def is_shown(name: str, value: str) -> bool:
    """Tell whether a value may be shown: a reference may, what it refers to may not."""
    return value.startswith("${") or not is_secret(name)
