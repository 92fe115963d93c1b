"""``streamcell evaluate speech``: a bundle on a folder of recordings, or a whole benchmark."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from deploy.commands.evaluate.show import Stages, progress_bars, report_table, run_details
from deploy.commands.settings import config_of
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from trainer.fit import Progress


class Benchmark(StrEnum):
    """The benchmarks of speech that can be run."""

    YESNO = "yesno"
    FSDD = "fsdd"
    AN4 = "an4"
    WAKE_WORDS = "wake_words"


def speech(
    data: Annotated[
        Path,
        typer.Option(
            help="With --model: a folder of recordings, as `train speech` takes it. With "
            "--benchmark: its folder; fsdd and wake_words look for the other sets beside it."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for report.json, report.html and bundles.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="A bundle (.onnx) to judge.")] = None,
    benchmark: Annotated[
        Benchmark | None, typer.Option(help="Train and judge by a benchmark's protocol.")
    ] = None,
    speaker: Annotated[
        str | None,
        typer.Option(metavar="NAME,…", help="fsdd: leave out only these speakers, not each."),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A training option, such as epochs=10."),
    ] = None,
) -> None:
    """Judge a bundle on recordings, or train and judge by the protocol of a benchmark.

    A bundle is run as it will be live: chunk by chunk, with its own decoder. Words: the word error.
    Keywords: misses and false alarms.

    For example:

      streamcell evaluate speech --data digits/ --model out/digits.onnx

      streamcell evaluate speech --benchmark an4 --data speech/an4 --out out/an4

      streamcell evaluate speech --benchmark fsdd --data speech/fsdd --out out/fsdd
    """
    console = Console()
    settings: dict[str, Any] = {}
    if model is not None and benchmark is None:
        report = _judged(data, model)
    elif benchmark is not None and model is None and out is not None:
        with progress_bars(console) as bars:
            stages = Stages(bars, "training")
            if benchmark is Benchmark.FSDD:
                report, settings = _fsdd(data, out, setting or [], stages, speaker)
            else:
                run = {
                    Benchmark.YESNO: _yesno,
                    Benchmark.AN4: _an4,
                    Benchmark.WAKE_WORDS: _wake_words,
                }[benchmark]
                report, settings = run(data, out, setting or [], stages)
    else:
        raise ConfigError(
            "evaluate speech", ["give either --model, or --benchmark with --out for its bundles"]
        )
    for table in report["tables"]:
        console.print(report_table(table))
    for line in report.get("headline", []):
        console.print(f"{line['label']}: {line['value']} ({line['note']})")
    if "verdict" in report:
        console.print(report["verdict"]["text"])
    if out is not None:
        from trainer.report import write_report

        command = ["streamcell", "evaluate", "speech", "--data", str(data), "--out", str(out)]
        command += ["--model", str(model)] if model else []
        command += ["--benchmark", benchmark] if benchmark else []
        command += ["--speaker", speaker] if speaker else []
        command += [word for each in setting or [] for word in ("--set", each)]
        report |= run_details(command, settings)
        write_report(out / "report.html", report)
        console.print(f"Written: {out / 'report.json'}, {out / 'report.html'}")


def _judged(data: Path, model: Path) -> dict[str, Any]:
    from pipeline.bundle import read_bundle
    from pipeline.engines.onnx import OnnxEngine
    from trainer.speech.data import read_corpus
    from trainer.speech.judge import judge

    bundle = read_bundle(model)
    audio = bundle.manifest.audio
    corpus = read_corpus(data, sample_rate_hz=audio.sample_rate_hz if audio else None)
    engine = OnnxEngine(bundle)
    try:
        return {"title": f"{bundle.manifest.name} on {data.name}", **judge(bundle, engine, corpus)}
    finally:
        engine.close()


def _yesno(
    data: Path, out: Path, setting: list[str], progress: Progress
) -> tuple[dict[str, Any], dict[str, Any]]:
    from export.speech import export_speech
    from trainer.benchmarks import yesno
    from trainer.benchmarks.speech_report import yesno_report
    from trainer.speech.words import WordsConfig

    config = config_of(WordsConfig, yesno.SETTINGS, setting, "--set")
    trained, parts = yesno.run(data, config, workdir=out / "work", progress=progress)
    export_speech(trained, out / "yesno.onnx", name="yesno")
    return yesno_report(trained, parts), config.model_dump()


def _an4(
    data: Path, out: Path, setting: list[str], progress: Progress
) -> tuple[dict[str, Any], dict[str, Any]]:
    from export.speech import export_speech
    from trainer.benchmarks import an4
    from trainer.benchmarks.speech_report import an4_report
    from trainer.speech.words import WordsConfig

    config = config_of(WordsConfig, an4.SETTINGS, setting, "--set")
    found = an4.run(data, config, workdir=out / "work", progress=progress)
    export_speech(found.trained, out / "an4.onnx", name="an4")
    return an4_report(found), config.model_dump()


def _wake_words(
    data: Path, out: Path, setting: list[str], progress: Progress
) -> tuple[dict[str, Any], dict[str, Any]]:
    from export.speech import export_speech
    from trainer.benchmarks import wake_words
    from trainer.benchmarks.wake_words_report import wake_words_report
    from trainer.speech.keywords.config import KeywordsConfig

    config = config_of(KeywordsConfig, wake_words.SETTINGS, setting, "--set")
    found = wake_words.run(data, config, workdir=out / "work", progress=progress)
    export_speech(found.trained, out / "wake_words.onnx", name="wake_words")
    return wake_words_report(found), config.model_dump()


def _fsdd(
    data: Path, out: Path, setting: list[str], progress: Progress, speaker: str | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    from export.speech import export_speech
    from trainer.benchmarks import fsdd
    from trainer.benchmarks.speech_report import fsdd_report
    from trainer.speech.words import WordsConfig

    config = config_of(WordsConfig, fsdd.SETTINGS, setting, "--set")
    loaded = fsdd.load(data, data.parent / "noise")
    left_out = speaker.split(",") if speaker else list(loaded.speakers)
    if unknown := sorted(set(left_out) - set(loaded.speakers)):
        have = ", ".join(loaded.speakers)
        raise ConfigError("--speaker", [f"no speaker {one!r}; there are {have}" for one in unknown])
    folds = []
    for name in left_out:
        fold = fsdd.unseen_speaker(loaded, name, config, workdir=out / "work", progress=progress)
        export_speech(fold.trained, out / f"without-{name}.onnx", name=f"digits-without-{name}")
        folds.append(fold)
    official = None
    if not speaker:
        official = fsdd.official(loaded, config, workdir=out / "work", progress=progress)
        export_speech(official.trained, out / "digits.onnx", name="digits")
    return fsdd_report(folds, official), config.model_dump()
