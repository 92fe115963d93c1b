"""The overlays as kustomize builds them."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.shared import REPOSITORY

KUBERNETES = REPOSITORY / "deploy/kubernetes"
OVERLAYS = ("cpu", "gpu")
Resource = dict[str, Any]


def kustomize(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build a folder with kubectl, which needs no cluster for it; skips where there is none."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("needs kubectl, which no package of Debian's installs everywhere")
    return subprocess.run(
        [kubectl, "kustomize", str(folder)], capture_output=True, text=True, timeout=60
    )


@cache
def resources(overlay: str) -> list[Resource]:
    """Everything that an overlay applies."""
    done = kustomize(KUBERNETES / "overlays" / overlay)
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def only(overlay: str, kind: str) -> Resource:
    """The one resource of a kind."""
    (found,) = [one for one in resources(overlay) if one["kind"] == kind]
    return found


def pod(overlay: str) -> dict[str, Any]:
    """The pods' specification."""
    spec: dict[str, Any] = only(overlay, "StatefulSet")["spec"]["template"]["spec"]
    return spec


def container(overlay: str) -> dict[str, Any]:
    """Its one container."""
    (found,) = pod(overlay)["containers"]
    assert isinstance(found, dict)
    return found
