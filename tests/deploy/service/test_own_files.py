"""Installing and taking away, mostly as root, touch the service's own files and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.service.install import install, uninstall
from deploy.service.places import Places
from pipeline.errors import ConfigError, StreamcellError
from tests.deploy.service.site import tree

DESCRIBED = """
name = "mean"
model = "{graph}"
features = ["a"]
input = {{ name = "x" }}
output = [{{ name = "off" }}]
state = [{{ input = "mean", output = "mean_next", shape = [1] }}]
"""
OTHERS = "STREAMCELL_TOKEN=of-another-service\n"


@pytest.fixture
def places(device: Path) -> Places:
    """Of the service that the tests install."""
    return Places("pumps", root=device)


@pytest.fixture
def folder(places: Places) -> Path:
    """The service's folder, on this machine."""
    return places.here(places.folder)


@pytest.fixture
def others(device: Path) -> Path:
    """The secrets of another service."""
    path = device / "etc/streamcell/shared/environment"
    path.parent.mkdir(parents=True)
    path.write_text(OTHERS)
    return path


def takes(site: Path, model: str, graph: str) -> None:
    """Have the configuration take a described model; its graph's name begins at its folder."""
    path = site.parent / model
    contents = {path: DESCRIBED.format(graph=graph), path.parent / graph: "planted"}
    for each, content in contents.items():
        each.parent.mkdir(parents=True, exist_ok=True)
        each.write_text(content)
    site.write_text(site.read_text().replace("models/pumps.onnx", model))


@pytest.mark.parametrize(
    ("model", "graph", "named"),
    [
        ("d.toml", "../shared/environment", "../shared/environment"),
        ("a/d.toml", "../../shared/environment", "a/../../shared/environment"),
    ],
    ids=["beside", "below"],
)
def test_a_described_models_graph_stays_in_the_folder(
    site: Path, places: Places, others: Path, model: str, graph: str, named: str
) -> None:
    """Its name stands in a second file, which others may have written."""
    takes(site, model, graph)
    with pytest.raises(ConfigError, match=f"{named}: put it beside"):
        install(site, places, manager=None)
    assert tree(places.root).keys() == {"etc/streamcell/shared/environment"}
    assert others.read_text() == OTHERS


def test_a_link_out_of_the_folder_is_not_followed(
    site: Path, places: Places, folder: Path, others: Path
) -> None:
    """Neither to write there nor to remove what is there."""
    install(site, places, manager=None)
    (folder / "models/pumps.onnx").rename(others.with_name("pumps.onnx"))
    (folder / "models").rmdir()
    (folder / "models").symlink_to(others.parent)
    with pytest.raises(ConfigError, match=r"models/pumps\.onnx: put it beside"):
        install(site, places, manager=None)
    said = uninstall(places, manager=None)
    assert f"careful    models/pumps.onnx is not in {places.folder} and stays" in said
    assert others.with_name("pumps.onnx").is_file()


@pytest.mark.parametrize("name", ["../shared/environment", "/etc/streamcell/shared/environment"])
def test_what_the_record_names_elsewhere_stays(
    site: Path, places: Places, folder: Path, others: Path, name: str
) -> None:
    """Whoever wrote it there; the next installation forgets it."""
    record = folder / ".installed"
    install(site, places, manager=None)
    good = record.read_text()
    record.write_text(good + name + "\n")
    install(site, places, manager=None)
    assert record.read_text() == good
    record.write_text(good + name + "\n")
    uninstall(places, manager=None)
    assert others.read_text() == OTHERS
    assert not record.exists()


@pytest.mark.parametrize(
    "name",
    ["state/m.onnx", "./engines/m.onnx", "environment", ".installed", "pipeline.toml"],
)
def test_the_services_own_names_are_no_models(site: Path, places: Places, name: str) -> None:
    """Nothing is written, so that nothing breaks off half-way."""
    takes(site, "d.toml", name)
    with pytest.raises(ConfigError, match="something else there; take another name"):
        install(site, places, manager=None)
    assert tree(places.root) == {}


def test_what_broke_off_half_way_can_be_taken_away(
    site: Path, places: Places, folder: Path
) -> None:
    """A folder stands where a file would be written, as on a disk that is full."""
    (folder / "models/pumps.onnx").mkdir(parents=True)
    with pytest.raises(OSError, match=r"pumps\.onnx"):
        install(site, places, manager=None)
    assert (folder / "pipeline.toml").is_file()
    (folder / "models/pumps.onnx").rmdir()
    uninstall(places, manager=None)
    assert tree(places.root) == {}


@pytest.mark.parametrize("unit", ["[Service]\nExecStart=/opt/mine\n", None], ids=["file", "link"])
def test_a_unit_that_others_wrote_is_left_alone(
    site: Path, places: Places, unit: str | None
) -> None:
    """By installing, and by taking away what was never installed."""
    path = places.here(places.unit_file)
    path.parent.mkdir(parents=True)
    if unit is None:
        path.symlink_to("/usr/lib/systemd/system/no-such.service")
    else:
        path.write_text(unit)
    before = tree(places.root)
    with pytest.raises(StreamcellError, match="did not write it; move it away"):
        install(site, places, manager=None)
    with pytest.raises(StreamcellError, match="did not write it; move it away"):
        uninstall(places, manager=None)
    assert tree(places.root) == before


@pytest.mark.parametrize("user", [False, True], ids=["system", "user"])
def test_a_unit_whose_record_is_lost_can_be_taken_away(
    site: Path, device: Path, user: bool
) -> None:
    """It says of itself who wrote it."""
    places = Places("pumps", user, device)
    install(site, places, manager=None)
    places.here(places.record).unlink()
    uninstall(places, manager=None)
    assert not places.here(places.unit_file).exists()
