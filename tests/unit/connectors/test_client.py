"""Connect's client against a scripted HTTP server: bounded retries, Connect's own words."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from connectors.apply import refuse_failed
from connectors.client import ConnectClient
from connectors.errors import Configuration, Fatal, Retriable, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator


class ScriptedConnect:
    """A server that gives its scripted answers in turn, the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.requests: list[str] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                script.requests.append(f"{self.command} {self.path}")
                more = len(script.answers) > 1
                status, body = script.answers.pop(0) if more else script.answers[0]
                payload = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - http.server's own names

            def log_message(self, *_arguments: Any) -> None:
                """Print nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def connect() -> Iterator[ScriptedConnect]:
    """Give a scripted server, ended with the test."""
    scripted = ScriptedConnect()
    thread = threading.Thread(target=scripted.server.serve_forever, args=(0.01,))
    thread.start()
    yield scripted
    scripted.server.shutdown()
    thread.join()
    scripted.server.server_close()


def make_client(url: str, waits_s: list[float]) -> ConnectClient:
    """Make a client that notes its waits instead of waiting."""
    return ConnectClient(url, attempts_max=4, sleep=waits_s.append, jitter=lambda: 1.0)


def test_rebalance_is_waited_for(connect: ScriptedConnect) -> None:
    """A 409 is tried again, each time after twice the wait."""
    busy = (409, {"error_code": 409, "message": "rebalance in progress"})
    connect.answers = [busy, busy, (200, {})]
    waits_s: list[float] = []
    make_client(connect.url, waits_s).put_config("a", {"name": "a"})
    assert waits_s == [0.25, 0.5]
    assert connect.requests == ["PUT /connectors/a/config"] * 3


def test_rebalance_that_is_due_is_waited_for(connect: ScriptedConnect) -> None:
    """Connect answers a GET with 500 where it answers a PUT with 409: that is tried again too."""
    due = (500, {"message": "Request cannot be completed because a rebalance is expected"})
    connect.answers = [due, (200, [])]
    waits_s: list[float] = []
    assert make_client(connect.url, waits_s).read_task_configs("a") == []
    assert waits_s == [0.25]


def test_retries_are_bounded(connect: ScriptedConnect) -> None:
    """A rebalance without end is Retriable, with connector and Connect's words."""
    connect.answers = [(409, {"message": "rebalance in progress"})]
    with pytest.raises(Retriable, match=r"configure a: Connect says 409: rebalance in progress"):
        make_client(connect.url, []).put_config("a", {"name": "a"})
    assert len(connect.requests) == 4


def test_bad_request_is_not_repeated(connect: ScriptedConnect) -> None:
    """A 400 is bad configuration at once, in Connect's own words."""
    connect.answers = [(400, {"message": "Connector configuration is invalid:\nslot.name: no"})]
    with pytest.raises(Configuration, match=r"is invalid: slot\.name: no"):
        make_client(connect.url, []).put_config("a", {"name": "a"})
    assert len(connect.requests) == 1


def test_server_error_is_fatal(connect: ScriptedConnect) -> None:
    """A 500 that is no time-out stops with Connect's words."""
    connect.answers = [(500, {"message": "NullPointerException"})]
    with pytest.raises(Fatal, match="NullPointerException"):
        make_client(connect.url, []).list_connectors()


def test_nobody_answers() -> None:
    """Without a server it is Unreachable, and a password in the URL is not shown."""
    with pytest.raises(Unreachable) as caught:
        make_client("http://me:hunter2@127.0.0.1:1", []).list_connectors()
    assert "127.0.0.1:1" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_absent_connector(connect: ScriptedConnect) -> None:
    """A connector that is not there has no config and no status; operating it is bad use."""
    connect.answers = [(404, {"message": "not found"})]
    client = make_client(connect.url, [])
    assert client.read_config("a") is None
    assert client.read_status("a") is None
    assert client.delete("a") is False
    with pytest.raises(Configuration, match="knows no such connector"):
        client.restart("a", only_failed=True)


def test_validation_gives_fields(connect: ScriptedConnect) -> None:
    """Validation gives the fields that have errors, with Connect's words, and all it knows."""
    configs = [
        {"definition": {"name": "slot.name"}, "value": {"name": "slot.name", "errors": []}},
        {"definition": {"name": "errors.tolerance"}, "value": None},
        {"value": {"name": "database.hostname", "errors": ["no such host"]}},
    ]
    connect.answers = [(200, {"configs": configs})]
    found = make_client(connect.url, []).validate({"name": "a", "connector.class": "C"})
    assert found.errors == {"database.hostname": ["no such host"]}
    assert found.options == {"slot.name", "errors.tolerance", "database.hostname"}


def test_failed_task_is_told_by_its_trace() -> None:
    """A failed task is Fatal with the trace's first line and its innermost cause."""
    trace = "ConnectException: outer\n\tat x\nCaused by: A: middle\n\tat y\nCaused by: B: inner\n"
    task = {"id": 0, "state": "FAILED", "trace": trace}
    with pytest.raises(Fatal, match="a: task 0 has failed: ConnectException: outer <- B: inner"):
        refuse_failed("a", {"connector": {"state": "RUNNING"}, "tasks": [task]})


def test_a_worker_that_starts_knows_no_connector_yet(connect: ScriptedConnect) -> None:
    """Where it has not started a connector is not called absent: it is asked again, or refused."""
    absent, starting = (404, {"message": "not found"}), (503, {"message": "still starting"})
    connect.answers = [absent, starting, (200, {}), (200, {"name": "x"})]
    assert make_client(connect.url, []).read_config("x") == {"name": "x"}
    connect.answers = [(200, []), (200, {}), (200, ["x"])]
    assert make_client(connect.url, []).list_connectors() == ["x"]
    connect.answers = [absent, starting]
    with pytest.raises(Unreachable, match="does not know its connectors yet"):
        make_client(connect.url, []).read_config("x")


def test_an_old_worker_is_believed(connect: ScriptedConnect) -> None:
    """A worker that can't tell whether it has started is taken at its word."""
    connect.answers = [(404, {"message": "not found"})]
    assert make_client(connect.url, []).read_config("x") is None
