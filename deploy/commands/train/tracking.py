"""``streamcell train tracking``: from tracks of people to a bundle that predicts their boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.commands.settings import config_of
from deploy.commands.train import options
from deploy.commands.train.job import Job, produce


def tracking(
    data: Annotated[
        Path,
        typer.Option(
            help="A MOT file of ground truth (.txt, .txt.gz); a folder with gt.txt and perhaps "
            "det*.txt and seqinfo.ini; or a folder of such files or folders."
        ),
    ],
    out: options.Out,
    name: options.Name = None,
    until: Annotated[
        float | None,
        typer.Option(min=0.01, max=1.0, help="Use only this share of each video, from its start."),
    ] = None,
    frame_rate: Annotated[
        float | None,
        typer.Option(min=0.1, help="Frames a second where no seqinfo.ini says it. Default: 30."),
    ] = None,
    resume: options.Resume = False,
    hidden: Annotated[int | None, typer.Option(min=2, help="Width of the LSTM.")] = None,
    epochs: options.Epochs = None,
    seed: options.Seed = None,
    threads: options.Threads = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Another option, such as strides=1, or a parameter of the tracker that the bundle "
            "is to hold, such as min_hits=2.",
        ),
    ] = None,
) -> None:
    """Learn how people move, as a detector sees them, from tracks.

    Each person of the ground truth is given the detections that are of that person; without
    detections the boxes are made noisy instead. The end of each video is held out: one part stops
    the training, the last one is for the report alone, beside a Kalman filter.

    Examples:
      streamcell train tracking --data MOT17/train --out out

      streamcell train tracking --data MOT17/train --out out --until 0.5 --set min_hits=2

      streamcell train tracking --data tracks.txt --out out --frame-rate 25

    """
    # Training's libraries take seconds to import; --help and other commands do without.
    from export.tracking import export_tracking
    from pipeline.tracking.params import TrackingParams
    from trainer.tracking.config import TrackingConfig
    from trainer.tracking.data import read_recordings
    from trainer.tracking.figures import figures
    from trainer.tracking.train import fit

    given = {
        "until": until,
        "frame_rate": frame_rate,
        "hidden": hidden,
        "epochs": epochs,
        "seed": seed,
        "threads": threads,
    }
    of_head = [each for each in setting or [] if each.split("=")[0] in TrackingParams.model_fields]
    of_training = [each for each in setting or [] if each not in of_head]
    config = config_of(TrackingConfig, given, of_training, "training options")
    params = config_of(TrackingParams, {}, of_head, "the tracker's parameters")
    recordings = read_recordings(data, until=config.until, frame_rate=config.frame_rate)
    produce(
        Console(),
        Job(data, out, name, None, resume),
        fit=lambda workdir, told: fit(
            recordings, config, params, workdir=workdir, progress=told, resume=resume
        ),
        export=lambda trained, path, named: export_tracking(trained, path, name=named),
        figures=figures,
        more=lambda _: [],
    )
