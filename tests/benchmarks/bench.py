"""What the parts of the benchmark share: the model, the brokers, a folder, a place to speak."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from export.untrained import untrained_anomaly_bundle
from tests.brokers import Broker, apache_broker, noida_broker

FEATURES, HIDDEN, LAYERS = 32, 64, 2


@dataclass
class Bench:
    """One run of the benchmark. Brokers start when first asked for and end with ``close``."""

    folder: Path
    quick: bool
    say: Callable[[str], None]
    features: int = FEATURES
    found: dict[str, dict[str, Any]] = field(default_factory=dict)  # what earlier parts measured

    def __post_init__(self) -> None:
        self.model = self.folder / "model.onnx"
        self.say("exporting the model")
        untrained_anomaly_bundle(self.model, features=FEATURES, hidden=HIDDEN, layers=LAYERS)
        self._ending = ExitStack()
        self._brokers: dict[str, Broker] = {}
        self._numbers = itertools.count(1)

    def name(self, what: str) -> str:
        """A name for a topic, group or file that nothing else has."""
        return f"{what}-{next(self._numbers)}"

    def noida(self) -> Broker:
        """The embedded broker, running."""
        return self._started("noida", noida_broker)

    def brokers(self) -> list[Broker]:
        """The embedded broker and, where this machine has it, Apache Kafka."""
        running = [self.noida()]
        if not self.quick:
            try:
                running.append(self._started("apache", apache_broker))
            except pytest.skip.Exception as reason:
                self.say(f"without Apache Kafka: {reason}")
        return running

    def close(self) -> None:
        """Stop the brokers."""
        self._ending.close()

    def _started(self, name: str, make: Callable[[Path], Broker]) -> Broker:
        if name not in self._brokers:
            folder = self.folder / name
            folder.mkdir()
            broker = make(folder)
            self.say(f"starting {broker.name}")
            self._ending.callback(broker.stop)
            self._brokers[name] = broker.start()
        return self._brokers[name]
