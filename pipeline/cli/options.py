"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SiteOption = Annotated[
    Path, typer.Option("--site", help="The site's folder, the one with isthmus.toml.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the facts as JSON on stdout.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
