"""Fetches locked artifacts into the user's cache, verified, in parallel, resumed when broken off.

Enters: `Artifact` values. Leaves: files in `artifact_cache()` with the locked sha256, and
unpacked archives. Files appear by an atomic rename under a lock, so checkouts share them.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import platformdirs
import requests

from pipeline.errors import Fatal, Unreachable
from pipeline.local_stack.artifacts import Artifact

CONNECTIONS = 8
TIMEOUT_SECONDS = 60
ATTEMPTS_MAX = 4
CHUNK_BYTES = 64 * 1024
"""At most this much is lost when a connection breaks."""

Advance = Callable[[int], None]
"""Told the number of bytes that have just arrived."""


def artifact_cache() -> Path:
    """Return the folder, one per user, that all checkouts share."""
    return Path(platformdirs.user_cache_dir("isthmus", appauthor=False)) / "artifacts"


def repositories() -> tuple[str, ...]:
    """Return the base URLs of the Maven repositories that jgo uses."""
    from jgo.maven import MavenContext  # noqa: PLC0415 - half a second, needed to download only

    context: Any = MavenContext()
    return tuple(str(url).rstrip("/") for url in context.remote_repos.values())


def is_intact(artifact: Artifact, path: Path) -> bool:
    """Say whether the file is there with the locked size and sha256."""
    if not path.is_file() or path.stat().st_size != artifact.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == artifact.sha256


def find_missing(artifacts: Sequence[Artifact], cache: Path) -> list[Artifact]:
    """Return the artifacts that are absent from the cache or broken in it."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        intact = pool.map(lambda one: is_intact(one, cache / one.path), artifacts)
        return [one for one, good in zip(artifacts, intact, strict=True) if not good]


def fetch_all(
    artifacts: Sequence[Artifact], cache: Path, bases: Sequence[str], advance: Advance
) -> None:
    """Download the artifacts that are missing, at most `CONNECTIONS` at a time.

    Raises Unreachable when a file can't be had; what has arrived stays for the next run.
    """
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        jobs = [pool.submit(fetch, one, cache, bases, advance) for one in artifacts]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def fetch(artifact: Artifact, cache: Path, bases: Sequence[str], advance: Advance) -> Path:
    """Download one artifact unless it is intact by now; resume what was broken off before."""
    path = cache / artifact.path
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(path.with_name(path.name + ".lock")):
        if is_intact(artifact, path):
            advance(artifact.size)
            return path
        part = path.with_name(path.name + ".part")
        for _ in range(2):  # a resumed file may be spoilt by its old half: then once from nothing
            _download(artifact, part, bases, advance)
            if is_intact(artifact, part):
                part.replace(path)
                return path
            advance(-part.stat().st_size)
            part.unlink()
    raise Fatal(
        f"{artifact.coordinate}: what the repository sends has not the locked sha256 "
        f"{artifact.sha256[:12]}...: do not use it; ask whoever serves your Maven repository"
    )


def fetch_unverified(artifact: Artifact, cache: Path, bases: Sequence[str]) -> Path:
    """Download an artifact whose sha256 is not known yet: only to write the lock."""
    path = cache / artifact.path
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".new")
        part.unlink(missing_ok=True)
        _download(artifact, part, bases, lambda _: None)
        part.replace(path)
    return path


def _download(artifact: Artifact, part: Path, bases: Sequence[str], advance: Advance) -> None:
    problem: Exception | None = None
    for attempt in range(ATTEMPTS_MAX):
        base = bases[attempt % len(bases)]
        try:
            _append(f"{base}/{artifact.path}", part, artifact.size, advance)
        except (requests.RequestException, OSError) as error:
            problem = error
        else:
            return
    raise Unreachable(
        f"could not download {artifact.coordinate} in {ATTEMPTS_MAX} attempts ({problem}): check "
        "network and proxy and run it again; what has arrived is kept"
    ) from problem


def _append(url: str, part: Path, size: int, advance: Advance) -> None:
    """Fetch what `part` still lacks; a server that ignores Range starts it anew."""
    have = part.stat().st_size if part.is_file() else 0
    if size and have >= size:
        if have == size:
            advance(have)
            return
        part.unlink()
        have = 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as answer:
        answer.raise_for_status()
        resumed = answer.status_code == requests.codes.partial_content
        arrived = have if resumed else 0
        advance(arrived)
        try:
            with part.open("ab" if resumed else "wb") as file:
                for chunk in answer.iter_content(CHUNK_BYTES):
                    file.write(chunk)
                    arrived += len(chunk)
                    advance(len(chunk))
        except BaseException:
            advance(-arrived)
            raise


def unpack(artifact: Artifact, cache: Path) -> Path:
    """Unpack a tar.gz of the cache once and return its folder, named by its sha256."""
    name = f"{artifact.name}-{artifact.version}-{artifact.sha256[:12]}"
    folder = cache.parent / "unpacked" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(folder.with_name(folder.name + ".lock")):
        if folder.is_dir():
            return folder
        scratch = Path(tempfile.mkdtemp(dir=folder.parent))
        try:
            with tarfile.open(cache / artifact.path) as archive:
                # Python before 3.11.4 has no filters; the sha256 says whose archive it is anyway
                archive.extraction_filter = getattr(tarfile, "data_filter", None)
                archive.extractall(scratch)  # noqa: S202 - as above
            scratch.chmod(0o755)
            scratch.rename(folder)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
    return folder


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; waits for whoever holds it and ends with its holder's process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
