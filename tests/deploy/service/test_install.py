"""Installing into a folder that stands for a device, and taking away again."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app
from deploy.service.install import install, uninstall
from deploy.service.places import Places
from pipeline.errors import BundleError, ConfigError, StreamcellError
from tests.deploy.service.site import tree

FOLDER = "etc/streamcell/pumps"
UNIT = "etc/systemd/system/streamcell-pumps.service"


def called(*words: str | Path) -> Result:
    """The command ``streamcell service`` with these words."""
    return CliRunner().invoke(app, ["service", *map(str, words)], catch_exceptions=False)


def test_everything_is_written_where_the_unit_looks_for_it(site: Path, device: Path) -> None:
    """Configuration, model, links to what it writes, secrets, unit, start with the device."""
    done = called("install", site, "--root", device)
    assert done.exit_code == 0
    assert tree(device).keys() == {
        f"{FOLDER}/pipeline.toml",
        f"{FOLDER}/models/pumps.onnx",
        f"{FOLDER}/state",
        f"{FOLDER}/engines",
        f"{FOLDER}/.installed",
        f"{FOLDER}/environment",
        UNIT,
        "etc/systemd/system/multi-user.target.wants/streamcell-pumps.service",
    }
    assert tree(device)[f"{FOLDER}/state"] == "-> /var/lib/streamcell/pumps"
    assert tree(device)[f"{FOLDER}/engines"] == "-> /var/cache/streamcell/pumps"
    unit = (device / UNIT).read_text()
    assert "run /etc/streamcell/pumps/pipeline.toml\n" in unit
    assert "EnvironmentFile=-/etc/streamcell/pumps/environment\n" in unit
    assert "StateDirectory=streamcell/pumps\n" in unit


def test_secrets_are_for_root_alone_and_the_rest_can_be_read(site: Path, device: Path) -> None:
    """Whatever the mask of who installs it."""
    secrets = site.with_name("secrets")
    secrets.write_text("STREAMCELL_TOKEN=one-that-nobody-guesses\n")
    before = os.umask(0o077)
    try:
        done = called("install", site, "--root", device, "--secrets", secrets)
    finally:
        os.umask(before)
    modes = {
        str(path.relative_to(device)): stat.S_IMODE(path.stat().st_mode)
        for path in device.rglob("*")
        if not path.is_symlink()
    }
    assert modes.pop(f"{FOLDER}/environment") == 0o600
    assert set(modes.values()) == {0o755, 0o644}
    assert (device / FOLDER / "environment").read_bytes() == secrets.read_bytes()
    assert "nobody-guesses" not in done.output
    (device / FOLDER / "environment").chmod(0o644)  # an editor may leave it so
    ahead = called("install", site, "--root", device, "--dry-run")
    assert f"would set mode 600 /{FOLDER}/environment" in ahead.output
    assert stat.S_IMODE((device / FOLDER / "environment").stat().st_mode) == 0o644
    done = called("install", site, "--root", device)
    assert f"mode 600   /{FOLDER}/environment" in done.output
    assert stat.S_IMODE((device / FOLDER / "environment").stat().st_mode) == 0o600


def test_again_is_no_change(site: Path, device: Path) -> None:
    """Nothing is written a second time."""
    called("install", site, "--root", device)
    before = {path: path.lstat().st_mtime_ns for path in device.rglob("*")}
    done = called("install", site, "--root", device)
    assert {line.split()[0] for line in done.output.splitlines()} == {"unchanged"}
    assert {path: path.lstat().st_mtime_ns for path in device.rglob("*")} == before


def test_an_update_forgets_the_model_that_is_gone(site: Path, device: Path) -> None:
    """Secrets that were filled in meanwhile stay."""
    called("install", site, "--root", device)
    filled = "STREAMCELL_TOKEN=one-that-nobody-guesses\n"
    (device / FOLDER / "environment").write_text(filled)
    (site.parent / "models/pumps.onnx").rename(site.parent / "new.onnx")
    site.write_text(site.read_text().replace("models/pumps.onnx", "new.onnx"))
    assert called("install", site, "--root", device).exit_code == 0
    assert (device / FOLDER / "new.onnx").is_file()
    assert not (device / FOLDER / "models").exists()
    assert (device / FOLDER / "environment").read_text() == filled


def test_uninstalling_removes_what_was_written_and_nothing_else(site: Path, device: Path) -> None:
    """Another service, states, secrets and strangers' files stay."""
    strange = device / FOLDER / "notes.txt"
    state = device / "var/lib/private/streamcell/pumps/pumps.sqlite"
    called("install", site, "--name", "other", "--root", device)
    before = tree(device)
    called("install", site, "--root", device)
    state.parent.mkdir(parents=True)
    for path in (strange, state):
        path.write_text("mine")
    done = called("uninstall", "pumps", "--root", device)
    assert done.exit_code == 0
    left = {path for path in tree(device) if path not in before}
    assert left == {
        f"{FOLDER}/notes.txt",
        f"{FOLDER}/environment",
        "var/lib/private/streamcell/pumps/pumps.sqlite",
    }
    assert before.items() <= tree(device).items()
    assert done.output.count("kept") == 2


