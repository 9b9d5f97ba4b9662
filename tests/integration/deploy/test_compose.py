"""docker-compose.yml: valid, safe by default, and started with commands that exist."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from check_jsonschema import builtin_schemas

from models.settings import Settings
from tests.integration.deploy.commands import check_command
from tests.integration.deploy.compose import COMPOSE, PER_GPU, ROOT, SECRETS, WITH_VLLM, load, read_services, resolve
from workers.local.launch import STOP_GRACE_SECONDS
from workers.local.postgres import binaries
from workers.local.valkey import Valkey

# Images of which we know how they run without root and without a writable root.
OUR_IMAGES = {"gistmill-worker:0.1.0": "workers/Dockerfile", "gistmill-producer:0.1.0": "producer/Dockerfile"}
ENTRY_POINTS = {"gistmill-worker:0.1.0": [], "gistmill-producer:0.1.0": ["gistmill"]}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return read_services(tmp_path_factory.mktemp("compose"))


def of_ours(services: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, service) for name, service in services.items() if service["image"] in OUR_IMAGES)


@pytest.mark.parametrize("path", [COMPOSE, PER_GPU, WITH_VLLM], ids=lambda path: path.name)
def test_the_file_follows_the_compose_specification(path: Path) -> None:
    import jsonschema

    folder = Path(builtin_schemas.__file__).parent / "vendor"
    specification = json.loads((folder / "compose-spec.json").read_text())
    jsonschema.validate(load(path), specification)
    with pytest.raises(jsonschema.ValidationError, match="imagine"):
        jsonschema.validate({"services": {"ours": {"imagine": "x"}}}, specification)


@pytest.mark.parametrize("secret", SECRETS)
def test_a_missing_secret_stops_the_start_and_says_what_to_set(secret: str, tmp_path: Path) -> None:
    done = resolve(tmp_path, without=secret)
    assert done.returncode != 0
    assert re.search(rf"{secret} .*: the (password|token) .*docs/deployment.md", done.stderr)


def test_no_secret_has_a_default() -> None:
    for service in load(COMPOSE)["services"].values():
        for name, value in service.get("environment", {}).items():
            if name.endswith(("PASSWORD", "_URL", "AUTH", "_TOKEN", "_SECRET")):
                assert value is None or re.search(r"\$\{GISTMILL_[A-Z]+_(PASSWORD|TOKEN):\?", value), name


def test_no_port_is_open_beyond_this_host(services: dict[str, Any]) -> None:
    ports = [str(port) for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_the_databases_have_no_port_and_no_way_out(services: dict[str, Any]) -> None:
    assert load(COMPOSE)["networks"]["data"] == {"internal": True}
    for name in ("postgres", "redis", "migrate", "roles"):
        assert "ports" not in services[name]
        assert list(services[name]["networks"]) == ["data"]


def test_every_service_is_locked_down_and_limited(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        limits = service["deploy"]["resources"]["limits"]
        assert limits["memory"], name
        assert limits["pids"], name


def test_every_image_is_pinned_to_one_version(services: dict[str, Any]) -> None:
    for service in services.values():
        assert re.search(r":v?\d+\.\d+", service["image"])


def test_the_servers_are_the_versions_that_the_tests_run(services: dict[str, Any], tmp_path: Path) -> None:
    postgres = _ask_version(str(binaries() / "postgres"))
    valkey = _ask_version(Valkey(tmp_path, 0, "").command[0])
    assert services["postgres"]["image"] == services["roles"]["image"] == f"postgres:{postgres}"
    assert services["redis"]["image"] == f"valkey/valkey:{valkey}"


def _ask_version(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return re.search(r"\d+\.\d+(\.\d+)?", said)[0]  # type: ignore[index]


def test_what_serves_has_a_healthcheck(services: dict[str, Any]) -> None:
    once = {"migrate", "roles", "producer"}
    assert {name for name, service in services.items() if "healthcheck" not in service} == once


def test_everything_starts_after_what_it_needs(services: dict[str, Any]) -> None:
    def conditions(name: str) -> dict[str, str]:
        return {other: each["condition"] for other, each in services[name]["depends_on"].items()}

    assert conditions("migrate") == {"postgres": "service_healthy"}
    assert conditions("roles") == {"migrate": "service_completed_successfully"}
    for name in ("worker", "worker-cpu", "serve", "producer"):
        assert conditions(name) == {"roles": "service_completed_successfully", "redis": "service_healthy"}


def test_workers_have_longer_to_stop_than_they_drain(services: dict[str, Any]) -> None:
    needed = Settings().drain_seconds + STOP_GRACE_SECONDS
    for name in ("worker", "worker-cpu"):
        assert int(services[name]["stop_grace_period"].removesuffix("s")) > needed


def test_redis_keeps_its_data_and_refuses_rather_than_forgets(services: dict[str, Any]) -> None:
    command = services["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--requirepass"] == "broker-secret"


def test_data_lies_on_named_volumes(services: dict[str, Any]) -> None:
    named = set(load(COMPOSE)["volumes"])
    mounted = {str(volume).split(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    assert named <= mounted
    assert {source for source in mounted - named if not source.startswith("./docs/")} == set()


def test_files_that_are_mounted_exist(services: dict[str, Any]) -> None:
    for service in services.values():
        for volume in service.get("volumes", []):
            source = str(volume).split(":")[0]
            assert not source.startswith("./") or (ROOT / source).exists(), source


def test_command_lines_are_ones_that_exist(services: dict[str, Any]) -> None:
    for _, service in of_ours(services):
        check_command([*service.get("entrypoint", ENTRY_POINTS[service["image"]]), *service["command"]])
    for service in load(PER_GPU)["services"].values():
        if "command" in service:
            check_command(service["command"])


def test_settings_of_containers_are_ones_that_exist(services: dict[str, Any]) -> None:
    known = {f"GISTMILL_{name.upper()}" for name in Settings.model_fields}
    for _, service in of_ours(services):
        given = {name for name in service["environment"] if name.startswith("GISTMILL_")}
        assert given <= known


def test_each_part_connects_with_its_own_role(services: dict[str, Any]) -> None:
    roles = {"worker": "worker", "worker-cpu": "worker", "producer": "producer", "serve": "producer"}
    for name, role in roles.items():
        url = services[name]["environment"]["GISTMILL_DATABASE_URL"]
        assert url.startswith(f"postgresql://gistmill_{role}:{role}-secret@postgres:")


def test_only_gpu_workers_reserve_devices(services: dict[str, Any]) -> None:
    reserving = {name for name, each in services.items() if "reservations" in each["deploy"]["resources"]}
    assert reserving == {"worker"}
    for service in load(PER_GPU)["services"].values():
        devices = service["deploy"].get("resources", {}).get("reservations", {}).get("devices", [])
        assert len(devices) == (0 if service["deploy"].get("replicas") == 0 else 1)
