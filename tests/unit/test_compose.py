"""docker-compose.yml is a valid Compose file and says what the local stack's own constants say."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml

from pipeline.local_stack import connect, databases, kafka, postgres
from pipeline.local_stack.artifacts import KAFKA, PLUGINS, REGISTRY, read_lock
from pipeline.local_stack.state import (
    ADMIN_ROLE,
    PORT_NAMES,
    ROLES,
    StackState,
    build_variables,
)
from pipeline.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = Path(__file__).parent / "data" / "compose-spec.json"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
ENV_EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")

SERVERS = {"legacy", "hub", "eu", "us", "kafka", "registry", "connect"}
REGISTRY_ROLE = "registry"
"""Not in the local stack, whose registry keeps its data in a file."""
ADMIN_VARIABLE = "ISTHMUS_POSTGRES_ADMIN_URL"


def locked_version(bundle: str, name: str) -> str:
    """Return the version of an artifact of the local stack's lock file."""
    (version,) = {a.version for a in read_lock() if a.bundle == bundle and a.name == name}
    return version


def image_tag(service: str) -> str:
    """Return the tag of a service's image."""
    return str(SERVICES[service]["image"]).partition(":")[2]


def isthmus_services() -> dict[str, dict[str, Any]]:
    """Return the services that run our program."""
    return {name: body for name, body in SERVICES.items() if name not in SERVERS}


def config_text(name: str) -> str:
    """Return the content of a config file."""
    return str(COMPOSE["configs"][name]["content"])


def local_variables() -> dict[str, str]:
    """Return the variables of a local stack with made-up ports and passwords."""
    state = StackState(dict.fromkeys(PORT_NAMES, 1), {role: f"pw-of-{role}" for role in ROLES})
    return build_variables(state)


def normalize(statement: str) -> str:
    """Return statements without semicolons, with single spaces."""
    return " ".join(statement.replace(";", " ").split())


def test_it_is_valid_by_the_compose_specification() -> None:
    """The file validates against the Compose specification's JSON schema."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert not [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in validator.iter_errors(COMPOSE)
    ]


def test_the_schema_refuses_a_key_that_the_specification_does_not_know() -> None:
    """The validation is not empty: a misspelt key of a service fails."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    wrong = {"services": {"kafka": {"image": "apache/kafka", "enviroment": {}}}}
    with pytest.raises(jsonschema.ValidationError, match="enviroment"):
        jsonschema.validate(wrong, schema)


def test_every_server_has_a_health_check_and_a_volume_where_it_keeps_data() -> None:
    """Servers are waited for by health; what keeps data has a named volume that is declared."""
    assert set(SERVICES) >= SERVERS
    assert all("healthcheck" in SERVICES[name] for name in SERVERS)
    used = {
        str(volume).partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
    }
    assert used == set(COMPOSE["volumes"])
    # the image of PostgreSQL 18 keeps its data one folder higher than those before it
    for name in databases.OWNERS:
        assert SERVICES[name]["volumes"] == [f"{name}:/var/lib/postgresql"]


def test_dependencies_name_services_that_give_what_is_waited_for() -> None:
    """`service_healthy` needs a health check, `completed` a service that ends."""
    for service in SERVICES.values():
        for name, dependency in service.get("depends_on", {}).items():
            condition = dependency["condition"]
            if condition == "service_healthy":
                assert "healthcheck" in SERVICES[name], name
            else:
                assert condition == "service_completed_successfully"
                assert SERVICES[name].get("restart", "no") == "no", name


def test_ports_are_published_on_loopback_only_and_once() -> None:
    """Each published port begins with 127.0.0.1, and no two services share one."""
    ports = [str(port) for service in SERVICES.values() for port in service.get("ports", [])]
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports)
    host_ports = [port.split(":")[1] for port in ports]
    assert len(set(host_ports)) == len(host_ports)


def test_image_versions_are_those_of_the_local_stack() -> None:
    """Kafka, Connect's base, registry and PostgreSQL have the locked versions."""
    kafka_version = locked_version(KAFKA, "connect-runtime")
    assert image_tag("kafka") == kafka_version
    assert re.search(rf"^ARG KAFKA_VERSION={re.escape(kafka_version)}$", DOCKERFILE, re.MULTILINE)
    assert image_tag("registry") == locked_version(REGISTRY, "apicurio-registry-app")
    assert locked_version(PLUGINS["postgresql"], "debezium-connector-postgres").startswith("3.7.")
    assert "PostgreSQL 18" in (postgres.__doc__ or "")
    assert {image_tag(name).partition(".")[0] for name in databases.OWNERS} == {"18"}


