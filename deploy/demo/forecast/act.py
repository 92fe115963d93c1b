"""The forecast demo, as the shared flow wants it."""

from __future__ import annotations

from deploy.demo.counter import Counter
from deploy.demo.edges import Tail
from deploy.demo.forecast.listener import ForecastListener
from deploy.demo.forecast.page import write_page
from deploy.demo.forecast.sample import FEATURE, LATER_ROWS, LOOK_BACK, load_sample
from deploy.demo.forecast.streams import REAL, TaxiStreams, make_streams
from deploy.demo.forecast.tables import print_judged
from deploy.demo.forecast.ticker import ForecastTicker
from deploy.demo.forecast.training import HORIZONS, QUANTILES, train
from deploy.demo.forecast.verdict import judge
from deploy.demo.run import Places, Run
from deploy.demo.scene import Scene
from deploy.demo.show import Show
from pipeline.manifest import Manifest

EPOCHS = 25
JUDGED = (1, 6, 24, 48)  # horizons
SCENE = Scene(
    task="forecast",
    name="taxi-demand",
    thing="taxi",
    feature=FEATURE,
    example_time="2015-02-01T00:00:00Z",
    example_value=24.0,
    kind="forecast",
    outputs="forecasts",
    told="A forecast for every row: 48 half hours ahead, each with its quantiles",
    alarms=False,
    may_lack=True,
)


class ForecastAct:
    """See ``Act``. ``command`` is what the user typed.

    ``rows`` of each stream are judged; LOOK_BACK more come before them.
    """

    scene = SCENE
    streams_most = 100
    rate_most = 2000.0  # each row the model reads a look-back of 384 rows again

    def __init__(
        self, *, seed: int, command: str, rows: int = LATER_ROWS, epochs: int = EPOCHS
    ) -> None:
        self._sample = load_sample(rows)
        self._epochs, self._seed, self._command = epochs, seed, command
        self._streams: TaxiStreams
        self._listener: ForecastListener

    def train(self, places: Places, show: Show) -> Manifest:
        """Train on what came before."""
        sample = self._sample
        days = len(sample.train) / 48
        show.step(f"Train on {days:.0f} days of a city's taxi demand, a reading each half hour")
        show.say("Sample: Numenta Anomaly Benchmark, passengers of New York's taxis")
        return train(
            sample, places, show, epochs=self._epochs, seed=self._seed, command=self._command
        )

    def streams(self, count: int) -> TaxiStreams:
        """The real series and copies of it."""
        self._streams = make_streams(self._sample, count, self._seed)
        return self._streams

    def describe(self) -> str:
        """How the copies differ."""
        return (
            f"{REAL}, and {len(self._streams) - 1} copies: larger or smaller, up to an hour ahead "
            f"or behind, noisier. The first {LOOK_BACK} rows fill the model's look-back"
        )

    def listener(self, tail: Tail, counter: Counter) -> ForecastListener:
        """Keeps forecasts."""
        self._listener = ForecastListener(
            tail,
            counter,
            self._streams,
            horizons=len(HORIZONS),
            quantiles=len(QUANTILES),
            places=[HORIZONS.index(horizon) for horizon in JUDGED],
        )
        return self._listener

    def ticker(self, show: Show) -> ForecastTicker:
        """Tells of forecasts when their truth comes."""
        return ForecastTicker(show, self._streams, self._listener, HORIZONS)

    def finish(self, run: Run, places: Places, show: Show) -> None:
        """Hold the forecasts against what came."""
        streams, heard = self._streams, self._listener
        judged = judge(streams, heard.kept, JUDGED, QUANTILES, LOOK_BACK)
        write_page(places, run, streams, heard.real, judged, self._command)
        print_judged(show, judged)

    def next_steps(self, places: Places) -> tuple[tuple[str, str], ...]:
        """What else there is."""
        return (
            (f"inspect {places.model}", "what the model file says of itself"),
            ("train forecast --help", "train on rows of your own (CSV or Parquet)"),
            (f"check {places.config}", "then copy it, and put your topics and model in"),
            ("run pipeline.toml", "run that"),
            ("demo forecast --keep", "leave everything up, to look around and to send rows"),
            ("demo", "the same way with alarms of a machine's temperature"),
        )
