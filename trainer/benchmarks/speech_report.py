"""Reports of the speech benchmarks, each figure beside its floor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer.benchmarks.an4 import Found
from trainer.benchmarks.fsdd import SNR_DB, Fold
from trainer.speech.judge import misunderstood
from trainer.speech.words.errors import WordErrors, word_errors
from trainer.speech.words.train import Parts, Trained

YESNO_FLOOR, AN4_FLOOR, ACCURACY_FLOOR, STRINGS_FLOOR = 0.0, 0.20, 0.93, 0.12
COSTS = ["parameters", "look-ahead, ms", "epochs", "training, CPU s", "wall s"]


def yesno_report(trained: Trained, parts: Parts) -> dict[str, Any]:
    """The word error on the second half."""
    errors = word_errors([one.text for one in parts.test], trained.heard)
    return _words_report(
        "yesno",
        "Eight words a recording, yes or no; 30 recordings to learn from, 30 others to hear.",
        errors,
        YESNO_FLOOR,
        trained,
        parts,
    )


def an4_report(found: Found) -> dict[str, Any]:
    """The word error on the test speakers."""
    speakers = sorted({one.speaker for one in found.parts.test})
    return _words_report(
        "AN4",
        "Letters, digits and commands from published cepstra, decoded greedily. "
        f"{len(found.parts.test)} recordings of {len(speakers)} speakers who were not learnt from: "
        f"{', '.join(speakers)}.",
        found.errors,
        AN4_FLOOR,
        found.trained,
        found.parts,
    )


def fsdd_report(folds: Sequence[Fold], official: Fold | None) -> dict[str, Any]:
    """Accuracy on single digits, and the word error on strings, of each speaker left out."""
    accuracy = float(np.mean([fold.accuracy for fold in folds]))
    errors = [fold.strings for fold in folds if fold.strings is not None]
    wrong = sum(one.substitutions + one.deletions + one.insertions for one in errors)
    rate = wrong / sum(one.words for one in errors)
    good = accuracy >= ACCURACY_FLOOR and rate <= STRINGS_FLOOR
    columns = ["speaker left out", "accuracy", "word error of strings", *COSTS]
    rows: list[list[Any]] = [
        [
            fold.name,
            fold.accuracy,
            fold.strings.rate if fold.strings else None,
            *_costs(fold.trained),
        ]
        for fold in folds
    ]
    rows.append(["all", accuracy, rate, *[None] * len(COSTS)])
    tables = [
        {
            "title": "Spoken digits of an unseen speaker",
            "caption": f"Each recording alone, and in strings of 3 to 7 with noise at {SNR_DB:g} "
            "dB; accuracy is the mean of the speakers, the word error that of all strings.",
            "columns": columns,
            "rows": rows,
            "highlight": [len(rows) - 1],
        }
    ]
    if official is not None:
        own = [official.name, official.accuracy, *_costs(official.trained)]
        tables.append(
            {
                "title": "The set's own split, which shares speakers",
                "columns": ["test part", "accuracy", *COSTS],
                "rows": [own],
            }
        )
    return {
        "title": "Spoken digits (FSDD)",
        "task": "speech",
        "summary": "For each of the speakers one model, trained on the others' digits in strings.",
        "verdict": {
            "good": good,
            "text": f"Accuracy {accuracy:.1%} (floor {ACCURACY_FLOOR:.0%}), word error of strings "
            f"{rate:.1%} (floor {STRINGS_FLOOR:.0%}).",
        },
        "tables": tables,
        "metrics": {
            "accuracy": accuracy,
            "strings_word_error": rate,
            "official_accuracy": official.accuracy if official else None,
        },
    }


def _words_report(
    title: str,
    summary: str,
    errors: WordErrors,
    floor: float,
    trained: Trained,
    parts: Parts,
) -> dict[str, Any]:
    pairs = list(zip(parts.test, trained.heard, strict=True))
    wrong = [(one, text) for one, text in pairs if one.text.split() != text.split()]
    return {
        "title": title,
        "task": "speech",
        "summary": summary,
        "verdict": {
            "good": errors.rate <= floor,
            "text": f"Word error {errors.rate:.1%} (floor {floor:.0%}).",
        },
        "tables": [
            {
                "title": "Word errors",
                "columns": ["words", "substituted", "left out", "put in", "word error", *COSTS],
                "rows": [
                    [
                        errors.words,
                        errors.substitutions,
                        errors.deletions,
                        errors.insertions,
                        errors.rate,
                        *_costs(trained),
                    ]
                ],
            },
            *misunderstood(wrong, len(pairs)),
        ],
        "metrics": trained.metrics,
    }


def _costs(trained: Trained) -> list[Any]:
    found = trained.metrics
    return [
        int(found["parameters"]),
        round(trained.model.delay_s * 1000),
        int(found["epochs"]),
        round(found["training_cpu_s"]),
        round(found["training_s"]),
    ]
