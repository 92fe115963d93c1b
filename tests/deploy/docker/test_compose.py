"""The compose file: valid, hardened, and of one piece with what it mounts and starts."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.cli import app
from deploy.sample.__main__ import app as sample
from pipeline.config import load_config
from tests.deploy.docker.commands import parse
from tests.deploy.docker.files import COMPOSE, DOCKER, Dockerfile, compose
from tests.shared import REPOSITORY, installed

Service = dict[str, Any]
SERVICES: dict[str, Service] = compose()["services"]
OWN = {name for name, service in SERVICES.items() if "build" in service}


def validate(path: Path) -> str:
    """What the compose specification's schema has against a file; nothing where it is right."""
    program = installed("check-jsonschema")
    command = [program, "--builtin-schema", "vendor.compose-spec", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_it_keeps_the_schema() -> None:
    """That of the compose specification."""
    assert validate(COMPOSE) == ""


MISTAKES: dict[str, Callable[[Service], object]] = {
    "misspelt key": lambda kafka: kafka.update(enviroment={}),
    "an image's name of the wrong type": lambda kafka: kafka.update(image=4),
    "restart policy": lambda kafka: kafka["deploy"].update(restart_policy="sometimes"),
    "health check": lambda kafka: kafka["healthcheck"].update(command="true"),
    "condition": lambda kafka: kafka.update(depends_on={"topics": {"condition": "done"}}),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_schema_catches_a_planted_mistake(tmp_path: Path, mistake: str) -> None:
    """So passing says something."""
    changed = compose()
    MISTAKES[mistake](changed["services"]["kafka"])
    path = tmp_path / "compose.yaml"
    path.write_text(yaml.safe_dump(changed))
    assert "kafka" in validate(path)


def mounts(service: Service) -> list[tuple[str, str]]:
    """Where each volume comes from and goes to."""
    pairs = [volume.split(":") for volume in service.get("volumes", ())]
    return [(source, target) for source, target, *_ in pairs]


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_and_joined_exists(name: str) -> None:
    """Bound files are in the repository; volumes, networks and dependencies are declared."""
    service, whole = SERVICES[name], compose()
    for source, _ in mounts(service):
        if source.startswith("."):
            assert (DOCKER / source).exists(), source
        else:
            assert source in whole["volumes"]
    assert {*service.get("networks", ())} <= {*whole["networks"]}
    assert {*service.get("depends_on", {})} <= {*SERVICES}
    for path in service.get("env_file", ()):
        assert (DOCKER / f"{path}.example").exists()
        assert not any(
            line.partition("=")[2]
            for line in (DOCKER / f"{path}.example").read_text().splitlines()
            if not line.startswith("#")
        ), "a secret in an example is one that everybody has"


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_hardened(name: str) -> None:
    """No rights beyond those of a user, bounded resources, loopback only, a version."""
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert {*service["deploy"]["resources"]["limits"]} == {"cpus", "memory"}
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    if name in OWN or "apache/kafka" not in service["image"]:
        assert service["read_only"] is True
    if name not in OWN:
        assert service["image"].rpartition(":")[2] not in ("latest", "")


@pytest.mark.parametrize("name", sorted(OWN))
def test_own_images_come_from_the_repositorys_dockerfiles(name: str) -> None:
    """Each build names a Dockerfile that is there, seen from a context that holds its sources."""
    build = SERVICES[name]["build"]
    context = (DOCKER / build["context"]).resolve()
    assert context == REPOSITORY
    found = Dockerfile((context / build["dockerfile"]).read_text())
    assert all((context / source).exists() for source in found.sources)


def test_what_the_services_run_is_taken_by_the_real_command_lines() -> None:
    """The pipeline's, the producer's, and both that the training's script calls."""
    parse(app, SERVICES["pipeline"]["command"])
    assert SERVICES["producer"]["entrypoint"] == ["python", "-m", "deploy.sample"]
    parse(sample, SERVICES["producer"]["command"])
    script = SERVICES["train"]["command"][0]
    lines = [line.split() for line in script.splitlines()]
    (rows,) = [line[3:] for line in lines if line[:3] == ["python", "-m", "deploy.sample"]]
    (train,) = [line[1:] for line in lines if line[:1] == ["streamcell"]]
    parse(sample, rows)
    parse(app, train)


def test_pipeline_and_services_agree() -> None:
    """On topics, broker, ports, and where the bundle and the state lie."""
    config = load_config(DOCKER / "compose/pipeline.toml")
    (pipeline,) = config.pipeline
    source, sink, service = pipeline.source, pipeline.sink, SERVICES["pipeline"]
    assert source.type == "kafka"
    assert sink.type == "kafka"
    places = {target: source for source, target in mounts(service)}
    assert places["/etc/streamcell/pipeline.toml"] == "./compose/pipeline.toml"
    assert service["command"] == ["run", "/etc/streamcell/pipeline.toml"]
    topics = SERVICES["topics"]["command"]
    assert {f"--topic={source.topic}", "--partitions=4"} <= {*topics}
    producer = SERVICES["producer"]["command"]
    assert {source.brokers, source.topic, "--partitions=4"} <= {*producer}
    assert f"--topic={sink.events_topic}" in SERVICES["alarms"]["command"]
    listeners = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert f"INSIDE://{source.brokers}" in listeners
    # What the training writes into its volume is what the pipeline reads out of it.
    (trained,) = [source for source, target in mounts(SERVICES["train"]) if target == "/data"]
    assert places["/models"] == trained
    assert pipeline.model == "/models/machines.onnx"
    assert pipeline.state.path is not None
    assert pipeline.state.path.startswith("/data/")
    assert config.http.bind == "0.0.0.0"  # noqa: S104 - of the container
    assert service["ports"] == [f"127.0.0.1:{config.http.port}:{config.http.port}"]
    assert service["depends_on"]["train"]["condition"] == "service_completed_successfully"


def test_prometheus_scrapes_the_pipeline_by_its_rules() -> None:
    """Target, rules and the job's name, by which the alerts go."""
    config = yaml.safe_load((DOCKER / "compose/prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    assert job["job_name"].startswith("streamcell")
    assert job["static_configs"] == [{"targets": ["pipeline:9464"]}]
    rules = next(
        target for source, target in mounts(SERVICES["prometheus"]) if source.endswith("/rules")
    )
    assert config["rule_files"] == [f"{rules}/*.yml"]
    done = subprocess.run(
        ["promtool", "check", "config", "--syntax-only", str(DOCKER / "compose/prometheus.yml")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_services_share_a_network_with_what_they_ask() -> None:
    """Who waits for a running service can reach it; the training has no network at all."""
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert {*service["networks"]} & {*SERVICES[other]["networks"]}, (name, other)
    assert {*SERVICES["pipeline"]["networks"]} == {"rows", "metrics"}
    assert SERVICES["train"]["network_mode"] == "none"
