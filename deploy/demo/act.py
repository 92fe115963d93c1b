"""The contract between the demo's flow and what one of the demos is about."""

from __future__ import annotations

from typing import Protocol

from deploy.demo.counter import Counter
from deploy.demo.edges import Tail
from deploy.demo.listener import Listener
from deploy.demo.run import Places, Run
from deploy.demo.scene import Scene
from deploy.demo.show import Show
from deploy.demo.streams import Streams
from pipeline.manifest import Manifest


class Ticker(Protocol):
    """Tells of outputs as they come."""

    def tell(self) -> None:
        """Print what is worth it of what came since; called a few times a second."""
        ...

    def summary(self) -> None:
        """Print what was held back, at the end."""
        ...


class Act(Protocol):
    """One demo: its sample, its model, its streams, and what is made of the outputs.

    ``streams`` is called once, after ``train``; ``listener`` and ``ticker`` after that.
    """

    scene: Scene
    streams_most: int  # live streams, and rows a second: no more unless the user says so
    rate_most: float

    def train(self, places: Places, show: Show) -> Manifest:
        """Train, export, and write the training's report; the first step."""
        ...

    def streams(self, count: int) -> Streams:
        """The real stream and ``count - 1`` copies."""
        ...

    def describe(self) -> str:
        """One line on the streams."""
        ...

    def listener(self, tail: Tail, counter: Counter) -> Listener:
        """What hears the outputs."""
        ...

    def ticker(self, show: Show) -> Ticker:
        """What tells of them as they come."""
        ...

    def finish(self, run: Run, places: Places, show: Show) -> None:
        """Write the report and print the figures that are this demo's own."""
        ...

    def next_steps(self, places: Places) -> tuple[tuple[str, str], ...]:
        """Commands to try next, without ``streamcell``, and what each is for."""
        ...