def test_images_of_ours_have_the_version_of_the_package() -> None:
    """The tags `isthmus` and `isthmus-connect` are the project's version."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "([^"]+)"', project, re.MULTILINE)
    assert version is not None
    ours = {body["image"] for body in SERVICES.values() if body["image"].startswith("isthmus")}
    assert ours == {f"isthmus:{version[1]}", f"isthmus-connect:{version[1]}"}


def test_worker_settings_are_those_of_the_local_stack() -> None:
    """Connect's worker has the local worker's settings, but for addresses and the plugin folder."""
    lines = config_text("connect-worker").splitlines()
    settings = dict(line.split("=", 1) for line in lines)
    local = connect.build_worker_properties(port=1, kafka_port=2, plugin_folders=[Path("plugins")])
    places = {"bootstrap.servers", "listeners", "rest.advertised.host.name", "plugin.path"}
    assert settings.keys() == local.keys()
    assert {k: v for k, v in settings.items() if k not in places} == {
        k: str(v) for k, v in local.items() if k not in places
    }
    assert SERVICES["connect"]["environment"]["KAFKA_HEAP_OPTS"] == f"-Xmx{connect.HEAP_MB}m"


def test_the_worker_finds_its_settings_and_plugins_where_the_image_has_them() -> None:
    """Paths agree between compose file and Dockerfile."""
    (mounted,) = SERVICES["connect"]["configs"]
    assert mounted["source"] == "connect-worker"
    assert f'"{mounted["target"]}"]' in DOCKERFILE
    path = re.search(r"^plugin\.path=(.*)$", config_text("connect-worker"), re.MULTILINE)
    assert path is not None
    assert f" {path[1]}\n" in DOCKERFILE
    stages = set(re.findall(r"^FROM \S+ AS (\w+)$", DOCKERFILE, re.MULTILINE))
    targets = {body["build"]["target"] for body in SERVICES.values() if "build" in body}
    assert targets == {"isthmus", "connect"}
    assert targets <= stages


def run_imports(script: str) -> None:
    """Run the import statements of a script, and nothing else of it."""
    for node in ast.parse(script).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            statement = ast.unparse(node)
            exec(compile(statement, "script", "exec"), {})  # noqa: S102 - from a file of ours


def test_the_image_fetches_the_plugin_by_functions_that_exist() -> None:
    """The Python of the Dockerfile parses, and every name that it imports is there."""
    (script,) = re.findall(r"<<'PY'\n(.*?)\nPY\n", DOCKERFILE, re.DOTALL)
    run_imports(script)


@pytest.mark.parametrize("service", ["migrate", "seed"])
def test_the_legacy_system_is_made_by_functions_that_exist(service: str) -> None:
    """The Python of the service parses, and every name that it imports is there."""
    assert SERVICES[service]["entrypoint"] == ["python", "-c"]
    (script,) = SERVICES[service]["command"]
    run_imports(script)


def test_broker_settings_are_those_of_the_local_stack() -> None:
    """The broker has the local broker's settings, but for addresses and the data folder."""
    environment: dict[str, str] = dict(SERVICES["kafka"]["environment"])
    assert environment.pop("KAFKA_HEAP_OPTS") == f"-Xmx{kafka.HEAP_MB}m"
    local = {
        "KAFKA_" + key.upper().replace(".", "_"): str(value)
        for key, value in kafka.build_broker_properties(
            Path("kafka"), port=1, controller_port=2
        ).items()
    }
    places = {
        "KAFKA_CONTROLLER_QUORUM_VOTERS",
        "KAFKA_LISTENERS",
        "KAFKA_ADVERTISED_LISTENERS",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",  # one more listener, for clients on the host
        "KAFKA_LOG_DIRS",
    }
    assert environment.keys() - local.keys() == {"KAFKA_INTER_BROKER_LISTENER_NAME"}
    assert {key: environment.get(key) for key in local.keys() - places} == {
        key: local[key] for key in local.keys() - places
    }
    assert places <= environment.keys()


def test_postgres_settings_are_those_of_the_local_stack() -> None:
    """Each PostgreSQL server has the local server's settings, but for where it listens and logs."""
    places = {"listen_addresses", "unix_socket_directories", "log_line_prefix"}
    local = {k: str(v) for k, v in postgres.SETTINGS.items() if k not in places}
    for name in databases.OWNERS:
        program, *flags = SERVICES[name]["command"]
        assert program == "postgres"
        assert all(flag.startswith("-c") for flag in flags)
        assert dict(flag[2:].split("=", 1) for flag in flags) == local


def test_registry_keeps_its_schemas_in_a_database() -> None:
    """The registry uses SQL storage, in a database that the hub's server makes for it."""
    environment = SERVICES["registry"]["environment"]
    assert environment["APICURIO_STORAGE_KIND"] == "sql"
    assert environment["APICURIO_DATASOURCE_URL"] == "jdbc:postgresql://hub:5432/registry"
    assert environment["APICURIO_DATASOURCE_USERNAME"] == REGISTRY_ROLE
    assert "create database registry owner registry" in config_text("hub-roles")


