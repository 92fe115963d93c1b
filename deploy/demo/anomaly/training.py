"""The first step: a model of the machine's earlier weeks, as a bundle with a report."""

from __future__ import annotations

from deploy.demo.anomaly.sample import Sample
from deploy.demo.run import Places
from deploy.demo.show import Show, TrainingBar
from export.bundle import export_bundle
from pipeline.manifest import Manifest
from trainer.anomaly import AnomalyConfig, Trained, fit, score
from trainer.report import write_report
from trainer.report_figures import curve_figure, series_figure

# A quarter of the default model: on one feature the larger one is hardly better, and slower.
HIDDEN = 32


def train(
    sample: Sample, places: Places, show: Show, *, epochs: int, seed: int, command: str
) -> Manifest:
    """Train on ``sample.train``, check parity, write the bundle and the training's report."""
    config = AnomalyConfig(hidden=HIDDEN, epochs=epochs, seed=seed)
    with TrainingBar(show) as bar:
        trained = fit([sample.train], config, workdir=places.folder / "training", progress=bar)
    manifest = export_bundle(trained, places.model, name=places.scene.name)
    figures = _figures(trained, sample)
    titled = {"title": "One machine's temperature", "command": command, "figures": figures}
    write_report(places.training_report, {**trained.report, **titled})
    return manifest


def _figures(trained: Trained, sample: Sample) -> list[dict[str, str]]:
    epochs = trained.report["epochs"]
    losses = {part: [epoch[part] for epoch in epochs] for part in ("training", "validation")}
    best = min(range(len(epochs)), key=losses["validation"].__getitem__)
    scored = score(trained, sample.train)
    return [
        curve_figure("Training", losses, best=best + 1),
        series_figure(
            "Training and calibration rows",
            sample.train.values,
            times=sample.train.times,
            features=sample.train.features,
            expected=scored.expected,
            score=scored.score,
            threshold=trained.head["threshold"],
            alarms=scored.alarm,
            caption="The last quarter was held out for calibration.",
        ),
    ]
