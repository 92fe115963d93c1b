"""``streamcell evaluate tracking``: bundles as trackers, on benchmarks or on one's own videos."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from deploy.commands.evaluate.show import Stages, progress_bars, report_table, run_details
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from trainer.tracking.judge import Judge
    from trainer.tracking.video import Clip, Video


class Benchmark(StrEnum):
    """The benchmarks of tracking that can be run."""

    MOT17 = "mot17"
    PETS = "pets"


def tracking(
    data: Annotated[
        Path,
        typer.Option(
            help="A folder of folders with gt.txt, det*.txt and seqinfo.ini (text may be gzipped), "
            "or one such folder; pets: gt_frames_001-500.txt and det_fasterrcnn.txt."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for report.json, report.html and the tracks.")],
    model: Annotated[
        list[Path] | None, typer.Option(help="A motion bundle (.onnx); may be repeated.")
    ] = None,
    benchmark: Annotated[
        Benchmark | None,
        typer.Option(help="By its protocol: mot17 scores second halves, pets frames 401-500."),
    ] = None,
    tune: Annotated[
        bool,
        typer.Option(
            "--tune",
            help="Choose each bundle's parameters (mot17: on first halves) in place of scoring, "
            "and write it with them into the folder. Without --model the benchmark's models are "
            "trained first: LSTM, Kalman filter, constant velocity.",
        ),
    ] = False,
    only: Annotated[
        str | None, typer.Option(metavar="NAME,…", help="Only these sequences.")
    ] = None,
    without: Annotated[
        str | None, typer.Option(metavar="NAME,…", help="All sequences but these.")
    ] = None,
    rivals: Annotated[
        Path | None,
        typer.Option(
            metavar="PYTHON",
            help="Run others' trackers too, with a Python that has trackers 2.6.1 "
            "and norfair 2.3.0.",
        ),
    ] = None,
    official: Annotated[
        Path | None,
        typer.Option(
            metavar="SCRIPT", help="Score with this script (by the Python of --rivals, if given)."
        ),
    ] = None,
) -> None:
    """Judge trackers by MOTA, IDF1 and HOTA on detections that are given.

    mot17: DPM's scores become 1 / (1 + exp(-s)); distractors are taken out before scoring.

    For example:

      streamcell evaluate tracking --data videos/ --model motion.onnx --out out

      streamcell evaluate tracking --benchmark mot17 --data mot17 --out out/tuned --tune

      streamcell evaluate tracking --benchmark mot17 --data mot17 --model out/tuned/lstm.onnx \
