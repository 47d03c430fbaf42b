"""The newest revision of a folder is read without Alembic, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.hub.migrate import MIGRATIONS as HUB
from pipeline.replicate.migrate import MIGRATIONS as STORE
from pipeline.revisions import find_heads


def write(folder: Path, **files: str) -> Path:
    """Write the files of a folder of migrations."""
    (folder / "versions").mkdir()
    for name, text in files.items():
        (folder / "versions" / f"{name}.py").write_text(text)
    return folder


def test_our_own_folders_are_plain() -> None:
    """What every start looks at is seen without Alembic."""
    assert find_heads(HUB.folder) is not None
    assert find_heads(STORE.folder) is not None


def test_the_newest_is_what_no_other_follows(tmp_path: Path) -> None:
    """With types, with several before it, in any order of the files."""
    folder = write(
        tmp_path,
        z_first='revision = "a1"\ndown_revision = None\n',
        second='revision: str = "b2"\ndown_revision: str | None = "a1"\n',
        other='revision = "b3"\ndown_revision = "a1"\n',
        merged='revision = "c4"\ndown_revision = ("b2", "b3")\n',
    )
    assert find_heads(folder) == {"c4"}


def test_two_branches_have_two_ends(tmp_path: Path) -> None:
    """As Alembic has it."""
    folder = write(
        tmp_path,
        one='revision = "a"\ndown_revision = None\n',
        two='revision = "b"\ndown_revision = None\n',
    )
    assert find_heads(folder) == {"a", "b"}


@pytest.mark.parametrize(
    "text",
    [
        'revision = make_name("b")\ndown_revision = "a"\n',
        'revision = "b"\ndown_revision = PREVIOUS\n',
        'revision = "b"\n',
        "print('no migration')\n",
    ],
)
def test_what_is_not_plain_is_left_to_alembic(tmp_path: Path, text: str) -> None:
    """A revision that is computed can't be told from here."""
    folder = write(tmp_path, one='revision = "a"\ndown_revision = None\n', two=text)
    assert find_heads(folder) is None
