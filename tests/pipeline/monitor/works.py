"""A made-up works: four pipelines of the four tasks in one process, for the live page's tests.

``python -m tests.pipeline.monitor.works`` serves the live page with them until interrupted; one
of them fails now and then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from pipeline.metrics import Metrics
from pipeline.monitor.health import Health, Vitals
from pipeline.monitor.live import LiveView
from pipeline.monitor.members import Condition, Member
from pipeline.monitor.pictures import Printer
from pipeline.monitor.registries import process_registry
from pipeline.monitor.server import Monitor
from tests.pipeline.monitor import callers, gauges, plant, street

PRESSES, HALL, RIVERS, DOORS = "press-line-7", "hall-microphones", "river-levels", "doors"
FAILURE = "kafka: the broker at broker-2:9092 closed the connection (SASL authentication failed)"
ATTEMPT_S = 12.0


class Work:
    """One pipeline: ``step`` tells its view what comes next, every ``every_s``.

    ``condition`` and ``vitals`` are for others to set; without a view it is still being assembled.
    """

    def __init__(
        self, name: str, view: LiveView, step: Callable[[LiveView, float], None], every_s: float
    ) -> None:
        self.name, self.view, self.every_s = name, view, every_s
        self.condition, self.assembled = Condition(), True
        self.vitals = Vitals(3600)
        self.registry = Metrics(name).registry
        self._step = step
        view._pipeline = name

    def step(self, time_s: float) -> None:
        """The rows of this moment."""
        self._step(self.view, time_s)

    def member(self) -> Member:
        """How it stands."""
        health: Callable[[], Health] = self.vitals
        view = self.view if self.assembled else None
        return Member(self.name, health, self.registry, view, self.condition)


def presses(machines: int = 240, budget: float = 1e9) -> Work:
    """Anomalies in machines."""
    made = plant.Plant(machines)
    view = LiveView(PRESSES, plant.FEATURES, budget=budget)
    plant.tell(view, made)

    def step(view: LiveView, time_s: float) -> None:
        view.observe(*made.step(time_s - 0.004))
        view.status({"lag": 8 + int(time_s / 7) % 5, "live_streams": machines})
        if int(time_s * 10) % 130 == 50:
            view.rejected([made.reject(time_s)])

    return Work(PRESSES, view, step, 0.1)


def hall(budget: float = 1e9) -> Work:
    """Words that are spoken into microphones."""
    made = callers.Callers("words")
    view = callers.view_of("words", budget)

    def step(view: LiveView, time_s: float) -> None:
        view.observe(*made.step(time_s - 0.02))
        view.status({"lag": 0, "live_streams": 12})

    return Work(HALL, view, step, callers.CHUNK_S)


def rivers(budget: float = 1e9) -> Work:
    """Forecasts of river levels."""
    made = gauges.Gauges()
    for _ in range(max(gauges.HORIZONS)):
        made.step()  # from the first row seen on, forecasts meet their truth
    view = gauges.view_of(budget)

    def step(view: LiveView, _: float) -> None:
        view.observe(*made.step())
        view.status({"lag": 0, "live_streams": 24})

    return Work(RIVERS, view, step, 0.25)


def doors(printer: Printer | None = None, budget: float = 1e9) -> Work:
    """People before cameras."""
    made = street.Street(("front door", "yard"))
    view = street.view_of(printer, budget)

    def step(view: LiveView, time_s: float) -> None:
        made.show(view, time_s)
        view.status({"lag": 0, "live_streams": 2})

    return Work(DOORS, view, step, street.FRAME_S)


class Works:
    """Several pipelines behind one monitor."""

    def __init__(self, works: list[Work], token: str, port: int = 0) -> None:
        self.works = works
        self.monitor = Monitor(
            port=port,
            token=token,
            members=self.members,
            registry=process_registry(),
        )

    def members(self) -> list[Member]:
        """How each stands."""
        return [work.member() for work in self.works]

    def __getitem__(self, name: str) -> Work:
        return next(work for work in self.works if work.name == name)

    def fill(self, seconds: float) -> None:
        """What came in the ``seconds`` before now."""
        due = {work.name: time.time() - seconds for work in self.works}
        while any(moment < time.time() for moment in due.values()):
            for work in self.works:
                clock = work.view._clock
                while due[work.name] < time.time():
                    work.view._clock = lambda now=due[work.name]: now  # type: ignore[misc]
                    work.step(due[work.name])
                    due[work.name] += work.every_s
                work.view._clock = clock

    @contextmanager
    def running(self) -> Iterator[None]:
        """They go on meanwhile, in real time; what does not run brings no rows."""
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(10)

    def _run(self, stop: threading.Event) -> None:
        due = {work.name: time.monotonic() for work in self.works}
        while not stop.wait(0.02):
            for work in self.works:
                now = time.monotonic()
                if now >= due[work.name]:
                    due[work.name] = max(now, due[work.name] + work.every_s)
                    if work.condition.state == "running":
                        work.step(time.time())


def main() -> None:
    """Serve the page."""
    from pipeline.video.jpeg import JpegPrinter

    made = [presses(budget=0.01), hall(0.01), rivers(0.01), doors(JpegPrinter(), 0.01)]
    works = Works(made, "a token for the show", 9468)  # of made-up works
    works.fill(240)
    works.monitor.start()
    try:
        with works.running():
            while True:
                for left in np.arange(ATTEMPT_S, 0, -1):
                    works[RIVERS].condition = Condition("restarting", FAILURE, 2, float(left))
                    time.sleep(1)
                works[RIVERS].condition = Condition("running", FAILURE, 3)
                time.sleep(3 * ATTEMPT_S)
    except KeyboardInterrupt:
        works.monitor.stop()


if __name__ == "__main__":
    main()
