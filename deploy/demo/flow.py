"""A demo from its first step to its last."""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from deploy.demo.act import Act
from deploy.demo.bad_rows import plan_bad_rows
from deploy.demo.broker import embedded_broker, free_port, require_broker, start_broker
from deploy.demo.edges import Feed
from deploy.demo.ending import keep_up, terminated
from deploy.demo.folder import demo_folder
from deploy.demo.run import Places, Run
from deploy.demo.runner import Runner
from deploy.demo.session import Session
from deploy.demo.show import Show
from deploy.demo.starting import start_runner
from deploy.demo.tables import print_counts, print_places
from deploy.demo.transport import FileTransport, KafkaTransport, Transport
from pipeline.errors import ConfigError
from pipeline.manifest import Manifest

STEPS = 5
BAD_EACH = 3


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for; None leaves the choice to the demo. See ``streamcell demo``."""

    out: Path
    broker: str | None
    streams: int | None
    rate: float | None
    seed: int
    keep: bool
    crash: bool
    files: bool


def run_demo(act: Act, options: Options, console: Console) -> bool:
    """Run the whole demo; whether nothing was lost or doubled. Raises StreamcellError."""
    show = Show(console, STEPS)
    places = Places(options.out, act.scene.name, act.scene)
    with ExitStack() as open_things, terminated():
        # Before minutes of training.
        if options.broker is not None:
            require_broker(options.broker)
        elif options.crash and (options.files or embedded_broker() is None):
            problem = "it shows exactly-once, which needs a broker; files are at least once"
            raise ConfigError("--crash", [problem])
        open_things.enter_context(demo_folder(options.out))
        manifest = _train(act, places, show)
        transport = _transport(act, options, places, show, open_things)
        pipeline = _start(places, transport, show, open_things)
        run = _play(act, options, transport, pipeline, manifest, show, open_things)
        show.step("What came of it")
        print_counts(show, run, act.scene)
        act.finish(run, places, show)
        print_places(show, places, transport, act.next_steps(places))
        if options.keep:
            keep_up(show, pipeline[0], transport.example())
    return run.good


def _train(act: Act, places: Places, show: Show) -> Manifest:
    began = time.monotonic()
    manifest = act.train(places, show)
    show.say(f"trained and exported in {time.monotonic() - began:.0f} s")
    parity = manifest.parity
    show.say(
        f"parity: stepping the exported model row by row differs from the trained one by "
        f"[bold]{parity['y_deviation']:.1e}[/] at most (allowed {parity['tolerance']:.0e}), over "
        f"{parity['streams']:.0f} × {parity['rows']:.0f} rows"
    )
    show.say(f"model: {places.model}")
    return manifest


def _transport(
    act: Act, options: Options, places: Places, show: Show, open_things: ExitStack
) -> Transport:
    """The user's Kafka, or the embedded broker, or files where it can't be had."""
    if options.broker is not None:
        show.step(f"Use the Kafka at {options.broker}")
        return KafkaTransport(options.broker, act.scene, own=False)
    show.step("Start a broker that speaks Kafka's protocol")
    program = None if options.files else embedded_broker()
    reason = "as asked for" if options.files else "noida-db is not installed on this platform"
    data = places.folder / "broker"
    if program is not None:
        try:
            broker, address = start_broker(program, data)
        except OSError as error:
            reason = f"noida-db does not run on this machine ({error.strerror})"
            if options.crash:
                raise ConfigError("--crash", [f"{reason}; it needs a broker"]) from error
        else:
            open_things.callback(shutil.rmtree, data, ignore_errors=True)
            open_things.callback(broker.stop)
            show.say(f"embedded broker (noida-db) on {address}; it is gone when the demo ends")
            return KafkaTransport(address, act.scene, own=True)
    show.say(f"no broker: {reason}. Streaming from files instead, at least once")
    task = act.scene.task
    show.say(f"[dim]With a Kafka of your own: streamcell demo {task} --broker HOST:PORT[/]")
    return FileTransport(places.folder, act.scene)


def _start(
    places: Places, transport: Transport, show: Show, open_things: ExitStack
) -> tuple[Runner, Feed]:
    show.step(f"Run the pipeline of {places.config}")
    port = free_port()
    show.block(transport.configure(places.config, port))
    feed = transport.feed()
    open_things.callback(feed.close)
    runner = start_runner(places, port, show, open_things)
    return runner, feed


def _play(
    act: Act,
    options: Options,
    transport: Transport,
    pipeline: tuple[Runner, Feed],
    manifest: Manifest,
    show: Show,
    open_things: ExitStack,
) -> Run:
    runner, feed = pipeline
    rate = options.rate or min(transport.rate, act.rate_most)
    streams = act.streams(options.streams or min(transport.streams, act.streams_most))
    days = (streams.times[-1] - streams.times[0]) / 86_400e6
    show.step(f"Play {days:.0f} days of {len(streams)} live streams at {rate:,.0f} rows/s")
    bad = plan_bad_rows(streams, BAD_EACH, options.seed, may_lack=act.scene.may_lack)
    show.say(act.describe())
    show.say(f"{sum(map(len, bad.values()))} broken records among them, on purpose")
    session = Session(act, streams, transport, feed, runner, show, rate=rate, bad=bad)
    open_things.callback(session.close)
    played = session.run(crash=options.crash, stop=not options.keep)
    return Run(
        counts=played.counts,
        doubled_events=session.listener.doubled_events,
        seconds=played.seconds,
        waited_s=played.waited_s,
        crash_s=played.crash_s,
        streams=len(streams),
        rows_each=streams.rows,
        guarantee="exactly_once" if transport.exactly_once else "at_least_once",
        transport=transport.name,
        parity=manifest.parity,
    )
