"""`isthmus publish`: relays the event store to Kafka."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from adapters.aggregate import load_adapters
from pipeline.cli.options import SiteOption
from pipeline.errors import Configuration
from pipeline.failpoints import arm
from pipeline.publish.service import run_publishers
from pipeline.settings import Settings, load_settings


def publish(
    site: SiteOption = Path(),
    *,
    module: Annotated[
        list[str] | None, typer.Option("--module", help="Only this module; may be repeated.")
    ] = None,
) -> None:
    """Relay events from the hub to their topics, exactly in order, until SIGTERM or Ctrl-C."""
    settings = load_settings(site)
    modules = _choose_modules(settings, module or [])
    arm(settings.failpoint)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run_publishers(settings, modules, stop)


def _choose_modules(settings: Settings, wanted: list[str]) -> list[str]:
    known = list(dict.fromkeys(one.module for one in load_adapters(settings.adapters)))
    for module in wanted:
        if module not in known:
            raise Configuration(
                f"no module {module!r} has adapters in {settings.adapters}: "
                f"known are {', '.join(known)}"
            )
    return wanted or known
