"""The stack's state file: ports and passwords that last, and the variables made of them.

Enters and leaves: `.isthmus/stack.json` (mode 0600), whose `variables` the site's settings read.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import Configuration
from pipeline.local_stack.artifacts import DEFAULT_ENGINES
from pipeline.local_stack.ports import HOST, find_free_port

PORT_NAMES = ("postgres", "kafka", "kafka_controller", "connect", "registry")
ADMIN_ROLE = "postgres"
CAPTURE_ROLE = "isthmus_capture"
ROLES = (
    ADMIN_ROLE,
    CAPTURE_ROLE,
    "erp_owner",
    "erp_app",
    "isthmus_reader",
    "isthmus_hub",
    "store_eu",
    "store_us",
)


@dataclass(frozen=True, slots=True)
class StackState:
    """Ports by name, passwords by role, and the engines whose connectors Connect has.

    `secrets` are in Connect's environment, for legacy databases that are not the stack's own.
    """

    ports: Mapping[str, int]
    passwords: Mapping[str, str]
    engines: tuple[str, ...] = DEFAULT_ENGINES
    secrets: Mapping[str, str] = field(default_factory=dict)


def make_state() -> StackState:
    """Choose free ports and random passwords."""
    ports: dict[str, int] = {}
    for name in PORT_NAMES:
        ports[name] = find_free_port(ports.values())
    return StackState(ports, {role: secrets.token_hex(16) for role in ROLES})


def read_state(path: Path) -> StackState | None:
    """Read the state file; None when there is none, Configuration when it is not ours."""
    try:
        document = json.loads(path.read_text())
        engines = tuple(document.get("engines", DEFAULT_ENGINES))
        given = dict(document.get("secrets", {}))
        state = StackState(dict(document["ports"]), dict(document["passwords"]), engines, given)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise Configuration(
            f"{path} is not a stack's state file ({error!r}): delete it, then `isthmus up --fresh`"
        ) from error
    missing = (set(PORT_NAMES) - state.ports.keys()) | (set(ROLES) - state.passwords.keys())
    if missing:
        raise Configuration(
            f"{path} lacks {', '.join(sorted(missing))}: run `isthmus down` with the version that "
            "wrote it, then `isthmus up --fresh`"
        )
    return state


def write_state(path: Path, state: StackState) -> None:
    """Write the state file so that only its owner reads it; readers see the old or the new one."""
    document = {
        "variables": build_variables(state),
        "ports": dict(state.ports),
        "passwords": dict(state.passwords),
        "engines": list(state.engines),
        "secrets": dict(state.secrets),
    }
    scratch = path.with_suffix(".new")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(document, file, indent=2)
    scratch.replace(path)


def database_url(state: StackState, role: str, database: str) -> str:
    """Build the URL by which a role reaches a database of the stack's server."""
    return (
        f"postgresql://{role}:{state.passwords[role]}@{HOST}:{state.ports['postgres']}/{database}"
    )


def build_variables(state: StackState, suffix: str = "") -> dict[str, str]:
    """Build the variables of a site whose databases are named legacy, hub, eu and us + `suffix`."""
    legacy = f"legacy{suffix}"
    return {
        "ISTHMUS_KAFKA": f"{HOST}:{state.ports['kafka']}",
        "ISTHMUS_CONNECT_URL": f"http://{HOST}:{state.ports['connect']}",
        "ISTHMUS_REGISTRY_URL": f"http://{HOST}:{state.ports['registry']}/apis/ccompat/v7",
        "ISTHMUS_HUB_URL": database_url(state, "isthmus_hub", f"hub{suffix}"),
        "ISTHMUS_LEGACY_OWNER_URL": database_url(state, "erp_owner", legacy),
        "ISTHMUS_LEGACY_APP_URL": database_url(state, "erp_app", legacy),
        "ISTHMUS_LEGACY_URL": database_url(state, "isthmus_reader", legacy),
        "ISTHMUS_CAPTURE_HOST": HOST,
        "ISTHMUS_CAPTURE_PORT": str(state.ports["postgres"]),
        "ISTHMUS_CAPTURE_DATABASE": legacy,
        "ISTHMUS_CAPTURE_USER": CAPTURE_ROLE,
        "ISTHMUS_CAPTURE_PASSWORD": state.passwords[CAPTURE_ROLE],
        "ISTHMUS_STORE_EU_URL": database_url(state, "store_eu", f"eu{suffix}"),
        "ISTHMUS_STORE_US_URL": database_url(state, "store_us", f"us{suffix}"),
        "ISTHMUS_POSTGRES_ADMIN_URL": database_url(state, ADMIN_ROLE, "postgres"),
    }
