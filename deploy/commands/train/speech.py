"""``streamcell train speech``: from recordings to a bundle that hears words or keywords."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.commands.settings import config_of
from deploy.commands.train import options
from deploy.commands.train.job import Job, produce


class Task(StrEnum):
    """What is to be heard."""

    KEYWORDS = "keywords"
    WORDS = "words"


def speech(
    task: Annotated[Task, typer.Option(help="Everything that is said, or a few keywords.")],
    data: Annotated[
        Path,
        typer.Option(
            help="Folder: transcripts.tsv beside audio files or features.npz; or a folder of "
            "audio files per label. Keywords: `_background_` is the label of all other sound."
        ),
    ],
    out: options.Out,
    name: options.Name = None,
    rate: Annotated[
        int | None,
        typer.Option(min=1000, help="Hz to bring all sound to. Default: the files' lowest."),
    ] = None,
    speaker: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="Finds the speaker in a file's name or id: the first group. Speakers are then "
            "never shared between the parts.",
        ),
    ] = None,
    lexicon: Annotated[
        Path | None,
        typer.Option(help="Words: a pronunciation dictionary, a word and its phones in a line."),
    ] = None,
    noise: Annotated[
        Path | None,
        typer.Option(help="Words: a folder of noises to lay under the sound in training."),
    ] = None,
    resume: options.Resume = False,
    hidden: Annotated[int | None, typer.Option(min=2, help="Width of each LSTM layer.")] = None,
    layers: Annotated[int | None, typer.Option(min=1, help="LSTM layers.")] = None,
    epochs: options.Epochs = None,
    seed: options.Seed = None,
    threads: options.Threads = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Another option, such as chunk_ms=80."),
    ] = None,
) -> None:
    """Learn to hear words, or a few keywords, from recordings.

    A part of the recordings is held out, by speakers where they are known: one share stops the
    training, another one is for the report alone.

    Examples:
      streamcell train speech --task words --data digits/ --out out

      streamcell train speech --task words --data an4/ --out out --speaker "-([a-z0-9]+)-"

      streamcell train speech --task keywords --data wake_words/ --out out --set chunk_ms=40

    """
    # Training's libraries take seconds to import; --help and other commands do without.
    from export.speech import export_speech
    from trainer.speech import words
    from trainer.speech.data import read_corpus, read_noises
    from trainer.speech.keywords.config import KeywordsConfig
    from trainer.speech.keywords.train import fit as fit_keywords
    from trainer.speech.words.units import read_lexicon

    given = {
        "hidden": hidden,
        "layers": layers,
        "epochs": epochs,
        "seed": seed,
        "threads": threads,
    }
    console = Console()
    job = Job(data, out, name, None, resume)
    if task is Task.KEYWORDS:
        few = config_of(KeywordsConfig, given, setting or [], "training options")
        corpus = read_corpus(data, sample_rate_hz=rate, speaker=speaker)
        produce(
            console,
            job,
            fit=lambda workdir, told: fit_keywords(
                corpus, few, workdir=workdir, progress=told, resume=resume
            ),
            export=lambda trained, path, named: export_speech(trained, path, name=named),
            figures=lambda _: [],
            more=lambda _: [],
        )
        return
    all_said = config_of(words.WordsConfig, given, setting or [], "training options")
    corpus = read_corpus(data, sample_rate_hz=rate, speaker=speaker)
    noises = read_noises(noise, corpus.sample_rate_hz) if noise else ()
    phones = read_lexicon(lexicon) if lexicon else None
    produce(
        console,
        job,
        fit=lambda workdir, told: words.fit(
            corpus,
            all_said,
            workdir=workdir,
            progress=told,
            resume=resume,
            lexicon=phones,
            noises=noises,
        ),
        export=lambda trained, path, named: export_speech(trained, path, name=named),
        figures=lambda _: [],
        more=lambda _: [],
    )
