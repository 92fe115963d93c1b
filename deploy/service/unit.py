"""The unit of a service: the template, with the rights that its pipelines need and no others."""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

from deploy.service.contents import HIDDEN, Needs
from deploy.service.places import Places
from pipeline.errors import StreamcellError

TEMPLATES = Path(__file__).parent.parent / "systemd"
WRITTEN = "# Written by `streamcell service install"  # how each of them begins


def unit_text(places: Places, needed: Needs, program: Path) -> str:
    """The unit that runs ``program`` for these places.

    Raises StreamcellError where one of the paths can't be in a unit.
    """
    template = TEMPLATES / ("streamcell-user.service" if places.user else "streamcell.service")
    values = {
        "unit": places.unit,
        "name": places.name,
        "program": _quoted(program),
        "file": _quoted(places.file),
        "environment": str(places.environment).replace("%", "%%"),
        "devices": "\n".join(_devices(needed)),
        "memory": "\n".join(_memory(needed)),
    }
    text = template.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def program(*, user: bool) -> Path:
    """The command of this installation; raises StreamcellError where a service can't run it."""
    found = Path(sysconfig.get_path("scripts")) / "streamcell"
    if not found.is_file():
        raise StreamcellError(f"{found} is not there: install streamcell with pip, then try again")
    for needed in (found, Path(sys.base_prefix)):
        for hidden in HIDDEN:
            if not user and needed.is_relative_to(hidden):
                raise StreamcellError(
                    f"{needed} lies in {hidden}, of which a service sees nothing: install "
                    "streamcell elsewhere (python3 -m venv /opt/streamcell), or take --user"
                )
    return found


def _devices(needed: Needs) -> list[str]:
    """Devices or classes of them, as /proc/devices names these, and the groups that open them."""
    classes: list[str] = []
    groups: set[str] = set()
    if needed.cameras:
        classes.append("char-video4linux rw")
        groups.add("video")
    if needed.microphone:
        classes.append("char-alsa rw")
        groups.add("audio")
    if needed.gpu:
        # Jetson's /dev/nvmap is a misc device, and its class would open many others.
        classes += ["char-nv* rw", "/dev/nvmap rw", "char-drm rw"]
        groups.add("video")
    if not classes:
        return ["PrivateDevices=yes"]
    allowed = [f"DeviceAllow={each}" for each in classes]
    return [*allowed, f"SupplementaryGroups={' '.join(sorted(groups))}"]


def _memory(needed: Needs) -> list[str]:
    """Code may not be made at run time, but where a library does that."""
    if needed.microphone:
        return ["# PortAudio calls back into code that is made at run time."]
    if needed.gpu:
        return ["# The GPU's driver makes code at run time."]
    return ["MemoryDenyWriteExecute=yes"]


def _quoted(path: Path) -> str:
    """A path as a word of a unit's command line; raises StreamcellError where it can't be."""
    if odd := re.search(r"""["'\\$;\x00-\x1f]""", str(path)):
        raise StreamcellError(f"{path}: a unit can't name a path with {odd[0]!r}; take another")
    text = str(path).replace("%", "%%")
    return f'"{text}"' if " " in text else text