--out out/scores
    """
    from trainer.benchmarks import outside
    from trainer.report import write_report

    if tune and (rivals or official or benchmark is Benchmark.PETS):
        raise ConfigError(
            "--tune",
            [
                "it chooses parameters and scores nothing: give no --rivals or --official, "
                "and no benchmark on which nothing is chosen"
            ],
        )
    if not model and not (tune and benchmark is Benchmark.MOT17):
        raise ConfigError(
            "--model", ["give at least one bundle (only mot17 --tune trains its own)"]
        )
    videos = _chosen(_videos(data, benchmark), only, without)
    clips = _clips(videos, benchmark, tune)
    if rivals:
        outside.check_rivals(rivals)
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    title = f"{benchmark.value if benchmark else data.name}: tracks of given detections"
    with progress_bars(console) as bars:
        stages = Stages(bars, "tracking")
        bundles = model or _trained(data, videos, out, stages)
        if tune:
            report = _tuned(title, clips, bundles, out, stages)
        else:
            floors = benchmark is Benchmark.MOT17 and not (only or without)
            report = _scored(title, clips, bundles, out, stages, rivals, official, floors)
    command = ["streamcell", "evaluate", "tracking", "--data", str(data), "--out", str(out)]
    command += [word for each in model or [] for word in ("--model", str(each))]
    command += ["--benchmark", benchmark] if benchmark else []
    command += ["--tune"] if tune else []
    for name, value in (("only", only), ("without", without)):
        command += [f"--{name}", value] if value else []
    for name, path in (("rivals", rivals), ("official", official)):
        command += [f"--{name}", str(path)] if path else []
    report |= run_details(command, {})
    write_report(out / "report.html", report)
    for table in report["tables"]:
        console.print(report_table(table))
    if "verdict" in report:
        console.print(report["verdict"]["text"])
    console.print(f"Written: {out / 'report.json'}, {out / 'report.html'}")


def _videos(data: Path, benchmark: Benchmark | None) -> tuple[Video, ...]:
    from trainer.benchmarks.mot17 import load_mot17, load_pets
    from trainer.tracking.video import read_videos

    if benchmark is None:
        return read_videos(data)
    return load_mot17(data) if benchmark is Benchmark.MOT17 else load_pets(data)


def _chosen(videos: tuple[Video, ...], only: str | None, without: str | None) -> tuple[Video, ...]:
    names = [video.name for video in videos]
    wanted, unwanted = (text.split(",") if text else [] for text in (only, without))
    if unknown := sorted({*wanted, *unwanted} - set(names)):
        problems = [f"no sequence {name!r}; there are {', '.join(names)}" for name in unknown]
        raise ConfigError("--only, --without", problems)
    kept = [one for one in videos if one.name not in unwanted and (not only or one.name in wanted)]
    if not kept:
        raise ConfigError("--only, --without", ["no sequence is left"])
    return tuple(kept)


def _clips(videos: tuple[Video, ...], benchmark: Benchmark | None, tune: bool) -> list[Clip]:
    from trainer.benchmarks import mot17

    if benchmark is Benchmark.MOT17:
        return mot17.first_halves(videos) if tune else mot17.second_halves(videos)
    if benchmark is Benchmark.PETS:
        return [video.clip(*mot17.PETS_FRAMES) for video in videos]
    return [video.clip(1, video.last) for video in videos]


def _judge(path: Path) -> Judge:
    from pipeline.bundle import read_bundle
    from pipeline.engines.onnx import OnnxEngine
    from trainer.tracking.judge import Judge

    bundle = read_bundle(path)
    return Judge(OnnxEngine(bundle), bundle.manifest)


def _trained(data: Path, videos: Sequence[Video], out: Path, stages: Stages) -> list[Path]:
    """Motion models that have learned from the first halves of these videos alone."""
    from export.tracking import export_tracking
    from trainer.tracking.config import TrackingConfig
    from trainer.tracking.data import read_recordings
    from trainer.tracking.motion import ConstantVelocity
    from trainer.tracking.train import fit

    config = TrackingConfig(until=0.5)
    names = {video.name for video in videos}
    recordings = [one for one in read_recordings(data, until=config.until) if one.name in names]
    trained = fit(recordings, config, workdir=out / "work", progress=stages)
    others = {"kalman": trained.kalman, "constant_velocity": ConstantVelocity()}
    paths = [out / "untuned" / f"{name}.onnx" for name in ("lstm", *others)]
    export_tracking(trained, paths[0], name="lstm")
    for path, other in zip(paths[1:], others.values(), strict=True):
        export_tracking(trained, path, name=path.stem, model=other)
    return paths


def _tuned(
    title: str, clips: list[Clip], model: list[Path], out: Path, stages: Stages
) -> dict[str, Any]:
    from export.head import write_head
    from pipeline.bundle import read_bundle
    from trainer.benchmarks import mot17
    from trainer.benchmarks.mot17_report import tuned_report

    found = {}
    for path in model:
        found[path.stem] = mot17.tuned(_judge(path), clips, stages)
        head = found[path.stem].params.model_dump()
        write_head(read_bundle(path), head, out / f"{path.stem}.onnx")
    return tuned_report(title, clips, found)


def _scored(
    title: str,
    clips: list[Clip],
    model: list[Path],
    out: Path,
    stages: Stages,
    rivals: Path | None,
    official: Path | None,
    floors: bool,
) -> dict[str, Any]:
    import sys

    from trainer.benchmarks import mot17, outside
    from trainer.benchmarks.mot17_report import scores_report

    folder = out / "tracks"
    folder.mkdir(exist_ok=True)
    stages.stage("tracking", len(model) + bool(rivals))
    entries: list[mot17.Entry] = []
    versions: dict[str, str] = {}
    for path in model:
        judge = _judge(path)
        entries.append(mot17.run(judge, f"streamcell {path.stem}", clips, judge.own, folder))
        stages.advance(path.stem)
    if rivals:
        others, versions = outside.rivals(rivals, clips, folder)
        entries += others
        stages.advance("others")
    stages.stage("scoring", len(entries))
    scored = []
    for entry in entries:
        figures = (
            outside.official(rivals or Path(sys.executable), official, entry, clips)
            if official
            else mot17.scores(entry, clips)
        )
        scored.append((entry, figures))
        stages.advance(entry.tracker)
    scorer = official.name if official else "streamcell's own scorer"
    return scores_report(
        title, clips, scored, len(model), scorer=scorer, floors=floors, versions=versions
    )
