"""The servers of a site with a proxy on every way to them, and the broker with a second door.

Enters: the local stack and a site's variables. Leaves: variables whose addresses are the proxies',
for the processes and for Connect's way to the legacy database; observers use the direct ones.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.errors import Unreachable
from pipeline.local_stack import process
from pipeline.local_stack.bundles import Bundles, fetch_bundles
from pipeline.local_stack.ports import HOST, find_free_port
from pipeline.local_stack.progress import Silence
from pipeline.local_stack.services import build_program, service_answers
from pipeline.local_stack.stack import READY_SECONDS_MAX, LocalStack
from pipeline.settings import STACK_STATE_FILE, STATE_FOLDER
from torture.plan import LINKS
from torture.proxy import Mode, StoppableProxy

LINK_VARIABLES: Mapping[str, str] = {
    "hub": "ISTHMUS_HUB_URL",
    "eu": "ISTHMUS_STORE_EU_URL",
    "us": "ISTHMUS_STORE_US_URL",
    "legacy": "ISTHMUS_LEGACY_URL",
    "capture": "ISTHMUS_CAPTURE_PORT",
    "kafka": "ISTHMUS_KAFKA",
    "registry": "ISTHMUS_REGISTRY_URL",
}
SERVER_PORTS = {"kafka": "kafka", "registry": "registry"}
"""The links that do not lead to PostgreSQL."""
START_SECONDS_MAX = 150.0
RETRY_SECONDS = 0.5


class Ground:
    """The stack, the proxies by link, and what starts a server again."""

    def __init__(self, stack: LocalStack, direct: Mapping[str, str], seed: int) -> None:
        self.stack = stack
        self.direct = dict(direct)
        ports = stack.state().ports
        self._listener_port = find_free_port(ports.values())
        targets = {link: ports[SERVER_PORTS.get(link, "postgres")] for link in LINKS}
        targets["kafka"] = self._listener_port
        self.proxies: dict[str, StoppableProxy] = {}
        for place, (link, target) in enumerate(targets.items()):
            port = find_free_port({*ports.values(), self._listener_port})
            self.proxies[link] = StoppableProxy(target, port=port, seed=seed * 100 + place)
        self._bundles: Future[Bundles] = Future()
        self._bundles.set_result(fetch_bundles(Silence()))

    def __enter__(self) -> Self:
        """Restart the broker with its second door."""
        self.stack.stop("kafka")
        self.start("kafka")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Bring every server back, then close the proxies."""
        try:
            self.heal()
        finally:
            for proxy in self.proxies.values():
                proxy.close()

    def variables(self) -> dict[str, str]:
        """Return the site's variables with the proxies' ports in them."""
        changed = dict(self.direct)
        for link, name in LINK_VARIABLES.items():
            changed[name] = _replace_port(self.direct[name], self.proxies[link].port)
        return changed

    def write_variables(self, folder: Path) -> None:
        """Make the site in `folder` use the proxies."""
        path = folder / STATE_FOLDER / STACK_STATE_FILE
        path.write_text(json.dumps({"variables": self.variables()}))

    def start(self, name: str) -> None:
        """Start a server and wait until it answers; a start that fails is tried again."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                if name == "kafka":
                    self._start_broker()
                else:
                    self.stack.start(name)
            except Unreachable:
                # the last sessions of a killed PostgreSQL hold its memory for a moment
                if time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_SECONDS)
            else:
                return

    def heal(self) -> None:
        """Let every link pass and every server run."""
        for proxy in self.proxies.values():
            proxy.set_mode(Mode.PASS)
        for name in ("postgres", "kafka", "registry", "connect"):
            self.start(name)

    def _start_broker(self) -> None:
        """Start the broker with a listener whose advertised port is the proxy's.

        A client is told there to come back through the proxy; Connect uses the first door.
        """
        state = self.stack.state()
        program = build_program(self.stack.folder, "kafka", state, self._bundles)
        if process.find_pid(program.child) is None:
            doors = {
                "listeners": self._listener_port,
                "advertised.listeners": self.proxies["kafka"].port,
            }
            _add_listener(program.child.folder / "server.properties", doors)
            process.start(program)
        process.wait_until_ready(
            program.child,
            lambda: service_answers("kafka", state),
            seconds_max=READY_SECONDS_MAX,
        )


def _add_listener(path: Path, ports: Mapping[str, int]) -> None:
    """Add the listener CUT to a broker's properties: of lines with one key, the last counts."""
    text = path.read_text()
    lines = []
    for key, port in ports.items():
        value = _read_property(text, key)
        lines.append(f"{key}={value},CUT://{HOST}:{port}")
    protocols = _read_property(text, "listener.security.protocol.map")
    lines.append(f"listener.security.protocol.map={protocols},CUT:PLAINTEXT")
    path.write_text(text + "\n".join(lines) + "\n")


def _read_property(text: str, key: str) -> str:
    (value,) = re.findall(rf"^{re.escape(key)}=(.*)$", text, re.MULTILINE)
    return str(value)


def _replace_port(address: str, port: int) -> str:
    """Put another port into `port`, `host:port` or a URL with one."""
    if address.isdigit():
        return str(port)
    return re.sub(rf"({re.escape(HOST)}):\d+", rf"\1:{port}", address, count=1)
