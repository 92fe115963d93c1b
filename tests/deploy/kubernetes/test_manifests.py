"""The manifests are of one piece: names, ports, labels, secrets, limits and the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.cli import app
from pipeline.config import Config, load_config
from pipeline.config_edges import KafkaSourceConfig
from tests.deploy.docker.commands import parse
from tests.deploy.docker.files import DOCKERFILES, dockerfile
from tests.deploy.kubernetes.build import OVERLAYS, Resource, container, only, pod, resources
from tests.deploy.kubernetes.rules import RULES

NAME = {"app.kubernetes.io/name": "streamcell"}
UNITS = {"": 1.0, "m": 1e-3, "Mi": 2.0**20, "Gi": 2.0**30}
SELECTING = ("Service", "StatefulSet", "PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor")
PARTITIONS = 8  # of the topic that the example reads


def quantity(text: str | int) -> float:
    """A quantity of Kubernetes as a number."""
    found = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text))
    assert found is not None, text
    return float(found[1]) * UNITS[found[2]]


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    """Each overlay in turn."""
    return str(request.param)


@pytest.fixture
def config(overlay: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The configuration that the pods get, with the secrets' variables that they get."""
    for variable in container(overlay)["env"]:
        monkeypatch.setenv(variable["name"], "a-secret")
    (text,) = only(overlay, "ConfigMap")["data"].values()
    (tmp_path / "pipeline.toml").write_text(text)
    return load_config(tmp_path / "pipeline.toml")


def source(config: Config) -> KafkaSourceConfig:
    """The Kafka source of the one pipeline."""
    found = config.pipeline[0].source
    assert found.type == "kafka"
    return found


def selectors(found: Any) -> Iterator[dict[str, str]]:
    """Every selector of pods in a resource."""
    if isinstance(found, dict):
        for key, value in found.items():
            if key in ("selector", "podSelector", "labelSelector") and "k8s-app" not in str(value):
                yield value.get("matchLabels", value)
            yield from selectors(value)
    elif isinstance(found, list):
        for value in found:
            yield from selectors(value)


def test_selectors_meet_the_pods(overlay: str) -> None:
    """Service, budget, policy, monitor and the StatefulSet itself choose the pods by one label."""
    assert only(overlay, "StatefulSet")["spec"]["template"]["metadata"]["labels"] == NAME
    assert only(overlay, "Service")["metadata"]["labels"] == NAME
    for kind in SELECTING:
        found = list(selectors(only(overlay, kind)["spec"]))
        assert found, kind
        assert all(one == NAME for one in found), kind


def test_ports_agree(overlay: str, config: Config) -> None:
    """The process listens where the container, the service, probes, policy and monitor think."""
    (port,) = container(overlay)["ports"]
    assert port == {"name": "http", "containerPort": config.http.port}
    assert config.http.bind == "0.0.0.0"  # noqa: S104 - of the pod
    (served,) = only(overlay, "Service")["spec"]["ports"]
    assert (served["name"], served["targetPort"]) == ("http", "http")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container(overlay)[probe]["httpGet"]["port"] == "http"
    (rule,) = only(overlay, "NetworkPolicy")["spec"]["ingress"]
    assert rule["ports"] == [{"port": "http", "protocol": "TCP"}]
    (endpoint,) = only(overlay, "ServiceMonitor")["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")
    assert only(overlay, "StatefulSet")["spec"]["serviceName"] == "streamcell"


def test_the_configuration_is_for_pods(overlay: str, config: Config) -> None:
    """Members by the pods' names, state on the volume, files where they are mounted."""
    (pipeline,) = config.pipeline
    found = source(config)
    assert found.static_member
    assert found.session_timeout_ms > 60_000
    assert "instance" not in pipeline.model_fields_set, "a pod is told by its name"
    mounts = {one["mountPath"]: one["name"] for one in container(overlay)["volumeMounts"]}
    volumes = {one["name"]: one for one in pod(overlay)["volumes"]}
    (claim,) = only(overlay, "StatefulSet")["spec"]["volumeClaimTemplates"]
    assert pipeline.state.path is not None
    assert mounts[str(Path(pipeline.state.path).parent)] == claim["metadata"]["name"]
    assert found.security.ca_file is not None
    ca = Path(found.security.ca_file)
    (item,) = volumes[mounts[str(ca.parent)]]["secret"]["items"]
    assert item["path"] == ca.name
    program = ["run", "/etc/streamcell/pipeline.toml"]
    assert container(overlay)["args"] == program
    parse(app, program)
    name = volumes[mounts[program[1]]]["configMap"]["name"]
    assert name == only(overlay, "ConfigMap")["metadata"]["name"]
    assert re.fullmatch(r"streamcell-config-\w{10}", name), "without a hash nothing rolls"
    assert config.pipeline[0].engine.device == {"cpu": "cpu", "gpu": "cuda"}[overlay]


