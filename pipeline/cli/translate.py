"""`isthmus translate`: turns change logs into mirror rows and integration events."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import SiteOption
from pipeline.errors import Configuration
from pipeline.failpoints import arm
from pipeline.hub.migrate import migrate_hub
from pipeline.settings import load_settings
from pipeline.wiring import choose_modules, make_translator


def translate(
    site: SiteOption = Path(),
    *,
    module: Annotated[str | None, typer.Option("--module", help="The module to translate.")] = None,
) -> None:
    """Translate one module's change log into the hub, until SIGTERM or Ctrl-C."""
    settings = load_settings(site)
    modules = choose_modules(settings, [] if module is None else [module])
    if len(modules) != 1:
        raise Configuration(f"name one module with --module: known are {', '.join(modules)}")
    arm(settings.failpoint)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    translator = make_translator(settings, modules[0])
    migrate_hub(settings.hub_url)
    translator.run(stop)
