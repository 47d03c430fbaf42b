"""Sets logging up: one line per batch, readable on a terminal and JSON everywhere else."""

from __future__ import annotations

import logging
import sys
from typing import TextIO, cast

import structlog


def configure_log(*, terminal: bool | None = None) -> None:
    """Send structlog's lines to stderr; JSON unless stderr is a terminal."""
    on_terminal = sys.stderr.isatty() if terminal is None else terminal
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _StandardError())),
        cache_logger_on_first_use=True,
    )


class _StandardError:
    """Whatever `sys.stderr` is when a line is written: a logger outlives a redirection of it."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()
