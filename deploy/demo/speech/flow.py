"""The speech demo from its first step to its last."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from deploy.demo.broker import embedded_broker, free_port, require_broker, start_broker
from deploy.demo.edges import Feed
from deploy.demo.ending import keep_up, terminated
from deploy.demo.folder import demo_folder
from deploy.demo.run import Files
from deploy.demo.runner import Runner
from deploy.demo.show import Show
from deploy.demo.speech.alone import utterances
from deploy.demo.speech.edges import FLUSH_MS, NAME, SpeechEdges
from deploy.demo.speech.listener import Final
from deploy.demo.speech.page import print_verdict, write_page
from deploy.demo.speech.sample import load_sample
from deploy.demo.speech.session import Session
from deploy.demo.speech.training import train
from deploy.demo.speech.verdict import judge
from deploy.demo.speech.voices import Voice, make_voices
from deploy.demo.starting import start_runner
from pipeline.errors import SourceError

STEPS = 5
STREAMS = 24
SECONDS = 45.0
EPOCHS = 26
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for; None leaves the choice to the demo. See ``streamcell demo``."""

    out: Path
    broker: str | None
    streams: int | None
    epochs: int | None
    seed: int
    keep: bool
    crash: bool
    command: str
    seconds: float = SECONDS


def run_speech_demo(options: Options, console: Console) -> bool:
    """Run the whole demo; whether nothing was lost or doubled. Raises StreamcellError."""
    show, places = Show(console, STEPS), Files(options.out, NAME)
    with ExitStack() as open_things, terminated():
        if options.broker is not None:
            require_broker(options.broker)
        open_things.enter_context(demo_folder(options.out))
        sample = load_sample()
        show.step(f"Train on {len(sample.learnt)} recordings of {sample.speakers} people's digits")
        show.say("Sample: Free Spoken Digit Dataset, 20 takes of each digit by each speaker")
        began = time.monotonic()
        manifest = train(
            sample,
            places,
            show,
            epochs=options.epochs or EPOCHS,
            seed=options.seed,
            command=options.command,
        )
        show.say(f"trained and exported in {time.monotonic() - began:.0f} s")
        parity = manifest.parity
        show.say(
            "parity: stepping the exported model chunk by chunk differs from the trained one by "
            f"[bold]{parity['y_deviation']:.1e}[/] at most (allowed {parity['tolerance']:.0e})"
        )
        edges = _edges(options, places, show, open_things)
        runner, feed = _start(edges, places, show, open_things)
        count = options.streams or STREAMS
        voices = make_voices(sample.held, count, options.seconds, options.seed)
        strings = sum(len(voice.said) for voice in voices)
        show.step(f"Play {count} microphones for {options.seconds:.0f} s, as fast as time passes")
        show.say(f"{strings} strings of {len(sample.held)} recordings never heard, in noise")
        session = Session(edges, voices, feed, runner, places, show)
        open_things.callback(session.close)
        crash_s = session.run(crash=options.crash, stop=not options.keep)
        show.step("What came of it")
        finals = session.listener.finals
        verdict = judge(voices, finals, utterances(places.model, voices, FLUSH_MS / 1000))
        dead = len(session.listener.dead), session.bad_sent
        print_verdict(show, verdict, dead, crash_s)
        write_page(
            places.demo_report, verdict, dead, _examples(voices, finals), options.command, crash_s
        )
        _print_places(show, places)
        if options.keep:
            keep_up(show, runner)
    return verdict.good and dead[0] == dead[1]


def _edges(options: Options, places: Files, show: Show, open_things: ExitStack) -> SpeechEdges:
    """The user's Kafka or the embedded broker; raises SourceError where there is neither."""
    if options.broker is not None:
        show.step(f"Use the Kafka at {options.broker}")
        return SpeechEdges(options.broker, own=False)
    show.step("Start a broker that speaks Kafka's protocol")
    program = embedded_broker()
    if program is None:
        raise SourceError(
            "the embedded broker (noida-db) is not installed on this platform; give a Kafka of "
            "your own: streamcell demo speech --broker HOST:PORT"
        )
    data = places.folder / "broker"
    try:
        broker, address = start_broker(program, data)
    except OSError as error:
        raise SourceError(
            f"the embedded broker does not run on this machine ({error.strerror}); give a Kafka "
            "of your own: streamcell demo speech --broker HOST:PORT"
        ) from error
    open_things.callback(shutil.rmtree, data, ignore_errors=True)
    open_things.callback(broker.stop)
    show.say(f"embedded broker (noida-db) on {address}; it is gone when the demo ends")
    return SpeechEdges(address, own=True)


def _start(
    edges: SpeechEdges, places: Files, show: Show, open_things: ExitStack
) -> tuple[Runner, Feed]:
    show.step(f"Run the pipeline of {places.config}")
    port = free_port()
    show.block(edges.configure(places.config, places.model, port))
    feed = edges.feed()
    open_things.callback(feed.close)
    runner = start_runner(places, port, show, open_things)
    return runner, feed


def _examples(voices: Sequence[Voice], finals: Sequence[Final]) -> list[tuple[str, str, str]]:
    """What was said at the first microphones, and what was heard."""
    rows = []
    for voice in voices[:EXAMPLES]:
        name = voice.key.decode()
        heard = sorted((one for one in finals if one.stream == name), key=lambda one: one.utterance)
        said = "; ".join(one.text for one in voice.said)
        rows.append((name, said, "; ".join(one.text for one in heard)))
    return rows


def _print_places(show: Show, places: Files) -> None:
    lines = [
        f"[bold]Report[/]              {places.demo_report}",
        f"[bold]Model[/]               {places.model}",
        f"[bold]Configuration[/]       {places.config}   (log: {places.log})",
        "",
        "[bold]Next[/]",
        f"  [cyan]streamcell listen {places.model}[/]   say digits into a microphone",
        "  [cyan]streamcell train speech --help[/]   train on recordings of your own",
        "  [cyan]streamcell demo speech --crash[/]   kill the pipeline half-way",
        "  [cyan]streamcell demo speech --keep[/]   leave everything up, to look around",
    ]
    show.console.print()
    for line in lines:
        show.console.print(line, highlight=False, soft_wrap=True)
