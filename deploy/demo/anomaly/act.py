"""The anomaly demo, as the shared flow wants it."""

from __future__ import annotations

from deploy.demo.anomaly.listener import AlarmListener
from deploy.demo.anomaly.outcome import Outcome
from deploy.demo.anomaly.page import write_page
from deploy.demo.anomaly.sample import FEATURE, LATER_ROWS, load_sample
from deploy.demo.anomaly.streams import LABELLED, REAL, FaultyStreams, make_streams
from deploy.demo.anomaly.tables import print_detection
from deploy.demo.anomaly.ticker import AlarmTicker
from deploy.demo.anomaly.training import train
from deploy.demo.anomaly.verdict import judge
from deploy.demo.counter import Counter
from deploy.demo.edges import Tail
from deploy.demo.run import Places, Run
from deploy.demo.scene import Scene
from deploy.demo.show import Show
from pipeline.manifest import Manifest

EPOCHS = 60
SCENE = Scene(
    task="anomaly",
    name="machine-temperature",
    thing="machine",
    feature=FEATURE,
    example_time="2014-02-20T00:00:00Z",
    example_value=92.5,
    kind="score",
    outputs="scores",
    told="One score for every row, and alarms when they open and when they close",
    alarms=True,
    may_lack=False,
)


class AnomalyAct:
    """See ``Act``. ``rows`` are of each stream, ``command`` is what the user typed."""

    scene = SCENE
    streams_most = 300
    rate_most = 20_000.0

    def __init__(
        self, *, seed: int, command: str, rows: int = LATER_ROWS, epochs: int = EPOCHS
    ) -> None:
        self._sample = load_sample(rows)
        self._epochs, self._seed, self._command = epochs, seed, command
        self._threshold = 0.0
        self._streams: FaultyStreams
        self._listener: AlarmListener

    def train(self, places: Places, show: Show) -> Manifest:
        """Train without labels."""
        sample = self._sample
        show.step(f"Train on {len(sample.train):,} readings of one machine's {FEATURE}")
        show.say("Sample: Numenta Anomaly Benchmark, machine temperature, a reading in 5 minutes")
        manifest = train(
            sample, places, show, epochs=self._epochs, seed=self._seed, command=self._command
        )
        self._threshold = float(manifest.head["threshold"])
        show.say(f"alarm threshold {self._threshold:.3f}, set without labels")
        return manifest

    def streams(self, count: int) -> FaultyStreams:
        """The real machine and copies of it."""
        self._streams = make_streams(self._sample, count, self._seed)
        return self._streams

    def describe(self) -> str:
        """How the copies differ."""
        faults = sum(1 for window in self._streams.windows if window.kind != LABELLED)
        return (
            f"{REAL}, and {len(self._streams) - 1} copies: rotated in time, scaled, moved, a "
            f"little noisy; {faults} with one injected fault"
        )

    def listener(self, tail: Tail, counter: Counter) -> AlarmListener:
        """Keeps alarms."""
        self._listener = AlarmListener(tail, counter, self._streams)
        return self._listener

    def ticker(self, show: Show) -> AlarmTicker:
        """Tells of alarms."""
        return AlarmTicker(show, self._streams, self._listener)

    def finish(self, run: Run, places: Places, show: Show) -> None:
        """Hold the alarms against what is known."""
        heard = self._listener
        alarms = heard.alarms()
        outcome = Outcome(
            run=run,
            verdict=judge(self._streams, alarms),
            alarms=tuple(alarms),
            threshold=self._threshold,
            real_score=heard.real_score,
            real_expected=heard.real_expected,
            real_alarm=heard.real_alarm,
        )
        write_page(places, self._streams, outcome, self._command)
        print_detection(show, outcome.verdict)

    def next_steps(self, places: Places) -> tuple[tuple[str, str], ...]:
        """What else there is."""
        return (
            (f"inspect {places.model}", "what the model file says of itself"),
            ("train anomaly --help", "train on rows of your own (CSV or Parquet)"),
            (f"check {places.config}", "then copy it, and put your topics and model in"),
            ("run pipeline.toml", "run that"),
            ("demo --crash", "kill the pipeline half-way; nothing is lost or doubled"),
            ("demo --keep", "leave everything up, to look around and to send rows"),
            ("demo forecast", "the same way with forecasts of a city's taxi demand"),
        )
