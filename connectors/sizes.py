"""Says sizes and times as people do: 1.4 GB, 12 min."""

from __future__ import annotations

SNAPSHOT_ROWS_PER_S = 15_000
"""Debezium on two busy cores, rows of twelve columns: 15,000 to 23,000 were measured."""

_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1024.0
_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86_400


def say_bytes(size: float) -> str:
    """Say a number of bytes in the largest unit in which it is 1 or more."""
    unit = 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size /= _STEP
        unit += 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 or size >= 10 else f"{size:.1f} {_UNITS[unit]}"  # noqa: PLR2004 - below ten a decimal says something


def say_seconds(seconds: float) -> str:
    """Say a duration in its largest unit: 40 s, 12 min, 3 h, 2 days."""
    if seconds < _MINUTE_S * 2:
        return f"{seconds:.0f} s"
    if seconds < _HOUR_S * 2:
        return f"{seconds / _MINUTE_S:.0f} min"
    if seconds < _DAY_S * 2:
        return f"{seconds / _HOUR_S:.0f} h"
    return f"{seconds / _DAY_S:.0f} days"
