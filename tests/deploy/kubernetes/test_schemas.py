"""Every manifest keeps its schema, and planted mistakes are caught."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]  # it ships no types
import pytest

from tests.deploy.kubernetes.build import KUBERNETES, OVERLAYS, Resource, kustomize, only, resources
from tests.deploy.kubernetes.rules import MANIFEST, manifest
from tests.deploy.kubernetes.schemas import SCHEMAS

# The oldest and the newest Kubernetes that the manifests are held to.
VERSIONS = ("1.31", "1.37")
BUILT_IN = ["ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "Service", "StatefulSet"]


def validate(found: Resource, version: str) -> None:
    """Against the schema of its kind, unknown keys refused; raises ValidationError."""
    if found["kind"] in SCHEMAS:
        jsonschema.validate(found, SCHEMAS[found["kind"]])
    else:
        kubernetes_validate.validate(found, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_resource_keeps_its_schema(overlay: str, version: str) -> None:
    """Those of Kubernetes by its own schema, those of operators by what their references say."""
    found = resources(overlay)
    assert sorted(one["kind"] for one in found) == sorted([*BUILT_IN, *SCHEMAS])
    for one in found:
        validate(one, version)
        assert one["metadata"]["namespace"] == "streamcell"


def container(found: Resource) -> dict[str, Any]:
    """The StatefulSet's."""
    one: dict[str, Any] = found["spec"]["template"]["spec"]["containers"][0]
    return one


Change = Callable[[Resource], object]
MISTAKES: dict[str, tuple[str, Change]] = {
    "misspelt probe": ("StatefulSet", lambda one: container(one).update(livenesProbe={})),
    "port as text": (
        "StatefulSet",
        lambda one: container(one)["ports"][0].update(containerPort="a"),
    ),
    "misspelt limits": ("StatefulSet", lambda one: container(one)["resources"].update(limit={})),
    "no selector": ("StatefulSet", lambda one: one["spec"].pop("selector")),
    "volume claim": ("StatefulSet", lambda one: one["spec"].update(volumeClaimTemplate=[])),
    "budget": ("PodDisruptionBudget", lambda one: one["spec"].update(maxUnavailible=1)),
    "policy": ("NetworkPolicy", lambda one: one["spec"]["egress"][0].update(port=53)),
    "service": ("Service", lambda one: one["spec"].update(ports="http")),
    "config": ("ConfigMap", lambda one: one.update(files={})),
    "interval": ("ServiceMonitor", lambda one: one["spec"]["endpoints"][0].update(interval=15)),
    "endpoint": ("ServiceMonitor", lambda one: one["spec"]["endpoints"][0].pop("port")),
    "rule": ("PrometheusRule", lambda one: one["spec"]["groups"][0]["rules"][0].pop("expr")),
    "replicas": ("ScaledObject", lambda one: one["spec"].update(maxReplicas=8)),
    "threshold": (
        "ScaledObject",
        lambda one: one["spec"]["triggers"][0]["metadata"].update(lagThreshold=5000),
    ),
    "parameter": (
        "TriggerAuthentication",
        lambda one: one["spec"]["secretTargetRef"][0].update(parameter="user"),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_caught(mistake: str) -> None:
    """So passing says something."""
    kind, change = MISTAKES[mistake]
    found = copy.deepcopy(only("cpu", kind))
    validate(found, VERSIONS[-1])
    change(found)
    with pytest.raises((kubernetes_validate.ValidationError, jsonschema.ValidationError)):
        validate(found, VERSIONS[-1])


def test_an_overlay_that_lacks_a_file_is_not_built(tmp_path: Any) -> None:
    """Kustomize itself notices what is missing."""
    (tmp_path / "kustomization.yaml").write_text("resources: [base.yaml]\n")
    assert kustomize(tmp_path).returncode != 0
    assert (KUBERNETES / "base/kustomization.yaml").exists()


def test_the_operators_rules_are_those_of_prometheus() -> None:
    """Nobody changed one and forgot the other; the message of this test says what to run."""
    again = "run: python -m tests.deploy.kubernetes.rules"
    assert MANIFEST.read_text(encoding="utf-8") == manifest(), again
