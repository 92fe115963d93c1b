"""An RTSP server, run with the system's Python, which is the one that has GStreamer's bindings.

``rtsp_server.py PORT NAME=COLOUR:WIDTHxHEIGHT …``: a ball on a background of this colour (0xRRGGBB)
each. It writes ``ready`` when it listens.
"""

from __future__ import annotations

import importlib
import sys

LAUNCH = (
    "( videotestsrc is-live=true pattern=ball background-color=0xff{colour} ! "
    "video/x-raw,width={width},height={height},framerate=25/1 ! "
    "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=12 ! "
    "rtph264pay name=pay0 pt=96 config-interval=1 )"
)


def main() -> None:
    """Serve until killed."""
    gi = importlib.import_module("gi")
    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    gst = importlib.import_module("gi.repository.Gst")
    rtsp = importlib.import_module("gi.repository.GstRtspServer")
    glib = importlib.import_module("gi.repository.GLib")
    gst.init(None)
    server = rtsp.RTSPServer()
    server.set_service(sys.argv[1])
    for mount in sys.argv[2:]:
        name, _, look = mount.partition("=")
        colour, _, size = look.partition(":")
        width, _, height = size.partition("x")
        factory = rtsp.RTSPMediaFactory()
        factory.set_launch(LAUNCH.format(colour=colour[2:], width=width, height=height))
        factory.set_shared(True)
        server.get_mount_points().add_factory(f"/{name}", factory)
    if not server.attach(None):
        sys.exit(f"port {sys.argv[1]} is taken")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    glib.MainLoop().run()


if __name__ == "__main__":
    main()