@pytest.mark.parametrize(("database", "owner"), sorted(databases.OWNERS.items()))
def test_databases_have_their_owner_and_nobody_else(database: str, owner: str) -> None:
    """Each server makes its database for the same owner as the local stack, closed to others."""
    statements = normalize(config_text(f"{database}-roles"))
    assert f"create database {database} owner {owner}" in statements
    assert f"revoke all on database {database} from public" in statements


def test_legacy_rights_are_those_of_the_local_stack() -> None:
    """Schema, guests and default privileges of the legacy database are the same, word by word."""
    statements = normalize(config_text("legacy-roles"))
    for statement in databases._LEGACY_RIGHTS:
        assert normalize(statement.format(schema=databases.LEGACY_SCHEMA)) in statements
    guests = ", ".join(databases.LEGACY_GUESTS)
    assert f"grant connect on database legacy to {guests}" in statements


def test_only_the_capture_role_may_replicate() -> None:
    """The roles made by the four servers are the local stack's, and one of them may replicate."""
    made = {
        role: replication
        for database in databases.OWNERS
        for role, replication in re.findall(
            r"^create role (\w+) login (\w+) password :'\w+';$",
            config_text(f"{database}-roles"),
            re.MULTILINE,
        )
    }
    assert made.keys() == {*ROLES, REGISTRY_ROLE} - {ADMIN_ROLE}
    assert [role for role, kind in made.items() if kind != "noreplication"] == ["isthmus_capture"]


def test_passwords_come_from_the_env_file_and_from_nowhere_else() -> None:
    """Each role has an empty line in .env.example; the compose file has no password of its own."""
    lines = dict(line.split("=", 1) for line in ENV_EXAMPLE.splitlines() if re.match(r"\w+=", line))
    assert set(lines) == {f"{role.upper()}_PASSWORD" for role in (*ROLES, REGISTRY_ROLE)}
    assert not any(lines.values())
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    used = re.findall(r"\$\{(\w+)(:\?)?[^}]*\}", re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE))
    assert {name for name, _ in used} == set(lines)
    assert all(required for _, required in used)
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if name.endswith("PASSWORD"):
                assert re.fullmatch(rf"\$\{{{name}:\?[^}}]+\}}|\$\{{REGISTRY_.*", value), name


@pytest.mark.parametrize("ignore_file", [".gitignore", ".dockerignore"])
def test_the_env_file_is_neither_committed_nor_built_in(ignore_file: str) -> None:
    """`.env` is ignored by git and by the image's build."""
    assert ".env" in (ROOT / ignore_file).read_text(encoding="utf-8").splitlines()


def test_processes_get_every_variable_of_the_local_stack_but_the_superuser() -> None:
    """The Isthmus services have the stack's variables, with the same roles and databases."""
    local = local_variables()
    for name, body in isthmus_services().items():
        environment: dict[str, str] = body["environment"]
        assert environment.keys() == local.keys() - {ADMIN_VARIABLE}, name
        for variable, value in environment.items():
            if not value.startswith("postgresql://"):
                continue
            role, _, place = value.removeprefix("postgresql://").partition(":")
            expected = urlsplit(local[variable])
            assert role == expected.username, variable
            assert place.endswith(expected.path), variable
            assert f"${{{role.upper()}_PASSWORD:?" in place, variable


def test_addresses_name_services_and_the_ports_on_which_they_listen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The site's settings load with the services' variables, and every host is a service."""
    ports = {"kafka": 9092, "connect": 8083, "registry": 8080} | dict.fromkeys(
        databases.OWNERS, 5432
    )
    environment = next(iter(isthmus_services().values()))["environment"]
    for name, value in environment.items():
        monkeypatch.setenv(name, re.sub(r"\$\{[^}]*\}", "secret", value))
    (tmp_path / "isthmus.toml").write_text((ROOT / "isthmus.toml").read_text(encoding="utf-8"))
    site = load_settings(tmp_path)
    urls = [f"kafka://{site.bootstrap_servers}", site.connect_url, site.registry_url, site.hub_url]
    urls += [site.legacy.url, site.legacy.owner_url, *(r.url for r in site.regions.values())]
    for url in urls:
        parts = urlsplit(url)
        assert parts.port == ports[str(parts.hostname)], parts.hostname
    assert environment["ISTHMUS_CAPTURE_HOST"] in databases.OWNERS
    assert set(site.regions) <= set(SERVICES)


def test_each_captured_module_and_each_region_has_its_processes() -> None:
    """There is a translator and a publisher per declared module, and a replicator per region."""
    commands = [" ".join(body.get("command", [])) for body in isthmus_services().values()]
    modules = sorted(path.stem for path in (ROOT / "connectors" / "retail").glob("*.yaml"))
    assert modules
    for module in modules:
        assert f"translate --module {module}" in commands
        assert f"publish --module {module}" in commands
    for region in ("eu", "us"):
        assert f"replicate --region {region}" in commands
