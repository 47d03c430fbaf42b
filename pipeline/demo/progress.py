"""Tells what the demo is doing: a live line with a table on a terminal, plain lines elsewhere.

Enters: steps and facts. Leaves: text on a rich console; nothing here decides anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pipeline.demo.watch import Landscape

REFRESHES_PER_SECOND = 8


class Step:
    """One step while it runs: `tell` changes its line, `show` the table under it."""

    def __init__(self, title: str, console: Console) -> None:
        self.title = title
        self._console = console
        self._spinner = Spinner("dots")
        self._started = time.monotonic()
        self._fact = ""
        self._landscape: Landscape | None = None

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self._started

    def tell(self, fact: str) -> None:
        """Say what is true now, in a few words."""
        self._fact = escape(fact)

    def show(self, landscape: Landscape) -> None:
        """Show how far every part of the way is."""
        self._landscape = landscape

    def note(self, line: str) -> None:
        """Leave a line that stays."""
        self._console.print(f"        {line}", markup=False, highlight=False)

    def render(self) -> RenderableType:
        """Build what is shown while the step runs."""
        text = f"{self.title} [dim]{self.seconds:5.1f} s  {self._fact}[/dim]"
        self._spinner.update(text=Text.from_markup(text))
        if self._landscape is None:
            return self._spinner
        return Group(self._spinner, build_table(self._landscape))

    def finish(self, mark: str) -> None:
        """Leave the step's last line."""
        self._console.print(
            f"{mark} {self.title:<34} [dim]{self.seconds:5.1f} s  {self._fact}[/dim]",
            highlight=False,
        )


class DownloadTold:
    """Tells a step what the local stack is doing (pipeline.local_stack.progress.StackProgress)."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._bytes = 0

    def begin_download(self, files: int, bytes_total: int) -> Callable[[int], None]:
        """Return what is told the number of bytes that have just arrived."""

        def arrived(count: int) -> None:
            self._bytes += count
            self._step.tell(
                f"downloading {files} files: {self._bytes >> 20} of {bytes_total >> 20} MB"
            )

        return arrived

    def end_download(self) -> None:
        """All files are there."""
        self._step.tell("downloaded, verified")

    def tell(self, service: str, fact: str) -> None:
        """Something is true of a service now."""
        self._step.tell(f"{service} {fact}")


class DemoProgress:
    """Numbers the steps and shows each."""

    def __init__(self, console: Console, steps: int) -> None:
        self._console = console
        self._steps = steps
        self._number = 0

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a step while the block runs; a failure is marked and passed on."""
        self._number += 1
        step = Step(f"{self._number:>2}/{self._steps} {title}", self._console)
        live = Live(
            get_renderable=step.render,
            console=self._console,
            refresh_per_second=REFRESHES_PER_SECOND,
            transient=True,
        )
        try:
            if self._console.is_terminal:
                with live:
                    yield step
            else:
                yield step
        except BaseException:
            step.finish("[bold red]✗[/]")
            raise
        step.finish("[green]✓[/]")


def build_table(landscape: Landscape) -> Table:
    """Show modules and regions side by side."""
    table = Table(box=None, padding=(0, 2), header_style="dim")
    table.add_column("        ")
    for name in ("snapshot", "events", "published", "to emit", "dead letters"):
        table.add_column(name, justify="right")
    for module in landscape.modules:
        table.add_row(
            f"        {module.name}",
            module.snapshot,
            f"{module.events:,}",
            f"{module.published:,}",
            f"{module.emissions:,}",
            f"{module.dead_letters:,}",
        )
    for region in landscape.regions:
        table.add_row(f"        {region.name}", "", f"{region.aggregates:,} aggregates", "", "", "")
    return table
