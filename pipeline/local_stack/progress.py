"""How the stack tells what it is doing: nothing, or bars and lines on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


class StackProgress(Protocol):
    """Is told about downloads and services while `LocalStack.up` works, from several threads."""

    def begin_download(self, files: int, bytes_total: int) -> Callable[[int], None]:
        """Return what is told the number of bytes that have just arrived."""

    def end_download(self) -> None:
        """All files are there."""

    def tell(self, service: str, fact: str) -> None:
        """Something is true of a service now."""


class Silence:
    """Says nothing."""

    def begin_download(self, files: int, bytes_total: int) -> Callable[[int], None]:
        """Return what listens to no one."""
        del files, bytes_total
        return lambda _: None

    def end_download(self) -> None:
        """Say nothing."""

    def tell(self, service: str, fact: str) -> None:
        """Say nothing."""


class ConsoleProgress:
    """Shows a bar while downloading and a line for each thing that a service has reached."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: Progress | None = None

    def begin_download(self, files: int, bytes_total: int) -> Callable[[int], None]:
        """Show the bar."""
        bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )
        task = bars.add_task(f"downloading {files} files", total=bytes_total)
        bars.start()
        self._bars = bars
        return lambda arrived: bars.advance(task, arrived)

    def end_download(self) -> None:
        """Leave the bar as it stands."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def tell(self, service: str, fact: str) -> None:
        """Print one line."""
        self._console.print(f"[bold]{service:<9}[/bold] {fact}", highlight=False)
