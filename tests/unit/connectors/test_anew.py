"""Reading a whole module again: what is refused beforehand, and the epoch in a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from connectors.anew import raise_epoch, refuse_partial
from connectors.declaration import Declaration
from connectors.errors import Configuration

SALES = Declaration("sales", "postgresql", "h", 1, "d", "u", "p", "erp", ("ord_hdr",))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("module: sales\nepoch: 1\n", "module: sales\nepoch: 4\n"),
        ("epoch: 1  # why\nmodule: sales\n", "epoch: 4  # why\nmodule: sales\n"),
        ("module: sales", "module: sales\nepoch: 4\n"),
        ("# epoch: 9\nmodule: sales\n", "# epoch: 9\nmodule: sales\nepoch: 4\n"),
    ],
)
def test_only_the_epoch_of_a_file_is_changed(before: str, after: str, tmp_path: Path) -> None:
    """Comments and every other line stay as they are."""
    path = tmp_path / "sales.yaml"
    path.write_text(before)
    raise_epoch(path, 4)
    assert path.read_text() == after


@pytest.mark.parametrize(
    "declaration",
    [
        replace(SALES, config=(("snapshot.select.statement.overrides", "erp.ord_hdr"),)),
        replace(SALES, config=(("snapshot.select.statement.overrides.erp.ord_hdr", "select"),)),
        replace(SALES, snapshot="no_data"),
    ],
)
def test_a_snapshot_that_leaves_rows_out_is_refused(declaration: Declaration) -> None:
    """Its sweep would delete what it did not read."""
    refuse_partial(SALES)
    with pytest.raises(Configuration, match=r"taken for deleted|take all of them for deleted"):
        refuse_partial(declaration)
