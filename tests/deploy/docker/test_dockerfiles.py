"""The Dockerfiles: linted, of what the repository has, without root, with commands that exist."""

from __future__ import annotations

import fnmatch
import re
import subprocess
from pathlib import Path

import pytest
from typer.exceptions import TyperException

import pipeline
from deploy.cli import app
from tests.deploy.docker.commands import parse
from tests.deploy.docker.files import DOCKER, DOCKERFILES, dockerfile
from tests.shared import REPOSITORY, installed

RUNTIMES = [name for name in DOCKERFILES if name != "trainer.Dockerfile"]

# What is wrong with the line that is put in → hadolint's rule.
MISTAKES = {
    "DL3006": ("FROM python:${PYTHON} AS build", "FROM python AS build"),
    "DL3002": ("USER 10001:10001", "USER root"),
    "DL3025": ('ENTRYPOINT ["streamcell"]', "ENTRYPOINT streamcell"),
    "DL3000": ("WORKDIR /data", "WORKDIR data"),
    "DL3020": ("COPY pipeline pipeline", "ADD pipeline pipeline"),
    "DL3009": (" \\\n   && rm -rf /var/lib/apt/lists/*;", ";"),
}


def lint(path: Path) -> str:
    """What hadolint says; nothing is ignored but what the file itself ignores, with a reason."""
    done = subprocess.run(
        [installed("hadolint"), "--no-color", str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.mark.parametrize("name", DOCKERFILES)
def test_hadolint_finds_nothing(name: str) -> None:
    """Of any severity."""
    assert lint(DOCKER / name) == ""


@pytest.mark.parametrize("name", DOCKERFILES)
def test_what_is_ignored_has_a_reason(name: str) -> None:
    """On the same line."""
    ignores = re.findall(r"^# hadolint ignore=(\S+)(.*)", dockerfile(name).text, re.MULTILINE)
    assert all(reason.startswith(" # ") for _, reason in ignores)


@pytest.mark.parametrize("rule", MISTAKES)
def test_hadolint_catches_a_planted_mistake(tmp_path: Path, rule: str) -> None:
    """So a clean run says something."""
    right, wrong = MISTAKES[rule]
    text = dockerfile("runtime-cpu.Dockerfile").text
    assert right in text
    path = tmp_path / "Dockerfile"
    path.write_text(text.replace(right, wrong))
    assert rule in lint(path)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_bases_have_versions(name: str) -> None:
    """With the arguments' defaults; none is the latest."""
    found = dockerfile(name)
    bases = [rest.split()[0] for rest in found.all("FROM")]
    for word, value in found.arguments.items():
        bases = [base.replace(f"${{{word}}}", value) for base in bases]
    stages = {rest.split()[-1] for rest in found.all("FROM") if " AS " in rest}
    outside = [base for base in bases if base not in stages]
    assert outside
    assert all(re.search(r":\d+\.\d+", base) for base in outside), outside


@pytest.mark.parametrize("name", DOCKERFILES)
def test_what_is_copied_is_there_and_let_in(name: str) -> None:
    """Each source is in the repository, and .dockerignore excepts it from leaving all out."""
    first, *rules = [
        line
        for line in (REPOSITORY / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert first == "*"
    let_in = [rule[1:] for rule in rules if rule.startswith("!")]
    for source in dockerfile(name).sources:
        assert (REPOSITORY / source).exists(), source
        assert any(fnmatch.fnmatch(source, rule) for rule in let_in), source


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_command_is_one_of_ours(name: str) -> None:
    """The real command line takes it."""
    program, *words = dockerfile(name).command
    assert program == "streamcell"
    if words != ["--help"]:
        parse(app, words)


def test_a_command_that_is_none_of_ours_is_noticed() -> None:
    """Neither a misspelt one nor one with an unknown option passes."""
    for words in (["ran", "pipeline.toml"], ["run", "--fast", "pipeline.toml"], ["run"]):
        with pytest.raises(TyperException):
            parse(app, words)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_it_runs_as_a_user_with_a_number(name: str) -> None:
    """Kubernetes' runAsNonRoot can't judge a name; and the label tells the version."""
    found = dockerfile(name)
    assert re.fullmatch(r"[1-9]\d+(:[1-9]\d+)?", found.all("USER")[-1])
    assert found.labels["org.opencontainers.image.version"] == pipeline.__version__
    assert found.labels["org.opencontainers.image.licenses"] == "Apache-2.0"


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_final_stage_builds_nothing(name: str) -> None:
    """No compiler, no pip run, no sources: only the finished environment is copied in."""
    final = dockerfile(name).text.rpartition("\nFROM ")[2]
    assert "COPY --from=build /opt/streamcell /opt/streamcell" in final
    assert not re.search(r"gcc|build-essential|pip install|COPY [^-]", final)


@pytest.mark.parametrize("name", RUNTIMES)
def test_the_port_is_the_default_one(name: str) -> None:
    """Published and asked for its health."""
    found = dockerfile(name)
    assert found.all("EXPOSE") == ["9464"]
    (check,) = found.all("HEALTHCHECK")
    assert "http://127.0.0.1:9464/healthz" in check


@pytest.mark.parametrize("name", DOCKERFILES)
def test_nothing_reports_home(name: str) -> None:
    """ONNX Runtime's telemetry is off in every image."""
    assert "ORT_DISABLE_TELEMETRY=1" in " ".join(dockerfile(name).all("ENV"))


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_comments_name_what_there_is(name: str) -> None:
    """Files after -f and names after --build-arg in the commands at the top."""
    found = dockerfile(name)
    head = found.text.partition("\nARG ")[0]
    files = re.findall(r"-f (\S+)", head)
    assert files
    assert set(files) == {f"docker/{name}"}
    assert {*re.findall(r"--build-arg (\w+)=", head)} <= {*found.arguments}
