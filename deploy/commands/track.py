"""``streamcell track``: a video with boxes and identities, from a video or a camera."""

from __future__ import annotations

import importlib.util
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from deploy.listen.text import printable
from deploy.signals import on_signals
from pipeline.bundle import read_model
from pipeline.config import PipelineConfig
from pipeline.config_tracking import LineConfig
from pipeline.errors import BundleError, ConfigError, SourceError
from pipeline.logs import configure_logs
from pipeline.video.address import address_of, kind_of, without_secrets

COMMIT_EVERY_MS = 1000  # nothing waits for a commit here
RECORDS = (".jsonl", ".txt")
TOPIC = "track"
NEEDED = ("av", "cv2", "lap")


def track(
    video: Annotated[
        str,
        typer.Argument(
            help="A video file, or a camera's address (rtsp://…, http://…, /dev/video0)."
        ),
    ],
    model: Annotated[
        Path, typer.Option(help="A tracking bundle, as `streamcell train tracking` writes it.")
    ],
    detector: Annotated[
        str, typer.Option(help="An ONNX detector's file, or `hog`: OpenCV's own, slow and coarse.")
    ] = "hog",
    layout: Annotated[
        str, typer.Option(help="How the ONNX detector puts its boxes out: auto, yolox, yolov8, …")
    ] = "auto",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Video to write (.mp4, .mkv, .mov, .avi). Default: tracked.mp4, without --records."
        ),
    ] = None,
    records: Annotated[
        Path | None,
        typer.Option(
            help="File of tracks to write: .jsonl with all events, or .txt as the MOT challenge's."
        ),
    ] = None,
    line: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=X0,Y0,X1,Y1",
            help="A line to count at; its ends are shares of the picture's width and height. "
            "May be given again.",
        ),
    ] = None,
    live: Annotated[
        bool | None,
        typer.Option(
            "--live/--every-frame",
            help="Play a file in real time and leave out frames that come too fast, or take every "
            "frame. Cameras are always live.",
        ),
    ] = None,
    min_score: Annotated[
        float, typer.Option(min=0, max=1, help="Leave out detections below this score.")
    ] = 0.1,
    threads: Annotated[
        int, typer.Option(min=1, max=256, help="Cores that the detector may use.")
    ] = 1,
) -> None:
    """Find and follow people in a video; write it with boxes, identities, trails and counts.

    It runs the same pipeline as `streamcell run`, without a broker. Ctrl-C ends it and finishes
    the files.

    Examples:
      streamcell track street.mp4 --model tracker.onnx --detector yolox_nano.onnx

      streamcell track street.mp4 --model tracker.onnx --records tracks.txt --out boxes.mp4

      streamcell track rtsp://camera/1 --model tracker.onnx --line door=0.5,0,0.5,1

    """
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise SourceError(
            f"{', '.join(missing)} not installed; videos need the extra `camera`: "
            "pip install 'streamcell[cpu,camera]'"
        )
    out = out or (None if records is not None else Path("tracked.mp4"))
    live = _check(video, out, records, live)
    lines = [_line(text) for text in line or ()]
    configure_logs("warning", "auto")
    finder: dict[str, Any] = {"kind": "hog", "min_score": min_score, "threads": threads}
    if detector != "hog":
        finder |= {"kind": "onnx", "model": str(Path(detector).absolute()), "layout": layout}
    with tempfile.TemporaryDirectory(prefix="streamcell-track-") as folder:
        config = _config(video, model, finder, lines, folder, live=live)
        _run(config, video, out, records)


def _check(video: str, out: Path | None, records: Path | None, live: bool | None) -> bool:
    """Whether to leave out frames; raises ConfigError and SourceError for what can't be."""
    try:
        kind = address_of(video, Path()).kind
    except ValueError as error:
        raise SourceError(str(error)) from error
    from deploy.track.film import SUFFIXES

    problems = []
    if kind == "file" and not Path(video).is_file():
        raise SourceError(f"{video}: there is no such file")
    if kind != "file" and live is False:
        problems.append("--every-frame is for files: a camera does not wait")
    if records is not None and records.suffix not in RECORDS:
        problems.append(f"--records {records}: its suffix says the format: .jsonl or .txt")
    if out is not None and out.suffix.lower() not in SUFFIXES:
        problems.append(f"--out {out}: its suffix says the format: {', '.join(SUFFIXES)}")
    problems += [
        f"{path} is the video itself; write to another file"
        for path in (out, records)
        if path is not None and kind == "file" and path.absolute() == Path(video).absolute()
    ]
    if problems:
        raise ConfigError("streamcell track", problems)
    return bool(live) or kind != "file"