def test_secrets_come_from_one_place(overlay: str, config: Config) -> None:
    """The variables that the configuration names are set from the secret; none is in the clear."""
    variables = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container(overlay)["env"]}
    assert {*variables} == {config.http.token_env, source(config).security.password_env}
    used = [*variables.values(), *only(overlay, "TriggerAuthentication")["spec"]["secretTargetRef"]]
    assert {one["name"] for one in used} == {"streamcell"}
    assert not [one for one in resources(overlay) if one["kind"] == "Secret"]


def test_pods_are_confined(overlay: str) -> None:
    """No root, no rights, nothing writable but volumes, no token of the cluster."""
    spec, one = pod(overlay), container(overlay)
    users = {
        rest.partition(":")[0] for name in DOCKERFILES for rest in dockerfile(name).all("USER")
    }
    assert users == {str(spec["securityContext"]["runAsUser"])}
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert one["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert one["image"].startswith("registry.example.com/streamcell-machines")
    assert re.search(r":\d", one["image"])


def test_requests_fit_the_limits(overlay: str) -> None:
    """And a GPU is asked for where the configuration uses one."""
    asked = container(overlay)["resources"]
    assert {*asked["requests"]} == {*asked["limits"]}
    for what, request in asked["requests"].items():
        assert quantity(request) <= quantity(asked["limits"][what]), what
    assert ("nvidia.com/gpu" in asked["limits"]) == (overlay == "gpu")
    assert (pod(overlay).get("runtimeClassName") == "nvidia") == (overlay == "gpu")


def test_kafka_may_be_reached(overlay: str, config: Config) -> None:
    """The policy lets out names, and the brokers' port in the brokers' namespace."""
    host, _, port = source(config).brokers.partition(":")
    names, kafka = only(overlay, "NetworkPolicy")["spec"]["egress"]
    assert {one["port"] for one in names["ports"]} == {53}
    assert kafka["ports"] == [{"port": int(port), "protocol": "TCP"}]
    (to,) = kafka["to"]
    namespace = to["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    assert host.split(".")[1] == namespace


def test_scaling_follows_the_pipelines_own_lag(overlay: str, config: Config) -> None:
    """Group, topic and login are the pipeline's; there are never more pods than partitions."""
    scaled, found = only(overlay, "ScaledObject")["spec"], source(config)
    workload = only(overlay, "StatefulSet")
    target = scaled["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("StatefulSet", workload["metadata"]["name"])
    assert "replicas" not in workload["spec"], "an apply would set the number of pods back"
    (trigger,) = scaled["triggers"]
    asked = trigger["metadata"]
    assert asked["bootstrapServers"] == found.brokers
    assert asked["topic"] == found.topic
    assert asked["consumerGroup"] == (found.group or config.pipeline[0].name)
    assert asked["allowIdleConsumers"] == "false"
    assert found.security.mechanism == "SCRAM-SHA-512"
    assert asked["sasl"] == "scram_sha512"
    assert trigger["authenticationRef"]["name"] == "streamcell-kafka"
    assert 1 <= scaled["minReplicaCount"] <= scaled["maxReplicaCount"] <= PARTITIONS
    behaviour = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    down = behaviour["scaleDown"]
    assert 1000 * down["stabilizationWindowSeconds"] > found.session_timeout_ms
    assert 1000 * down["policies"][0]["periodSeconds"] > found.session_timeout_ms


def test_a_drain_takes_one_pod_at_a_time(overlay: str) -> None:
    """By the budget; and a stop has time to deliver."""
    assert only(overlay, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert pod(overlay)["terminationGracePeriodSeconds"] >= 30


def test_the_rules_of_the_operator_are_loaded_whole(overlay: str) -> None:
    """Group by group what deploy/prometheus has."""
    written: list[Resource] = []
    for path in sorted(RULES.glob("*.yml"), reverse=True):
        written += yaml.safe_load(path.read_text())["groups"]
    assert only(overlay, "PrometheusRule")["spec"]["groups"] == written
    job = only(overlay, "Service")["metadata"]["name"]
    assert job.startswith("streamcell"), "the alerts go by the job's name"
