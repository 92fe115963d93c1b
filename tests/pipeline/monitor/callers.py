"""Made-up callers whose sound the real speech heads hear, for the live page's tests.

``python -m tests.pipeline.monitor.callers [words|keywords]`` serves the live page with them until
interrupted.
"""

from __future__ import annotations

import sys
import time
from typing import Any, Literal

import numpy as np

from pipeline.block import Batch, Float32, Records
from pipeline.heads.speech import speech_head
from pipeline.manifest import Audio, Feature, Manifest, Part
from pipeline.monitor.hearing import Hearing
from pipeline.monitor.live import LiveView
from tests.pipeline.monitor.plant import batch_of

Form = Literal["keywords", "words"]
RATE_HZ = 8000
FRAME_S = 0.04
FRAMES = 4
CHUNK_S = FRAMES * FRAME_S
LABELS = ("", *" abcdefghijklmnopqrstuvwxyz'")
KEYWORDS = ("", "lights on", "lights off", "stop")
FEATURES = (Feature(name="audio", unit="full scale"),)
LINES = (
    "turn the pump off in hall seven",
    "the belt of line two is loose again",
    "two four nine zero",
    "call the night shift please",
    "pressure is fine",
    "who is there",
)
ROOM = 1e-3  # what a quiet room sounds like, of full scale


def manifest(form: Form) -> Manifest:
    """A bundle of chunks of 160 ms."""
    head: dict[str, Any] = {"form": form, "frame_s": FRAME_S}
    if form == "words":
        head |= {"labels": LABELS, "separator": "", "endpoint_s": 0.6}
    else:
        head |= {"labels": KEYWORDS, "thresholds": [0.5] * 3, "smooth_s": 0.2, "refractory_s": 1.0}
    return Manifest(
        name="hall-microphones",
        task="speech",
        features=FEATURES,
        audio=Audio(sample_rate_hz=RATE_HZ, chunk=round(CHUNK_S * RATE_HZ)),
        state=(Part(name="h", shape=(1,)),),
        outputs=(Part(name="log_probs", shape=(FRAMES, len(head["labels"]))),),
        head=head,
        fingerprint="f",
        created="2026-01-01T00:00:00Z",
    )


def view_of(form: Form, budget: float = 1e9) -> LiveView:
    """A view that knows it shows speech."""
    view = LiveView("hall <7>", FEATURES, budget=budget, hearing=Hearing(form))
    view.status(
        {
            "state": "running",
            "model": f"hall-{form} 1.0",
            "task": "speech",
            "engine": "onnxruntime 1.31.1",
            "device": "cpu",
            "guarantee": "exactly_once",
            "lag": 0,
            "recovery": 1.0,
            "live_streams": 12,
            "spilled_streams": 0,
        }
    )
    return view


class Callers:
    """``count`` microphones; now and then somebody speaks into one of them."""

    def __init__(self, form: Form, count: int = 12, seed: int = 5) -> None:
        self.keys = [f"hall-{1 + at // 4}/mic-{1 + at % 4}".encode() for at in range(count)]
        self.form = form
        self.rows = 0
        self._head = speech_head(manifest(form))
        self._state = np.repeat(self._head.initial[None], count)
        self._random = np.random.default_rng(seed)
        self._script = [self._silence() for _ in range(count)]  # symbols still to come
        self._loud = np.zeros(count)

    def say(self, stream: int, text: str) -> None:
        """Let a microphone hear this next, and then a pause."""
        self._script[stream] = self._spoken(text) + [0] * 25 + self._script[stream]

    def step(self, now_s: float) -> tuple[Batch, list[Records]]:
        """The next row of every microphone, which ends at ``now_s``, and what the head heard."""
        n = len(self.keys)
        symbols = np.array([self._next(at) for at in range(n)])
        heard = symbols > 0
        labels = len(LABELS if self.form == "words" else KEYWORDS)
        posteriors = np.full((n, FRAMES, labels), 0.06 / (labels - 1))
        sure = self._random.uniform(0.72, 0.94, symbols.shape)
        np.put_along_axis(posteriors, symbols[:, :, None], sure[:, :, None], axis=2)
        posteriors /= posteriors.sum(axis=2, keepdims=True)
        batch = batch_of(self.keys, self._sound(heard), int(now_s * 1e6), offset=self.rows * n)
        y = np.log(posteriors).reshape(n, -1).astype(np.float32)
        records, self._state = self._head.step(batch, y, self._state)
        self.rows += 1
        return batch, records

    def _sound(self, heard: np.ndarray[Any, np.dtype[np.bool_]]) -> Float32:
        loud = heard.mean(axis=1) > 0.2
        self._loud = 0.5 * self._loud + 0.5 * loud * self._random.uniform(0.05, 0.2, len(loud))
        noise = self._random.normal(0, 1, (len(loud), round(CHUNK_S * RATE_HZ)))
        samples = np.clip(noise * (ROOM + self._loud)[:, None], -1, 1).astype(np.float32)
        samples[0, -40:] = np.nan  # a row that its record did not fill
        return samples

    def _next(self, stream: int) -> list[int]:
        script = self._script[stream]
        while len(script) < FRAMES:
            line = LINES[self._random.integers(len(LINES))]
            word = KEYWORDS[self._random.integers(1, len(KEYWORDS))]
            script += self._spoken(line if self.form == "words" else word) + self._silence()
        self._script[stream] = script[FRAMES:]
        return script[:FRAMES]

    def _spoken(self, text: str) -> list[int]:
        if self.form == "keywords":
            return [KEYWORDS.index(text)] * 12
        return [symbol for letter in text for symbol in (LABELS.index(letter), 0)]

    def _silence(self) -> list[int]:
        return [0] * int(self._random.integers(20, 260))


def main() -> None:
    """Serve the page."""
    from pipeline.metrics import Metrics
    from pipeline.monitor.health import Vitals
    from tests.pipeline.monitor.serving import monitor_of

    form: Form = "keywords" if "keywords" in sys.argv else "words"
    view, callers = view_of(form, 0.01), Callers(form)
    registry = Metrics("hall").registry
    token = "a token for the show"  # noqa: S105  # of a made-up hall
    monitor = monitor_of(port=9466, token=token, registry=registry, health=Vitals(3600), view=view)
    monitor.start()
    try:
        while True:
            view.observe(*callers.step(time.time()))
            time.sleep(CHUNK_S)
    except KeyboardInterrupt:
        monitor.stop()


if __name__ == "__main__":
    main()