def test_purging_leaves_no_trace(site: Path, device: Path) -> None:
    """States and secrets go too, and the folders that nobody else uses."""
    called("install", site, "--root", device)
    for folder in ("var/lib/private/streamcell/pumps", "var/cache/private/streamcell/pumps"):
        (device / folder).mkdir(parents=True)
        (device / folder / "x").write_text("x")
    link = device / "var/lib/streamcell/pumps"
    link.parent.mkdir(parents=True)
    link.symlink_to("../private/streamcell/pumps")
    assert called("uninstall", "pumps", "--purge", "--root", device).exit_code == 0
    assert tree(device) == {}
    assert not (device / "etc/streamcell").exists()


def test_a_dry_run_shows_the_unit_and_writes_nothing(site: Path, device: Path) -> None:
    """Of installing and of uninstalling."""
    done = called("install", site, "--root", device, "--dry-run")
    assert f"would write /{UNIT}" in done.output
    assert "[Service]" in done.output
    assert tree(device) == {}
    called("install", site, "--root", device)
    before = tree(device)
    called("uninstall", "pumps", "--purge", "--root", device, "--dry-run")
    assert tree(device) == before


def test_what_is_not_installed_can_not_be_taken_away(device: Path) -> None:
    """The error names the folder that was looked for."""
    with pytest.raises(StreamcellError, match="/etc/streamcell/pumps"):
        uninstall(Places("pumps", root=device), manager=None)


def test_a_service_that_could_not_run_is_refused_before_anything_is_written(
    site: Path, device: Path
) -> None:
    """As `streamcell check` refuses it: an unknown key, a model that is none."""
    places, good = Places("pumps", root=device), site.read_text()
    site.write_text(good + "\n[nonsense]\n")
    with pytest.raises(ConfigError, match="nonsense"):
        install(site, places, manager=None)
    site.write_text(good.replace("models/pumps.onnx", "pumps.toml"))
    with pytest.raises(BundleError):
        install(site, places, manager=None)
    assert tree(device) == {}


def test_secrets_of_the_file_are_what_the_configuration_is_checked_with(
    site: Path, device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the shell's, which the service won't have; that has its own again afterwards."""
    monkeypatch.setenv("EDGE_PASSWORD", of_the_shell := "another")
    login = (
        'security = { protocol = "SASL_PLAINTEXT", mechanism = "PLAIN", username = "edge", '
        'password_env = "EDGE_PASSWORD" }'
    )
    kafka = f'{{ type = "kafka", brokers = "b:9092", topic = "t", {login} }}'
    text = site.read_text()
    site.write_text(text.replace('{ type = "file", path = "state/out.jsonl" }', kafka))
    places = Places("pumps", root=device)
    with pytest.raises(ConfigError, match="EDGE_PASSWORD"):
        install(site, places, manager=None)
    secrets = site.with_name("secrets")
    secrets.write_text('# the broker\'s\nEDGE_PASSWORD="pass word"\n')
    install(site, places, manager=None, environment=secrets)
    assert os.environ["EDGE_PASSWORD"] == of_the_shell
    install(site, places, manager=None)  # the device has them now
    with pytest.raises(ConfigError, match="no-such"):
        install(site, places, manager=None, environment=site.with_name("no-such"))


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "x" * 49, "a/b", "x%n"])
def test_a_name_is_no_path(name: str) -> None:
    """It becomes a part of paths and of a unit."""
    with pytest.raises(ConfigError, match="service name"):
        Places(name)
