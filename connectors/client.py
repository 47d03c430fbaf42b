"""Connect's REST interface: a small client with timeouts, bounded retries and clear errors.

Enters: Connect's URL. Leaves: configs, states, offsets as plain dicts of JSON; or an error with
Connect's own words. A rebalance (409) or a start are waited for, within bounds.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

import requests

from connectors.errors import Configuration, Fatal, Retriable, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ATTEMPTS_MAX = 6
BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 4.0
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 60.0
"""Validation and PUT reach out to the legacy database from within the call."""

_ABSENT = 404
_REBALANCE = 409
_SERVER = 500
_MESSAGE_CHARS_MAX = 600


@dataclass(frozen=True, slots=True)
class Validation:
    """What Connect says about a config: its own words by property, {} when all is well.

    `options` are the names that it knows, of the plugin's options and of its own.
    """

    options: frozenset[str]
    errors: Mapping[str, list[str]]


class ConnectClient:
    """One Connect cluster; `sleep` takes seconds and `jitter` gives 0..1."""

    def __init__(
        self,
        url: str,
        *,
        attempts_max: int = ATTEMPTS_MAX,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.url = url.rstrip("/")
        self._shown = _without_password(self.url)
        self._attempts_max = attempts_max
        self._sleep = sleep
        self._jitter = jitter
        self._session = requests.Session()

    def list_connectors(self) -> list[str]:
        """List the names of all connectors of the cluster."""
        names = self._call("GET", "/connectors", "list connectors")
        if not names:
            self._refuse_start()
            names = self._call("GET", "/connectors", "list connectors")
        return list(names)

    def read_config(self, name: str) -> dict[str, str] | None:
        """Read a connector's config as it was given (references not resolved); None when absent."""
        path = f"/connectors/{quote(name)}/config"
        config: dict[str, str] | None = self._find("GET", path, f"read config of {name}")
        if config is None:
            self._refuse_start()
            config = self._find("GET", path, f"read config of {name}")
        return config

    def read_task_configs(self, name: str) -> list[dict[str, str]]:
        """Read the configs that the connector gave its tasks; [] when there are none yet."""
        path = f"/connectors/{quote(name)}/tasks"
        tasks = self._find("GET", path, f"read tasks of {name}") or []
        return [task["config"] for task in tasks]

    def read_status(self, name: str) -> dict[str, Any] | None:
        """Read the states of a connector and its tasks; None when absent or not yet known."""
        path = f"/connectors/{quote(name)}/status"
        status: dict[str, Any] | None = self._find("GET", path, f"read status of {name}")
        return status

    def read_offsets(self, name: str) -> list[dict[str, Any]]:
        """Read a connector's committed source offsets; Configuration when it is absent."""
        answer = self._call("GET", f"/connectors/{quote(name)}/offsets", f"read offsets of {name}")
        return list(answer["offsets"])

    def validate(self, config: Mapping[str, str]) -> Validation:
        """Let Connect validate a config; the plugin reaches out to the legacy database for it."""
        plugin = config["connector.class"]
        path = f"/connector-plugins/{quote(plugin)}/config/validate"
        answer = self._call("PUT", path, f"validate {config['name']}", dict(config))
        # an option whose value the plugin did not look at has none; an unknown one no definition
        parts = [
            part
            for entry in answer["configs"]
            for part in (entry.get("definition"), entry.get("value"))
            if part is not None
        ]
        return Validation(
            options=frozenset(part["name"] for part in parts),
            errors={part["name"]: part["errors"] for part in parts if part.get("errors")},
        )

    def put_config(self, name: str, config: Mapping[str, str]) -> None:
        """Create the connector, or give it another config."""
        path = f"/connectors/{quote(name)}/config"
        self._call("PUT", path, f"configure {name}", dict(config))

    def create_stopped(self, name: str, config: Mapping[str, str]) -> None:
        """Create the connector so that it does not run yet; one that is there stays as it is."""
        body = {"name": name, "config": dict(config), "initial_state": "STOPPED"}
        try:
            self._call("POST", "/connectors", f"create {name}", body)
        except Configuration:
            # a repeated request finds what the first one made
            if self.read_config(name) != dict(config):
                raise

    def change_state(self, name: str, state: str) -> None:
        """Ask for `pause`, `resume` or `stop`; the change itself comes later."""
        self._call("PUT", f"/connectors/{quote(name)}/{state}", f"{state} {name}")

    def restart(self, name: str, *, only_failed: bool) -> None:
        """Restart the connector and its tasks, or only what has failed."""
        flags = f"includeTasks=true&onlyFailed={str(only_failed).lower()}"
        self._call("POST", f"/connectors/{quote(name)}/restart?{flags}", f"restart {name}")

    def set_offsets(self, name: str, entries: list[dict[str, Any]]) -> None:
        """Give a stopped connector other offsets; partitions that are not named keep theirs."""
        path = f"/connectors/{quote(name)}/offsets"
        self._call("PATCH", path, f"set offsets of {name}", {"offsets": entries})

    def delete_offsets(self, name: str) -> None:
        """Forget a stopped connector's offsets: it would begin with a snapshot again."""
        self._call("DELETE", f"/connectors/{quote(name)}/offsets", f"delete offsets of {name}")

    def delete(self, name: str) -> bool:
        """Delete the connector; False when there is none."""
        return self._request("DELETE", f"/connectors/{quote(name)}", f"delete {name}") is not None

    def _refuse_start(self) -> None:
        """Raise Unreachable while the worker starts: it answers, and knows no connector yet.

        A worker before Kafka 3.9 can't be asked.
        """
        try:
            self._request("GET", "/health", "see whether Connect has started")
        except Retriable as error:
            raise Unreachable(
                f"Connect at {self._shown} is starting, or stuck in it, and does not know its "
                f"connectors yet: wait, or see its log ({error})"
            ) from error

    def _call(self, method: str, path: str, what: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._request(method, path, what, body)
        if answer is None:
            raise Configuration(
                f"cannot {what}: Connect at {self._shown} knows no such connector or plugin; see "
                "`connectors status`, and the worker's plugin.path"
            )
        return _decode(answer, f"cannot {what}: {self._shown}")

    def _find(self, method: str, path: str, what: str) -> Any:
        answer = self._request(method, path, what)
        return None if answer is None else _decode(answer, f"cannot {what}: {self._shown}")

    def _request(
        self, method: str, path: str, what: str, body: dict[str, Any] | None = None
    ) -> requests.Response | None:
        """Send the request until it is answered; None for 404."""
        problem: Exception = Unreachable(f"cannot {what}")
        for attempt in range(self._attempts_max):
            if attempt:
                wait_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** (attempt - 1))
                self._sleep(wait_s * (0.5 + 0.5 * self._jitter()))
            try:
                answer = self._session.request(
                    method, self.url + path, json=body, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
                )
            except (requests.ConnectionError, requests.Timeout) as error:
                problem = Unreachable(
                    f"cannot {what}: no answer from Connect at {self._shown} "
                    f"({type(error).__name__}): is it running? (`isthmus status`)"
                )
            except requests.RequestException as error:
                raise Configuration(
                    f"cannot {what}: {self._shown} is not a URL of Connect: {type(error).__name__}"
                ) from error
            else:
                if answer.status_code == _ABSENT:
                    return None
                if answer.ok:
                    return answer
                problem = self._explain(answer, what)
                if not isinstance(problem, Retriable):
                    raise problem
        raise problem

    def _explain(self, answer: requests.Response, what: str) -> Exception:
        text = f"cannot {what}: Connect says {answer.status_code}: {_own_words(answer)}"
        if answer.status_code == _REBALANCE and "already exists" not in text:
            return Retriable(f"{text} (it is still rebalancing: try again)")
        if answer.status_code in (502, 503, 504):
            return Retriable(text)
        if answer.status_code == _SERVER:
            # Connect answers 500 for its own time-outs, and to GET for a rebalance that is due
            passing = "timed out" in text or "rebalance" in text
            return Retriable(text) if passing else Fatal(f"{text}; see its log")
        return Configuration(text)


def _decode(answer: requests.Response, context: str) -> Any:
    if not answer.content:
        return {}
    try:
        return answer.json()
    except ValueError as error:
        raise Configuration(f"{context} does not answer JSON: is that Connect's URL?") from error


def _own_words(answer: requests.Response) -> str:
    try:
        message = str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        message = answer.text
    return " ".join(message.split())[:_MESSAGE_CHARS_MAX]


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
