"""Judge a bundle on a folder of recordings, as it will run: its graph, its steps, its head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.block import Float32, Records
from pipeline.bundle import Bundle
from pipeline.engines.base import Engine
from pipeline.errors import BundleError, DataError
from pipeline.heads.speech import speech_head
from pipeline.manifest import Manifest
from trainer.speech.data import Corpus, Recording
from trainer.speech.words.errors import word_errors
from trainer.speech.words.hear import STREAMS, in_chunks, report, texts

TAIL_S = 0.5  # of silence behind a recording, so that late results are heard
HOP_S = 0.01  # of features that are there already
SHOWN = 20


def judge(bundle: Bundle, engine: Engine, corpus: Corpus) -> dict[str, Any]:
    """A report of what ``bundle`` hears in ``corpus``: word error, or misses and false alarms.

    Gives what ``trainer.report.write_report`` takes, but for title and command. Raises BundleError
    where the bundle hears no speech, and DataError where the recordings don't fit it.
    """
    manifest = bundle.manifest
    if manifest.task != "speech":
        raise BundleError(f"{bundle.path}: a bundle for {manifest.task}, not for speech")
    records = heard(manifest, engine, corpus)
    if manifest.head["form"] == "words":
        return _words(manifest, corpus, records)
    return _keywords(manifest, corpus, records)


def heard(manifest: Manifest, engine: Engine, corpus: Corpus) -> list[Records]:
    """All that the head reports; the key of each is the recording's number, in decimal."""
    values = [one.values for one in corpus.recordings]
    chunk, tail = _chunk(manifest, corpus)
    frame_s = manifest.head["frame_s"]
    rows_s = frame_s * next(p.shape[0] for p in manifest.outputs if p.name == "log_probs")
    head, found = speech_head(manifest), []
    order = np.argsort([len(one) for one in values], kind="stable")
    for at in range(0, len(order), STREAMS):
        chosen = order[at : at + STREAMS]
        chunks, rows = in_chunks([values[one] for one in chosen], chunk, tail)
        found += report(head, stepped(manifest, engine, chunks), rows, chosen, rows_s)
    return found


def stepped(manifest: Manifest, engine: Engine, chunks: Float32) -> Float32:
    """``chunks [B, T, F]`` through the engine, one step after the other → y [B, T, K]."""
    state = np.tile(manifest.initial_state(), (len(chunks), 1))
    found = np.empty((*chunks.shape[:2], manifest.output_width), np.float32)
    for at in range(chunks.shape[1]):
        found[:, at], state = engine.step(chunks[:, at], state)
    return found


def _chunk(manifest: Manifest, corpus: Corpus) -> tuple[int, int]:
    """The samples or frames in a row, and in the tail."""
    if not corpus.recordings:
        raise DataError("no recordings to judge on")
    if manifest.audio is not None:
        if corpus.sample_rate_hz is None:
            raise DataError(f"{manifest.name} hears sound, this data is features")
        return manifest.audio.chunk, round(TAIL_S * manifest.audio.sample_rate_hz)
    values = corpus.recordings[0].values
    if corpus.sample_rate_hz is not None or manifest.input_width % values.shape[1]:
        raise DataError(
            f"{manifest.name} takes {manifest.input_width} features a row, which this data hasn't"
        )
    return manifest.input_width // values.shape[1], round(TAIL_S / HOP_S)


def _words(manifest: Manifest, corpus: Corpus, records: Sequence[Records]) -> dict[str, Any]:
    said = [one.text for one in corpus.recordings]
    understood = texts(records, len(said))
    found = word_errors(said, understood)
    wrong = found.substitutions + found.deletions + found.insertions
    pairs = zip(corpus.recordings, understood, strict=True)
    missed = [(one, text) for one, text in pairs if one.text.split() != text.split()]
    return {
        "task": "speech",
        "summary": f"{manifest.name} on {len(said)} recordings with {found.words} words.",
        "headline": [
            {
                "label": "Word error",
                "value": f"{found.rate:.1%}",
                "note": f"{wrong} of {found.words} words",
            }
        ],
        "tables": [
            {
                "title": "Word errors",
                "columns": ["words", "substituted", "left out", "put in", "word error"],
                "rows": [
                    [
                        found.words,
                        found.substitutions,
                        found.deletions,
                        found.insertions,
                        found.rate,
                    ]
                ],
            },
            *misunderstood(missed, len(said)),
        ],
        "metrics": {"word_error": found.rate, "words": found.words},
    }


def misunderstood(missed: Sequence[tuple[Recording, str]], count: int) -> list[dict[str, Any]]:
    """A report's table of recordings out of ``count`` and what was heard; none if all are right."""
    if not missed:
        return []
    return [
        {
            "title": "Misunderstood",
            "caption": f"{len(missed)} of {count} recordings; the first {SHOWN}.",
            "columns": ["recording", "said", "heard"],
            "rows": [[one.name, one.text, text or "–"] for one, text in missed[:SHOWN]],
        }
    ]


def _keywords(manifest: Manifest, corpus: Corpus, records: Sequence[Records]) -> dict[str, Any]:
    """Misses among recordings of a keyword; every other report is false."""
    keywords = manifest.head["labels"][1:]
    said = [one.text for one in corpus.recordings]
    reports: list[list[str]] = [[] for _ in said]
    for some in records:
        if some.kind == "keyword":
            for key, keyword in zip(some.key, some.columns["keyword"], strict=True):
                reports[int(key)].append(str(keyword))
    rate = corpus.sample_rate_hz or round(1 / HOP_S)
    hours = sum(len(one.values) for one in corpus.recordings) / rate / 3600
    rows: list[list[Any]] = []
    for keyword in keywords:
        own = [list_ for text, list_ in zip(said, reports, strict=True) if text == keyword]
        missed = sum(keyword not in list_ for list_ in own)
        false = sum(
            list_.count(keyword)
            for text, list_ in zip(said, reports, strict=True)
            if text != keyword
        )
        rows.append([keyword, len(own), missed, missed / len(own) if own else None, false])
    clips, misses, false = (sum(row[at] for row in rows) for at in (1, 2, 4))
    rate_of = misses / clips if clips else None
    rows.append(["all", clips, misses, rate_of, false])
    return {
        "task": "speech",
        "summary": f"{manifest.name} on {len(said)} recordings, {hours:.2f} hours.",
        "headline": [
            {
                "label": "Missed",
                "value": f"{rate_of:.1%}" if rate_of is not None else "–",
                "note": f"{misses} of {clips} keywords",
            },
            {"label": "False alarms", "value": str(false), "note": f"in {hours:.2f} hours"},
        ],
        "tables": [
            {
                "title": "Keywords",
                "caption": "A report of a keyword in a recording of anything else is false.",
                "columns": ["keyword", "said", "missed", "miss rate", "false alarms"],
                "rows": rows,
                "highlight": [len(rows) - 1],
            }
        ],
        "metrics": {"miss_rate": rate_of, "false_alarms": false, "hours": hours},
    }
