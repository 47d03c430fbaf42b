"""The programs of the stack as folders and class paths, fetched when they are not in the cache.

Enters: the lock. Leaves: `Bundles`. Every file's sha256 is checked each time before it is run.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.local_stack.artifacts import (
    DEFAULT_ENGINES,
    KAFKA,
    REGISTRY,
    Artifact,
    choose_plugins,
    read_lock,
)
from pipeline.local_stack.download import (
    artifact_cache,
    fetch_all,
    find_missing,
    repositories,
    unpack,
)
from pipeline.local_stack.progress import StackProgress


@dataclass(frozen=True, slots=True)
class Bundles:
    """What the Java services are run from."""

    class_path: str
    plugin_folders: tuple[Path, ...]
    registry: Path


def fetch_bundles(
    progress: StackProgress,
    cache: Path | None = None,
    engines: Collection[str] = DEFAULT_ENGINES,
) -> Bundles:
    """Return the bundles, fetched if need be; Unreachable when they can't be had.

    Of Debezium's connectors only those of `engines` are fetched.
    """
    plugins = choose_plugins(engines)
    wanted = {KAFKA, REGISTRY, *plugins}
    artifacts = [one for one in read_lock() if one.bundle in wanted]
    folder = cache or artifact_cache()
    missing = find_missing(artifacts, folder)
    if missing:
        _download(missing, folder, progress)
    return Bundles(
        class_path=os.pathsep.join(
            str(folder / one.path) for one in artifacts if one.bundle == KAFKA
        ),
        plugin_folders=tuple(_unpack_only(artifacts, plugin, folder) for plugin in plugins),
        registry=_unpack_only(artifacts, REGISTRY, folder),
    )


def _download(missing: Sequence[Artifact], folder: Path, progress: StackProgress) -> None:
    advance = progress.begin_download(len(missing), sum(one.size for one in missing))
    try:
        fetch_all(missing, folder, repositories(), advance)
    finally:
        progress.end_download()


def _unpack_only(artifacts: Sequence[Artifact], bundle: str, folder: Path) -> Path:
    (artifact,) = (one for one in artifacts if one.bundle == bundle)
    return unpack(artifact, folder)
