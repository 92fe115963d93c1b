"""What cameras show over HTTP: pictures behind the token, and sights between the messages."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from pipeline.metrics import Metrics
from pipeline.monitor import page
from pipeline.monitor.health import Vitals
from tests.pipeline.monitor.conftest import TOKEN, Answer, Site
from tests.pipeline.monitor.serving import monitor_of
from tests.pipeline.monitor.sketches import Sketcher
from tests.pipeline.monitor.street import Street, view_of
from tests.pipeline.monitor.test_server import viewer

HOSTILE = ("../../etc/passwd", "%2e%2e", "<img src=x onerror=alert(1)>", "a&t=1#b", "ä\n\\x00")


@pytest.fixture
def street_site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A monitor of two cameras; what they show comes twenty times a second."""
    monkeypatch.setattr(page, "GLANCE_S", 0.05)
    view, vitals, metrics = view_of(Sketcher()), Vitals(3600), Metrics("street")
    monitor = monitor_of(port=0, token=TOKEN, registry=metrics.registry, health=vitals, view=view)
    monitor.start()
    yield Site(monitor, view, vitals, metrics)
    monitor.stop()


def show(site: Site, names: tuple[str, ...]) -> int:
    """A frame of each camera with its picture, while a viewer looks; its time."""
    now = time.time()
    assert site.view.sights is not None
    with viewer(site) as looking:
        next(looking.messages())
        Street(names).show(site.view, now)
    return round(now * 1e6)


def ask(site: Site, camera: str, moment: object) -> Answer:
    """Ask for a picture, as the page does."""
    return site.get(f"/picture?camera={quote(camera, safe='')}&t={moment}", site.bearer)


def test_a_picture_needs_the_token(street_site: Site, closed_site: Site) -> None:
    """And comes as JPEG that nobody keeps, with the same guards as the page."""
    at = show(street_site, ("door",))
    assert street_site.get(f"/picture?camera=door&t={at}").status == 401
    assert closed_site.get(f"/picture?camera=door&t={at}").status == 403
    found = ask(street_site, "door", at)
    assert found.status == 200
    assert found.body.startswith(b"jpeg ")
    assert found.headers["content-type"] == "image/jpeg"
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in found.headers["content-security-policy"]


def test_what_is_not_there_is_told(street_site: Site, site: Site) -> None:
    """A camera that nobody knows, a time that is gone, one that is none, too long a query."""
    at = show(street_site, ("door",))
    assert ask(street_site, "yard", at).status == 404
    assert ask(street_site, "door", at + 1).status == 204
    for moment in ("", "-1", "1.5", "now", "9" * 19, "%C2%B2"):
        assert ask(street_site, "door", moment).status == 400
    assert ask(street_site, "d" * 3000, at).status == 414
    assert ask(site, "press-001", at).status == 404  # a page without cameras


def test_hostile_names_are_names(street_site: Site) -> None:
    """Each camera's picture is found, whatever it is called."""
    at = show(street_site, HOSTILE)
    bodies = {ask(street_site, name, at).body for name in HOSTILE}
    assert len(bodies) == len(HOSTILE)
    assert all(body.startswith(b"jpeg ") for body in bodies)


def test_sights_come_between_the_messages(street_site: Site) -> None:
    """As events of their own, with what changed alone."""
    street = Street()
    with viewer(street_site, "/live?camera=yard") as looking:
        lines = looking.lines()
        first = json.loads(next(line for line in lines if line.startswith("data: "))[6:])
        assert first["sights"]["cameras"] == []
        street.show(street_site.view, time.time())
        assert next(line for line in lines if line.startswith("event: ")) == "event: sights"
        seen = json.loads(next(line for line in lines if line.startswith("data: "))[6:])
        assert [camera["name"] for camera in seen["cameras"]] == list(street.names)
        assert "names" not in seen
        following = next(line for line in lines if line.startswith(("event: ", "data: ")))
        message = json.loads(following.removeprefix("data: "))
        assert message["sights"]["cameras"] == []
        assert message["sights"]["names"] == list(street.names)


def test_a_page_that_is_hidden_gets_no_pictures(street_site: Site) -> None:
    """It says so, and none are taken for it."""
    with viewer(street_site, "/live?pictures=no") as looking:
        next(looking.messages())
        now = time.time()
        Street(("door",)).show(street_site.view, now)
        message = next(one for one in looking.messages() if one.get("cameras"))
        assert message["cameras"][0]["pictured"] is False
    assert ask(street_site, "door", round(now * 1e6)).status == 204
