"""What a training of words found, for the manifest, report.json and report.html."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trainer.fit import History
from trainer.speech.data import Recording
from trainer.speech.model import SpeechModel
from trainer.speech.words.config import WordsConfig
from trainer.speech.words.errors import WordErrors, word_errors
from trainer.speech.words.units import Units

SHOWN = 12  # sentences in the report


@dataclass(frozen=True, slots=True)
class Results:
    """The pieces that a run's report is written from; ``heard`` goes with ``test``."""

    config: WordsConfig
    units: Units
    model: SpeechModel
    training: Sequence[Recording]
    validation: Sequence[Recording]
    test: Sequence[Recording]
    heard: Sequence[str]
    history: History
    training_s: float
    cpu_s: float

    @property
    def errors(self) -> WordErrors:
        """On the test part."""
        return word_errors([one.text for one in self.test], self.heard)

    @property
    def parameters(self) -> int:
        """The numbers that were learnt."""
        return sum(weight.numel() for weight in self.model.encoder.parameters())

    def metrics(self) -> dict[str, float]:
        """The numbers that go into the manifest."""
        found = self.errors
        numbers = {
            "validation_error": self.history.validation[self.history.best],
            "test_word_error": found.rate,
            "test_words": float(found.words),
            "test_sentence_error": found.wrong_sentences / found.sentences,
            "parameters": float(self.parameters),
            "epochs": float(len(self.history.validation)),
            "training_s": self.training_s,
            "training_cpu_s": self.cpu_s,
        }
        return {name: round(value, 6) for name, value in numbers.items()}

    def report(self) -> dict[str, Any]:
        """What ``trainer.report.write_report`` takes, but for the name, command and figures."""
        found = self.errors
        commonest, trivial = self._trivial()
        good = found.rate < trivial
        word = "beats" if good else "does NOT beat"
        return {
            "task": "speech",
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "summary": self._summary(),
            "verdict": {
                "good": good,
                "text": f"The word error of {found.rate:.1%} {word} always saying {commonest!r} "
                f"({trivial:.1%}).",
            },
            "headline": self._headline(),
            "tables": [self._errors_table(), self._sentences_table(), self._data_table()],
            "notes": self._notes(),
            "settings": self.config.model_dump(),
            "metrics": self.metrics(),
            "epochs": self.history.rows(),
        }

    def _trivial(self) -> tuple[str, float]:
        """The commonest transcript of the training part, and its word error on the test part."""
        texts = [one.text for one in self.training]
        commonest = max(sorted(set(texts)), key=texts.count)
        said = [one.text for one in self.test]
        return commonest, word_errors(said, [commonest] * len(said)).rate

    def _summary(self) -> str:
        return (
            f"Trained on {len(self.training)} recordings to hear {len(self.units.labels) - 1} "
            f"{self.units.kind}. The word error is on {len(self.test)} recordings that nothing was "
            "fitted to, decoded live: chunk by chunk, with the bundle's own decoder."
        )

    def _headline(self) -> list[dict[str, str]]:
        found = self.errors
        wrong = found.substitutions + found.deletions + found.insertions
        return [
            {
                "label": "Word error",
                "value": f"{found.rate:.1%}",
                "note": f"{wrong} of {found.words} words",
            },
            {
                "label": "Sentences right",
                "value": f"{1 - found.wrong_sentences / found.sentences:.0%}",
                "note": f"of {found.sentences}",
            },
            {
                "label": "Parameters",
                "value": f"{self.parameters:,}",
                "note": f"look-ahead {self.model.delay_s * 1000:.0f} ms in chunks of "
                f"{self.config.chunk_ms} ms",
            },
            {
                "label": "Training",
                "value": f"{self.training_s:.0f} s",
                "note": f"{len(self.history.validation)} epochs",
            },
        ]

    def _errors_table(self) -> dict[str, Any]:
        found = self.errors
        return {
            "title": "Word errors",
            "caption": "Test part, counted by the best alignment of what was heard with what was "
            "said.",
            "columns": ["words", "substituted", "left out", "put in", "word error"],
            "rows": [
                [found.words, found.substitutions, found.deletions, found.insertions, found.rate]
            ],
        }

    def _sentences_table(self) -> dict[str, Any]:
        pairs = list(zip(self.test, self.heard, strict=True))
        wrong = [pair for pair in pairs if pair[0].text.split() != pair[1].split()]
        right = [pair for pair in pairs if pair[0].text.split() == pair[1].split()]
        shown = (wrong[: SHOWN - min(len(right), 3)] + right)[:SHOWN]
        return {
            "title": "Examples",
            "caption": f"Of the {len(wrong)} test recordings with an error some, and some without.",
            "columns": ["recording", "said", "heard"],
            "rows": [[one.name, one.text, heard or "–"] for one, heard in shown],
        }

    def _data_table(self) -> dict[str, Any]:
        parts = (("training", self.training), ("validation", self.validation), ("test", self.test))
        rows = []
        for name, some in parts:
            speakers = {one.speaker for one in some if one.speaker}
            words = sum(len(one.text.split()) for one in some)
            rows.append([name, len(some), words, len(speakers) or None])
        return {
            "title": "Data",
            "columns": ["part", "recordings", "words", "speakers"],
            "rows": rows,
        }

    def _notes(self) -> list[str]:
        known = all(one.speaker for one in (*self.training, *self.validation, *self.test))
        unheard = sorted({w for one in self.test for w in one.text.split()} - self._words())
        notes = [
            "Normaliser and weights come from the training part; the word error on the validation "
            "part chose the epoch.",
            "No speaker is in two parts."
            if known
            else "The speakers are not known, so some may be in two parts; then the word error is "
            "too good. Give a speaker column, or --speaker.",
        ]
        if unheard:
            notes.append(
                f"Words of the test part that never come in the training part: {', '.join(unheard)}"
            )
        return notes

    def _words(self) -> set[str]:
        return {word for one in self.training for word in one.text.split()}