def _line(text: str) -> LineConfig:
    """``name=x0,y0,x1,y1`` as configured; raises ConfigError."""
    name, _, rest = text.partition("=")
    try:
        x0, y0, x1, y1 = map(float, rest.split(","))
    except ValueError as error:
        raise ConfigError(
            "streamcell track", [f"--line {text!r} is not NAME=X0,Y0,X1,Y1"]
        ) from error
    with _as_problems(f"--line {text!r}"):
        return LineConfig(name=name, start=[x0, y0], end=[x1, y1])


@contextmanager
def _as_problems(what: str) -> Iterator[None]:
    """Tell as ConfigError what pydantic finds wrong with ``what``."""
    try:
        yield
    except ValidationError as error:
        texts = [str(item["msg"]).removeprefix("Value error, ") for item in error.errors()]
        problems = [f"{what}: {text}" for text in texts]
        raise ConfigError("streamcell track", problems) from error


def _config(
    video: str,
    model: Path,
    finder: dict[str, Any],
    lines: list[LineConfig],
    folder: str,
    *,
    live: bool,
) -> PipelineConfig:
    found = read_model(model)
    if found.manifest.task != "tracking":
        raise BundleError(
            f"{found.path}: this needs a tracking bundle, and that one is for the task "
            f"{found.manifest.task!r}; `streamcell run` serves it"
        )
    url = str(Path(video).absolute()) if kind_of(video) == "file" else video
    given = {
        "name": "track",
        "model": str(model.absolute()),
        "commit_every_ms": COMMIT_EVERY_MS,
        "source": {
            "type": "cameras",
            "pace": "newest" if live else "all",
            "camera": [{"name": _name(video), "url": url}],
        },
        "detector": finder,
        "tracking": {"line": [one.model_dump() for one in lines]},
        "sink": {"type": "console", "emit": "all"},
        "state": {"path": f"{folder}/track.sqlite"},
    }
    with _as_problems("its options"):
        return PipelineConfig.model_validate(given)


def _name(video: str) -> str:
    """The camera's name: the file's, as far as it can be one."""
    if kind_of(video) != "file":
        return "camera"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(video).stem).strip("-._")[:60] or "camera"


def _run(config: PipelineConfig, video: str, out: Path | None, records: Path | None) -> None:
    """Track until the video or the user ends it, then say what was found."""
    from deploy.track.film import FilmWriter
    from deploy.track.length import frames_of
    from deploy.track.painter import Painter
    from deploy.track.progress import Progress
    from deploy.track.records import RecordsFile
    from deploy.track.sink import FilmSink
    from pipeline.assemble import assemble

    stop = threading.Event()
    painter = Painter(config.tracking.line)
    total = frames_of(video) if kind_of(video) == "file" else None
    with Progress(Console(stderr=True), _shown(video), total) as progress:
        sink = FilmSink(
            painter,
            FilmWriter(out) if out is not None else None,
            RecordsFile(records, TOPIC) if records is not None else None,
            progress.to,
        )
        parts = assemble(config, Path(), stop, sink=sink, witness=sink.saw)
        with _ended_by_signals(stop):
            parts.loop.run(stop)
    if not sink.frames:
        raise SourceError(f"{_shown(video)}: no frame came of it; nothing is written")
    typer.echo(f"{sink.frames} frames, {painter.known} tracks, {sink.kinds['track']} boxes")
    for name, (inwards, outwards) in painter.counts.items():
        typer.echo(f"line {name}: {inwards} in, {outwards} out")
    for reason in dict.fromkeys(sink.rejected):
        typer.echo(f"not tracked: {printable(reason)}", err=True)
    for path in (out, records):
        if path is not None:
            typer.echo(printable(str(path)))


def _shown(video: str) -> str:
    """The video's name as people may see it: an address may hold a password."""
    return printable(video if kind_of(video) == "file" else without_secrets(video))


def _ended_by_signals(stop: threading.Event) -> AbstractContextManager[None]:
    """The first signal ends the loop, which finishes the files; the second breaks off."""

    def told(number: int) -> None:
        if stop.is_set():
            sys.exit(128 + number)
        stop.set()

    return on_signals(told)
