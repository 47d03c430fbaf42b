"""Where log lines go."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
import structlog

from pipeline.log import configure_log


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    """Leave structlog as it was."""
    yield
    structlog.reset_defaults()


def test_a_logger_outlives_a_redirection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger that first wrote to a stream which is closed by now writes to the present one."""
    log = structlog.get_logger()
    with monkeypatch.context() as redirected:
        closed = io.StringIO()
        redirected.setattr("sys.stderr", closed)
        configure_log(terminal=False)
        log.info("first")
    assert "first" in closed.getvalue()
    closed.close()
    present = io.StringIO()
    monkeypatch.setattr("sys.stderr", present)
    log.info("second")
    assert "second" in present.getvalue()
