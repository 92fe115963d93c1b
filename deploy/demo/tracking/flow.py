"""The tracking demo from its first step to its last."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from deploy.demo.broker import embedded_broker, free_port, require_broker, start_broker
from deploy.demo.ending import keep_up, terminated
from deploy.demo.folder import demo_folder
from deploy.demo.run import Files
from deploy.demo.show import Show
from deploy.demo.starting import start_runner
from deploy.demo.tracking.camera import Camera
from deploy.demo.tracking.edges import DETECTOR_FILE, NAME, TrackingEdges
from deploy.demo.tracking.film import FRAMES_PER_S, film
from deploy.demo.tracking.page import Outcome, print_outcome, write_page
from deploy.demo.tracking.places import PLACES, Place
from deploy.demo.tracking.reels import Reel, record
from deploy.demo.tracking.session import Session
from deploy.demo.tracking.teach import DETECTOR
from deploy.demo.tracking.training import train
from deploy.demo.tracking.verdict import Witnessed, judge
from pipeline.errors import SourceError

STEPS = 6
SECONDS = 50.0
STARTING_S = 16.0  # of film more than is watched, for the pipeline to start, and again
EPOCHS = 12


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for; None leaves the choice to the demo. See ``streamcell demo``."""

    out: Path
    broker: str | None
    cameras: int | None
    epochs: int | None
    seed: int
    keep: bool
    crash: bool
    command: str
    seconds: float = SECONDS


def run_tracking_demo(options: Options, console: Console) -> bool:
    """Run the whole demo; whether every output came once. Raises StreamcellError."""
    show, places = Show(console, STEPS), Files(options.out, NAME)
    with ExitStack() as open_things, terminated():
        if options.broker is not None:
            require_broker(options.broker)
        open_things.enter_context(demo_folder(options.out))
        shutil.copyfile(DETECTOR, places.folder / DETECTOR_FILE)
        _train(options, places, show)
        reels = _record(options, places, show)
        edges = _edges(options, places, show, open_things)
        show.step(f"Run the pipeline of {places.config}")
        edges.create()
        cameras = [Camera(reel, time.time()) for reel in reels]
        for camera in cameras:
            open_things.callback(camera.off)
            camera.on()
        port = free_port()
        show.block(edges.configure(places.config, places.model, cameras, port))
        runner = start_runner(places, port, show, open_things)
        show.step(f"Watch {len(cameras)} cameras for {options.seconds:.0f} s")
        session = Session(edges, cameras, runner, show, options.seconds)
        open_things.callback(session.close)
        crash_s = session.run(crash=options.crash)
        if not options.keep:
            runner.stop()
        session.finish()
        show.step("What came of it")
        outcome = _outcome(session, cameras, crash_s)
        print_outcome(show, outcome)
        write_page(places.demo_report, outcome, options.command)
        _print_places(show, places, reels)
        if options.keep:
            for camera in cameras:
                camera.on()
            keep_up(show, runner)
    return outcome.good


def _train(options: Options, places: Files, show: Show) -> None:
    show.step("Train a model of how people move")
    began = time.monotonic()
    manifest = train(
        places, show, epochs=options.epochs or EPOCHS, seed=options.seed, command=options.command
    )
    show.say(f"trained and exported in {time.monotonic() - began:.0f} s")
    parity = manifest.parity
    show.say(
        "parity: stepping the exported model row by row differs from the trained one by "
        f"[bold]{parity['y_deviation']:.1e}[/] at most (allowed {parity['tolerance']:.0e})"
    )


def _record(options: Options, places: Files, show: Show) -> list[Reel]:
    """The films that will be watched, with people who were in no training."""
    seconds = options.seconds + STARTING_S
    chosen: Sequence[Place] = PLACES[: options.cameras or len(PLACES)]
    show.step(f"Film {len(chosen)} places, {seconds:.0f} s each")
    reels = []
    with show.bar("filming", len(chosen)) as bar:
        for number, place in enumerate(chosen):
            path = places.folder / f"{place.name}.avi"
            reels.append(record(place, film(place, seconds, 10 * options.seed + number), path))
            bar.to(number + 1, str(path))
    people = sum(len({one.person for frame in reel.present for one in frame}) for reel in reels)
    show.say(
        f"{people} people, drawn by us, so that who is where is known; {FRAMES_PER_S} frames/s: "
        + ", ".join(str(reel.path) for reel in reels)
    )
    return reels


def _edges(options: Options, places: Files, show: Show, open_things: ExitStack) -> TrackingEdges:
    """The user's Kafka or the embedded broker; raises SourceError where there is neither."""
    if options.broker is not None:
        show.step(f"Use the Kafka at {options.broker}")
        return TrackingEdges(options.broker, own=False)
    show.step("Start a broker that speaks Kafka's protocol")
    program = embedded_broker()
    if program is None:
        raise SourceError(
            "the embedded broker (noida-db) is not installed on this platform; give a Kafka of "
            "your own: streamcell demo tracking --broker HOST:PORT"
        )
    data = places.folder / "broker"
    try:
        broker, address = start_broker(program, data)
    except OSError as error:
        raise SourceError(
            f"the embedded broker does not run on this machine ({error.strerror}); give a Kafka "
            "of your own: streamcell demo tracking --broker HOST:PORT"
        ) from error
    open_things.callback(shutil.rmtree, data, ignore_errors=True)
    open_things.callback(broker.stop)
    show.say(f"embedded broker (noida-db) on {address}; it is gone when the demo ends")
    return TrackingEdges(address, own=True)


def _outcome(session: Session, cameras: Sequence[Camera], crash_s: float | None) -> Outcome:
    heard = session.listener
    witnessed = []
    for camera in cameras:
        name = camera.reel.place.name
        witnessed.append(
            Witnessed(
                name,
                camera.reel.place.line,
                camera.reel.present,
                camera.sent_us,
                heard.seats[name],
                heard.times_us[name],
                heard.latency_ms[name],
                heard.entered[name],
            )
        )
    if session.told is None:
        raise SourceError("the cameras were not watched to the end")
    return Outcome(
        judge(witnessed, heard.crossings),
        session.told,
        session.lost,
        heard.doubled,
        heard.back,
        len(heard.dead),
        crash_s,
        session.off_s,
    )


def _print_places(show: Show, places: Files, reels: Sequence[Reel]) -> None:
    film = reels[0].path
    lines = [
        f"[bold]Report[/]              {places.demo_report}",
        f"[bold]Model[/]               {places.model}   (detector: "
        f"{places.folder / DETECTOR_FILE})",
        f"[bold]Configuration[/]       {places.config}   (log: {places.log})",
        "",
        "[bold]Next[/]",
        f"  [cyan]streamcell track {film} --model {places.model} --detector "
        f"{places.folder / DETECTOR_FILE} --layout yolov8 --out tracked.mp4[/]",
        "      write a film with boxes, identities and trails",
        "  [cyan]streamcell train tracking --help[/]   train on tracks of your own",
        "  [cyan]streamcell demo tracking --crash[/]   kill the pipeline half-way",
        "  [cyan]streamcell demo tracking --keep[/]   leave everything up, to look around",
    ]
    show.console.print()
    for line in lines:
        show.console.print(line, highlight=False, soft_wrap=True)
