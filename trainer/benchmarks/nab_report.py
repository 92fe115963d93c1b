"""The report of a run of NAB: our figures beside baselines and the published scoreboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trainer.benchmarks import nab
from trainer.benchmarks.case import Case, Detection
from trainer.benchmarks.study import Detections
from trainer.metrics.nab import STANDARD, CorpusScore, FileScore
from trainer.metrics.vus import vus
from trainer.report_figures import series_figure

BASELINE = "windowed Gaussian"
SHOWN_BEST, SHOWN_WORST = 2, 3


def report(cases: Sequence[Case], detections: Detections) -> dict[str, Any]:
    """What ``trainer.report.write_report`` takes; the first detector is the one under test."""
    ours = next(iter(detections))
    swept = {name: nab.corpus_scores(cases, each) for name, each in detections.items()}
    own = {name: nab.own_scores(cases, each) for name, each in detections.items()}
    events = {name: nab.event_scores(cases, each) for name, each in detections.items()}
    volume = {name: _mean_vus_pr(cases, each) for name, each in detections.items()}
    standard = swept[ours][STANDARD.name]
    beaten = standard.score - swept[BASELINE][STANDARD.name].score
    return {
        "title": "NAB v1.1: Numenta Anomaly Benchmark",
        "task": "anomaly",
        "summary": (
            f"{len(cases)} series of one feature, streamed row by row without look-ahead. Each "
            "model learned from its file's probation rows only (first 15 %, at most 750)."
        ),
        "verdict": {
            "good": beaten > 0,
            "text": f"{abs(beaten):.1f} points {'above' if beaten > 0 else 'below'} the "
            f"{BASELINE} under the standard profile.",
        },
        "headline": [
            {"label": name.replace("_", " "), "value": f"{each.score:.1f}", "note": note}
            for (name, each), note in zip(
                swept[ours].items(),
                [f"{BASELINE}: {each.score:.1f}" for each in swept[BASELINE].values()],
                strict=True,
            )
        ],
        "tables": [
            _scoreboard(swept, ours, len(cases)),
            _events(events),
            _own(own, volume),
            _folders(standard, swept[BASELINE][STANDARD.name]),
            _files(cases, standard, swept[BASELINE][STANDARD.name]),
        ],
        "notes": [
            "The benchmark chooses one threshold for the whole corpus with the labels in view; "
            "it is an upper bound of what a detector does in the field.",
            "At a detector's own threshold a score below 0 means that its false alarms cost more "
            "than all it found is worth.",
            "NAB has limited resistance to inflation by random scores; VUS-PR stands beside it "
            "as a strict measure.",
        ],
        "details": {
            "swept": {name: _plain(each) for name, each in swept.items()},
            "one_report_an_event": {name: _plain(each) for name, each in events.items()},
            "own_threshold": {name: _plain(each) for name, each in own.items()},
            "vus_pr": volume,
            "seconds": {
                name: {case: detection.seconds for case, detection in each.items()}
                for name, each in detections.items()
            },
        },
        "figures": _figures(cases, detections[ours], standard),
    }


def _mean_vus_pr(cases: Sequence[Case], detections: Mapping[str, Detection]) -> float:
    """VUS-PR after probation, mean over the files that have a labelled window."""
    return float(
        np.mean(
            [
                vus(case.labels[case.train_rows :], detections[case.name].score[case.train_rows :])[
                    1
                ]
                for case in cases
                if case.labels[case.train_rows :].any()
            ]
        )
    )


def _scoreboard(
    swept: Mapping[str, Mapping[str, CorpusScore]], ours: str, files: int
) -> dict[str, Any]:
    rows: list[list[Any]] = [
        [name, *(each.score for each in scores.values()), f"this run, {files} files"]
        for name, scores in swept.items()
    ]
    rows += [[name, *scores, nab.SOURCE] for name, *scores in nab.PUBLISHED]
    rows.sort(key=lambda row: -row[1])
    return {
        "title": "Scoreboard",
        "caption": "0 is a detector that never fires, 100 one that finds every window at its "
        "first row. One threshold over the corpus for each profile.",
        "columns": ["detector", "standard", "low FP", "low FN", "source"],
        "rows": rows,
        "digits": 1,
        "highlight": [i for i, row in enumerate(rows) if row[0] == ours],
    }


def _events(events: Mapping[str, Mapping[str, CorpusScore]]) -> dict[str, Any]:
    rows = [[name, *(each.score for each in scores.values())] for name, scores in events.items()]
    return {
        "title": "One report an event",
        "caption": "The same when a row only counts as a detection if its score exceeds those of "
        f"the {nab.EVENT_ROWS} rows before: as a runtime reports, which opens an alarm once. "
        "The rule is put on every detector alike, so compare within this table.",
        "columns": ["detector", "standard", "low FP", "low FN"],
        "rows": rows,
        "digits": 1,
        "highlight": [0],
    }


def _own(
    own: Mapping[str, Mapping[str, CorpusScore]], volume: Mapping[str, float]
) -> dict[str, Any]:
    rows = []
    for name, scores in own.items():
        standard = scores[STANDARD.name]
        found, missed, false_alarms = _sums(standard.files)
        rows.append(
            [name, standard.score, found, found + missed, false_alarms, round(volume[name], 3)]
        )
    return {
        "title": "Without the labels' help",
        "caption": "NAB's standard score of the alarms that each detector raised at its own "
        "threshold, set on probation rows; and VUS-PR, which needs no threshold (mean over files).",
        "columns": ["detector", "standard", "found", "windows", "false-alarm rows", "VUS-PR"],
        "rows": rows,
        "digits": [0, 1, 0, 0, 0, 3],
        "highlight": [0],
    }


def _folders(standard: CorpusScore, baseline: CorpusScore) -> dict[str, Any]:
    rows = []
    for folder in sorted({_folder(file) for file in standard.files}):
        files = [file for file in standard.files if _folder(file) == folder]
        other = [file for file in baseline.files if _folder(file) == folder]
        found, missed, false_alarms = _sums(files)
        theirs = _sums(other)
        rows.append(
            [
                *(folder, len(files), found + missed),
                *(found, false_alarms, sum(file.raw for file in files)),
                *(theirs[0], theirs[2], sum(file.raw for file in other)),
            ]
        )
    return {
        "title": "By kind of series",
        "caption": f"At the standard profile's threshold; the last three columns are the "
        f"{BASELINE}'s. Raw is what the files add to the score before normalising.",
        "columns": [
            *("folder", "files", "windows", "found", "false-alarm rows", "raw"),
            *("found, WG", "false-alarm rows, WG", "raw, WG"),
        ],
        "rows": rows,
        "digits": 2,
    }


def _files(cases: Sequence[Case], standard: CorpusScore, baseline: CorpusScore) -> dict[str, Any]:
    rows = [
        [
            *(file.name, len(case.series), file.found + file.missed),
            *(file.found, file.false_alarms, file.raw, other.raw),
        ]
        for case, file, other in sorted(
            zip(cases, standard.files, baseline.files, strict=True), key=lambda each: each[1].raw
        )
    ]
    return {
        "title": "File by file",
        "caption": "Worst first, at the standard profile's threshold.",
        "columns": ["file", "rows", "windows", "found", "false-alarm rows", "raw", "raw, WG"],
        "rows": rows,
        "digits": 2,
    }


def _figures(
    cases: Sequence[Case], detections: Mapping[str, Detection], standard: CorpusScore
) -> list[dict[str, str]]:
    by_name = {case.name: case for case in cases}
    # Against the most that a file can bring, so that files without windows are not the best ones.
    ranked = sorted(
        (file for file in standard.files if file.found + file.missed),
        key=lambda file: file.raw - (file.found + file.missed),
    )
    worst = sorted(standard.files, key=lambda file: file.raw)[:SHOWN_WORST]
    best = [file for file in reversed(ranked) if file not in worst][:SHOWN_BEST]
    return [
        _figure(by_name[file.name], detections[file.name], file, standard.threshold, word)
        for files, word in ((best, "good"), (worst, "bad"))
        for file in files
    ]


def _figure(
    case: Case, detection: Detection, file: FileScore, threshold: float, word: str
) -> dict[str, str]:
    start = case.train_rows
    fires = detection.score >= threshold
    fires[:start] = False
    finite = np.isfinite(threshold)
    return series_figure(
        case.name,
        case.series.values,
        times=case.series.times,
        expected=detection.expected,
        score=detection.score,
        threshold=threshold if finite else None,
        alarms=fires,
        labels=case.labels,
        caption=f"A {word} one: {file.found} of {file.found + file.missed} windows found, "
        f"{file.false_alarms} false-alarm rows, raw {file.raw:.2f}. The first {start} rows are "
        "probation. Alarms are rows at or above the corpus' threshold.",
    )


def _folder(file: FileScore) -> str:
    return file.name.split("/", maxsplit=1)[0]


def _sums(files: Sequence[FileScore]) -> tuple[int, int, int]:
    return (
        sum(file.found for file in files),
        sum(file.missed for file in files),
        sum(file.false_alarms for file in files),
    )


def _plain(scores: Mapping[str, CorpusScore]) -> dict[str, Any]:
    return {
        name: {"score": each.score, "raw": each.raw, "threshold": each.threshold}
        | dict(zip(("found", "missed", "false_alarms"), _sums(each.files), strict=True))
        | {
            "files": {
                file.name: [file.raw, file.found, file.missed, file.false_alarms]
                for file in each.files
            }
        }
        for name, each in scores.items()
    }
