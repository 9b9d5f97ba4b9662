"""vLLM as the engine under Compose and Kubernetes: valid files, locked down, with the options of a started server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from models.settings import Settings, read_settings
from tests.integration.deploy.compose import ROOT, WITH_VLLM, read_services, resolve
from workers.local.vllm import MEMORY_SHARE, MODULE, PACKAGE, ServedName, build_command

KUBERNETES = ROOT / "docs" / "kubernetes"
COMPONENT = KUBERNETES / "vllm"
VARIABLES = {"GISTMILL_ENGINE_KEY": "engine-secret", "GISTMILL_WEIGHTS": "/weights/gemma"}
VERSION = PACKAGE.partition("==")[2]
Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Services of Compose with a vLLM server."""
    return read_services(tmp_path_factory.mktemp("compose"), WITH_VLLM, **VARIABLES)


def read_options(words: list[str]) -> dict[str, str]:
    """Return the options of a command line, whether or not an equals sign joins them with their values."""
    return dict(re.findall(r"(--[\w-]+)(?:[ =](?!--)(\S+))?", " ".join(words)))


def list_known_options() -> set[str]:
    """Return the options that a worker gives to a vLLM that it starts."""
    return set(read_options(build_command(Settings(), [ServedName("a", Path("/a"), None)], port=1, gpus=1)[1:]))


def merge(manifest: Any, patch: Any) -> Any:
    """Apply a strategic merge patch: entries of a list are found by their names, and null deletes."""
    if isinstance(patch, dict):
        merged = {**manifest, **{key: merge(manifest.get(key, {}), value) for key, value in patch.items()}}
        return {key: value for key, value in merged.items() if value is not None}
    if isinstance(patch, list) and all(isinstance(entry, dict) and "name" in entry for entry in patch):
        entries = {entry["name"]: entry for entry in manifest or []}
        entries |= {entry["name"]: merge(entries.get(entry["name"], {}), entry) for entry in patch}
        return list(entries.values())
    return patch


def patch(name: str) -> Manifest:
    """Return the manifest of a file to which the component's patch is applied."""
    first = next(yaml.safe_load_all((KUBERNETES / name).read_text()))
    patched: Manifest = merge(first, yaml.safe_load((COMPONENT / name).read_text()))
    kubernetes_validate.validate(patched, kubernetes_validate.latest_version(), strict=True)
    return patched


@pytest.mark.parametrize("name", VARIABLES)
def test_a_missing_key_or_weights_stop_the_start_and_say_what_to_set(name: str, tmp_path: Path) -> None:
    given = {variable: value for variable, value in VARIABLES.items() if variable != name}
    done = resolve(tmp_path, WITH_VLLM, **given)
    assert done.returncode != 0
    assert re.search(rf"{name} .*: .*docs/engines.md", done.stderr)


def test_the_server_is_locked_down_limited_and_checked(services: Manifest) -> None:
    for name in ("vllm", "weights"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]
        assert {"memory", "pids"} <= set(services[name]["deploy"]["resources"]["limits"])
        assert "ports" not in services[name]
    assert services["vllm"]["networks"] == ["outside"]
    assert services["vllm"]["environment"]["VLLM_API_KEY"] == "engine-secret"
    assert "http://127.0.0.1:8000/health" in services["vllm"]["healthcheck"]["test"][-1]
    assert len(services["vllm"]["deploy"]["resources"]["reservations"]["devices"]) == 1


def test_the_server_is_the_version_that_a_worker_starts_with_options_that_it_gives(services: Manifest) -> None:
    server = services["vllm"]
    assert server["image"] == f"vllm/vllm-openai:v{VERSION}"
    assert server["entrypoint"] == ["python3", "-m", MODULE]
    options = read_options(server["command"])
    assert set(options) <= list_known_options()
    assert options["--gpu-memory-utilization"] == MEMORY_SHARE
    assert (options["--model"], options["--max-model-len"]) == ("/weights/gemma", "auto")


def test_workers_attach_to_the_server_and_end_before_it(services: Manifest) -> None:
    worker, options = services["worker"], read_options(services["vllm"]["command"])
    settings = {name: value for name, value in worker["environment"].items() if name.startswith("GISTMILL_") and value}
    fields = {name.removeprefix("GISTMILL_").lower(): value for name, value in settings.items()}
    assert set(fields) <= set(Settings.model_fields)
    assert read_settings(**fields).engine_urls == (f"http://vllm:{options['--port']}/v1",)
    assert settings["GISTMILL_ENGINE_KEY"] == "engine-secret"
    assert settings["GISTMILL_SLOTS"] == options["--max-num-seqs"]
    assert settings["GISTMILL_WEIGHTS"] == options["--model"]
    assert "vllm" in worker["depends_on"]
    assert "outside" in worker["networks"]


def test_a_pod_has_a_server_that_starts_first_and_has_its_gpu() -> None:
    pod = patch("worker.yaml")["spec"]["template"]["spec"]
    [server], [worker] = pod["initContainers"], pod["containers"]
    assert server["restartPolicy"] == "Always"
    assert server["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert "nvidia.com/gpu" not in worker["resources"]["limits"]
    assert server["securityContext"] == worker["securityContext"]
    assert {"startupProbe", "livenessProbe"} <= set(server)
    assert worker["image"] == "gistmill-worker"
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in server["volumeMounts"]} <= volumes


def test_the_pods_server_has_the_options_and_the_address_of_the_settings() -> None:
    settings = patch("settings.yaml")["data"]
    [server] = patch("worker.yaml")["spec"]["template"]["spec"]["initContainers"]
    options = read_options(server["args"])
    assert server["command"] == ["python3", "-m", MODULE]
    assert set(options) <= list_known_options()
    assert set(re.findall(r"\$\((\w+)\)", " ".join(server["args"]))) <= set(settings)
    read = read_settings(**{name.removeprefix("GISTMILL_").lower(): value for name, value in settings.items()})
    assert read.engine_urls == (f"http://{options['--host']}:{options['--port']}/v1",)
    assert options["--model"] == "$(GISTMILL_WEIGHTS)"


def test_the_component_applies_its_patches_and_pins_the_version() -> None:
    component = yaml.safe_load((COMPONENT / "kustomization.yaml").read_text())
    assert component["kind"] == "Component"
    assert component["images"] == [{"name": "vllm/vllm-openai", "newTag": f"v{VERSION}"}]
    files = {entry["path"] for entry in component["patches"] if "path" in entry}
    assert files == {path.name for path in COMPONENT.glob("*.yaml")} - {"kustomization.yaml"}
    [scaling] = [entry for entry in component["patches"] if "target" in entry]
    [change] = yaml.safe_load(scaling["patch"])
    scaled = next(yaml.safe_load_all((KUBERNETES / "autoscaling.yaml").read_text()))
    assert scaled["metadata"]["name"] == scaling["target"]["name"]
    assert "targetQueryValue" in scaled["spec"]["triggers"][0]["metadata"]
    assert change["path"] == "/spec/triggers/0/metadata/targetQueryValue"
    assert int(change["value"]) == 4 * int(patch("settings.yaml")["data"]["GISTMILL_SLOTS"])
