"""Train the demo's detector anew: ``python -m deploy.demo.tracking.teach`` (about three minutes).

It learns from films of the demo's places that are never played, with other people in them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from deploy.demo.show import Show, TrainingBar
from deploy.demo.tracking.film import FRAMES_PER_S, Shown, film
from deploy.demo.tracking.places import HEIGHT, PLACES, WIDTH
from export.detector import export_detector
from trainer.detector.train import Example, fit

DETECTOR = Path(__file__).with_name("people.onnx")
FIRST_SEED = 1_000_000  # of the films that it learns from; the demo plays others
FILMS, SECONDS = 9, 30.0  # of each place
EVERY = 10  # frame of a film: two that follow each other are nearly the same
HELD = 1  # films of each place that choose the best epoch
EPOCHS = 6
CLEAR = 0.35  # visible share of a person who is to be found


def examples(
    films: Sequence[int], seconds: float = SECONDS, every: int = EVERY
) -> Iterator[Example]:
    """Pictures of all places' films with these numbers."""
    for number in films:
        for at, place in enumerate(PLACES):
            seed = FIRST_SEED + 100 * number + at
            each_s = 0.8 + 0.35 * (number % 6)
            yield from map(_example, film(place, seconds, seed, each_s=each_s, every=every))


def _example(shown: Shown) -> Example:
    boxes = np.array([one.box for one in shown.present], np.float32).reshape(-1, 4)
    clear = np.array([one.visible >= CLEAR for one in shown.present], np.bool_)
    return Example(shown.picture, boxes, clear)


def main() -> None:
    """Render, train, write."""
    show = Show(Console(), 2)
    show.step(f"Draw {FILMS * len(PLACES)} films of {SECONDS:.0f} s, {FRAMES_PER_S} frames/s")
    held, learnt = list(examples(range(HELD))), list(examples(range(HELD, FILMS)))
    show.step(f"Learn from {len(learnt)} of their pictures")
    with TrainingBar(show) as bar, tempfile.TemporaryDirectory() as folder:
        model = fit(learnt, held, workdir=Path(folder), epochs=EPOCHS, progress=bar)
    export_detector(model, (WIDTH, HEIGHT), DETECTOR)
    show.say(f"{DETECTOR}: {DETECTOR.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
