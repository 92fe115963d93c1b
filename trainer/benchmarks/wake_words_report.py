"""The report of the wake word benchmark: misses at false alarms, beside the floor."""

from __future__ import annotations

from typing import Any

from trainer.benchmarks.wake_words import RATE, SNR_DB, Found
from trainer.speech.keywords.score import Curve

FLOOR, PER_HOUR = 0.10, 1.0
RATES = (0.5, 1.0, 2.0, 5.0)
COLUMNS = [
    *("false alarms/h", "threshold", "missed", "miss rate", "alarms in background"),
    "wrong keyword",
]


def wake_words_report(found: Found) -> dict[str, Any]:
    """What ``trainer.report.write_report`` takes, but for the command and settings."""
    at = found.alone.at_rate(PER_HOUR)
    miss, metrics = found.alone.miss_rate(at), found.trained.metrics
    own_miss = found.alone.miss_rate(found.own)
    own_false = found.alone.false_per_hour(found.own)
    return {
        "title": "Six wake words",
        "task": "speech",
        "summary": (
            f"One model of {int(metrics['parameters']):,} parameters for six keywords, trained in "
            f"{metrics['training_s']:.0f} s ({metrics['training_cpu_s']:.0f} s of one core) on "
            f"{len(found.parts.training.clips)} clips. {found.alone.clips} test clips, each a "
            f"stream of its own; {found.alone.hours:.2f} h of background: test speech, the same "
            f"again in noise at {SNR_DB:g} dB, and the noise alone. A false alarm is a report of "
            "any keyword in the background, or of another keyword than the clip's; the hours are "
            "the background's."
        ),
        "verdict": {
            "good": miss <= FLOOR,
            "text": f"Miss rate {miss:.1%} at {PER_HOUR:g} false alarm an hour (floor "
            f"{FLOOR:.0%}); {own_miss:.1%} at {own_false:.2f} false alarms an hour with the "
            "threshold set on the validation part.",
        },
        "tables": [
            _table("Each clip alone", found.alone, found.own),
            _table(
                f"All clips between background, in noise at {SNR_DB:g} dB",
                found.embedded,
                found.own,
            ),
            _keywords(found),
        ],
        "notes": [
            "The threshold, one for all keywords, is moved on the test part, as the published "
            "benchmark does; the row named after validation is at the one that was set before.",
            "The set names no speakers: clips of one speaker may be in training and test.",
        ],
        "metrics": {
            **metrics,
            "miss_rate_at_1_per_hour": miss,
            "noisy_miss_rate_at_1_per_hour": found.embedded.miss_rate(
                found.embedded.at_rate(PER_HOUR)
            ),
            "background_h": found.alone.hours,
        },
    }


def _table(title: str, curve: Curve, own: int) -> dict[str, Any]:
    rows: list[list[Any]] = [_row(f"up to {rate:g}", curve, curve.at_rate(rate)) for rate in RATES]
    rows.append(_row(f"{curve.false_per_hour(own):.2f} (validation)", curve, own))
    return {
        "title": title,
        "caption": f"{curve.clips} clips, {curve.hours:.2f} h.",
        "columns": COLUMNS,
        "rows": rows,
        "highlight": [RATES.index(PER_HOUR)],
    }


def _row(name: str, curve: Curve, at: int) -> list[Any]:
    return [
        name,
        float(curve.thresholds[at]),
        int(curve.misses[at]),
        curve.miss_rate(at),
        int(curve.alarms[at]),
        int(curve.confusions[at]),
    ]


def _keywords(found: Found) -> dict[str, Any]:
    parts = (found.parts.training, found.parts.validation, found.parts.test)
    rows: list[list[Any]] = [
        [name, *(sum(clip.label == at for clip in part.clips) for part in parts)]
        for at, name in enumerate(found.parts.labels)
        if at
    ]
    hours = [sum(map(len, part.background)) / RATE / 3600.0 for part in parts]
    rows.append(["background speech, h", *hours])
    return {"title": "Data", "columns": ["", "training", "validation", "test"], "rows": rows}
