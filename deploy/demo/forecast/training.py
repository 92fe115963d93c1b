"""The first step: a model of the earlier months, as a bundle with a report."""

from __future__ import annotations

from deploy.demo.forecast.sample import FEATURE, LOOK_BACK, Sample
from deploy.demo.run import Places
from deploy.demo.show import Show, TrainingBar
from export.forecast import export_forecast
from pipeline.manifest import Manifest
from trainer.forecast import ForecastConfig, fit
from trainer.forecast.figures import figures
from trainer.report import write_report

HORIZONS = tuple(range(1, 49))  # each half hour of the next day
QUANTILES = (0.1, 0.5, 0.9)
HIDDEN = 128


def train(
    sample: Sample, places: Places, show: Show, *, epochs: int, seed: int, command: str
) -> Manifest:
    """Train on ``sample.train``, check parity, write the bundle and the training's report."""
    config = ForecastConfig(
        targets=(FEATURE,),
        horizons=HORIZONS,
        quantiles=QUANTILES,
        look_back=LOOK_BACK,
        hidden=HIDDEN,
        standardise=True,  # the copies differ in size
        validation=0.2,  # four weeks to fit the bands to,
        bands="validation",
        test=0.05,  # and hardly more, for what is played is the test
        epochs=epochs,
        seed=seed,
    )
    with TrainingBar(show) as bar:
        trained = fit([sample.train], config, workdir=places.folder / "training", progress=bar)
    manifest = export_forecast(trained, places.model, name=places.scene.name)
    titled = {"title": "New York's taxis", "command": command, "figures": figures(trained)}
    write_report(places.training_report, {**trained.report, **titled})
    return manifest
