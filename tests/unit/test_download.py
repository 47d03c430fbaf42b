"""Downloads against a web server on loopback: verified, resumed, given up with a clear message."""

from __future__ import annotations

import hashlib
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import Fatal, Unreachable
from pipeline.local_stack import download
from pipeline.local_stack.artifacts import Artifact

CONTENT = bytes(range(256)) * 1000


@dataclass
class Repository:
    """A Maven repository: what it serves, what it was asked, and its faults."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: list[str | None] = field(default_factory=list)
    understands_range: bool = True
    break_off_after: int | None = None


class Handler(BaseHTTPRequestHandler):
    """Serves the files, whole or from an offset on."""

    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        """Answer as `Repository` says."""
        repository: Repository = self.server.repository  # type: ignore[attr-defined]
        wanted = self.headers["Range"]
        repository.ranges.append(wanted)
        content = repository.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        begin = 0
        if wanted and repository.understands_range:
            begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        end, repository.break_off_after = repository.break_off_after, None
        self.wfile.write(content[begin:] if end is None else content[begin:end])

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def repository() -> Iterator[Repository]:
    """Serve a repository that holds `CONTENT` as org.example:thing:1.0."""
    serving = Repository(files={"/org/example/thing/1.0/thing-1.0.jar": CONTENT})
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.repository = serving  # type: ignore[attr-defined]
        serving.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield serving
        server.shutdown()
        thread.join()


@pytest.fixture
def artifact() -> Artifact:
    """Lock `CONTENT`."""
    digest = hashlib.sha256(CONTENT).hexdigest()
    return Artifact("kafka", "org.example", "thing", "1.0", "jar", "", digest, len(CONTENT))


class Count:
    """Adds up what the progress bar is told."""

    total = 0

    def __call__(self, arrived: int) -> None:
        """Add."""
        self.total += arrived


def test_a_file_arrives_verified(
    repository: Repository, artifact: Artifact, tmp_path: Path
) -> None:
    """A fetched file is intact, nothing half done stays, and progress adds up to its size."""
    count = Count()
    download.fetch_all([artifact], tmp_path, [repository.url], count)
    assert download.find_missing([artifact], tmp_path) == []
    assert not list(tmp_path.rglob("*.part"))
    assert count.total == len(CONTENT)


def test_a_file_that_broke_off_is_resumed(
    repository: Repository, artifact: Artifact, tmp_path: Path
) -> None:
    """The chunks that arrived before the connection broke are kept, and the rest is asked for."""
    repository.break_off_after = 100_000
    count = Count()
    download.fetch(artifact, tmp_path, [repository.url], count)
    assert repository.ranges == [None, f"bytes={download.CHUNK_BYTES}-"]
    assert count.total == len(CONTENT)


def test_a_server_without_ranges_sends_it_anew(
    repository: Repository, artifact: Artifact, tmp_path: Path
) -> None:
    """A server that ignores Range sends all from the start, and all of it is taken."""
    repository.break_off_after, repository.understands_range = 1000, False
    count = Count()
    path = download.fetch(artifact, tmp_path, [repository.url], count)
    assert path.read_bytes() == CONTENT
    assert count.total == len(CONTENT)


@pytest.mark.parametrize("size", [1000, len(CONTENT), len(CONTENT) + 5])
def test_a_spoilt_half_is_thrown_away(
    repository: Repository, artifact: Artifact, tmp_path: Path, size: int
) -> None:
    """A half file with wrong bytes does not spoil the result: it is fetched once from nothing."""
    part = tmp_path / f"{artifact.path}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * size)
    count = Count()
    path = download.fetch(artifact, tmp_path, [repository.url], count)
    assert path.read_bytes() == CONTENT
    assert count.total == len(CONTENT)


def test_a_corrupted_file_is_missing(artifact: Artifact, tmp_path: Path) -> None:
    """A cached file of the right size with one wrong byte counts as missing."""
    path = tmp_path / artifact.path
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:-1] + b"x")
    assert download.find_missing([artifact], tmp_path) == [artifact]


def test_wrong_content_is_fatal(repository: Repository, artifact: Artifact, tmp_path: Path) -> None:
    """A repository that serves something else than was locked is refused, and nothing is kept."""
    repository.files = {"/" + artifact.path: b"y" * len(CONTENT)}
    with pytest.raises(Fatal, match=r"org\.example:thing:1\.0: .* not the locked sha256"):
        download.fetch(artifact, tmp_path, [repository.url], Count())
    assert not (tmp_path / artifact.path).exists()
    assert not list(tmp_path.rglob("*.part"))


def test_a_missing_file_is_unreachable(
    repository: Repository, artifact: Artifact, tmp_path: Path
) -> None:
    """An artifact that no repository has is named with what to do, after bounded attempts."""
    unknown = replace(artifact, version="9.9")
    with pytest.raises(Unreachable, match=r"could not download org\.example:thing:9\.9 in 4"):
        download.fetch_all([unknown], tmp_path, [repository.url], Count())
    assert len(repository.ranges) == download.ATTEMPTS_MAX


def test_the_second_repository_serves_what_the_first_lacks(
    repository: Repository, artifact: Artifact, tmp_path: Path
) -> None:
    """Repositories are tried in turn."""
    download.fetch(artifact, tmp_path, [f"{repository.url}/empty", repository.url], Count())
    assert download.is_intact(artifact, tmp_path / artifact.path)


def test_an_archive_is_unpacked_once(tmp_path: Path) -> None:
    """The folder of an unpacked archive is reused, and an unfinished one is never seen."""
    cache = tmp_path / "artifacts"
    locked = Artifact("registry", "g", "app", "1", "tar.gz", "all", "b" * 64, 1)
    (cache / locked.path).parent.mkdir(parents=True)
    (tmp_path / "hello").write_text("hello")
    with tarfile.open(cache / locked.path, "w:gz") as archive:
        archive.add(tmp_path / "hello", "hello")
    folder = download.unpack(locked, cache)
    assert (folder / "hello").read_text() == "hello"
    (cache / locked.path).unlink()
    assert download.unpack(locked, cache) == folder
    assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == [folder.name]
