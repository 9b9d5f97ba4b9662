"""docs/kubernetes/: valid manifests, locked down, with commands, settings and queries that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from sqlalchemy import text

from models.queues import QUEUES, queue_name
from models.session import connect
from models.settings import Settings
from tests.conftest import Cluster
from tests.integration.deploy.commands import check_command
from tests.jobs import add_jobs
from tests.roles import apply_roles
from workers.local.launch import STOP_GRACE_SECONDS

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "docs" / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
# Created by hand, each time that somebody submits.
ON_DEMAND = ["submit.yaml"]
FILES = [*KUSTOMIZATION["resources"], *ON_DEMAND]
MANIFESTS = [each for name in FILES for each in yaml.safe_load_all((FOLDER / name).read_text())]
# Resources of KEDA, whose schemas Kubernetes does not have.
CUSTOM = ("ScaledObject", "TriggerAuthentication")
ENTRY_POINTS = {"gistmill-producer": ["gistmill"]}


def find(kind: str, name: str) -> dict[str, Any]:
    [found] = [each for each in MANIFESTS if (each["kind"], each["metadata"].get("name")) == (kind, name)]
    return found  # type: ignore[no-any-return]


def pods() -> Iterator[dict[str, Any]]:
    specs = (each.get("spec", {}) for each in MANIFESTS)
    templates = (spec.get("jobTemplate", {}).get("spec", spec) for spec in specs)
    return (each["template"]["spec"] for each in templates if "template" in each)


def containers() -> Iterator[dict[str, Any]]:
    return (each for pod in pods() for each in (*pod.get("initContainers", ()), *pod["containers"]))


@pytest.mark.parametrize(
    "manifest",
    [each for each in MANIFESTS if each["kind"] not in CUSTOM],
    ids=lambda each: f"{each['kind']}-{each['metadata'].get('name', 'submit')}",
)
def test_the_manifest_follows_the_schema_of_kubernetes(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
    with pytest.raises(kubernetes_validate.ValidationError, match="imagine"):
        kubernetes_validate.validate(manifest | {"imagine": 1}, kubernetes_validate.latest_version(), strict=True)


def test_every_manifest_is_listed_and_every_file_that_is_generated_from_has_an_example() -> None:
    assert {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"} == set(FILES)
    for generator in KUSTOMIZATION["secretGenerator"]:
        for name in generator["envs"]:
            assert (FOLDER / f"{name}.example").exists()
            assert name in (FOLDER / ".gitignore").read_text().split()


def test_every_secret_that_is_asked_for_is_made() -> None:
    made = {
        (generator["name"], line.split("=")[0])
        for generator in KUSTOMIZATION["secretGenerator"]
        for name in generator["envs"]
        for line in (FOLDER / f"{name}.example").read_text().splitlines()
        if line and not line.startswith("#")
    }
    asked = re.findall(r"secretKeyRef: \{name: ([\w-]+), key: ([\w-]+)\}", _read_all())
    asked += re.findall(r"\{parameter: \w+, name: ([\w-]+), key: ([\w-]+)\}", _read_all())
    assert set(asked) == made


def _read_all() -> str:
    return "\n".join((FOLDER / name).read_text() for name in FILES)


def test_the_roles_are_those_of_the_documented_file() -> None:
    assert (FOLDER / "roles.sql").read_text() == (ROOT / "docs/roles.sql").read_text()


def test_every_pod_is_locked_down() -> None:
    for pod in pods():
        assert pod["automountServiceAccountToken"] is False
        # Kubernetes would set FLOWER_PORT to an address, which Flower takes for its own option.
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


def test_images_are_those_of_compose() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].values()
    tags = {image["name"]: image["newTag"] for image in KUSTOMIZATION["images"]}
    used = {each["image"] for each in containers()}
    assert {f"{name}:{tags[name]}" if name in tags else name for name in used} <= {each["image"] for each in services}


def test_commands_are_ones_that_exist() -> None:
    for container in containers():
        if container["image"].startswith("gistmill-"):
            start = container.get("command", ENTRY_POINTS.get(container["image"].split(":")[0]))
            check_command([*start, *container.get("args", [])])


def test_settings_are_ones_that_exist_and_are_valid() -> None:
    values = find("ConfigMap", "gistmill-settings")["data"]
    fields = {name.removeprefix("GISTMILL_").lower(): value for name, value in values.items()}
    assert set(fields) <= set(Settings.model_fields)
    assert Settings(**fields).metrics_port == 9464


def test_a_worker_pod_has_one_gpu_and_one_process() -> None:
    [container] = find("Deployment", "worker")["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container["command"] == ["python", "-m", "workers"]


def test_a_worker_pod_has_longer_to_stop_than_it_drains() -> None:
    pod = find("Deployment", "worker")["spec"]["template"]["spec"]
    drain = float(find("ConfigMap", "gistmill-settings")["data"]["GISTMILL_DRAIN_SECONDS"])
    assert pod["terminationGracePeriodSeconds"] > drain + STOP_GRACE_SECONDS
    # A draining worker is not healthy, and must not be killed for that.
    probe = pod["containers"][0]["livenessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] > drain + STOP_GRACE_SECONDS


def test_what_serves_is_probed() -> None:
    serving = dict.fromkeys(("worker", "flower", "serve"), "Deployment") | dict.fromkeys(
        ("postgres", "redis"), "StatefulSet"
    )
    for name, kind in serving.items():
        [container] = find(kind, name)["spec"]["template"]["spec"]["containers"]
        assert {"readinessProbe", "livenessProbe"} <= set(container)


def test_only_the_migration_knows_the_owners_password() -> None:
    knowing = {
        each["metadata"].get("name")
        for each in MANIFESTS
        if "gistmill-owner" in yaml.safe_dump(each) and each["kind"] != "NetworkPolicy"
    }
    assert knowing == {"migrate", "postgres"}


def test_every_app_has_a_network_policy_and_nothing_else_is_let_through() -> None:
    assert find("NetworkPolicy", "deny-all")["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    apps = {
        each["spec"]["template"]["metadata"]["labels"]["app"]
        for each in MANIFESTS
        if "template" in each.get("spec", {})
    }
    named = set(re.findall(r"[\w-]+", (FOLDER / "network.yaml").read_text()))
    assert apps <= named


def test_the_autoscaler_counts_the_work_of_the_weights_that_the_workers_serve(cluster: Cluster) -> None:
    [trigger] = find("ScaledObject", "worker")["spec"]["triggers"]
    query = trigger["metadata"]["query"]
    served = find("ConfigMap", "gistmill-settings")["data"]["GISTMILL_WEIGHTS_NAME"]
    assert set(re.findall(r"'(\w+\.\w+)'", query)) == {queue_name(queue, served) for queue in QUEUES}
    add_jobs(cluster.engine, ["one", "two", "three"])
    engine = connect(apply_roles(cluster.database_url)["analyst"], pool_size=1)
    with engine.connect() as connection:
        assert connection.execute(text(query)).scalar_one() == 3
    engine.dispose()


def test_the_autoscaler_connects_with_a_secret_that_exists() -> None:
    reference = find("ScaledObject", "worker")["spec"]["triggers"][0]["authenticationRef"]["name"]
    [secret] = find("TriggerAuthentication", reference)["spec"]["secretTargetRef"]
    assert secret == {"parameter": "connection", "name": "gistmill-secrets", "key": "analyst-database-url"}
