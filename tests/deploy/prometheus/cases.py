"""For every alert: what makes it fire, and what looks alike and must not.

Series are written as promtool's tests write them, a value a minute: ``0+60x30`` begins at 0 and
grows by 60 thirty times, ``1x3`` is four ones, ``_`` is no value. A key is a metric and labels
after it; None takes away a series of ``HEALTHY``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Series = Mapping[str, str | None]

LONG = "x120"  # minutes
HEALTHY: Series = {
    "up": f"1{LONG}",
    "streamcell_config_loaded_timestamp_seconds": f"0{LONG}",
    "streamcell_pipeline_up": f"1{LONG}",
    "streamcell_recovery_progress_ratio": f"1{LONG}",
    "streamcell_process_start_timestamp_seconds": f"-3600{LONG}",
}
RECOVERING: Series = {"streamcell_recovery_progress_ratio": f"0.5{LONG}"}
JUST_STARTED: Series = {"streamcell_process_start_timestamp_seconds": "0+60x120"}
DOWN: Series = {"streamcell_pipeline_up": f"0{LONG}"}

LAG = "streamcell_input_lag_records partition=0"
READ = "streamcell_input_offsets_total"
ROWS = "streamcell_input_rows_total"
DROPPED = "streamcell_input_dropped_rows_total cause="
DEAD = "streamcell_output_dead_letters_total cause=malformed"
CAMERA = "streamcell_camera_up camera="
OPENED = "streamcell_output_alarms_opened_total"
STREAMS = "streamcell_pool_live_streams"
BUCKET = "streamcell_output_latency_seconds_bucket le="
OUTPUTS = "streamcell_output_latency_seconds_count"
TARGET = "streamcell_output_latency_target_seconds"
AGE = "streamcell_snapshot_age_seconds"
INTERVAL = "streamcell_snapshot_interval_seconds"


def slow(outputs: int, target_s: float | None) -> Series:
    """So many outputs a minute, half of them above half a second, all below one."""
    return {
        f"{BUCKET}0.5": f"0+{outputs // 2}{LONG}",
        f"{BUCKET}1.0": f"0+{outputs}{LONG}",
        f"{BUCKET}+Inf": f"0+{outputs}{LONG}",
        OUTPUTS: f"0+{outputs}{LONG}",
        TARGET: None if target_s is None else f"{target_s}{LONG}",
    }


@dataclass(frozen=True, slots=True)
class Case:
    """``ill`` fires within ``minutes`` and not in the first ``quiet`` of them; ``well`` never."""

    alert: str
    quiet: int
    minutes: int
    ill: Series
    well: Mapping[str, Series] = field(default_factory=dict)


CASES = (
    Case(
        "StreamcellDown",
        quiet=5,
        minutes=10,
        ill={"up": "1x3 0x20"},
        well={
            "answers": {},
            "one scrape was lost": {"up": "1x3 0 1x20"},
            "another job is down": {"up job=node": "0x20"},
        },
    ),
    Case(
        "StreamcellAbsent",
        quiet=4,
        minutes=10,
        ill={"up": None},
        well={"answers": {}, "is down but known": {"up": "0x20"}},
    ),
    Case(
        "StreamcellProcessRestarts",
        quiet=4,
        minutes=10,
        ill={
            "process_start_time_seconds": "0 _ 60 _ 120 _ 180x20",
            "streamcell_config_loaded_timestamp_seconds": "0 _ 60 _ 120 _x20",
        },
        well={
            "was restarted once": {"process_start_time_seconds": "0x3 240x20"},
            "another exporter": {
                "process_start_time_seconds": "0 60 120 180 240x20",
                "streamcell_config_loaded_timestamp_seconds": None,
            },
        },
    ),
    Case(
        "StreamcellReloadFailed",
        quiet=6,
        minutes=10,
        ill={"streamcell_config_last_reload_successful": "1x1 0x20"},
        well={"was corrected": {"streamcell_config_last_reload_successful": "1x1 0x3 1x20"}},
    ),
    Case(
        "StreamcellPipelineDown",
        quiet=4,
        minutes=10,
        ill=DOWN,
        well={
            "starts": {"streamcell_pipeline_up": "0x3 1x20"},
            "came to its input's end": {"streamcell_pipeline_up": "1x3 stale"},
        },
    ),
    Case(
        "StreamcellPipelineRestarts",
        quiet=3,
        minutes=8,
        ill={"streamcell_pipeline_restarts_total": "0x1 1 2 3 4x20"},
        well={
            "failed once": {"streamcell_pipeline_restarts_total": "0x3 1x30"},
            "fails now and then": {"streamcell_pipeline_restarts_total": "0x9 1x9 2x9 3x9"},
        },
    ),
    Case(
        "StreamcellRecoveryStuck",
        quiet=9,
        minutes=15,
        ill={"streamcell_recovery_progress_ratio": f"0{LONG}", ROWS: f"0{LONG}"},
        well={
            "replays": {**RECOVERING, ROWS: f"0+1000{LONG}"},
            "waits a little": {
                "streamcell_recovery_progress_ratio": "0x8 1x30",
                ROWS: f"0{LONG}",
            },
            "has no input": {ROWS: f"0{LONG}"},
            "is started again": {**DOWN, **RECOVERING, ROWS: f"0{LONG}"},
        },
    ),
    Case(
        "StreamcellLagGrowing",
        quiet=10,
        minutes=30,
        ill={LAG: "0+3000x60", READ: "0+6000x60"},
        well={
            "works off a burst": {LAG: "0x5 60000-6000x10 0x40", READ: "0+12000x60"},
            "has few rows": {LAG: "0+2x40", READ: "0+1x60"},
            "is a few seconds behind": {LAG: "1000+20x60", READ: "0+6000x60"},
            "catches up": {LAG: "600000-3000x60", READ: "0+6000x60"},
            "recovers": {LAG: "0+3000x60", READ: "0+6000x60", **RECOVERING},
            "was just started": {LAG: "0+3000x60", READ: "0+6000x60", **JUST_STARTED},
        },
    ),
    Case(
        "StreamcellLagNotCaughtUp",
        quiet=30,
        minutes=60,
        ill={LAG: "360000-60x120", READ: "0+6000x120"},
        well={
            "is done within the hour": {LAG: "360000-6000x60 0x60", READ: "0+6000x120"},
            "always has some in flight": {LAG: "3000x120", READ: "0+6000x120"},
            "recovers": {LAG: "360000-60x120", READ: "0+6000x120", **RECOVERING},
        },
    ),
    Case(
        "StreamcellStalled",
        quiet=5,
        minutes=15,
        ill={LAG: "500x30", READ: "7000x30"},
        well={
            "has no input": {LAG: "0x30", READ: "7000x30"},
            "sees transaction markers": {LAG: "50x30", READ: "7000x30"},
            "reads": {LAG: "500x30", READ: "0+60x30"},
            "recovers": {LAG: "500x30", READ: "7000x30", **RECOVERING},
        },
    ),
    Case(
        "StreamcellCameraDown",
        quiet=5,
        minutes=10,
        ill={
            f"{CAMERA}hall": "1x3 0x20",
            "streamcell_camera_up camera=yard": "1x20",
        },
        well={
            "lost it for a moment": {f"{CAMERA}hall": "1x3 0 1x20"},
            "is started again": {f"{CAMERA}hall": "0x20", **DOWN},
        },
    ),
    Case(
        "StreamcellFramesDropped",
        quiet=15,
        minutes=25,
        ill={
            f"{DROPPED}camera_overload": "0+600x40",
            f"{DROPPED}camera_corrupt": "0+600x40",
            ROWS: "0+900x40",
        },
        well={
            "drops some": {f"{DROPPED}camera_overload": "0+300x40", ROWS: "0+1200x40"},
            "leaves out what it was told to": {
                f"{DROPPED}camera_rate": "0+1200x40",
                ROWS: "0+300x40",
            },
            "has hardly any frames": {f"{DROPPED}camera_overload": "0+6x40", ROWS: "0+3x40"},
        },
    ),
    Case(
        "StreamcellSoundLost",
        quiet=2,
        minutes=10,
        ill={f"{DROPPED}microphone_overflow": "1+1x20"},
        well={
            "lost it once": {f"{DROPPED}microphone_overflow": "0x3 1x30"},
            "was stopped": {f"{DROPPED}microphone_stopped": "0+10x30"},
        },
    ),
    Case(
        "StreamcellCommitFailures",
        quiet=4,
        minutes=10,
        ill={"streamcell_commit_failures_total": "0x3 1 0x20"},
        well={"commits": {"streamcell_commit_failures_total": "0x30"}},
    ),
    Case(
        "StreamcellLatencyHigh",
        quiet=10,
        minutes=20,
        ill=slow(1200, 0.7),
        well={
            "has no target": slow(1200, None),
            "has another target": slow(1200, 2.0),
            "has few outputs": slow(12, 0.7),
            "recovers": {**slow(1200, 0.7), **RECOVERING},
        },
    ),
    Case(
        "StreamcellDeadLetters",
        quiet=5,
        minutes=15,
        ill={DEAD: "0+60x40", ROWS: "0+1200x40"},
        well={
            "rejects one in two hundred": {DEAD: "0+6x40", ROWS: "0+1200x40"},
            "rejects one of very few": {DEAD: "0x3 1x40", ROWS: "0+1x40"},
            "has no input": {DEAD: "60x40", ROWS: "60x40"},
            "was just started": {DEAD: "0+60x40", ROWS: "0+1200x40", **JUST_STARTED},
        },
    ),
    Case(
        "StreamcellMostlyDeadLetters",
        quiet=5,
        minutes=15,
        ill={DEAD: "0+900x40", ROWS: "0+1200x40"},
        well={
            "rejects a quarter": {DEAD: "0+300x40", ROWS: "0+1200x40"},
            "rejects all of very few": {DEAD: "0x3 1 2 3x40", ROWS: "0x3 1 2 3x40"},
        },
    ),
    Case(
        "StreamcellAlarmFlood",
        quiet=79,
        minutes=92,
        ill={OPENED: "0+0.1x75 8+10x60", STREAMS: "100x120"},
        well={
            "has that many streams": {OPENED: "0+0.1x75 8+10x60", STREAMS: "1000x120"},
            "always has many": {OPENED: "0+10x120", STREAMS: "100x120"},
            "has few streams": {OPENED: "0x75 0+0.5x60", STREAMS: "3x120"},
            "has no past": {OPENED: "_x74 0+10x60", STREAMS: "100x120"},
            "was just started": {
                OPENED: "0+0.1x75 8+10x60",
                STREAMS: "100x120",
                **JUST_STARTED,
            },
        },
    ),
    Case(
        "StreamcellSnapshotOld",
        quiet=8,
        minutes=15,
        ill={AGE: "0+60x40", INTERVAL: "30x40"},
        well={
            "saves once an hour": {AGE: "0+60x40", INTERVAL: "3600x40"},
            "saved late": {AGE: "0+60x6 0x40", INTERVAL: "30x40"},
            "does not run": {AGE: "0+60x40", INTERVAL: "30x40", **DOWN},
        },
    ),
)
